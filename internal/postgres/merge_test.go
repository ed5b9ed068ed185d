package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// track writes messages that must all be taken.
func (b bench) track(messages ...postgres.Tracked) {
	b.t.Helper()
	result, err := b.Track(b.t.Context(), postgres.TrackBatch{Messages: messages, Now: noon, Listens: []string{"Checkout Started"}})
	b.must(err)
	if len(result.Refused) > 0 {
		b.t.Fatalf("refused %v", result.Refused)
	}
}

func alias(former, user string) postgres.Tracked {
	return postgres.Tracked{User: user, Former: former, FormerVisitor: id(), At: noon.Add(-time.Hour)}
}

func bought(user, order string, at time.Time, total int64) postgres.Tracked {
	return postgres.Tracked{User: user, At: at, Order: &postgres.TrackedOrder{Change: postgres.OrderPlaced,
		OrderRow: ledger.OrderRow{Order: lifecycle.Order{ExternalID: order, At: at, Total: lifecycle.Money{Amount: total, Currency: "USD"}}, ReceivedAt: noon},
		Event:    postgres.BulkEvent{ID: lifecycle.EventID(id()), Name: "Order Completed", At: at, ReceivedAt: noon, Properties: []byte(`{}`)}}}
}

// A merge takes along what was sent and bought, once: credits follow, caps count,
// and the sums by the hour are those that a new count gives.
func TestMergeKeepsTheLedgerExact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(2)
	gone, stays := customers[0], customers[1]
	for i, who := range []string{"c000000", "c000001"} {
		sent := b.planned(customers[i], "1")
		b.send(sent, noon.Add(-day))
		b.track(bought(who, fmt.Sprintf("o%d", i), noon.Add(-2*time.Hour), 1000))
	}
	b.must(b.EnsurePartitions(t.Context(), noon, noon))
	open := b.planned(gone, "open")
	b.roll()
	b.must(b.Suppress(t.Context(), lifecycle.Push, string(gone), "bounced", "provider", noon))
	for range 3 { // repeated: once
		b.track(alias("c000000", "c000001"))
	}
	b.roll()
	again := b.rolled()
	_, err := b.Recompute(t.Context(), rollup)
	b.must(err)
	if anew := query[string](b, `select coalesce(jsonb_agg(to_jsonb(r) order by r::text), '[]')::text from rollup_credits r`); anew == "[]" {
		t.Error("nothing was credited: the test proves nothing")
	}
	if anew := b.rolled(); anew != again {
		t.Errorf("hourly sums after the merge:\n%s\nanew:\n%s", again, anew)
	}
	if s := b.state(open); s != lifecycle.TouchSkipped {
		t.Errorf("what was to be sent to the customer who is gone is %s", s)
	}
	for want, sql := range map[string]string{
		"2 2000 2":  `select orders_count || ' ' || revenue || ' ' || touches_count from customer_stats where customer_id = $1`,
		"3":         `select count(*)::text from touches where customer_id = $1`,
		"merged":    `select string_agg(distinct end_reason, ',') filter (where end_reason <> '') from journey_runs where customer_id = $1`,
		"1":         `select count(*)::text from decision_log where kind = 'customer.merged' and customer_id = $1`,
		"bounced":   `select reason from suppressions where channel = 'push' and address_hash = address_hash($1)`,
		"c000000 0": `select external_id || ' ' || (select count(*) from touches t where t.customer_id = c.id) from customers c where merged_into = $1`,
	} {
		if got := query[string](b, sql, string(stays)); got != want {
			t.Errorf("got %q, want %q: %s", got, want, sql)
		}
	}
	// The names lead to the customer who stayed, wherever they are used.
	found, err := b.FindCustomer(t.Context(), "c000000")
	if b.must(err); found.ID != stays {
		t.Errorf("found %s", found.ID)
	}
	if changed, err := b.Unsubscribe(t.Context(), postgres.Unsubscription{Customer: gone, Channel: lifecycle.Email, At: noon,
		Event: postgres.BulkEvent{ID: lifecycle.EventID(id()), Name: "Unsubscribed", At: noon, ReceivedAt: noon, Properties: []byte(`{}`)}}); err != nil || !changed {
		t.Fatalf("an old link: changed %v, %v", changed, err)
	}
	if got := query[string](b, "select state from consents where customer_id = $1 and channel = 'email'", string(stays)); got != "withdrawn" {
		t.Errorf("consent %s", got)
	}
	// A delivery that was prepared before the merge is called off.
	late := touch(ledger.Run{ID: lifecycle.RunID(id()), Journey: "winback", Version: 1, CustomerID: gone, EntryKey: "late"}, "1")
	if r := b.reserve(late, noon); r.Result != ledger.Closed {
		t.Errorf("a touch for a customer who is gone: %+v", r)
	}
	if r := b.reserve(open, noon); r.Result != ledger.Closed {
		t.Errorf("a planned touch of before: %+v", r)
	}
	b.verified()
	_, err = b.EraseCustomer(t.Context(), stays, noon)
	b.must(err)
	refused, err := b.Track(t.Context(), postgres.TrackBatch{Now: noon, Messages: []postgres.Tracked{{User: "c000000", At: noon}, bought("c000000", "o9", noon, 1)}})
	if b.must(err); refused.Refused[1] != postgres.ErasedReason {
		t.Errorf("a name of an erased customer: %+v", refused)
	}
}

// A journey that has sent nothing is entered anew by who stays, by the same event;
// one that has sent something ends.
func TestMergeMovesJourneys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, err := b.SaveJourney(t.Context(), "cart", []byte("x"), "h", []string{"Checkout Started"}, "Checkout Started", "test", noon)
	b.must(err)
	checkout := func(user string) lifecycle.EventID {
		e := lifecycle.EventID(id())
		b.track(postgres.Tracked{User: user, At: noon, Event: &postgres.BulkEvent{ID: e, Name: "Checkout Started", At: noon, ReceivedAt: noon, Properties: []byte(`{}`)}})
		return e
	}
	b.must(b.EnsurePartitions(t.Context(), noon, noon))
	enter := func(user string, e lifecycle.EventID) ledger.Run {
		ids, err := b.CustomerIDs(t.Context(), []string{user})
		b.must(err)
		run, entered, err := b.Enter(t.Context(), ledger.Entry{RunID: lifecycle.RunID(id()), Journey: "cart", Version: 1, CustomerID: ids[user],
			EntryKey: string(e), EventID: e, At: noon, NotSince: noon.Add(-30 * day)})
		b.must(err)
		if !entered {
			t.Fatalf("%s did not enter: %+v", user, run)
		}
		return run
	}
	quiet := enter("quiet", checkout("quiet"))
	told := enter("told", checkout("told"))
	first := touch(told, "1")
	b.plan(first)
	b.send(first, noon)
	b.exec("delete from event_outbox")
	b.track(alias("quiet", "known"), alias("told", "another"))
	var waiting []ledger.OutboxEvent
	_, err = b.ClaimOutbox(t.Context(), 10, func(_ context.Context, events []ledger.OutboxEvent) ([]int64, map[int64]error) {
		waiting = events
		return nil, nil
	})
	b.must(err)
	known, err := b.CustomerIDs(t.Context(), []string{"known", "another"})
	b.must(err)
	if len(waiting) != 1 || waiting[0].Event.CustomerID != known["known"] || waiting[0].Event.ID != quiet.EntryEventID {
		t.Fatalf("waiting %+v", waiting)
	}
	for run, owner := range map[lifecycle.RunID]lifecycle.CustomerID{quiet.ID: quiet.CustomerID, told.ID: known["another"]} {
		if got := query[string](b, "select customer_id || ' ' || status || ' ' || end_reason from journey_runs where id = $1", string(run)); got != string(owner)+" ended merged" {
			t.Errorf("run %s", got)
		}
	}
	enter("known", waiting[0].Event.ID)
}

// Merges run beside reservations and settlements of the same people.
func TestMergeBesideDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(40)
	var touches []lifecycle.Touch
	for _, c := range customers {
		touches = append(touches, b.planned(c, "1"))
	}
	b.must(b.EnsurePartitions(t.Context(), noon, noon))
	cap := ledger.CapWindow{Cap: "one", Since: noon.Add(-day), Limit: 1}
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; i < 40; i += 2 {
			b.track(alias(fmt.Sprintf("c%06d", i), fmt.Sprintf("c%06d", i+1)))
		}
	})
	for worker := range 2 {
		group.Go(func() {
			for i := worker; i < 40; i += 2 {
				got, err := b.Reserve(context.Background(), []ledger.Reservation{{Touch: touches[i], At: noon, Caps: []ledger.CapWindow{cap}}})
				switch {
				case lifecycle.CodeOf(err) == lifecycle.Invalid: // merged between its reading and this: it is prepared anew
				case err != nil:
					t.Error(err)
				case got[0].Result == ledger.Granted:
					if err := b.Settle(context.Background(), []ledger.Settlement{{TouchID: touches[i].ID, State: lifecycle.TouchAccepted, At: noon}}, nil, nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if n := query[int](b, `select count(*) from touches t join customers c on c.id = t.customer_id where c.merged_into is not null`); n != 0 {
		t.Errorf("%d touches were left with customers who are gone", n)
	}
	if n := query[int](b, `select count(*) from customer_stats s where touches_count <> (select count(*) from touches t where t.customer_id = s.customer_id and t.sent_at is not null)`); n != 0 {
		t.Errorf("%d customers have wrong statistics", n)
	}
	b.verified()
}
