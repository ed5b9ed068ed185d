// Package sequential decides while data come in. It holds two kinds of rule with
// different promises:
//
// A group-sequential test looks a planned number of times, or a number that
// depends on time and never on the data, and spends an error of at most alpha in
// all of them together (K. K. G. Lan and D. L. DeMets, Biometrika 70, 1983, 659-663,
// with the O'Brien-Fleming shape). It is the rule that promotes and retires.
//
// A confidence sequence holds at every moment, whoever looks whenever, and pays
// for that with width. It is the view that is always on, and the rule that stops
// harm.
//
// Information is what a comparison knows, in any unit that grows with 1/se²; here it
// is relative to the planned maximum, so that it runs from 0 to 1. The score W at
// information I is Z √I and moves like Brownian motion with a drift that is the effect.
//
// Pure; may import measure (for intervals) and gonum only. Level 2.
package sequential
