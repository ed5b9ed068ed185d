// Package journey holds the definitions marketers write: YAML with a JSON
// Schema, parsed into a Definition that says which step comes next, when a
// send window opens, what changed between versions, and how a customer would
// pass through (Simulate).
//
// Everything here is pure: no clock, no store, no engine. May import lifecycle,
// clock, segment and the YAML parser.
package journey
