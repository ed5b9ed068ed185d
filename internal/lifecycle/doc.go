// Package lifecycle holds the words of Touchstone as Go types: customer,
// event, order, offer, creative, touch, verdict, review. Every other package
// speaks these words; this one imports the standard library only.
//
// Conventions that hold everywhere: instants are UTC, money is in minor units
// with an ISO 4217 currency, probabilities lie in [0,1], identifiers are
// UUIDv7 text unless said otherwise.
package lifecycle
