// Package postgres is the store: every row Touchstone keeps, its schema and its
// migrations. What must happen together happens in one transaction here, so that
// a crash at any instant leaves the ledger telling the truth.
//
// SQL lives in queries/*.sql; the Go code in dbsqlc is generated from it by sqlc
// (make generate) and committed. What sqlc cannot express stands beside its Go code: a
// statement around a given condition, results too long to collect, bulk writing.
// Batches travel as one JSON array whose members are rows
// of the generated models, so a column is named in one place only. Driver errors
// become lifecycle error codes at this edge.
//
// It may import lifecycle, ledger, measure, watch, clock and the database driver;
// nothing else of ours.
package postgres
