package ingest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ingest"
	"touchstone/internal/postgres"
)

func realStore(t testing.TB) (*postgres.Store, string) {
	t.Helper()
	url := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(context.Background(), url, postgres.Options{MaxConnections: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store, url
}

// scan reads one row.
func scan(t testing.TB, url, sql string, into ...any) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if err := conn.QueryRow(ctx, sql).Scan(into...); err != nil {
		t.Fatal(err)
	}
}

func importInto(t testing.TB, s *postgres.Store, kind ingest.Kind, text string, change ...func(*ingest.Options)) ingest.Summary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := ingest.Options{Kind: kind, Path: path, Currency: "GBP", Store: s, Bulk: s, Imports: s}
	for _, c := range change {
		c(&o)
	}
	sum, err := ingest.Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestImportIntoPostgres(t *testing.T) {
	t.Parallel()
	s, url := realStore(t)
	if sum := importInto(t, s, ingest.Customers, "external_id,email,consent_email,consent_at,tier\n1,a@shop.example,yes,2024-01-01T00:00:00Z,gold\n2,,,,\n"); sum.Accepted != 2 {
		t.Errorf("customers: %+v", sum)
	}
	orders := "order_id,external_id,at,total,first_item\nA,1,2024-05-01T10:00:00Z,20.00,Mug\nB,3,2024-06-01T10:00:00Z,5.50,Cup\nRA,1,2024-07-01T10:00:00Z,-7.25,Mug\n"
	small := func(o *ingest.Options) { o.BatchSize = 2 }
	if sum := importInto(t, s, ingest.Orders, orders, small); sum.Accepted != 3 || sum.Created != 1 {
		t.Errorf("orders: %+v", sum)
	}
	if sum := importInto(t, s, ingest.Orders, orders, small); sum.Accepted != 0 || sum.Present != 3 {
		t.Errorf("orders again: %+v", sum)
	}
	events := eventsCSV(300)
	if sum := importInto(t, s, ingest.Events, events); sum.Accepted != 300 {
		t.Errorf("events: %+v", sum)
	}
	// Half of these are there already: the copy falls back to inserts.
	if sum := importInto(t, s, ingest.Events, eventsCSV(600)); sum.Accepted != 300 || sum.Present != 300 {
		t.Errorf("overlapping events: %+v", sum)
	}
	var customers, orderRows, completed, refunded, others, outbox, count int
	var revenue int64
	scan(t, url, `select (select count(*) from customers), (select count(*) from orders),
		(select count(*) from events where name = 'Order Completed'), (select count(*) from events where name = 'Order Refunded'),
		(select count(*) from events where name = 'Seen'), (select count(*) from event_outbox),
		s.orders_count, s.revenue from customer_stats s join customers c on c.id = s.customer_id where c.external_id = '1'`,
		&customers, &orderRows, &completed, &refunded, &others, &outbox, &count, &revenue)
	if customers != 53 || orderRows != 3 || completed != 2 || refunded != 1 || others != 600 || outbox != 0 || count != 1 || revenue != 1275 {
		t.Errorf("customers %d orders %d completed %d refunded %d others %d outbox %d count %d revenue %d",
			customers, orderRows, completed, refunded, others, outbox, count, revenue)
	}
	var tier, state string
	var created time.Time
	scan(t, url, `select c.attributes->>'tier', k.state, b.created_at from customers c join consents k on k.customer_id = c.id, customers b
		where c.external_id = '1' and b.external_id = '3'`, &tier, &state, &created)
	if tier != "gold" || state != "granted" || !created.Equal(time.Date(2024, 6, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("tier %s, consent %s, created %s", tier, state, created)
	}
}

func TestErasedCustomerGetsNothingNew(t *testing.T) {
	t.Parallel()
	s, url := realStore(t)
	importInto(t, s, ingest.Customers, "external_id\n1\n")
	execute(t, url, "update customers set erased_at = now()")
	if sum := importInto(t, s, ingest.Events, "external_id,name,at\n1,Seen,2025-01-01\n"); sum.Rejected != 1 || sum.Accepted != 0 {
		t.Errorf("%+v", sum)
	}
}

// Live sources repeat a message with a slightly different instant, also at the
// same time: it is one event, with one place in the outbox.
func TestTrackedMessagesAreOnce(t *testing.T) {
	t.Parallel()
	s, url := realStore(t)
	ctx := context.Background()
	now := time.Now().UTC()
	in := &ingest.Intake{Store: s, Currency: "GBP", Now: time.Now, Listens: func(context.Context) ([]string, error) {
		return []string{"Checkout Started", "Order Completed"}, nil
	}}
	stamp := now.Add(-time.Hour).Format(time.RFC3339)
	cart := `{"type":"track","userId":"u","event":"Checkout Started","messageId":"m1","timestamp":"` + stamp + `","sentAt":"SENT"}`
	if err := s.EnsurePartitions(ctx, now.Add(-time.Hour), now); err != nil {
		t.Fatal(err)
	}
	order := `{"type":"track","userId":"u","event":"Order Completed","messageId":"m2","timestamp":"` + stamp + `","sentAt":"SENT","properties":{"order_id":"o","total":9.99,"currency":"GBP"}}`
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			p := &ingest.Parcel{Door: ingest.DoorBatch, Received: now}
			sent := now.Add(time.Duration(i) * 300 * time.Millisecond).Format(time.RFC3339Nano)
			for _, message := range []string{cart, order} {
				p.Messages = append(p.Messages, json.RawMessage(strings.ReplaceAll(message, "SENT", sent)))
			}
			in.Decode(p)
			if err := in.Write(ctx, p); err != nil || len(p.Rejected) > 0 {
				t.Errorf("rejected %v, error %v", p.Rejected, err)
			}
		})
	}
	group.Wait()
	var events, outbox, orders, customers, count int
	scan(t, url, `select (select count(*) from events), (select count(*) from event_outbox), (select count(*) from orders),
		(select count(*) from customers), (select max(orders_count) from customer_stats)`, &events, &outbox, &orders, &customers, &count)
	if events != 2 || outbox != 2 || orders != 1 || customers != 1 || count != 1 {
		t.Errorf("events %d outbox %d orders %d customers %d count %d", events, outbox, orders, customers, count)
	}
}

func execute(t testing.TB, url, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
