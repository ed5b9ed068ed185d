// Package ledger holds the records that pass between the engine and the store:
// runs, situations, plans, reservations, settlements, and the rules by which a
// touch may change its state. Pure; imports lifecycle and guardrails' verdicts
// by way of lifecycle only.
package ledger
