package postgres_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
)

// TestLogPages: pages follow one another without a gap or a repetition, under
// every filter, also where entries share an instant.
func TestLogPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(2)
	var records []ledger.Record
	for i := range 60 {
		r := ledger.Record{At: noon.Add(time.Duration(i/7) * time.Hour), Kind: "touch.planned", Actor: "agent/winback", CustomerID: customers[i%2], Subject: fmt.Sprint(i), Body: []byte(`{}`)}
		switch i % 5 {
		case 0:
			r.Kind, r.Actor, r.CustomerID = "control.paused", "maria", ""
		case 1:
			r.Kind, r.Actor, r.CustomerID = "campaign.enrolled", "engine", ""
		}
		records = append(records, r)
	}
	b.must(b.AppendDecisions(t.Context(), records))
	for name, c := range map[string]struct {
		query postgres.LogQuery
		want  int
	}{
		"all": {postgres.LogQuery{}, 60}, "people": {postgres.LogQuery{People: true}, 12}, "kind": {postgres.LogQuery{Kind: "control.paused"}, 12},
		"customer": {postgres.LogQuery{Customer: customers[0]}, 18}, "no such kind": {postgres.LogQuery{Kind: "x"}, 0},
	} {
		q := c.query
		q.Limit = 5
		var seqs []int64
		for {
			page, err := b.Log(t.Context(), q)
			b.must(err)
			for _, e := range page {
				seqs = append(seqs, e.Seq)
				q.Before, q.BeforeAt = e.Seq, e.At
			}
			if len(page) < q.Limit {
				break
			}
		}
		if len(seqs) != c.want || !slices.IsSortedFunc(seqs, func(a, b int64) int { return int(b - a) }) || len(slices.Compact(slices.Clone(seqs))) != len(seqs) {
			t.Errorf("%s: %d entries %v, want %d, the latest first", name, len(seqs), seqs, c.want)
		}
	}
	kinds, err := b.LogKinds(t.Context())
	if b.must(err); !slices.Equal(kinds, []string{"campaign.enrolled", "control.paused", "touch.planned"}) {
		t.Errorf("kinds %v", kinds)
	}
	some, err := b.LogEntries(t.Context(), []int64{3, 50, 999})
	if b.must(err); len(some) != 2 || some[0].Seq != 50 {
		t.Errorf("entries %+v", some)
	}
}

// TestCustomersFrom finds by the beginning, whatever characters it has.
func TestCustomersFrom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all []string
	var rows []lifecycle.Customer
	for _, id := range []string{"A1", "A10", "A2", "a1", "Ä1", "A_1", "A%1", "A 1", "B"} {
		all, rows = append(all, id), append(rows, lifecycle.Customer{ExternalID: id})
	}
	_, err := b.UpsertCustomers(t.Context(), rows, nil, noon)
	b.must(err)
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringOfN(rapid.RuneFrom([]rune("Aa1Ä_% 0B2")), 1, 3, -1).Draw(t, "prefix")
		found, err := b.CustomersFrom(b.t.Context(), prefix, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, f := range found {
			got = append(got, f.ExternalID)
		}
		for _, id := range all {
			if strings.HasPrefix(id, prefix) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q finds %q, want %q", prefix, got, want)
		}
	})
}

// TestPagesUseIndexes: what a page reads on every request does not read a growing
// table whole.
func TestPagesUseIndexes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(b.EnsurePartitions(t.Context(), noon.Add(-60*day), noon.Add(31*day)))
	b.exec(`insert into customers (id, external_id, created_at) select new_id(), 'C' || i, $1 from generate_series(1, 20000) i`, noon)
	b.exec(`insert into decision_log (seq, at, kind, actor, customer_id, body, prev_hash, hash)
		select row_number() over (), $1::timestamptz - (random() * 40) * interval '1 day', 'touch.planned', 'a', id, '{}', '', '' from customers`, noon)
	b.exec(`insert into reviews (id, workflow_id, kind, creative_id, content_hash, status, opened_at, due_at, decided_at)
		select new_id(), 'w' || i, 'creative', new_id(), 'h', 'approved', $1, $1, $1::timestamptz - i * interval '1 minute' from generate_series(1, 5000) i`, noon)
	b.exec("analyze")
	customer := query[string](b, "select id::text from customers limit 1")
	for name, sql := range map[string]string{
		"log":      `select * from decision_log d where d.seq < 15000 order by d.seq desc limit 50`,
		"people":   `select * from decision_log d where d.seq < 15000 and d.customer_id is null and d.actor <> 'engine' order by d.seq desc limit 50`,
		"kind":     `select * from decision_log d where d.kind = 'touch.planned' and (d.at, d.seq) < ('2026-03-09', 9000) order by d.at desc, d.seq desc limit 50`,
		"customer": `select * from decision_log d where d.customer_id = '` + customer + `' and (d.at, d.seq) < ('2026-03-09', 9000) order by d.at desc, d.seq desc limit 50`,
		"search":   `select c.id from customers c where c.external_id ~>=~ 'C12' and c.external_id ~<~ 'C13' order by c.external_id using ~<~ limit 20`,
		"decided":  `select * from reviews r where r.decided_at is not null and r.decided_at < '2026-03-09' order by r.decided_at desc, r.id limit 50`,
		"awaiting": `select count(*) from reviews r where r.status = 'awaiting'`,
	} {
		rows, err := b.raw.Query(t.Context(), "explain "+sql)
		b.must(err)
		var plan []string
		for rows.Next() {
			var line string
			b.must(rows.Scan(&line))
			if !strings.Contains(line, "cost=0.00..0.00") { // an empty partition
				plan = append(plan, line)
			}
		}
		b.must(rows.Err())
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan on customers") || strings.Contains(text, "Seq Scan on decision_log_") || strings.Contains(text, "Seq Scan on reviews") {
			t.Errorf("%s reads a table whole:\n%s", name, text)
		}
	}
}

// TestWeeks compares the sums of SQL with those of a plain loop.
func TestWeeks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from, to := noon, noon.Add(17*day)
	ids := b.customers(6)
	entered := []time.Duration{-10 * day, -day, 2 * day, 8 * day, 9 * day, 20 * day}
	want := make([]postgres.WeekOf, 3)
	for i, id := range ids {
		arm := "treated"
		if i%3 == 1 {
			arm = "global_holdout"
		}
		b.exec(`insert into journey_runs (id, journey, version, customer_id, entry_key, arm, status, entered_at) values (new_id(), 'j', 1, $1, 'k', $2, 'running', $3)`, string(id), arm, noon.Add(entered[i]))
		for n, after := range []time.Duration{-2 * day, day, 6 * day, 7 * day, 13 * day, 16 * day, 18 * day} {
			total := int64(100*(i+1) + n)
			b.exec(`insert into orders (external_id, customer_id, at, total, currency, received_at) values ($1, $2, $3, $4, 'USD', $3)`, fmt.Sprintf("o%d-%d", i, n), string(id), noon.Add(after), total)
		}
		b.exec(`insert into orders (external_id, customer_id, at, total, currency, received_at) values ($1, $2, $3, 5000, 'EUR', $3)`, fmt.Sprintf("e%d", i), string(id), noon.Add(day))
		for w := range want {
			ends := from.Add(time.Duration(w+1) * measure.Week)
			if ends.After(to) {
				ends = to
			}
			if !noon.Add(entered[i]).Before(ends) {
				continue
			}
			sum := 0.0
			for n, after := range []time.Duration{-2 * day, day, 6 * day, 7 * day, 13 * day, 16 * day, 18 * day} {
				at := noon.Add(after)
				if at.After(noon.Add(entered[i])) && !at.Before(from.Add(time.Duration(w)*measure.Week)) && at.Before(ends) {
					sum += float64(100*(i+1) + n)
				}
			}
			side := &want[w].Treated
			if arm != "treated" {
				side = &want[w].Held
			}
			*side = side.Add(measure.SampleOf(sum))
		}
	}
	got, err := b.Weeks(t.Context(), from, to, "USD")
	b.must(err)
	if !slices.Equal(got, want) {
		t.Errorf("weeks\n%+v, want\n%+v", got, want)
	}
	if i, ok := measure.SampleOf(1, 2, 3, 4).MeanInterval(0.95); !ok || i.Estimate != 2.5 || math.Abs(i.High-4.5543) > 1e-4 || math.Abs(i.Low-0.4457) > 1e-4 {
		t.Errorf("mean %+v", i)
	}
}
