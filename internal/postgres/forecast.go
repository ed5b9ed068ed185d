package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// ForecastRow counts the part of a cohort in one lifecycle stage and time zone.
// Customers is everybody; of them Refused may not enter again, and the others
// would be drawn into HeldOut (either holdout) or treated; Reachable of the
// treated have an e-mail address and Consenting of those consented to e-mail.
type ForecastRow struct {
	Stage      lifecycle.Stage `json:"stage"`
	Zone       string          `json:"zone"`
	Customers  int             `json:"customers"`
	Refused    int             `json:"refused"`
	HeldOut    int             `json:"held_out"`
	Treated    int             `json:"treated"`
	Reachable  int             `json:"reachable"`
	Consenting int             `json:"consenting"`
}

// forecastSQL is composed around a segment's condition as enrolSQL is, and draws
// the arms in the same way.
const forecastSQL = `
with cohort as (
	select c.id, c.time_zone, c.email,
		case when s.orders_count = 0 then 'prospect'
			when s.last_order_at < $%[2]d::timestamptz then 'lapsed'
			when s.last_order_at < $%[3]d::timestamptz then 'at_risk'
			when s.orders_count >= $%[4]d::int then 'loyal'
			when s.orders_count = 1 then 'new'
			else 'active' end as stage,
		not $%[9]d::boolean and exists (select from journey_runs r where r.journey = $%[5]d::text
			and r.customer_id = c.id and r.entered_at > $%[10]d::timestamptz) as refused,
		bucket('holdout', c.id) < $%[6]d::float8 or bucket('holdout/' || $%[5]d::text, c.id) < $%[7]d::float8 as held,
		exists (select from consents k where k.customer_id = c.id and k.channel = 'email' and k.state = 'granted') as consent
	from customers c join customer_stats s on s.customer_id = c.id
	where (%[1]s) and c.erased_at is null and bucket('ramp/' || $%[11]d::text, c.id) < $%[8]d::float8
)
select stage, coalesce(nullif(time_zone, ''), 'unknown'), count(*), count(*) filter (where refused),
	count(*) filter (where not refused and held), count(*) filter (where not refused and not held),
	count(*) filter (where not refused and not held and email is not null),
	count(*) filter (where not refused and not held and email is not null and consent)
from cohort group by 1, 2 order by 3 desc, 1, 2`

// Forecast counts what Enrol would do with a cohort, without doing it.
func (s *Store) Forecast(ctx context.Context, c ledger.Cohort) ([]ForecastRow, error) {
	notSince := instant(c.NotSince)
	if c.NoReentry {
		notSince = instant(ledger.Cohort{}.NotSince)
	}
	n := len(c.Args)
	sql := fmt.Sprintf(forecastSQL, c.Where, n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8, n+9, n+10)
	args := append(append(make([]any, 0, n+10), c.Args...), instant(c.At.Add(-s.stages.LapsedAfter)), instant(c.At.Add(-s.stages.AtRiskAfter)),
		s.stages.LoyalOrders, c.Journey, c.Global, c.Holdout, c.Ramp, c.Always && !c.NoReentry, notSince, c.Campaign)
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err, "forecast a cohort")
	}
	forecast, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ForecastRow])
	return forecast, translate(err, "forecast a cohort")
}

// SampleCohort returns up to limit customers of a cohort, the same ones each
// time; which they are has nothing to do with who they are.
func (s *Store) SampleCohort(ctx context.Context, where string, args []any, limit int) ([]lifecycle.CustomerID, error) {
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`select c.id from customers c join customer_stats s on s.customer_id = c.id
		where (%s) and c.erased_at is null order by bucket('sample', c.id) limit $%d`, where, len(args)+1), append(append([]any{}, args...), limit)...)
	if err != nil {
		return nil, translate(err, "sample a cohort")
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return typed[lifecycle.CustomerID](ids), translate(err, "sample a cohort")
}

// errRehearsed ends the transaction of a rehearsal without keeping anything.
var errRehearsed = errors.New("rehearsed")

// Rehearse returns the situations of customers as they would be had they just
// entered a journey. Nothing is kept. Erased customers are left out.
func (s *Store) Rehearse(ctx context.Context, customers []lifecycle.CustomerID, journey string, at time.Time) (situations []ledger.Situation, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		runs, err := q.Rehearse(ctx, dbsqlc.RehearseParams{Journey: journey, At: instant(at), Customers: texts(customers)})
		if err != nil {
			return err
		}
		if situations, err = (&Store{q: q}).Situations(ctx, typed[lifecycle.RunID](runs), at); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return situations, nil
	}
	return nil, translate(err, "rehearse a journey")
}
