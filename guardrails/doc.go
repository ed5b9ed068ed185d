// Package guardrails judges a touch: may it go out now, later, after a person
// looked at it, or never. One rule per file; the catalogue lists them all, and
// every rule carries examples it must and must not flag.
//
// The package is pure: it looks at what the caller put into a Touch, at the
// policy and at the brand, and never at a clock, a network or a database. It
// may import lifecycle, clock, brand, yamldoc and text normalisation only.
package guardrails
