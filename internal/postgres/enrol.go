package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
)

// enrolSQL is composed around a segment's condition, whose arguments come first;
// the placeholders are the numbers of the arguments after them.
const enrolSQL = `
with enrolled as (
	insert into journey_runs (id, journey, version, customer_id, entry_key, campaign, arm, status, entered_at, due_at, ended_at, end_reason)
	select new_id(), $%[2]d::text, $%[3]d::int, c.id, $%[4]d::text, $%[5]d::text, a.arm,
		case a.arm when 'treated' then 'pending' else 'ended' end, $%[6]d::timestamptz,
		case a.arm when 'treated' then $%[6]d::timestamptz end,
		case a.arm when 'treated' then null else $%[6]d::timestamptz end,
		case a.arm when 'treated' then '' else 'holdout' end
	from customers c
	join customer_stats s on s.customer_id = c.id
	cross join lateral (select case
		when bucket('holdout', c.id) < $%[7]d::float8 then 'global_holdout'
		when bucket('holdout/' || $%[2]d::text, c.id) < $%[8]d::float8 then 'holdout'
		else 'treated' end as arm) a
	where (%[1]s)
	and c.erased_at is null
	and bucket('ramp/' || $%[5]d::text, c.id) < $%[9]d::float8
	and ($%[10]d::boolean or not exists (
		select from journey_runs r where r.journey = $%[2]d::text and r.customer_id = c.id and r.entered_at > $%[11]d::timestamptz))
	on conflict (journey, customer_id, entry_key) do nothing
	returning arm
), before as (
	select r.arm from journey_runs r where r.journey = $%[2]d::text and r.campaign = $%[5]d::text
	and r.entry_key = $%[4]d::text and r.entered_at = $%[6]d::timestamptz
)
select count(*) filter (where arm = 'treated'), count(*) filter (where arm = 'holdout'),
	count(*) filter (where arm = 'global_holdout') from (select * from enrolled union all select * from before) scan`

// Enrol enters every customer of a segment on a campaign's journey who is not
// entered yet, and counts those added, by this call or by an earlier one of the
// same instant: whoever asks again after a crash gets the same answer. Arms are drawn as by Enter; a ramp below
// 1 takes the customers whose bucket("ramp/"+campaign) lies under it, so that a
// larger ramp only adds. Customers whom a rollout in force does not reach yet are
// left out. Treated runs are pending and due at Cohort.At; held-out
// ones have ended with reason "holdout".
func (s *Store) Enrol(ctx context.Context, c ledger.Cohort) (ledger.Enrolled, error) {
	where := c.Where
	if strings.TrimSpace(where) == "" {
		where = "true"
	}
	admitted, more, err := s.admitting(ctx, c.Journey, c.At, len(c.Args)+1)
	if err != nil {
		return ledger.Enrolled{}, err
	}
	if admitted != "" {
		where, c.Args = "("+where+") and "+admitted, slices.Concat(c.Args, more)
	}
	notSince := instant(c.NotSince)
	if c.NoReentry {
		notSince = instant(ledger.Cohort{}.NotSince)
	}
	n := len(c.Args)
	sql := fmt.Sprintf(enrolSQL, where, n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8, n+9, n+10)
	args := append(append(make([]any, 0, n+10), c.Args...), c.Journey, c.Version, c.EntryKey, c.Campaign, instant(c.At),
		c.Global, c.Holdout, c.Ramp, c.Always && !c.NoReentry, notSince)
	var done ledger.Enrolled
	err = s.planned(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, sql, args...).Scan(&done.Treated, &done.Holdout, &done.GlobalHoldout)
	})
	return done, translate(err, "enrol campaign "+c.Campaign)
}

// CountCohort counts the customers who fulfil a segment's condition, enrolled or
// not. Where and args are as in ledger.Cohort.
func (s *Store) CountCohort(ctx context.Context, where string, args []any) (int, error) {
	if strings.TrimSpace(where) == "" {
		where = "true"
	}
	var n int
	err := s.planned(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select count(*) from customers c join customer_stats s on s.customer_id = c.id
			where (`+where+`) and c.erased_at is null`, args...).Scan(&n)
	})
	return n, translate(err, "count a segment")
}
