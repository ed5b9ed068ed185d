// Package ingest reads what other systems know about customers: files of
// customers, events and orders (CSV, JSON lines, Segment-style JSON, gzip) and
// the messages of the tracking API. It decodes, validates with a reason per
// row, gives events and orders identities that make repetition harmless, and
// hands batches to the store.
//
// Level 3: imports lifecycle, clock and the row types of internal/postgres; the
// store itself comes in through the small interface Store.
package ingest
