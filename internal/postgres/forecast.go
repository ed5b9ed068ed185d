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

// cohortSQL is composed around a segment's condition as enrolSQL is, and draws
// the arms in the same way.
const cohortSQL = `
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
)`

const forecastSQL = cohortSQL + `
select stage, coalesce(nullif(time_zone, ''), 'unknown'), count(*), count(*) filter (where refused),
	count(*) filter (where not refused and held), count(*) filter (where not refused and not held),
	count(*) filter (where not refused and not held and email is not null),
	count(*) filter (where not refused and not held and email is not null and consent)
from cohort group by 1, 2 order by 3 desc, 1, 2`

const sampleSQL = cohortSQL + `
select id from cohort where not refused and not held order by bucket('sample', id) limit $%[12]d`

// cohort composes a statement for what Enrol would do with a cohort; more are
// arguments after the ten of cohortSQL.
func (s *Store) cohort(statement string, c ledger.Cohort, more ...any) (sql string, args []any) {
	notSince := instant(c.NotSince)
	if c.NoReentry {
		notSince = instant(ledger.Cohort{}.NotSince)
	}
	n := len(c.Args)
	places := []any{c.Where}
	for i := range 10 + len(more) {
		places = append(places, n+1+i)
	}
	args = append(append(make([]any, 0, n+10+len(more)), c.Args...), instant(c.At.Add(-s.stages.LapsedAfter)), instant(c.At.Add(-s.stages.AtRiskAfter)),
		s.stages.LoyalOrders, c.Journey, c.Global, c.Holdout, c.Ramp, c.Always && !c.NoReentry, notSince, c.Campaign)
	return fmt.Sprintf(statement, places...), append(args, more...)
}

// Forecast counts what Enrol would do with a cohort, without doing it.
func (s *Store) Forecast(ctx context.Context, c ledger.Cohort) ([]ForecastRow, error) {
	sql, args := s.cohort(forecastSQL, c)
	var forecast []ForecastRow
	err := s.planned(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		forecast, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ForecastRow])
		return err
	})
	return forecast, translate(err, "forecast a cohort")
}

// SampleCohort returns up to limit of the customers whom Enrol would treat, the
// same ones each time; which they are has nothing to do with who they are.
func (s *Store) SampleCohort(ctx context.Context, c ledger.Cohort, limit int) ([]lifecycle.CustomerID, error) {
	sql, args := s.cohort(sampleSQL, c, limit)
	var ids []string
	err := s.planned(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
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
