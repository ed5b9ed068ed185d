package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// RollUp brings the hourly sums up to date: it sums the hours anew in which
// anything was written since the last round. Late events and webhooks correct
// the past. Rounds wait for each other; readers see the sums of before or after
// a round. The first round, and one with another currency or attribution window
// than the last, sums everything. Errors: Invalid for an impossible rollup.
func (s *Store) RollUp(ctx context.Context, in measure.Rollup) (measure.RolledUp, error) {
	return s.rollUp(ctx, in, false)
}

// Recompute makes all hourly sums anew from the rows they stand for.
func (s *Store) Recompute(ctx context.Context, in measure.Rollup) (measure.RolledUp, error) {
	return s.rollUp(ctx, in, true)
}

func (s *Store) rollUp(ctx context.Context, in measure.Rollup, everything bool) (measure.RolledUp, error) {
	switch {
	case in.Now.IsZero() || in.Attribution <= 0:
		return measure.RolledUp{}, lifecycle.Errorf(lifecycle.Invalid, "hourly sums need an instant and an attribution window above zero")
	case !lifecycle.ValidCurrency(in.Currency):
		return measure.RolledUp{}, lifecycle.Errorf(lifecycle.Invalid, "hourly sums: currency %q is not an ISO 4217 code such as USD", in.Currency)
	}
	var out measure.RolledUp
	err := s.transaction(ctx, "sum up hours", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		for _, setting := range []string{planAnew, roomToSort, "set local statement_timeout = 0"} {
			if _, err := tx.Exec(ctx, setting); err != nil {
				return err
			}
		}
		if err := lock(ctx, q, "rollup", ""); err != nil {
			return err
		}
		r := round{q: q, tx: tx, in: in, everything: everything}
		err := r.run(ctx)
		out = measure.RolledUp{Hours: len(r.hours), Everything: r.everything}
		return err
	})
	return out, err
}

// round is one round of sums, in one transaction.
type round struct {
	q            *dbsqlc.Queries
	tx           pgx.Tx
	in           measure.Rollup
	everything   bool
	hours, days  []time.Time // to be summed anew
	since, until time.Time   // around them, in whole days
}

func (r *round) run(ctx context.Context) error {
	// Read before anything else: what a later statement sees although its
	// transaction was still running here is summed again in the next round.
	oldest, err := r.q.OldestTransaction(ctx)
	if err != nil {
		return err
	}
	state, err := r.q.RollupState(ctx)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	// Transaction numbers start again where a dump was restored.
	same := err == nil && state.Currency == r.in.Currency && state.Attribution == interval(r.in.Attribution) && state.Horizon <= oldest
	r.everything = r.everything || !same
	if err := r.find(ctx, state.Horizon); err != nil {
		return err
	}
	revision := state.Revision
	if len(r.hours) > 0 || r.everything {
		revision++
		if err := r.sum(ctx); err != nil {
			return err
		}
	}
	if err := r.q.ForgetKPISums(ctx, revision-keptRevisions); err != nil {
		return err
	}
	return r.q.SaveRollupState(ctx, dbsqlc.SaveRollupStateParams{Horizon: oldest, AsOf: instant(r.in.Now), Revision: revision,
		Attribution: interval(r.in.Attribution), Currency: r.in.Currency})
}

// keptRevisions is for how many rounds the sums of periods are kept: a reader may
// have begun before a round and save what it read after it.
const keptRevisions = 1

// find lists the hours and days to sum.
func (r *round) find(ctx context.Context, horizon int64) error {
	marked, err := r.q.TakeMarks(ctx)
	if err != nil {
		return err
	}
	changed, err := r.q.TakeOrderMarks(ctx)
	if err != nil {
		return err
	}
	if r.everything {
		span, err := r.q.RecordedSpan(ctx)
		if err != nil {
			return err
		}
		for at := span.Since; at.Before(span.Until); at = at.Add(time.Hour) {
			r.hours = append(r.hours, at)
		}
		r.since, r.until = span.Since, span.Until
		return nil
	}
	params := dbsqlc.DirtyHoursParams{Horizon: horizon, Marked: marked, Attribution: interval(r.in.Attribution)}
	for _, o := range changed {
		params.MarkedOwners, params.MarkedAts = append(params.MarkedOwners, o.CustomerID), append(params.MarkedAts, o.At)
	}
	r.hours, err = r.q.DirtyHours(ctx, params)
	if err != nil || len(r.hours) == 0 {
		return err
	}
	const day = 24 * time.Hour
	for _, hour := range r.hours {
		if d := hour.Truncate(day); len(r.days) == 0 || !r.days[len(r.days)-1].Equal(d) {
			r.days = append(r.days, d)
		}
	}
	r.since, r.until = r.days[0], r.days[len(r.days)-1].Add(day)
	return nil
}

// sum replaces the sums of the listed hours and days.
func (r *round) sum(ctx context.Context) error {
	hours, days := r.hours, r.days
	if r.everything {
		hours, days = nil, nil
	}
	if hours == nil {
		hours, days = []time.Time{}, []time.Time{}
	}
	for _, step := range []func() error{
		func() error {
			return r.q.ForgetTouchHours(ctx, dbsqlc.ForgetTouchHoursParams{Everything: r.everything, Hours: hours})
		},
		func() error {
			return r.q.ForgetBlockDays(ctx, dbsqlc.ForgetBlockDaysParams{Everything: r.everything, Days: days})
		},
		func() error {
			return r.q.ForgetOrderHours(ctx, dbsqlc.ForgetOrderHoursParams{Everything: r.everything, Hours: hours})
		},
		func() error {
			return r.q.ForgetCreditHours(ctx, dbsqlc.ForgetCreditHoursParams{Everything: r.everything, Hours: hours})
		},
		func() error {
			return r.q.SumTouches(ctx, dbsqlc.SumTouchesParams{Currency: r.in.Currency, Since: r.since, Until: r.until, Everything: r.everything, Hours: hours})
		},
		func() error {
			return r.q.SumBlocks(ctx, dbsqlc.SumBlocksParams{Currency: r.in.Currency, Since: r.since, Until: r.until, Everything: r.everything, Days: days})
		},
		func() error {
			return r.q.SumOrders(ctx, dbsqlc.SumOrdersParams{Currency: r.in.Currency, Since: r.since, Until: r.until, Everything: r.everything, Hours: hours})
		},
		func() error {
			return r.q.SumCredits(ctx, dbsqlc.SumCreditsParams{Currency: r.in.Currency, Attribution: interval(r.in.Attribution), Since: r.since, Until: r.until, Everything: r.everything, Hours: hours})
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if !r.everything {
		return nil
	}
	_, err := r.tx.Exec(ctx, "analyze rollup_touches, rollup_blocks, rollup_orders, rollup_credits")
	return err
}
