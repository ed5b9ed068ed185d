// Package activities holds the capabilities behind the workflows: preparing and
// delivering touches, working through cohorts, reviews, erasure, housekeeping.
//
// Every activity works on batches: a journey workflow passes one run, a
// broadcast page passes hundreds, and both go through the same code and the
// same ledger. Everything that is decided is decided here and recorded;
// workflows branch on the small results only. Payloads carry ids, instants and
// reasons, never personal data.
//
// May import lower levels and the Temporal activity API; never a database
// driver or a provider's client: those arrive through the small interfaces in
// ports.go.
package activities
