package report_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/measure"
	"touchstone/internal/measure/attribution"
	"touchstone/internal/postgres"
	"touchstone/internal/report"
)

// A year's programme: 200,000 customers, 600,000 runs, a million touches, as
// many orders, three million provider reports, 200,000 objections.
const yearSQL = `
insert into customers (id, external_id, created_at) select ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, i::text, '2025-01-01' from generate_series(1, 200000) i;
insert into journey_runs (id, journey, version, customer_id, entry_key, campaign, arm, status, entered_at)
select gen_random_uuid(), (array['welcome', 'winback', 'cart', 'at-risk'])[1 + i % 4], 1, ('00000000-0000-7000-8000-' || lpad(to_hex(1 + i % 200000), 12, '0'))::uuid, i::text,
	case when i % 5 = 0 then 'spring' else '' end, case when i % 200000 < 10000 then 'global_holdout' when i % 17 = 0 then 'holdout' else 'treated' end, 'ended',
	timestamptz '2026-01-01' + i * interval '50 seconds' from generate_series(1, 600000) i;
insert into touches (id, key, run_id, customer_id, journey, version, campaign, step, agent, channel, state, planned_at, reserved_at, sending_at, sent_at, cost, currency)
select ('00000000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid, i::text, gen_random_uuid(), ('00000000-0000-7000-8000-' || lpad(to_hex(10001 + i::bigint * 7919 % 190000), 12, '0'))::uuid,
	(array['welcome', 'winback', 'cart', 'at-risk'])[1 + i % 4], 1, '', 'one', 'winback', 'email', (array['delivered', 'delivered', 'delivered', 'bounced', 'unconfirmed'])[1 + i % 5], at, at, at, at, 1, 'USD'
from (select i, timestamptz '2026-01-01' + i * interval '30 seconds' as at from generate_series(1, 1000000) i) x;
insert into orders (external_id, customer_id, at, total, currency, received_at)
select i::text, ('00000000-0000-7000-8000-' || lpad(to_hex(1 + i::bigint * 104729 % 200000), 12, '0'))::uuid, at, 1000 + i % 9000, 'USD', at
from (select i, timestamptz '2026-01-01' + i * interval '30 seconds' as at from generate_series(1, 1000000) i) x;
insert into provider_events (dedupe_key, touch_id, kind, machine, at)
select i::text, ('00000000-0000-7000-9000-' || lpad(to_hex(1 + i % 1000000), 12, '0'))::uuid, (array['delivered', 'opened', 'clicked'])[1 + i / 1000000], i % 3 = 0,
	timestamptz '2026-01-01' + i % 1000000 * interval '31 seconds' from generate_series(1, 2999999) i;
select ensure_partitions(array['decision_log'], '2026-01-01', '2026-12-31');
insert into decision_log (seq, at, kind, actor, touch_id, body, prev_hash, hash)
select i, timestamptz '2026-01-01' + i * interval '30 seconds', case when i % 5 = 0 then 'touch.deferred' else 'touch.planned' end, 'agent/x', gen_random_uuid(),
	'{"step":"one","reason":"' || repeat('x', 900) || '","verdict":{"outcome":"defer","findings":[{"rule":"frequency-cap","outcome":"defer"}]}}', '', '' from generate_series(1, 1000000) i;
`

// yearStore is a store with the year in it.
func yearStore(b *testing.B) *postgres.Store {
	b.Helper()
	url := pgtest.Migrated(b, postgres.Migrate)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{yearSQL, "vacuum analyze"} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	store, err := postgres.Open(b.Context(), url, postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(store.Close)
	return store
}

// BenchmarkYear sums up the year: the report's figures, lift by week, and every
// attribution model with and without intervals.
func BenchmarkYear(b *testing.B) {
	store := yearStore(b)
	since, end := from.AddDate(0, -2, -1), from.AddDate(0, 10, 0)
	b.Run("figures", func(b *testing.B) {
		for b.Loop() {
			f, err := store.Figures(b.Context(), measure.Query{From: since, To: end, RealFrom: from, RealTo: end, Attribution: creditFor, Window: outcome, Currency: "USD"})
			if err != nil || measure.Total(f.Cells).Touches < 900_000 {
				b.Fatal(err, measure.Total(f.Cells))
			}
		}
	})
	b.Run("lift by week", func(b *testing.B) {
		for b.Loop() {
			cuts, err := store.Cuts(b.Context(), measure.CutQuery{From: since, To: end, Scope: measure.ProgrammeTrial, By: measure.ByWeek, Currency: "USD", Window: outcome})
			if err != nil || len(cuts) == 0 {
				b.Fatal(err, len(cuts))
			}
		}
	})
	for _, resamples := range []int{0, 200} {
		b.Run(fmt.Sprint("attribution, resamples=", resamples), func(b *testing.B) {
			for b.Loop() {
				a, err := report.Attribute(b.Context(), store, attribution.Options{From: since, To: end, By: attribution.ByJourney, Models: attribution.Models,
					Windows: afterSending, Resamples: resamples}, "USD")
				if err != nil || a.Tables[0].Total.Touches < 900_000 {
					b.Fatal(err)
				}
			}
		})
	}
}
