package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// Every statement that runs per touch, event or run reaches the growing tables
// by an index: the server counts no sequential scan of them while the store does
// its daily work on a database of a realistic shape. Everything runs often
// enough that generic plans of the prepared statements are used too.
func TestPerTouchWorkUsesIndexes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(b.EnsurePartitions(t.Context(), noon.Add(-60*day), noon.Add(31*day)))
	b.exec(`insert into customers (id, external_id, email, created_at) select new_id(), 'x' || i, 'x' || i || '@example.com', $1 from generate_series(1, 20000) i`, noon)
	b.exec(`insert into journey_runs (id, journey, version, customer_id, entry_key, campaign, arm, status, entered_at, due_at, step)
		select new_id(), 'j' || (row_number() over ()) % 50, 1, id, 'k', 'c' || (row_number() over ()) % 50, 'treated', 'pending', $1, $1::timestamptz, 's1' from customers`, noon.Add(-30*day))
	b.exec(`insert into touches (id, key, run_id, customer_id, journey, version, step, channel, state, planned_at, reserved_at, sent_at, provider_id)
		select new_id(), r.id || '/' || i, r.id, r.customer_id, 'winback', 1, 's' || i, 'email', 'accepted', $1, $1, $1, 'p' || r.id || i
		from journey_runs r, generate_series(1, 3) i`, noon.Add(-20*day))
	b.exec(`insert into touch_history (touch_id, at, state) select id, planned_at, 'planned' from touches`)
	b.exec(`insert into provider_events (dedupe_key, touch_id, kind, at) select 'k' || id, id, 'delivered', planned_at from touches`)
	b.exec(`insert into events (id, customer_id, name, occurred_at, received_at) select new_id(), id, 'Page Viewed', $1, $1 from customers, generate_series(1, 3)`, noon)
	b.exec(`insert into orders (external_id, customer_id, at, total, currency, received_at) select 'o' || id, id, $1, 100, 'USD', $1 from customers`, noon)
	b.exec(`insert into event_outbox (event_id, occurred_at, customer_id, name, retry_at) select id, occurred_at, customer_id, name, now() + interval '1 day' from events`)
	b.exec(`insert into suppressions (channel, address_hash, reason, at) select 'email', address_hash('y' || i), 'r', $1 from generate_series(1, 20000) i`, noon)
	b.exec(`insert into decision_log (seq, at, kind, actor, customer_id, body, prev_hash, hash)
		select row_number() over (), $1, 'k', 'a', id, '{}', '', '' from customers`, noon)
	b.exec("update decision_head set seq = 1000000")
	b.exec("analyze")

	b.Close() // makes the server count what its connections did
	b.raw.Reset()
	before := settled(b)
	worker, err := postgres.Open(t.Context(), b.url, postgres.Options{MaxConnections: 2})
	b.must(err)
	w := bench{worker, t, b.url, b.raw}
	for i := range 8 {
		w.dailyWork(i)
	}
	worker.Close()
	after := settled(b)
	if maps.Equal(before, after) {
		t.Fatal("the server counted no work at all")
	}
	for table, n := range after {
		if strings.HasPrefix(table, "index ") {
			continue
		}
		if n > before[table] {
			t.Errorf("%s was scanned from end to end %d times", table, n-before[table])
		}
	}
}

// settled reads the counts when they have stopped changing: they arrive
// connection by connection, when one ends or a second later.
func settled(b bench) map[string]int {
	b.t.Helper()
	last := scans(b)
	for range 20 {
		time.Sleep(1500 * time.Millisecond)
		counts := scans(b)
		if maps.Equal(last, counts) {
			return counts
		}
		last = counts
	}
	b.t.Fatal("the server's counts do not settle")
	return nil
}

// scans reads the server's counts of sequential scans per growing table, and of
// index scans as a sign that it has counted.
func scans(b bench) map[string]int {
	b.t.Helper()
	rows, err := b.raw.Query(b.t.Context(), `select relname, seq_scan, coalesce(idx_scan, 0) from pg_stat_user_tables where n_live_tup > 1000`)
	b.must(err)
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var table string
		var sequential, index int
		b.must(rows.Scan(&table, &sequential, &index))
		counts[table], counts["index "+table] = sequential, index
	}
	b.must(rows.Err())
	if len(counts) < 20 {
		b.t.Fatalf("the server knows of %d large tables only: %v", len(counts)/2, counts)
	}
	return counts
}

// trackedWork takes what a shop sends: browsing, a cart, orders and their changes, a
// visitor who signs in, and two customers who are one.
func (b bench) trackedWork(i int) {
	b.t.Helper()
	visitor, user := id(), fmt.Sprintf("x%d", 2000+i)
	shop := func(m postgres.Tracked, name string) postgres.Tracked {
		m.At = noon
		m.Event = &postgres.BulkEvent{ID: lifecycle.EventID(id()), Name: name, At: noon, ReceivedAt: noon, Properties: []byte(`{"product_id":"p","category":"shoes"}`)}
		return m
	}
	b.track(shop(postgres.Tracked{User: user}, "Product Viewed"), shop(postgres.Tracked{Visitor: visitor}, "Product Added"))
	order := bought(user, id(), noon, 100)
	changed := order
	changed.Order = &postgres.TrackedOrder{Change: postgres.OrderReduced, Of: order.Order.ExternalID, Remainder: true, OrderRow: order.Order.OrderRow, Event: order.Order.Event}
	changed.Order.ExternalID, changed.Order.Total.Amount, changed.Order.Event.ID = id(), 0, lifecycle.EventID(id())
	b.track(order, changed)
	b.track(shop(postgres.Tracked{User: user, Visitor: visitor, Traits: &postgres.Traits{Customer: lifecycle.Customer{FirstName: "Ada"}}}, "Cart Viewed"))
	b.track(alias(fmt.Sprintf("x%d", 3000+i), user))
}

// dailyWork does everything once that a worker or gateway does per touch.
func (b bench) dailyWork(i int) {
	b.t.Helper()
	ctx := b.t.Context()
	campaign := fmt.Sprintf("c%d", i)
	due, err := b.DueRuns(ctx, campaign, noon, 20)
	b.must(err)
	_, _, err = b.NextDue(ctx, campaign)
	b.must(err)
	var runs []lifecycle.RunID
	for _, r := range due {
		runs = append(runs, r.ID)
	}
	if len(runs) != 20 {
		b.t.Fatalf("%d runs are due", len(runs))
	}
	_, err = b.Situations(ctx, runs, noon)
	b.must(err)
	_, err = b.Situations(ctx, runs[:1], noon)
	b.must(err)
	b.trackedWork(i)
	customer := due[0].CustomerID
	run := b.enter(customer, "cart", id())
	next := touch(run, "1")
	b.plan(next)
	b.must(b.MoveRuns(ctx, []ledger.Progress{{RunID: run.ID, Step: "2"}}, []ledger.Record{{At: noon, Kind: "k", Actor: "a", CustomerID: customer}}))
	b.send(next, noon, ledger.CapWindow{Cap: "weekly", Since: noon.Add(-7 * day), Limit: 9})
	_, err = b.ApplyOutcomes(ctx, []ledger.Outcome{
		{Key: id(), TouchID: next.ID, Kind: ledger.OutcomeOpened, At: noon, Suppress: true},
		{Key: id(), Provider: "p-" + string(next.ID), Kind: ledger.OutcomeUnsubscribe, At: noon}})
	b.must(err)
	_, err = b.ExpireSending(ctx, noon.Add(-day), noon)
	b.must(err)
	_, err = b.TouchByKey(ctx, next.Key)
	b.must(err)
	_, err = b.ActiveRuns(ctx, customer)
	b.must(err)
	_, err = b.TouchReviewed(ctx, next.ID)
	b.must(err)
	_, err = b.HeldRuns(ctx, "", 10, "")
	b.must(err)
	ids, err := b.EnsureCustomers(ctx, []string{fmt.Sprintf("x%d", 100+i), id()}, noon)
	b.must(err)
	for _, c := range ids {
		event := lifecycle.Event{ID: lifecycle.EventID(id()), CustomerID: c, Name: "Order Completed", At: noon, ReceivedAt: noon}
		_, err = b.InsertEvents(ctx, []lifecycle.Event{event}, func(string) bool { return true })
		b.must(err)
		_, err = b.InsertOrders(ctx, []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: id(), CustomerID: c, At: noon, Total: lifecycle.Money{Amount: 5, Currency: "USD"}}}})
		b.must(err)
	}
	_, err = b.ClaimOutbox(ctx, 10, func(_ context.Context, events []ledger.OutboxEvent) ([]int64, map[int64]error) {
		return []int64{events[0].ID}, map[int64]error{events[1].ID: errors.New("later")}
	})
	b.must(err)
	_, err = b.FindCustomer(ctx, fmt.Sprintf("x%d@example.com", 200+i))
	b.must(err)
	_, err = b.Timeline(ctx, customer)
	b.must(err)
}

// Five hundred runs at once take tens of milliseconds; the bound leaves room for
// a busy machine.
func TestSituationsOfAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.customers(500)
	_, err := b.Enrol(t.Context(), ledger.Cohort{Campaign: "c", Journey: "j", Version: 1, EntryKey: "k", Ramp: 1, At: noon})
	b.must(err)
	runs, err := b.DueRuns(t.Context(), "c", noon, 500)
	b.must(err)
	ids := make([]lifecycle.RunID, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	b.exec("analyze")
	best := time.Hour
	for range 5 {
		start := time.Now()
		got, err := b.Situations(t.Context(), ids, noon)
		b.must(err)
		best = min(best, time.Since(start))
		for i := range got {
			if got[i].Run.ID != ids[i] {
				t.Fatal("the order is not the one asked for")
			}
		}
	}
	t.Logf("500 situations in %s", best)
	if len(ids) != 500 || best > 500*time.Millisecond {
		t.Errorf("%d situations took %s", len(ids), best)
	}
}
