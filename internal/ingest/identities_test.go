package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ingest"
	"touchstone/internal/postgres"
)

// receivedAt is when the messages of these tests come in; they happened before.
var receivedAt = time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)

// intake is the real intake over a database of its own.
type intake struct {
	*ingest.Intake
	store *postgres.Store
	raw   *pgxpool.Pool
}

func newIntake(t testing.TB, listens ...string) intake {
	t.Helper()
	url := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(t.Context(), url, postgres.Options{MaxConnections: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	raw, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)
	return intake{&ingest.Intake{Store: store, Currency: "GBP", Now: func() time.Time { return receivedAt }, Keep: 100, KeepFor: time.Hour,
		Listens: func(context.Context) ([]string, error) { return listens, nil }}, store, raw}
}

// send writes messages as one batch and returns what was refused.
func (in intake) send(messages ...string) ([]ingest.RejectedItem, error) {
	p := &ingest.Parcel{Door: ingest.DoorBatch, Received: receivedAt}
	for _, m := range messages {
		p.Messages = append(p.Messages, json.RawMessage(m))
	}
	in.Decode(p)
	return p.Rejected, in.Write(context.Background(), p)
}

// ok sends messages that must all be taken.
func (in intake) ok(t testing.TB, messages ...string) {
	t.Helper()
	if rejected, err := in.send(messages...); err != nil || len(rejected) > 0 {
		t.Fatalf("rejected %v, error %v", rejected, err)
	}
}

func (in intake) text(t testing.TB, sql string, args ...any) string {
	t.Helper()
	var s string
	if err := in.raw.QueryRow(t.Context(), "select coalesce(("+sql+")::text, '')", args...).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// is compares the text of a query's answer.
func (in intake) is(t testing.TB, want, sql string, args ...any) {
	t.Helper()
	if got := in.text(t, sql, args...); got != want {
		t.Errorf("got %q, want %q: %s", got, want, sql)
	}
}

// state is everything that messages about some people come to, in terms that do
// not depend on our ids or on the prefix of theirs.
type state struct {
	Names      map[string]string // the standing name of every name and visitor
	Profiles   string
	Consents   string
	Events     string
	Orders     string
	Stats      string
	Carts      string
	Affinities map[string]float64
	Scores     map[string]float64
}

// state reads the state of the people whose names begin with the prefix.
func (in intake) state(t testing.TB, prefix string) state {
	t.Helper()
	out := state{Names: map[string]string{}, Affinities: map[string]float64{}, Scores: map[string]float64{}}
	people := `with people as (
		select c.id, c.external_id as name, coalesce(c.merged_into, c.id) as root from customers c where c.external_id like $1 || '%'
		union all select i.visitor_id, 'visitor', i.customer_id from identities i join customers c on c.id = i.customer_id where c.external_id like $1 || '%'
	), roots as (select c.* from customers c where c.external_id like $1 || '%' and c.merged_into is null) `
	each := func(sql string, scan func(a, b string, f float64)) {
		rows, err := in.raw.Query(t.Context(), people+sql, prefix)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var a, b string
			var f float64
			if err := rows.Scan(&a, &b, &f); err != nil {
				t.Fatal(err)
			}
			scan(strings.ReplaceAll(a, prefix, ""), strings.ReplaceAll(b, prefix, ""), f)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	one := func(sql string) string {
		return strings.ReplaceAll(in.text(t, strings.TrimSpace(strings.ReplaceAll(people, "$1", "'"+prefix+"'"))+sql), prefix, "")
	}
	each(`select p.name, r.external_id, 0 from people p join customers r on r.id = p.root where p.name <> 'visitor'`, func(a, b string, _ float64) { out.Names[a] = b })
	for _, v := range visitorNames {
		owner := in.text(t, `select c.external_id from identities i join customers c on c.id = i.customer_id where i.visitor_id = $1::uuid`, ingest.VisitorID(prefix+v))
		out.Names["visitor "+v] = strings.ReplaceAll(owner, prefix, "")
	}
	out.Profiles = one(`select jsonb_agg(jsonb_build_array(r.external_id, r.email, r.first_name, r.time_zone, r.attributes, r.created_at, r.stated) order by r.external_id) from roots r`)
	out.Consents = one(`select jsonb_agg(jsonb_build_array(r.external_id, k.channel, k.state, k.at) order by r.external_id, k.channel) from roots r join consents k on k.customer_id = r.id`)
	out.Events = one(`select jsonb_agg(jsonb_build_array(coalesce(r.external_id, 'nobody'), e.name, e.occurred_at, e.properties) order by e.occurred_at, e.name, e.properties)
		from events e left join roots r on r.id = e.customer_id where e.properties ->> 'test' = '` + prefix + `'`)
	out.Orders = one(`select jsonb_agg(jsonb_build_array(coalesce(r.external_id, 'nobody'), o.at, o.total, o.items, o.remainder, o.placed, o.of_order) order by o.at, o.total)
		from orders o left join roots r on r.id = o.customer_id where o.external_id like '` + prefix + `%'`)
	out.Stats = one(`select jsonb_agg(jsonb_build_array(r.external_id, s.orders_count, s.revenue, s.first_order_at, s.last_order_at, s.last_item) order by r.external_id)
		from roots r join customer_stats s on s.customer_id = r.id`)
	out.Carts = one(`select jsonb_agg(jsonb_build_array(r.external_id, k.items, round(k.value::numeric, 4), k.products, k.changed_at, k.cart_id) order by r.external_id) from roots r join carts k on k.customer_id = r.id`)
	each(`select r.external_id, a.name, (a.weight / affinity_factor('2026-03-20'))::float8 from roots r join customer_affinities a on a.customer_id = r.id`,
		func(a, b string, f float64) { out.Affinities[a+" "+b] = math.Round(f*1e6) / 1e6 })
	each(`select r.external_id, '', (s.engagement_weight * engagement_left(s.engagement_at, '2026-03-20'))::float8 from roots r join customer_stats s on s.customer_id = r.id where s.engagement_at is not null`,
		func(a, _ string, f float64) {
			if f = math.Round(f*1e6) / 1e6; f != 0 {
				out.Scores[a] = f
			}
		})
	return out
}

var (
	userNames    = []string{"u1", "u2", "u3"}
	visitorNames = []string{"v1", "v2", "v3"}
)

// messages draws messages about a few people who share browsers, are renamed, shop
// and change their minds. PREFIX stands before every id.
func messages() *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		pick := func(label string, from []string) string { return rapid.SampledFrom(from).Draw(t, label) }
		who := func() string {
			switch rapid.IntRange(0, 3).Draw(t, "who") {
			case 0, 1:
				return fmt.Sprintf(`"anonymousId":"PREFIX%s"`, pick("visitor", visitorNames))
			case 2:
				return fmt.Sprintf(`"userId":"PREFIX%s","anonymousId":"PREFIX%s"`, pick("user", userNames), pick("visitor", visitorNames))
			}
			return fmt.Sprintf(`"userId":"PREFIX%s"`, pick("user", userNames))
		}
		instant := func(minute int) string {
			return time.Date(2026, 3, 18, 0, minute, 0, 0, time.UTC).Format(time.RFC3339)
		}
		n := rapid.IntRange(2, 14).Draw(t, "messages")
		minutes := rapid.Permutation(numbers(n)).Draw(t, "minutes")
		buyers, placed := map[string]string{}, map[string]bool{}
		var out []string
		for i := range n {
			at := instant(minutes[i])
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); kind {
			case 0, 1: // several may share an instant
				at = instant(rapid.IntRange(0, 3).Draw(t, "minute"))
				traits := fmt.Sprintf(`"email":"%s@shop.example","plan":"%s"`, pick("email", []string{"a", "b"}), pick("plan", []string{"gold", "free"}))
				if rapid.Bool().Draw(t, "consent") {
					traits = fmt.Sprintf(`"firstName":"%s","email_consent":%v`, pick("first", []string{"Ann", "Bo"}), rapid.Bool().Draw(t, "granted"))
				}
				out = append(out, fmt.Sprintf(`{"type":"identify","userId":"PREFIX%s","anonymousId":"PREFIX%s","timestamp":"%s","traits":{%s}}`,
					pick("user", userNames), pick("visitor", visitorNames), at, traits))
			case 2, 3:
				at = instant(rapid.IntRange(0, 20).Draw(t, "minute"))
				user := pick("user", userNames)
				former := pick("former", append(visitorNames, userNames...))
				if user != former {
					out = append(out, fmt.Sprintf(`{"type":"alias","userId":"PREFIX%s","previousId":"PREFIX%s","timestamp":"%s"}`, user, former, at))
				}
			case 4, 5:
				order := pick("order", []string{"o1", "o2"})
				if buyers[order] == "" {
					buyers[order] = who()
				}
				event := pick("event", []string{"Order Completed", "Order Updated", "Order Refunded", "Order Cancelled"})
				if event == "Order Completed" && placed[order] {
					continue // two different orders of one number contradict each other
				}
				placed[order] = placed[order] || event == "Order Completed"
				total := fmt.Sprintf(`,"total":%d`, rapid.IntRange(1, 50).Draw(t, "total"))
				if event == "Order Refunded" && rapid.Bool().Draw(t, "all") {
					total = ""
				}
				out = append(out, fmt.Sprintf(`{"type":"track",%s,"messageId":"PREFIX%d","timestamp":"%s","event":"%s","properties":{"test":"PREFIX","n":%d,"order_id":"PREFIX%s"%s}}`,
					buyers[order], i, at, event, i, order, total))
			default:
				event := pick("event", []string{"Product Viewed", "Product Added", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started", "Looked Around"})
				product := fmt.Sprintf(`"product_id":"%s","category":"shoes","price":%d,"quantity":%d`, pick("product", []string{"p1", "p2"}), rapid.IntRange(1, 9).Draw(t, "price"), rapid.IntRange(1, 3).Draw(t, "quantity"))
				if event == "Cart Viewed" || event == "Checkout Started" {
					product = `"cart_id":"k","products":[{` + product + `}]`
				}
				out = append(out, fmt.Sprintf(`{"type":"track",%s,"messageId":"PREFIX%d","timestamp":"%s","event":"%s","context":{"timezone":"%s"},"properties":{"test":"PREFIX","n":%d,%s}}`,
					who(), i, at, event, pick("zone", []string{"Europe/London", "Europe/Paris"}), i, product))
			}
		}
		return out
	})
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestOrderAndRepetitionChangeNothing is the heart of it: whatever the order in
// which messages come, however they are cut into batches, repeated, or sent at
// once, the same comes of them.
func TestOrderAndRepetitionChangeNothing(t *testing.T) {
	t.Parallel()
	in := newIntake(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		all := messages().Draw(rt, "all")
		round++
		with := func(prefix string, list []string) []string {
			out := make([]string, len(list))
			for i, m := range list {
				out[i] = strings.ReplaceAll(m, "PREFIX", prefix)
			}
			return out
		}
		mixed := append(rapid.Permutation(all).Draw(rt, "order"), rapid.SliceOfN(rapid.SampledFrom(append(all, `{"type":"page","userId":"PREFIXu1","timestamp":"2026-03-18T00:20:00Z","messageId":"PREFIXpage"}`)), 0, 4).Draw(rt, "again")...)
		apart := fmt.Sprintf("a%06d/", round)
		// The page is in both.
		extra := `{"type":"page","userId":"PREFIXu1","timestamp":"2026-03-18T00:20:00Z","messageId":"PREFIXpage"}`
		for _, m := range with(apart, append(append([]string{}, all...), extra)) {
			if rejected, err := in.send(m); err != nil || len(rejected) > 0 {
				rt.Fatalf("%s: rejected %v, error %v", m, rejected, err)
			}
		}
		want := in.state(t, apart)
		batched := fmt.Sprintf("b%06d/", round)
		list := with(batched, append(mixed, extra))
		for len(list) > 0 {
			n := rapid.IntRange(1, len(list)).Draw(rt, "batch")
			if rejected, err := in.send(list[:n]...); err != nil || len(rejected) > 0 {
				rt.Fatalf("rejected %v, error %v", rejected, err)
			}
			list = list[n:]
		}
		if got := in.state(t, batched); !reflect.DeepEqual(got, want) {
			rt.Fatalf("in another order:\n%s\nwant\n%s", show(got), show(want))
		}
		if round%4 != 0 {
			return
		}
		atOnce := fmt.Sprintf("c%06d/", round)
		var senders sync.WaitGroup
		for range 3 {
			mine := with(atOnce, append(append([]string{}, mixed...), extra))
			rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			senders.Go(func() {
				for _, m := range mine {
					if _, err := in.send(m); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		if got := in.state(t, atOnce); !reflect.DeepEqual(got, want) {
			rt.Fatalf("at once:\n%s\nwant\n%s", show(got), show(want))
		}
	})
}

func show(s state) string {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}
