package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
)

// What the key figures of a year should take.
const (
	roundWithin    = 10 * time.Second
	overviewWithin = 200 * time.Millisecond
	overviewReads  = 15
)

// bareTables takes the indexes off while a year is written: that is several
// times faster. withIndexes makes them again.
var (
	bareTables = `create temporary table taken as select pg_get_indexdef(indexrelid) || ';' as sql, indexrelid::regclass::text as name
	from pg_index where indrelid in ('touches'::regclass, 'provider_events'::regclass, 'orders'::regclass) and not indisprimary and not indisunique;
	do $$ declare i record; begin for i in select * from taken loop execute 'drop index ' || i.name; end loop; end $$;
	alter table touches set unlogged; alter table provider_events set unlogged; alter table orders set unlogged`
	withIndexes = `do $$ declare i record; begin for i in select * from taken loop execute i.sql; end loop; end $$`
)

// oneHour is what a busy hour brings: touches that go out, opens of the last
// week's, orders.
var oneHour = []string{
	`insert into touches (id, key, run_id, customer_id, journey, version, step, agent, channel, class, state, planned_at, reserved_at, sending_at, sent_at, settled_at, cost, currency, group_key)
	select md5('h' || i)::uuid, 'hour/' || i, gen_random_uuid(), t.customer_id, t.journey, 1, 's', t.agent, t.channel, 'marketing', 'delivered', @at, @at, @at, @at, @at, 1, 'USD', 'active'
	from (select t.*, row_number() over () as i from (select * from touches where sent_at is not null limit @touches::int) t) t`,
	`insert into touch_history (touch_id, at, state) select t.id, @at, s from touches t, unnest(array['sending', 'accepted', 'delivered']) s where t.key like 'hour/%'`,
	`insert into provider_events (dedupe_key, touch_id, kind, at) select 'hour' || t.id, t.id, 'opened', @at
	from touches t where t.sent_at >= @at::timestamptz - interval '7 days' and t.state = 'delivered' and t.opened_at is null limit @touches::int * 2`,
	`update touches t set opened_at = e.at from provider_events e where e.touch_id = t.id and e.dedupe_key like 'hour%'`,
	`insert into orders (external_id, customer_id, at, total, currency, received_at)
	select 'hour' || i, md5('c' || i * 7)::uuid, @at, 4000, 'USD', @at from generate_series(1, @touches::int / 15 + 1) i`,
}

// kpis measures hourly sums and the readings from them.
func (r *run) kpis(ctx context.Context) (err error) {
	y := r.Year
	r.say("kpi: a year of %d customers, %d touches and %d events", y.Customers, y.Touches, y.Events)
	stack, err := devstack.Start(ctx, devstack.Options{BinDir: r.Box.BinDir, Ephemeral: true, Postgres: true, Log: r.Box.Log, Progress: r.Box.Progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop(context.WithoutCancel(ctx))) }()
	if err := postgres.Migrate(ctx, stack.DatabaseURL); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, stack.DatabaseURL, postgres.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	until := y.Start.AddDate(0, 0, 365)
	if err := store.EnsurePartitions(ctx, y.Start.AddDate(0, -1, 0), until.AddDate(0, 1, 0)); err != nil {
		return err
	}
	began := time.Now()
	if err := onConnection(ctx, stack.DatabaseURL, func(c *pgx.Conn) error { return fillYearBare(ctx, c, y) }); err != nil {
		return err
	}
	r.say("  filled in %s", time.Since(began).Round(time.Second))
	rules := measure.Rollup{Now: until, Attribution: 7 * 24 * time.Hour, Currency: "USD"}
	first, err := took(func() error { _, err := store.RollUp(ctx, rules); return err })
	if err != nil {
		return err
	}
	if err := onConnection(ctx, stack.DatabaseURL, func(c *pgx.Conn) error { return liveHour(ctx, c, y, until.Add(-time.Hour)) }); err != nil {
		return err
	}
	hours := 0
	round, err := took(func() error {
		out, err := store.RollUp(ctx, rules)
		hours = out.Hours
		return err
	})
	if err != nil {
		return err
	}
	r.say("  the round summed %d hours anew", hours)
	seconds := func(d time.Duration) float64 { return d.Seconds() }
	r.target(Line{Part: "kpi", What: "hourly round after a busy hour", Unit: "s", Ours: seconds(round), Baseline: seconds(first), Against: "summing up the whole year"},
		"under 10 s", func(Line) bool { return round < roundWithin })
	return r.overview(ctx, store, y, until)
}

// overview reads a year: for the first time since a round, again, and from rows.
func (r *run) overview(ctx context.Context, store *postgres.Store, y Year, until time.Time) error {
	year := measure.KPIQuery{From: y.Start, To: until}
	read := func() error { _, err := store.KPIs(ctx, year); return err }
	first, err := took(read)
	if err != nil {
		return err
	}
	var reads []time.Duration
	for range overviewReads {
		again, err := took(read)
		if err != nil {
			return err
		}
		reads = append(reads, again)
	}
	part := year
	part.Journey = "welcome"
	journey, err := took(func() error { _, err := store.KPIs(ctx, part); return err })
	if err != nil {
		return err
	}
	raw, err := took(func() error {
		_, err := store.Figures(ctx, measure.Query{From: year.From, To: year.To, RealFrom: year.From, RealTo: year.To, Attribution: 7 * 24 * time.Hour, Window: 30 * 24 * time.Hour, Currency: "USD"})
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(reads)
	median := reads[len(reads)/2]
	r.target(Line{Part: "kpi", What: "all readings of a year", Unit: "ms", Ours: milliseconds(median), Baseline: milliseconds(raw), Against: "the report's figures from raw rows"},
		"under 200 ms", func(Line) bool { return median < overviewWithin })
	r.add(Line{Part: "kpi", What: "the same, first after a round", Unit: "ms", Ours: milliseconds(first), Baseline: milliseconds(raw), Against: "the report's figures from raw rows"})
	r.add(Line{Part: "kpi", What: "of one journey, first after a round", Unit: "ms", Ours: milliseconds(journey), Baseline: milliseconds(raw), Against: "the report's figures from raw rows"})
	return nil
}

func took(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}

func fillYearBare(ctx context.Context, c *pgx.Conn, y Year) error {
	if _, err := c.Exec(ctx, "set synchronous_commit = off; set work_mem = '128MB'; "+bareTables); err != nil {
		return err
	}
	if err := y.Fill(ctx, c); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, withIndexes); err != nil {
		return err
	}
	_, err := c.Exec(ctx, "vacuum analyze")
	return err
}

func liveHour(ctx context.Context, c *pgx.Conn, y Year, at time.Time) error {
	args := pgx.NamedArgs{"at": at, "touches": max(y.Touches/8760, 10)}
	for _, sql := range oneHour {
		if _, err := c.Exec(ctx, sql, args); err != nil {
			return err
		}
	}
	return nil
}
