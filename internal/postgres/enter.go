package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Enter records that a customer enters a journey, and draws the arm: below
// Entry.Global of bucket("holdout", customer) the brand's holdout, below
// Entry.Holdout of bucket("holdout/"+journey, customer) the journey's, else
// treated. A treated run is running and durable; a held-out one has ended with
// reason "holdout".
//
// Entered is false when the same entry was recorded before, and run is that one;
// when the re-entry rule forbids it, and run is the run that stands in the way
// (its EntryKey differs); or when a rollout in force does not reach the customer
// yet, and run is empty unless there is one already. An unknown or erased
// customer is NotFound.
func (s *Store) Enter(ctx context.Context, e ledger.Entry) (run ledger.Run, entered bool, err error) {
	properties, err := object(e.Properties)
	if err != nil {
		return run, false, err
	}
	id := string(e.RunID)
	if id == "" {
		if id, err = newID(); err != nil {
			return run, false, err
		}
	}
	// Before the transaction: it must not wait for a second connection.
	admitted, args, err := s.admitting(ctx, e.Journey, e.At, 2)
	if err != nil {
		return run, false, err
	}
	var row dbsqlc.JourneyRun
	err = s.transaction(ctx, "enter journey "+e.Journey, func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if err := lock(ctx, q, "entry/"+e.Journey, e.CustomerID); err != nil {
			return err
		}
		reached, err := admits(ctx, tx, e.CustomerID, admitted, args)
		if err != nil {
			return err
		}
		if reached {
			row, err = q.EnterRun(ctx, dbsqlc.EnterRunParams{ID: id, Journey: e.Journey, Version: int32(e.Version),
				EntryKey: e.EntryKey, At: instant(e.At), EventID: string(e.EventID), Entry: properties, Global: e.Global,
				Holdout: e.Holdout, CustomerID: string(e.CustomerID), Always: e.Always, NotSince: instant(e.NotSince)})
			entered = err == nil
			if !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
		row, err = q.StandingRun(ctx, dbsqlc.StandingRunParams{Journey: e.Journey, CustomerID: string(e.CustomerID), EntryKey: e.EntryKey})
		switch {
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		case !reached:
			return nil
		}
		return lifecycle.Errorf(lifecycle.NotFound, "customer %s does not exist or was erased", e.CustomerID)
	})
	if err != nil || row.ID == "" {
		return run, false, err
	}
	run, err = runOf(row)
	return run, entered, err
}
