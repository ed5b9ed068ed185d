package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// SavePlans stores what preparing came to, in one transaction: touches by key
// with their history, the progress of their runs, then the records. A touch that
// is being sent or further, or closed, stays as it is; one that is still being
// planned is updated and keeps its id. A plan without a touch key only moves its
// run. Decision and Verdict reach the decision log through the records.
func (s *Store) SavePlans(ctx context.Context, plans []ledger.Plan, records []ledger.Record) error {
	var rows []dbsqlc.Touch
	var keys []string
	var ats []time.Time
	moves := make([]ledger.Progress, 0, len(plans))
	seen := map[string]bool{}
	for _, p := range plans {
		moves = append(moves, p.Progress)
		if p.Touch.Key == "" {
			continue
		}
		if seen[p.Touch.Key] {
			return lifecycle.Errorf(lifecycle.Invalid, "touch %s is planned twice in one batch", p.Touch.Key)
		}
		seen[p.Touch.Key] = true
		row, err := plannedRow(p)
		if err != nil {
			return err
		}
		rows, keys, ats = append(rows, row), append(keys, row.Key), append(ats, instant(p.At))
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	if err := s.ensure(ctx, historyTable, ats...); err != nil {
		return err
	}
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	return s.pipelined(ctx, "save plans", func(q *dbsqlc.Queries, p *pipeline) error {
		if len(rows) > 0 {
			if err := q.SaveTouches(ctx, dbsqlc.SaveTouchesParams{Batch: encoded, Keys: keys, Ats: ats}); err != nil {
				return err
			}
		}
		if err := moveRuns(ctx, q, p, moves); err != nil {
			return err
		}
		return appendRecords(ctx, q, records)
	}, nil)
}
