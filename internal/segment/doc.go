// Package segment holds named conditions over customers. A condition is
// written in CEL, compiled once, and evaluated in two worlds: for one customer
// in memory (Match) and for a cohort as one SQL condition (SQL). Both worlds
// are two methods of the same small tree, so that they agree by construction;
// a property test on PostgreSQL proves it.
//
// The rule for values a customer does not have: a comparison that touches one
// is false, whichever comparison it is; ! negates the result; has(x) asks.
//
// Belongs here: the customer model, compilation, evaluation, translation. May
// import lifecycle and the CEL parser; no database driver.
package segment
