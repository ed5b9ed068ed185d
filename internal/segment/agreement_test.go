package segment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

const schema = `
CREATE TABLE customers (id uuid PRIMARY KEY, external_id text NOT NULL UNIQUE, email text, phone text,
	first_name text NOT NULL DEFAULT '', last_name text NOT NULL DEFAULT '', locale text NOT NULL DEFAULT '',
	country text NOT NULL DEFAULT '', region text NOT NULL DEFAULT '', postal_code text NOT NULL DEFAULT '',
	time_zone text NOT NULL DEFAULT '', attributes jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL, erased_at timestamptz);
CREATE TABLE customer_stats (customer_id uuid PRIMARY KEY REFERENCES customers, orders_count int NOT NULL DEFAULT 0,
	revenue bigint NOT NULL DEFAULT 0, currency text NOT NULL DEFAULT '', first_order_at timestamptz, last_order_at timestamptz,
	last_item text NOT NULL DEFAULT '', engagement_weight double precision NOT NULL DEFAULT 0, engagement_at timestamptz,
	last_open_at timestamptz, last_click_at timestamptz, touches_count int NOT NULL DEFAULT 0, last_touch_at timestamptz);
CREATE TABLE carts (customer_id uuid PRIMARY KEY, items int NOT NULL, value double precision NOT NULL, changed_at timestamptz NOT NULL);
CREATE TABLE customer_affinities (customer_id uuid NOT NULL, name text NOT NULL, weight double precision NOT NULL, PRIMARY KEY (customer_id, name));
CREATE INDEX customer_stats_last_order ON customer_stats (last_order_at);
CREATE TABLE consents (customer_id uuid REFERENCES customers, channel text, state text, at timestamptz, source text, wording text, ip text, PRIMARY KEY (customer_id, channel));`

const cohort = "SELECT c.external_id FROM customers c JOIN customer_stats s ON s.customer_id = c.id WHERE c.erased_at IS NULL AND (%s)"

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Exec(ctx, schema); err != nil {
		t.Fatal(err)
	}
	return conn
}

func insert(t *testing.T, conn *pgx.Conn, people []lifecycle.Profile) {
	t.Helper()
	instant := func(at time.Time) any {
		if at.IsZero() {
			return nil
		}
		return at
	}
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	batch := &pgx.Batch{}
	for _, p := range people {
		attributes, err := json.Marshal(p.Customer.Attributes)
		if err != nil {
			t.Fatal(err)
		}
		c, o, e := p.Customer, p.Orders, p.Engagement
		batch.Queue(`INSERT INTO customers (id, external_id, email, phone, locale, country, region, time_zone, attributes, created_at, erased_at)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`, string(c.ID), c.ExternalID, text(c.Email), text(c.Phone), c.Locale, c.Country, c.Region, c.TimeZone, string(attributes), c.CreatedAt, instant(c.ErasedAt))
		batch.Queue(`INSERT INTO customer_stats VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)`, string(c.ID), o.Count, o.Revenue.Amount, o.Revenue.Currency,
			instant(o.FirstAt), instant(o.LastAt), o.LastItem, e.Weight, instant(e.At), instant(e.LastOpenAt), instant(e.LastClickAt), p.Touches.Count, instant(p.Touches.LastAt))
		if p.Cart.Items > 0 {
			batch.Queue(`INSERT INTO carts VALUES ($1,$2,$3,$4)`, string(c.ID), p.Cart.Items, p.Cart.Value, p.Cart.ChangedAt)
		}
		for name, weight := range p.Affinities {
			batch.Queue(`INSERT INTO customer_affinities VALUES ($1,$2,$3)`, string(c.ID), name, weight)
		}
		for _, consent := range p.Consents {
			batch.Queue(`INSERT INTO consents VALUES ($1,$2,$3,$4,'','','')`, string(c.ID), string(consent.Channel), string(consent.State), consent.At)
		}
	}
	if err := conn.SendBatch(context.Background(), batch).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryAndDatabaseAgree draws segments and compares the customers each
// selects in memory and on PostgreSQL.
func TestMemoryAndDatabaseAgree(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	people := population(300)
	insert(t, conn, people)
	stages := lifecycle.DefaultStageThresholds()
	stages.LapsedAfter += 300 // nanoseconds, dropped in both worlds
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			source := grammar{t}.condition(3)
			e, err := segment.Compile(source)
			if err != nil {
				t.Fatalf("%s: %v", source, err)
			}
			var want []string
			for _, p := range people {
				in, err := e.Match(segment.Env{Now: now, Profile: p, Stages: stages})
				if err != nil {
					t.Fatal(err)
				}
				if in {
					want = append(want, p.Customer.ExternalID)
				}
			}
			where, args, err := e.SQL(now, stages, 1)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := conn.Query(context.Background(), fmt.Sprintf(cohort, where)+" ORDER BY c.external_id", args...)
			if err != nil {
				t.Fatalf("%s\n%s\n%v", source, where, err)
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatalf("%s\n%s %v\n%v", source, where, args, err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s\n%s %v\ndatabase %v\nmemory   %v", source, where, args, got, want)
			}
			if len(got) > 0 && len(got) < len(people) {
				hits++
			}
		}
	})
	if hits < 100 {
		t.Errorf("only %d segments told customers apart, the test is too weak", hits)
	}
}

// TestCohortUsesIndex loads 200,000 customers and reads the plans of typical
// selective segments.
func TestCohortUsesIndex(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	ctx := context.Background()
	for _, statement := range []string{
		`INSERT INTO customers (id, external_id, country, created_at)
			SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'c' || i, 'US', '2020-01-01' FROM generate_series(1, 200000) i`,
		`INSERT INTO customer_stats (customer_id, orders_count, last_order_at)
			SELECT id, 2, '2026-03-01'::timestamptz - (row_number() OVER () % 100000) * interval '1 minute' FROM customers`,
		`INSERT INTO consents SELECT id, 'email', 'granted', '2020-01-01', '', '', '' FROM customers`,
		`ANALYZE customers, customer_stats, consents`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ source, index string }{
		{`orders.days_since_last > 69`, "customer_stats_last_order"},
		{`orders.days_since_last < 1 && orders.count >= 2 && consent.email == "granted"`, "customer_stats_last_order"},
		{`stage == "lapsed" && orders.count >= 2`, "customer_stats_last_order"},
		{`orders.days_since_last >= 30 && orders.days_since_last < 31 && customer.country == "US"`, "customer_stats_last_order"},
		{`customer.id == "c777"`, "customers_external_id_key"},
		{`customer.id in ["c777", "c778"] || customer.id == "c1"`, "customers_external_id_key"},
	} {
		e, err := segment.Compile(tc.source)
		if err != nil {
			t.Fatal(err)
		}
		where, args, err := e.SQL(now, lifecycle.DefaultStageThresholds(), 1)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(ctx, "EXPLAIN "+fmt.Sprintf(cohort, where), args...)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); !strings.Contains(text, tc.index) {
			t.Errorf("%s does not use %s:\n%s", tc.source, tc.index, text)
		}
	}
}

func TestCohortRefusesEvents(t *testing.T) {
	t.Parallel()
	for _, source := range []string{`event.value > 3`, `stage == "new" && entry.cart_id == "x"`} {
		e, err := segment.Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		var problem *segment.Error
		if _, _, err := e.SQL(now, lifecycle.DefaultStageThresholds(), 1); !errors.As(err, &problem) {
			t.Errorf("%s: %v, want an *Error", source, err)
		}
	}
}
