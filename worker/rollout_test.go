package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/activities"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ledger"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
	"touchstone/internal/rollout"
	"touchstone/worker"
)

const gated = `programme: gated
phases:
  - phase: only
    gates: [email_delivery_rate > 90% at 95%]
    guardrails:
      - {keep: compliance_violations == 0, else: halt}
      - {keep: spam_complaint_rate < 1% at 95%, else: halt}
    stages:
      - {stage: few, share: 10%, hold: 1d, sample: 100}
      - {stage: all, share: 100%, hold: 1d, sample: 0}
`

// A gate on the catalogue's own figures, from the rows of a day: too few waits,
// enough advances, and a spike of complaints halts.
func TestGatesOnStoredRows(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	began := time.Date(2026, 3, 2, 10, 20, 0, 0, time.UTC)
	if _, err := store.StartRollout(ctx, "gated", []byte(gated), nil, "jane", ledger.Record{At: began, Kind: "rollout.started", Actor: "jane", Subject: "gated"}); err != nil {
		t.Fatal(err)
	}
	if err := store.EnsurePartitions(ctx, began, began.AddDate(0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	deliver := func(state string, at time.Time, n int) {
		t.Helper()
		if _, err := conn.Exec(ctx, `with sent as (
				insert into touches (id, key, run_id, customer_id, journey, version, step, channel, state, planned_at, reserved_at, sending_at, sent_at, settled_at)
				select new_id(), $1 || $2::timestamptz || n, new_id(), new_id(), 'winback', 1, 'nudge', 'email', $1, $2, $2, $2, $2, $2 from generate_series(1, $3) n
				returning *
			), known as (
				insert into customers (id, external_id, email, created_at) select customer_id, customer_id, customer_id || '@example.com', $2 from sent returning id
			), agreed as (
				insert into consents (customer_id, channel, state, at) select id, 'email', 'granted', $2 - interval '30 days' from known
			)
			insert into touch_history (touch_id, at, state) select id, $2, state from sent`, state, at, n); err != nil {
			t.Fatal(err)
		}
	}
	checks := &activities.Rollouts{Store: store, Runs: store, Readings: store.KPIs, Starter: &worker.Starter{}}
	at := rollout.Position{Since: began, PhaseSince: began, Watched: 25 * time.Hour}
	assess := func(hours int) activities.Assessed {
		t.Helper()
		now := began.Add(time.Duration(hours) * time.Hour)
		if _, err := store.RollUp(ctx, measure.Rollup{Now: now, Attribution: 7 * 24 * time.Hour, Currency: "USD"}); err != nil {
			t.Fatal(err)
		}
		a, err := checks.AssessRollout(ctx, activities.AssessInput{Programme: "gated", Version: 1, At: at, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	deliver("complained", began.Add(-time.Hour), 300) // before the stage: none of its business
	deliver("delivered", began.Add(2*time.Hour), 10)
	if a := assess(5); a.Action != rollout.Wait || !strings.Contains(a.Why, "10 of 100 customers reached") || !strings.Contains(a.Why, "email_delivery_rate > 90% at 95%") {
		t.Errorf("with ten e-mails: %s, %s\n%s", a.Action, a.Why, a.Markdown)
	}
	deliver("delivered", began.Add(6*time.Hour), 1500)
	if a := assess(10); a.Action != rollout.Advance || a.Last {
		t.Errorf("with 1,510 delivered: %s, %s\n%s", a.Action, a.Why, a.Markdown)
	}
	deliver("complained", began.Add(11*time.Hour), 60)
	if a := assess(15); a.Action != rollout.Halt || !strings.Contains(a.Why, "spam_complaint_rate < 1% at 95%: fails") {
		t.Errorf("with sixty complaints: %s, %s\n%s", a.Action, a.Why, a.Markdown)
	}
}
