package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Year is how much a generated year holds.
type Year struct {
	Customers int
	Touches   int
	Events    int       // page views and provider events together
	Start     time.Time // of the year; orders begin a year before it
}

// Fill writes a year of a programme straight into a migrated database. Every
// value is drawn by a hash of the row's number, so that the same year is the same
// everywhere. One customer in twenty is held out; a touch brings an order of its
// own in one case of seventy. Only the history rows that sums depend on are written.
// Partitions must exist.
func (y Year) Fill(ctx context.Context, c *pgx.Conn) error {
	args := pgx.NamedArgs{"customers": y.Customers, "touches": y.Touches, "start": y.Start,
		"views": max(y.Events-y.Touches*13/10, y.Events/5)}
	for i, sql := range fillYear {
		if _, err := c.Exec(ctx, sql, args); err != nil {
			return fmt.Errorf("generated year, statement %d: %w", i+1, err)
		}
	}
	return nil
}

// fillYear are the statements of Fill. The seeds of pg_temp.u tell draws apart.
var fillYear = []string{
	`create function pg_temp.u(i bigint, seed int) returns double precision language sql immutable as
	$$ select (hashint8extended(i, seed) & 4294967295) / 4294967296.0::double precision $$`,
	`create temporary table legs (leg int, journey text, agent text, channel text);
	insert into legs values (0, 'welcome', 'campaign', 'email'), (1, 'winback', 'winback', 'email'), (2, 'cart', 'winback', 'email'),
		(3, 'loyalty', 'lifecycle', 'email'), (4, 'alerts', 'lifecycle', 'sms'), (5, 'news', 'campaign', 'push')`,
	`insert into customers (id, external_id, email, created_at, erased_at)
	select md5('c' || i)::uuid, 'y' || i, 'y' || i || '@example.com', @start::timestamptz - interval '400 days',
		case when i % 500 = 3 then @start::timestamptz + interval '300 days' end
	from generate_series(1, @customers::int) i`,
	`insert into consents (customer_id, channel, state, at, source)
	select md5('c' || i)::uuid, 'email', case when i % 40 = 7 then 'withdrawn' else 'granted' end,
		@start::timestamptz + pg_temp.u(i, 1) * interval '365 days', case when i % 80 = 7 then 'one-click' when i % 40 = 7 then 'erasure' else 'shop' end
	from generate_series(1, @customers::int) i`,
	`insert into suppressions (channel, address_hash, reason, at)
	select 'email', address_hash('y' || i || '@example.com'), 'bounced', @start::timestamptz + pg_temp.u(i, 2) * interval '365 days'
	from generate_series(11, @customers::int, 400) i`,
	`insert into journey_runs (id, journey, version, customer_id, entry_key, campaign, arm, status, entered_at)
	select md5('r' || i || '/' || l.leg)::uuid, l.journey, 1, md5('c' || i)::uuid, 'k', case when i % 9 = l.leg then 'spring' else '' end,
		case when i % 20 = 0 then 'global_holdout' when (i + l.leg) % 11 = 0 then 'holdout' else 'treated' end, 'ended',
		@start::timestamptz - pg_temp.u(i * 8 + l.leg, 3) * interval '20 days'
	from generate_series(1, @customers::int) i, legs l`,
	`insert into creatives (id, slot, channel, variant, parts, content_hash, source, author, status, approved_by, cost, currency, created_at)
	select md5('v' || i)::uuid, 'slot' || i % 12, 'email', 'v' || i, '{}', 'h' || i, (array['model', 'template', 'person'])[1 + i % 3], 'author',
		(array['approved', 'approved', 'approved', 'rejected', 'in_review', 'retired'])[1 + i % 6], case when i % 6 < 3 then 'rita' else '' end, 2, 'USD',
		@start::timestamptz + pg_temp.u(i, 4) * interval '365 days'
	from generate_series(1, 300) i`,
	`insert into campaigns (name, journey, version, segment, holdout, status, created_at, started_at)
	select case when i = 1 then 'spring' else 'c' || i end, (select journey from legs where leg = i % 6), 1, 'true', 0.1, 'done',
		@start::timestamptz + (i * 8) * interval '1 day', case when i % 4 > 0 then @start::timestamptz + (i * 8 + 1 + pg_temp.u(i, 5) * 3) * interval '1 day' end
	from generate_series(1, 40) i`,
	`insert into reviews (id, workflow_id, kind, creative_id, content_hash, journey, status, decided_by, opened_at, due_at, decided_at)
	select md5('w' || i)::uuid, 'w' || i, case when i % 2 = 0 then 'creative' else 'touch' end, md5('v' || 1 + i % 300)::uuid, 'h',
		(select journey from legs where leg = i % 6), x.status, case when x.status in ('approved', 'rejected') then 'rita' else '' end,
		x.at, x.at + interval '5 minutes', case when x.status <> 'awaiting' then x.at + pg_temp.u(i, 7) * interval '8 minutes' end
	from generate_series(1, 2000) i cross join lateral (select @start::timestamptz + pg_temp.u(i, 6) * interval '365 days' as at,
		(array['approved', 'approved', 'approved', 'rejected', 'expired', 'awaiting'])[1 + i % 6] as status) x`,
	// One order in the first hour of all, so that history reaches back two years.
	`insert into orders (external_id, customer_id, at, total, currency, received_at)
	select 'o' || i, md5('c' || x.c)::uuid, x.at, case when i % 30 = 0 then -2000 else 2000 + (pg_temp.u(i, 10) * 13000)::int end,
		case when i % 50 = 1 then 'EUR' else 'USD' end, x.at
	from generate_series(0, @customers::int * 6) i cross join lateral (
		select 1 + (pg_temp.u(i, 8) * (@customers::int - 1))::int as c,
			@start::timestamptz - interval '366 days' + case when i = 0 then 0 else pg_temp.u(i, 9) end * interval '731 days' as at) x`,
	`insert into touches (id, key, run_id, customer_id, journey, version, campaign, step, agent, channel, class, slot, creative_id, state, reason,
		planned_at, reserved_at, sending_at, sent_at, settled_at, provider_id, attempts, cost, currency, opened_at, clicked_at, group_key)
	select md5('t' || i)::uuid, 'year/' || i, md5('r' || x.c || '/' || l.leg)::uuid, md5('c' || x.c)::uuid, l.journey, 1,
		case when x.c % 9 = l.leg then 'spring' else '' end, 's' || i % 3, l.agent, l.channel, case when i % 97 = 0 then 'transactional' else 'marketing' end,
		'slot' || l.leg, md5('v' || 1 + (l.leg + i % 2 * 12) % 300)::uuid, s.state,
		case s.state when 'blocked' then 'frequency-cap: full' when 'skipped' then 'the agent chose not to touch: no value' else '' end,
		x.at, d.at, d.at, d.at, d.at, case when d.at is not null then 'p' || i else '' end, 1, case when d.at is not null then 1 else 0 end, 'USD',
		case when s.state in ('delivered', 'complained') and pg_temp.u(i, 14) < 0.25 then d.at + interval '2 hours' end,
		case when s.state in ('delivered', 'complained') and pg_temp.u(i, 14) < 0.04 then d.at + interval '3 hours' end,
		(array['active', 'loyal', 'at_risk', 'lapsed', 'new'])[1 + x.c % 5]
	from generate_series(1::bigint, @touches::bigint) i
	cross join lateral (select (pg_temp.u(i, 11) * (@customers::int / 20 * 19 - 1))::int as n,
		date_trunc('second', @start::timestamptz + pg_temp.u(i, 12) * interval '365 days') as at) y
	cross join lateral (select y.n / 19 * 20 + y.n % 19 + 1 as c, y.at) x
	join legs l on l.leg = i % 6
	cross join lateral (select case when u < 0.03 then 'blocked' when u < 0.05 then 'skipped' when u < 0.06 then 'refused' when u < 0.08 then 'bounced'
		when u < 0.0815 then 'complained' when u < 0.09 then 'accepted' when u < 0.092 then 'unconfirmed' else 'delivered' end as state
		from (select pg_temp.u(i, 13) as u) u) s
	cross join lateral (select case when s.state in ('bounced', 'complained', 'accepted', 'unconfirmed', 'delivered') then x.at + interval '10 minutes' end as at) d`,
	`insert into touch_history (touch_id, at, state) select t.id, t.planned_at, 'in_review' from touches t where t.key like 'year/%7' and t.state <> 'skipped'`,
	`insert into orders (external_id, customer_id, at, total, currency, received_at)
	select 'x' || t.key, t.customer_id, t.sent_at + x.u * 70 * interval '6 days', 3000 + (x.u * 70 * 12000)::int, 'USD', t.sent_at
	from touches t cross join lateral (select pg_temp.u(hashtextextended(t.key, 0), 15) as u) x where t.sent_at is not null and x.u < 1.0 / 70`,
	`insert into provider_events (dedupe_key, touch_id, provider_id, kind, at)
	select 'd' || t.key, t.id, t.provider_id, case t.state when 'bounced' then
		case when right(t.key, 1) < '5' then 'bounced' else 'blocked' end else 'delivered' end, t.sent_at from touches t where t.state in ('delivered', 'complained', 'bounced')
	union all select 'o' || t.key, t.id, t.provider_id, 'opened', t.opened_at from touches t where t.opened_at is not null
	union all select 'k' || t.key, t.id, t.provider_id, 'clicked', t.clicked_at from touches t where t.clicked_at is not null
	union all select 's' || t.key, t.id, t.provider_id, 'complained', t.sent_at + interval '1 day' from touches t where t.state = 'complained'
	union all select 'u' || t.key, t.id, t.provider_id, 'unsubscribed', t.sent_at + interval '1 hour' from touches t where t.state = 'delivered' and t.key like '%777'`,
	`insert into provider_events (dedupe_key, touch_id, provider_id, kind, machine, at)
	select 'm' || t.key, t.id, t.provider_id, 'opened', true, t.sent_at from touches t where t.state = 'delivered' and t.key like '%5'`,
	`insert into decision_log (seq, at, kind, actor, touch_id, body, prev_hash, hash)
	select row_number() over (order by t.id), t.planned_at, 'touch.blocked', 'agent/' || t.agent, t.id, case when right(t.key, 1) = '3'
		then '{"verdict": {"outcome": "block", "findings": [{"rule": "tone", "outcome": "block"}]}}'
		else '{"verdict": {"outcome": "block", "findings": [{"rule": "frequency-cap", "outcome": "block"}]}}' end, '', ''
	from touches t where t.state = 'blocked'`,
	`insert into events (id, customer_id, name, occurred_at, received_at)
	select md5('e' || i)::uuid, md5('c' || 1 + (pg_temp.u(i, 16) * (@customers::int - 1))::int)::uuid, 'Page Viewed', x.at, x.at
	from generate_series(1::bigint, @views::bigint) i cross join lateral (select @start::timestamptz + pg_temp.u(i, 17) * interval '365 days' as at) x`,
}
