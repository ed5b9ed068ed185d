package gateway_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/gateway"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// TestDoorsOverPostgres walks one customer through the doors on a real store:
// identified, tracked, routed, unsubscribed.
func TestDoorsOverPostgres(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dsn := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(ctx, dsn, postgres.Options{MaxConnections: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if err := store.EnsurePartitions(ctx, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	b := start(t, func(c *gateway.Config) {
		c.Outcomes, c.Unsubscribing, c.Tracking = store, store, store
		c.Listens = func(context.Context) ([]string, error) {
			return []string{"Checkout Started", gateway.Unsubscribed}, nil
		}
	})
	auth := []string{"Authorization", basic(writeKey)}
	batch := `{"batch":[{"type":"identify","userId":"u","traits":{"email":"U@shop.example","email_consent":true}},
		{"type":"track","userId":"u","event":"Checkout Started","messageId":"m1","properties":{"cart_id":"c1"}},
		{"type":"track","userId":"u","event":"Product Viewed","messageId":"m2"}]}`
	for range 2 {
		if status, _, text := b.do(t, "POST", "/v1/batch", batch, auth...); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, text)
		}
	}
	ids, err := store.ActiveCustomerIDs(ctx, []string{"u"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(b.links.Unsubscribe("http://x", ids["u"], lifecycle.Email))
	if err != nil {
		t.Fatal(err)
	}
	state := func() (consent string, suppressed, decisions, events, outbox int) {
		t.Helper()
		err := conn.QueryRow(ctx, `select (select state from consents where channel = 'email'),
			(select count(*) from suppressions where channel = 'email' and address_hash = address_hash('u@shop.example')),
			(select count(*) from decision_log where kind = 'consent.withdrawn'), (select count(*) from events), (select count(*) from event_outbox)`,
		).Scan(&consent, &suppressed, &decisions, &events, &outbox)
		if err != nil {
			t.Fatal(err)
		}
		return consent, suppressed, decisions, events, outbox
	}
	if consent, suppressed, decisions, events, outbox := state(); consent != "granted" || suppressed+decisions != 0 || events != 2 || outbox != 1 {
		t.Fatalf("consent %s, suppressed %d, decisions %d, events %d, outbox %d", consent, suppressed, decisions, events, outbox)
	}
	if status, _, _ := b.do(t, "GET", u.Path, ""); status != http.StatusOK {
		t.Errorf("page: status %d", status)
	}
	if consent, suppressed, _, _, _ := state(); consent != "granted" || suppressed != 0 {
		t.Error("looking at the page changed something")
	}
	var clicks sync.WaitGroup
	for range 4 {
		clicks.Go(func() {
			status, _, _ := b.do(t, "POST", u.Path, "List-Unsubscribe=One-Click", "Content-Type", "application/x-www-form-urlencoded")
			if status != http.StatusOK {
				t.Errorf("click: status %d", status)
			}
		})
	}
	clicks.Wait()
	if consent, suppressed, decisions, events, outbox := state(); consent != "withdrawn" || suppressed != 1 || decisions != 1 || events != 3 || outbox != 2 {
		t.Errorf("consent %s, suppressed %d, decisions %d, events %d, outbox %d", consent, suppressed, decisions, events, outbox)
	}
	for range 2 {
		if status := b.signed(t, post(event("delivered", ""), event("open", ""))); status != http.StatusNoContent {
			t.Errorf("webhook: status %d", status)
		}
	}
	var applied int
	if err := conn.QueryRow(ctx, "select count(*) from provider_events").Scan(&applied); err != nil || applied != 2 {
		t.Errorf("%d provider events, %v", applied, err)
	}
	routing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var names []string
	r := &gateway.Router{Outbox: store, Dispatch: func(_ context.Context, e lifecycle.Event) error {
		names = append(names, e.Name)
		if len(names) == 2 {
			time.AfterFunc(300*time.Millisecond, cancel)
		}
		return nil
	}}
	if err := r.Run(routing); err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 || names[0] != "Checkout Started" || names[1] != gateway.Unsubscribed {
		t.Errorf("routed %v", names)
	}
	if _, _, _, _, outbox := state(); outbox != 0 {
		t.Errorf("%d left in the outbox", outbox)
	}
}
