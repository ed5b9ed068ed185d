package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

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
	windows, err := microseconds(in.Windows)
	if err != nil {
		return nil, err
	}
	var cuts []measure.Cut
	err = s.snapshot(ctx, "sum up trials", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort+"; "+noLoops); err != nil {
			return err
		}
		rows, err := q.LiftCuts(ctx, dbsqlc.LiftCutsParams{Scope: string(in.Scope), Outcome: in.Window.Microseconds(), Windows: windows,
			Cut: string(in.By), Since: instant(in.From), Until: instant(in.To), Name: in.Name, Currency: in.Currency, Event: in.Event,
			AtRiskAfter: interval(s.stages.AtRiskAfter), LapsedAfter: interval(s.stages.LapsedAfter), LoyalOrders: int32(s.stages.LoyalOrders)})
		for _, row := range rows {
			by := row.Cut
			if in.By == measure.ByWeek {
				week, err := strconv.Atoi(row.Cut)
				if err != nil {
					return lifecycle.Errorf(lifecycle.Internal, "week %q of a cut: %w", row.Cut, err)
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
		return err
	})
	return cuts, err
}

// microseconds is how statements take a window per journey.
func microseconds(windows map[string]time.Duration) (json.RawMessage, error) {
	numbers := make(map[string]int64, len(windows))
	for journey, window := range windows {
		numbers[journey] = window.Microseconds()
	}
	encoded, err := json.Marshal(numbers)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Internal, "encode the outcome windows: %w", err)
	}
	return encoded, nil
}
