package postgres

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// noLoops is for statements that join what they have worked out themselves with
// whole tables: the planner guesses few rows where there are many, and looping
// over them takes hours where hashing takes seconds.
const noLoops = "set local enable_nestloop = off"

// Cuts sums up trials, each divided by what was known of its customers at entry.
func (s *Store) Cuts(ctx context.Context, in measure.CutQuery) ([]measure.Cut, error) {
	var cuts []measure.Cut
	err := s.snapshot(ctx, "sum up trials", func(q *dbsqlc.Queries, tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, roomToSort+"; "+noLoops); err != nil {
			return err
		}
		cuts, err = readCuts(ctx, q, in, s.stages)
		return err
	})
	return cuts, err
}

// readCuts reads cuts in a transaction that has noLoops. The stages matter to a
// cut by cohort only.
func readCuts(ctx context.Context, q *dbsqlc.Queries, in measure.CutQuery, stages lifecycle.StageThresholds) ([]measure.Cut, error) {
	windows := make(map[string]int64, len(in.Windows))
	for journey, window := range in.Windows {
		windows[journey] = window.Microseconds()
	}
	encoded, err := json.Marshal(windows)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Internal, "encode the outcome windows: %w", err)
	}
	rows, err := q.LiftCuts(ctx, dbsqlc.LiftCutsParams{Scope: string(in.Scope), Outcome: in.Window.Microseconds(), Windows: encoded,
		Cut: string(in.By), Since: instant(in.From), Until: instant(in.To), Name: in.Name, Currency: in.Currency, Event: in.Event,
		AtRiskAfter: interval(stages.AtRiskAfter), LapsedAfter: interval(stages.LapsedAfter), LoyalOrders: int32(stages.LoyalOrders)})
	if err != nil {
		return nil, err
	}
	var cuts []measure.Cut
	for _, row := range rows {
		by := row.Cut
		if in.By == measure.ByWeek {
			week, err := strconv.Atoi(row.Cut)
			if err != nil {
				return nil, lifecycle.Errorf(lifecycle.Internal, "week %q of a cut: %w", row.Cut, err)
			}
			by = measure.WeekNamed(in.From, week)
		}
		if n := len(cuts); n == 0 || cuts[n-1].Name != row.Name || cuts[n-1].By != by {
			cuts = append(cuts, measure.Cut{By: by, Responded: map[ledger.Arm]int{},
				Trial: measure.Trial{Scope: in.Scope, Name: row.Name, Runs: map[ledger.Arm]int{}, Arms: map[ledger.Arm]measure.Arm{}}})
		}
		c, arm := &cuts[len(cuts)-1], ledger.Arm(row.Arm)
		c.Open += int(row.Open)
		c.Runs[arm] = int(row.Customers + row.Open)
		c.Arms[arm] = armOf(row.Customers, row.Converted, row.Touches, row.Revenue, row.RevenueSquares)
		c.Responded[arm] = int(row.Responded)
	}
	return cuts, nil
}
