// Package measure defines the programme's key figures and how sure they are:
// revenue per marketing touch (RpMT), attributed and incremental, conversion,
// and the intervals around them. It also declares what a store must sum up for
// them, so that a report needs sums and never single rows.
//
// Two questions are kept apart. Attributed revenue says after which touch money
// came in; it says nothing about cause. Incremental revenue says what would not
// have come in without the touches; it compares customers by the arm that was
// drawn for them, whatever they received afterwards (intention to treat).
//
// The package is pure and may import lifecycle, ledger and gonum only. Level 2.
package measure
