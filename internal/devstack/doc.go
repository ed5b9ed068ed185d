// Package devstack starts the engines that Touchstone needs on one machine:
// a private PostgreSQL cluster, a Temporal dev server and the stand-alone
// Temporal UI. `touchstone dev`, `touchstone demo` and integration tests use
// it; production never does.
//
// What belongs here: finding, building or installing the engines, running them
// as children that end when this process ends, and the faults tests ask for
// (RestartPostgres, RestartTemporal). It imports the database driver and the
// Temporal SDK only to see that an engine answers; of Touchstone it imports
// internal/lifecycle only. It runs on Unix systems.
//
// Nothing is left running: every child has its own process group (so that
// Ctrl-C reaches this process first and engines stop last), Linux ends it when
// this process dies, and a small shell (see guard) does the same on every other
// Unix and removes temporary data.
package devstack
