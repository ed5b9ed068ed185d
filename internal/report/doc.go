// Package report tells people what a period brought: as text for a terminal, as
// one HTML file, as JSON. Every number is computed from stored rows by
// internal/measure; nothing is counted while a programme runs, so the same
// report can be made again at any time.
//
// It may import measure, ledger, lifecycle, clock, journey and guardrails, and
// declares the store it reads from. Level 5.
package report
