// Package bandit divides units between arms while it learns which is best: it
// loses little and proves nothing. It also says what can honestly be inferred
// afterwards from data whose arms were chosen by earlier outcomes.
//
// Which policy is better depends on how many units there are. Thompson sampling
// (W. R. Thompson, Biometrika 25, 1933) plays each arm with the probability that it is
// best: right for a horizon without end, and too curious for a creative test that is
// over after a few thousand sends, where testing a tenth evenly and sending the leader does
// better. Horizon sits between the two: it sharpens the probabilities the nearer the
// end is. docs/experiments.md has the figures.
//
// Pure; may import the experiment's estimates, measure and gonum only. Level 2.
package bandit
