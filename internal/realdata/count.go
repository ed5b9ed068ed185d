package realdata

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// count reads what is known at the cut-off.
func (r *season) count(ctx context.Context) error {
	f := &r.figures
	f.Revenue.Currency, f.Refunded.Currency = r.Box.Brand.Currency, r.Box.Brand.Currency
	conn, err := pgx.Connect(ctx, r.box.Stack.DatabaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, `select count(distinct customer_id), count(*) filter (where total > 0), count(*) filter (where total < 0),
		coalesce(sum(total) filter (where total > 0), 0)::bigint, coalesce(-sum(total) filter (where total < 0), 0)::bigint from orders`).
		Scan(&f.Customers, &f.Orders, &f.Refunds, &f.Revenue.Amount, &f.Refunded.Amount); err != nil {
		return fmt.Errorf("count the orders: %w", err)
	}
	for _, cohort := range []struct {
		segment string
		into    *int
	}{{`stage == "lapsed"`, &f.Lapsed}, {`stage == "lapsed" && orders.count >= 2 && consent.email == "granted"`, &f.WinBack}} {
		if *cohort.into, err = r.cohort(ctx, cohort.segment); err != nil {
			return err
		}
	}
	r.say("  customers %d, orders %d, revenue %s, refunds %d of %s", f.Customers, f.Orders, f.Revenue, f.Refunds, f.Refunded)
	r.say("  lapsed %d (no order for %s); with two orders or more: %d", f.Lapsed, lapsedAfter(r.Box.Brand.Stages), f.WinBack)
	return nil
}

func lapsedAfter(s lifecycle.StageThresholds) string {
	return fmt.Sprintf("%d days", int(s.LapsedAfter.Hours()/24))
}

// cohort counts a segment as of the cut-off, as `touchstone segment` does.
func (r *season) cohort(ctx context.Context, expression string) (int, error) {
	expr, err := segment.Compile(expression)
	if err != nil {
		return 0, err
	}
	where, args, err := expr.SQL(r.dataset.Cut, r.Box.Brand.Stages, 1)
	if err != nil {
		return 0, err
	}
	return r.box.Store.CountCohort(ctx, where, args)
}
