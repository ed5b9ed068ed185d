package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func TestUpsertCustomers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	full := lifecycle.Customer{ExternalID: "a", Email: "a@example.com", Phone: "+15550001", FirstName: "Ada", LastName: "L", Locale: "en-GB",
		Country: "GB", Region: "LND", PostalCode: "E1", TimeZone: "Europe/London", Attributes: map[string]any{"tier": "gold", "n": 1.0, "nul": "a\u0000b"}, CreatedAt: noon}
	grant := ledger.ConsentRow{ExternalID: "a", Consent: lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, Basis: lifecycle.BasisExpress, At: noon, Source: "checkout", Wording: "w", IP: "192.0.2.1"}}
	withdraw := grant
	withdraw.State = lifecycle.ConsentWithdrawn
	n, err := b.UpsertCustomers(t.Context(), []lifecycle.Customer{{ExternalID: "a", FirstName: "Old"}, full}, []ledger.ConsentRow{withdraw, grant}, noon)
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	n, err = b.UpsertCustomers(t.Context(), []lifecycle.Customer{{ExternalID: "a", FirstName: "Eve", Attributes: map[string]any{"n": 2.0}, CreatedAt: noon.Add(-day)}, {ExternalID: "b"}}, nil, noon.Add(day))
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	ids, err := b.EnsureCustomers(t.Context(), []string{"a", "b", "new", "new"}, noon)
	if err != nil || len(ids) != 3 {
		t.Fatal(ids, err)
	}
	p, err := b.Profile(t.Context(), ids["a"])
	b.must(err)
	want := full
	want.ID, want.FirstName, want.CreatedAt = ids["a"], "Eve", noon.Add(-day)
	want.Attributes = map[string]any{"tier": "gold", "n": 2.0, "nul": "ab"}
	if !reflect.DeepEqual(p.Customer, want) {
		t.Errorf("%+v\nwant %+v", p.Customer, want)
	}
	if p.Consents[lifecycle.Email] != withdraw.Consent {
		t.Errorf("at the same instant the withdrawal counts: %+v", p.Consents)
	}
	for _, ref := range []string{"a", string(ids["a"]), "A@EXAMPLE.com"} {
		if c, err := b.FindCustomer(t.Context(), ref); err != nil || c.ID != ids["a"] {
			t.Errorf("find %s: %+v %v", ref, c, err)
		}
	}
	_, err = b.FindCustomer(t.Context(), "nobody")
	wantCode(t, err, lifecycle.NotFound)
	_, err = b.UpsertCustomers(t.Context(), nil, []ledger.ConsentRow{{ExternalID: "nobody"}}, noon)
	wantCode(t, err, lifecycle.NotFound)
	_, err = b.UpsertCustomers(t.Context(), []lifecycle.Customer{{}}, nil, noon)
	wantCode(t, err, lifecycle.Invalid)
}

func TestSetConsent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	for _, step := range []struct {
		state lifecycle.ConsentState
		at    time.Time
		want  lifecycle.ConsentState
	}{
		{lifecycle.ConsentGranted, noon, lifecycle.ConsentGranted},
		{lifecycle.ConsentWithdrawn, noon.Add(-day), lifecycle.ConsentGranted}, // an old statement, heard late
		{lifecycle.ConsentWithdrawn, noon.Add(day), lifecycle.ConsentWithdrawn},
		{lifecycle.ConsentGranted, noon.Add(day), lifecycle.ConsentWithdrawn},
	} {
		b.must(b.SetConsent(t.Context(), c, lifecycle.Consent{Channel: lifecycle.SMS, State: step.state, At: step.at}))
		p, err := b.Profile(t.Context(), c)
		b.must(err)
		if got := p.Consents[lifecycle.SMS].State; got != step.want {
			t.Errorf("after %s at %s: %s, want %s", step.state, step.at, got, step.want)
		}
	}
	wantCode(t, b.SetConsent(t.Context(), lifecycle.CustomerID(id()), lifecycle.Consent{Channel: lifecycle.SMS}), lifecycle.NotFound)
	wantCode(t, b.SetConsent(t.Context(), c, lifecycle.Consent{Channel: lifecycle.SMS, State: "maybe", At: noon}), lifecycle.Invalid)
}

func TestInsertEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	events := make([]lifecycle.Event, 500)
	for i := range events {
		events[i] = lifecycle.Event{ID: lifecycle.EventID(id()), CustomerID: c, Name: []string{"Order Completed", "Page Viewed"}[i%2],
			At: noon.Add(-time.Duration(i) * 7 * time.Hour), ReceivedAt: noon, Properties: map[string]any{"i": i, "nul": "\u0000"}}
	}
	listens := func(name string) bool { return name == "Order Completed" }
	for _, step := range []struct {
		name   string
		events []lifecycle.Event
		want   int
	}{
		{"a few", events[:10], 10},
		{"a few again", events[:10], 0},
		{"many, some of them stored", events[5:300], 290},
		{"many new ones with one twice", append(events[300:500:500], events[300]), 200},
		{"all again", events, 0},
		{"none", nil, 0},
	} {
		if n, err := b.InsertEvents(t.Context(), step.events, listens); err != nil || n != step.want {
			t.Errorf("%s: %d are new, want %d: %v", step.name, n, step.want, err)
		}
	}
	if stored, heard := query[int](b, "select count(*) from events"), query[int](b, "select count(*) from event_outbox"); stored != 500 || heard != 250 {
		t.Errorf("%d events and %d in the outbox", stored, heard)
	}
	copied := make([]lifecycle.Event, 300)
	for i := range copied {
		copied[i] = events[0]
		copied[i].ID = lifecycle.EventID(id())
	}
	if n, err := b.InsertEvents(t.Context(), copied, nil); err != nil || n != 300 {
		t.Errorf("copied %d: %v", n, err)
	}
	_, err := b.InsertEvents(t.Context(), []lifecycle.Event{{ID: "x", CustomerID: c, At: noon}}, nil)
	wantCode(t, err, lifecycle.Invalid)
}

// The statistics of a customer are the same in whatever order and batches
// orders arrive, and equal what the domain types say.
func TestOrderStatistics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(300)
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := customers[next%len(customers)]
		next++
		b.exec("delete from orders where customer_id = $1", string(c))
		b.exec(`update customer_stats set orders_count = 0, revenue = 0, currency = '', first_order_at = null, last_order_at = null, last_item = '',
			engagement_weight = 0, engagement_at = null where customer_id = $1`, string(c))
		type bought struct {
			Hours int
			Total int64
			Item  string
		}
		story := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) bought {
			return bought{rapid.IntRange(0, 50).Draw(rt, "hours") * 100, rapid.Int64Range(-50, 100).Draw(rt, "total"), rapid.SampledFrom([]string{"", "mug", "lamp"}).Draw(rt, "item")}
		}), 1, 10).Draw(rt, "story")
		var want lifecycle.OrderStats
		want.Revenue.Currency = "USD"
		orders := make([]ledger.OrderRow, len(story))
		for i, o := range story {
			at := noon.Add(time.Duration(o.Hours) * time.Hour)
			orders[i] = ledger.OrderRow{Order: lifecycle.Order{ExternalID: fmt.Sprintf("%d-%d", next, i), CustomerID: c, At: at, Total: lifecycle.Money{Amount: o.Total, Currency: "USD"}, FirstItem: o.Item}}
			want.Revenue.Amount += o.Total
			if o.Total <= 0 {
				continue
			}
			want.Count++
			if want.FirstAt.IsZero() || at.Before(want.FirstAt) {
				want.FirstAt = at
			}
			if at.After(want.LastAt) || at.Equal(want.LastAt) && o.Item > want.LastItem {
				want.LastAt, want.LastItem = at, o.Item
			}
		}
		var weight float64
		for _, o := range orders {
			if o.Total.Amount > 0 {
				weight += 1.5 * math.Exp2(-float64(want.LastAt.Sub(o.At))/float64(lifecycle.EngagementHalfLife))
			}
		}
		shuffled := rapid.Permutation(orders).Draw(rt, "order")
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(rt, "batch")
			for repeat := range 2 { // the second time nothing is new
				inserted, err := b.InsertOrders(t.Context(), shuffled[:n])
				if err != nil || inserted != n*(1-repeat) {
					rt.Fatalf("%d of %d are new: %v", inserted, n, err)
				}
			}
			shuffled = shuffled[n:]
		}
		p, err := b.Profile(t.Context(), c)
		if err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(p.Orders, want) {
			rt.Fatalf("%+v\nwant %+v", p.Orders, want)
		}
		if math.Abs(p.Engagement.Weight-weight) > 1e-6 || !p.Engagement.At.Equal(want.LastAt) {
			rt.Fatalf("engagement %+v, want %v at %s", p.Engagement, weight, want.LastAt)
		}
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	for i := range 20 {
		_, err := b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: c, Name: "Cart Viewed", At: noon,
			ReceivedAt: noon, Source: "shop", Properties: map[string]any{"i": float64(i)}}}, func(string) bool { return true })
		b.must(err)
	}
	var mu sync.Mutex
	handled := map[float64]int{}
	var routers sync.WaitGroup
	for range 4 {
		routers.Go(func() {
			for {
				n, err := b.ClaimOutbox(t.Context(), 3, func(_ context.Context, events []ledger.OutboxEvent) (done []int64, failed map[int64]error) {
					mu.Lock()
					defer mu.Unlock()
					failed = map[int64]error{}
					for _, e := range events {
						i := e.Event.Properties["i"].(float64)
						handled[i]++
						if i == 7 {
							failed[e.ID] = errors.New("no such journey")
							continue
						}
						done = append(done, e.ID)
					}
					return done, failed
				})
				if err != nil {
					t.Error(err)
				}
				if n == 0 || err != nil {
					return
				}
			}
		})
	}
	routers.Wait()
	if len(handled) != 20 {
		t.Errorf("%d of 20 events were handled", len(handled))
	}
	for i, n := range handled {
		if n != 1 {
			t.Errorf("event %v was handled %d times", i, n)
		}
	}
	waiting := query[string](b, "select attempts || ' ' || last_error || ' ' || (retry_at between now() and now() + interval '2 seconds') from event_outbox")
	if size, err := b.OutboxSize(t.Context()); err != nil || size != 1 || waiting != "1 no such journey true" {
		t.Errorf("%d events wait, %q: %v", size, waiting, err)
	}
	b.exec("update event_outbox set retry_at = now()")
	func() { // a router that crashes gives its claim back
		defer func() { _ = recover() }()
		_, err := b.ClaimOutbox(t.Context(), 3, func(context.Context, []ledger.OutboxEvent) ([]int64, map[int64]error) { panic("crash") })
		t.Errorf("no panic: %v", err)
	}()
	n, err := b.ClaimOutbox(t.Context(), 3, func(_ context.Context, events []ledger.OutboxEvent) ([]int64, map[int64]error) {
		if events[0].Attempts != 1 || events[0].Event.Source != "shop" || !events[0].Event.At.Equal(noon) {
			t.Errorf("%+v", events[0])
		}
		return []int64{events[0].ID}, nil
	})
	if err != nil || n != 1 {
		t.Error(n, err)
	}
}

func TestEraseCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.UpsertCustomers(t.Context(), []lifecycle.Customer{{ExternalID: "me@example.com", Email: "me@example.com", Phone: "+15550009", FirstName: "Marlene",
		LastName: "Secret", PostalCode: "10115", Attributes: map[string]any{"dog": "Bello"}}}, []ledger.ConsentRow{{ExternalID: "me@example.com",
		Consent: lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon, IP: "192.0.2.7", Wording: "w"}}}, noon)
	b.must(err)
	ids, err := b.CustomerIDs(t.Context(), []string{"me@example.com"})
	b.must(err)
	c := ids["me@example.com"]
	b.must(b.Suppress(t.Context(), lifecycle.Email, "Me@Example.com", "complaint", "test", noon))
	_, err = b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: c, Name: "x", At: noon, ReceivedAt: noon, Properties: map[string]any{"city": "Bonn"}}}, func(string) bool { return true })
	b.must(err)
	_, err = b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: "o", CustomerID: c, At: noon, Total: lifecycle.Money{Amount: 500, Currency: "EUR"}, FirstItem: "Truss"}}})
	b.must(err)
	run, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "cart", Version: 1, CustomerID: c, At: noon, Properties: map[string]any{"item": "Truss"}})
	b.must(err)
	sent, open := touch(run, "1"), touch(run, "2")
	b.plan(sent, open)
	b.send(sent, noon)
	_, err = b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "k", TouchID: sent.ID, Kind: ledger.OutcomeDelivered, At: noon, Detail: "for me@example.com"}})
	b.must(err)
	b.must(b.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Kind: "k", Actor: "a", CustomerID: c}}))
	for range 2 {
		b.erase(c, noon.Add(day))
	}
	for _, table := range []string{"customers", "customer_stats", "consents", "consent_records", "wishes", "suppressions", "events", "orders", "event_outbox", "journey_runs", "touches", "touch_history", "provider_events", "decision_log"} {
		left := query[int](b, fmt.Sprintf(`select count(*) from %s x where to_jsonb(x)::text ~* 'me@example|15550009|marlene|secret|10115|bello|192\.0\.2\.7|bonn|truss'`, table))
		if left != 0 {
			t.Errorf("%s still has personal data", table)
		}
	}
	p, err := b.Profile(t.Context(), c)
	b.must(err)
	if !p.Customer.ErasedAt.Equal(noon.Add(day)) || p.Consents[lifecycle.Email].State != lifecycle.ConsentWithdrawn || p.Orders.Revenue.Amount != 500 {
		t.Errorf("%+v", p)
	}
	if a, s := b.state(open), b.state(sent); a != lifecycle.TouchSkipped || s != lifecycle.TouchDelivered {
		t.Errorf("open %s, sent %s", a, s)
	}
	if n := query[int](b, "select count(*) from suppressions where reason = 'erased'"); n != 5 {
		t.Errorf("%d suppressions, want every channel's", n)
	}
	_, err = b.EraseCustomer(t.Context(), lifecycle.CustomerID(id()), noon)
	wantCode(t, err, lifecycle.NotFound)
	b.verified()
}
