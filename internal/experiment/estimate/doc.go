// Package estimate turns sums per arm into differences and lifts with their
// standard errors: proportions, means, ratios, means adjusted by what was known
// before, and what is left of a winner after its luck is taken out.
//
// Everything starts from Sums, which can be added in any order, so that a store needs
// to keep one row per arm and day.
//
// Pure; may import measure (for intervals) and gonum only. Level 2.
package estimate
