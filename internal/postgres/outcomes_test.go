package postgres_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

var outcomeKinds = []ledger.OutcomeKind{ledger.OutcomeProcessed, ledger.OutcomeDelivered, ledger.OutcomeDeferred, ledger.OutcomeBounced,
	ledger.OutcomeBlocked, ledger.OutcomeDropped, ledger.OutcomeOpened, ledger.OutcomeClicked, ledger.OutcomeComplained, ledger.OutcomeUnsubscribe}

// after is everything outcomes may change about a customer and a touch.
const afterSQL = `select jsonb_build_object('touch', to_jsonb(t) - 'id' - 'key' - 'run_id' - 'customer_id' - 'provider_id', 'stats', to_jsonb(s) - 'customer_id',
	'consents', (select coalesce(jsonb_agg(to_jsonb(k) - 'customer_id'), '[]') from consents k where k.customer_id = t.customer_id),
	'suppressed', (select coalesce(jsonb_agg(jsonb_build_object('c', p.channel, 'r', p.reason, 'at', p.at)), '[]') from suppressions p
		join customers c on c.id = t.customer_id and p.address_hash = address_hash(c.email)))::text
	from touches t join customer_stats s on s.customer_id = t.customer_id where t.id = $1`

// However outcomes are ordered, repeated and batched, and whenever our own
// settlement comes among them, the result is the same.
func TestOutcomesInAnyOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(400)
	next := 0
	fresh := func(rt *rapid.T) lifecycle.Touch {
		next++
		touch := b.planned(customers[next%len(customers)], "s")
		b.exec(`update customer_stats set engagement_weight = 0, engagement_at = null, last_open_at = null, last_click_at = null, touches_count = 0,
			last_touch_at = null where customer_id = $1`, string(touch.CustomerID))
		b.exec("delete from consents where customer_id = $1", string(touch.CustomerID))
		b.exec("delete from suppressions")
		b.reserve(touch, noon)
		return touch
	}
	rapid.Check(t, func(rt *rapid.T) {
		type told struct {
			Kind     ledger.OutcomeKind
			Machine  bool
			Suppress bool
			Minutes  int
		}
		story := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) told {
			return told{rapid.SampledFrom(outcomeKinds).Draw(rt, "kind"), rapid.Bool().Draw(rt, "machine"),
				rapid.Bool().Draw(rt, "suppress"), rapid.IntRange(0, 200000).Draw(rt, "minutes")}
		}), 1, 8).Draw(rt, "story")
		settled := rapid.SampledFrom([]lifecycle.TouchState{lifecycle.TouchAccepted, lifecycle.TouchUnconfirmed}).Draw(rt, "settled")
		order := rapid.Permutation(rangeOf(len(story))).Draw(rt, "order")
		settleAt := rapid.IntRange(0, len(order)).Draw(rt, "settled after")
		tell := func(touch lifecycle.Touch, i int) ledger.Outcome {
			o := story[i]
			return ledger.Outcome{Key: fmt.Sprintf("%s/%d", touch.ID, i), TouchID: touch.ID, Kind: o.Kind, Machine: o.Machine, Suppress: o.Suppress,
				At: noon.Add(time.Duration(o.Minutes) * time.Minute), Detail: "d"}
		}
		plain := fresh(rt)
		b.settle(plain, settled, noon.Add(time.Minute))
		for i := range story {
			if n, err := b.ApplyOutcomes(t.Context(), []ledger.Outcome{tell(plain, i)}); err != nil || n != 1 {
				rt.Fatalf("applied %d: %v", n, err)
			}
		}
		want := query[string](b, afterSQL, string(plain.ID))

		mixed := fresh(rt)
		var batch []ledger.Outcome
		for n, i := range order {
			if n == settleAt {
				b.settle(mixed, settled, noon.Add(time.Minute))
			}
			batch = append(batch, tell(mixed, i))
			if rapid.Bool().Draw(rt, "repeat") {
				batch = append(batch, tell(mixed, order[rapid.IntRange(0, n).Draw(rt, "which")]))
			}
			if rapid.Bool().Draw(rt, "flush") || n == len(order)-1 {
				if _, err := b.ApplyOutcomes(t.Context(), batch); err != nil {
					rt.Fatal(err)
				}
				if rapid.Bool().Draw(rt, "keep") {
					batch = nil // else all of it comes again with the next batch
				}
			}
		}
		if settleAt == len(order) {
			b.settle(mixed, settled, noon.Add(time.Minute))
		}
		sameJSON(rt, query[string](b, afterSQL, string(mixed.ID)), want)
	})
	b.verified()
}

func rangeOf(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// sameJSON compares two documents; numbers may differ by rounding.
func sameJSON(rt *rapid.T, got, want string) {
	rt.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		rt.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		rt.Fatal(err)
	}
	if !same(g, w) {
		rt.Fatalf("got  %s\nwant %s", got, want)
	}
}

func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if !same(a[k], b[k]) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) < 1e-9
	}
	return a == b
}

func TestOutcomeEngagement(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := b.planned(b.customers(1)[0], "1")
	b.send(sent, noon)
	outcomes := []ledger.Outcome{
		{Key: "a", TouchID: sent.ID, Kind: ledger.OutcomeOpened, At: noon.Add(time.Hour)},
		{Key: "b", TouchID: sent.ID, Kind: ledger.OutcomeClicked, At: noon.Add(time.Hour + lifecycle.EngagementHalfLife)},
		{Key: "c", TouchID: sent.ID, Kind: ledger.OutcomeOpened, Machine: true, At: noon},
	}
	n, err := b.ApplyOutcomes(t.Context(), outcomes)
	if err != nil || n != 3 {
		t.Fatal(n, err)
	}
	if n, err = b.ApplyOutcomes(t.Context(), outcomes); err != nil || n != 0 {
		t.Fatalf("repeated: %d %v", n, err)
	}
	p, err := b.Profile(t.Context(), sent.CustomerID)
	b.must(err)
	e := p.Engagement
	if math.Abs(e.Weight-1.15) > 1e-9 || !e.At.Equal(outcomes[1].At) || !e.LastOpenAt.Equal(outcomes[0].At) || !e.LastClickAt.Equal(outcomes[1].At) {
		t.Errorf("%+v", e)
	}
}

// A report that names only the provider's message id may come before we know
// that id; it is applied when the settlement brings it.
func TestOutcomeBeforeSettlement(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := b.planned(b.customers(1)[0], "1")
	b.reserve(sent, noon)
	for _, touch := range []lifecycle.TouchID{"", "somebody else's", lifecycle.TouchID(id())} {
		n, err := b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "k" + string(touch), TouchID: touch, Provider: "p-" + string(sent.ID), Kind: ledger.OutcomeDelivered, At: noon.Add(time.Minute)}})
		if err != nil || n != 0 {
			t.Fatalf("applied %d: %v", n, err)
		}
	}
	b.settle(sent, lifecycle.TouchAccepted, noon)
	if s := b.state(sent); s != lifecycle.TouchDelivered {
		t.Errorf("after the settlement it is %s", s)
	}
	n, err := b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "late", Provider: "p-" + string(sent.ID), Kind: ledger.OutcomeComplained, At: noon.Add(time.Hour), Suppress: true},
		{Key: "foreign", Provider: "unheard of", Kind: ledger.OutcomeDelivered, At: noon}})
	if err != nil || n != 1 {
		t.Fatalf("applied %d: %v", n, err)
	}
	if s := b.state(sent); s != lifecycle.TouchComplained {
		t.Errorf("after the complaint it is %s", s)
	}
	report, err := b.VerifyLedger(t.Context())
	b.must(err)
	if report.Foreign != 1 || !report.OK {
		t.Errorf("%+v", report)
	}
}

func TestExpireSending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(2)
	crashed, working := b.planned(customers[0], "1"), b.planned(customers[1], "1")
	b.reserve(crashed, noon)
	b.reserve(working, noon.Add(time.Hour))
	ids, err := b.ExpireSending(t.Context(), noon.Add(time.Minute), noon.Add(2*time.Hour))
	if err != nil || len(ids) != 1 || ids[0] != crashed.ID {
		t.Fatal(ids, err)
	}
	if a, c := b.state(crashed), b.state(working); a != lifecycle.TouchUnconfirmed || c != lifecycle.TouchSending {
		t.Errorf("%s, %s", a, c)
	}
	p, err := b.Profile(t.Context(), crashed.CustomerID)
	b.must(err)
	if p.Touches.Count != 1 {
		t.Errorf("an unconfirmed touch counts as received: %+v", p.Touches)
	}
	// The report proves that it arrived; it is not counted again.
	_, err = b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "k", TouchID: crashed.ID, Kind: ledger.OutcomeDelivered, At: noon}})
	b.must(err)
	if p, err = b.Profile(t.Context(), crashed.CustomerID); err != nil || p.Touches.Count != 1 || b.state(crashed) != lifecycle.TouchDelivered {
		t.Errorf("%+v %v", p.Touches, err)
	}
	b.verified()
}

func TestSettleErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := b.planned(b.customers(1)[0], "1")
	b.send(sent, noon)
	unknown := ledger.Settlement{TouchID: lifecycle.TouchID(id()), State: lifecycle.TouchAccepted, At: noon}
	wantCode(t, b.Settle(t.Context(), []ledger.Settlement{unknown}, nil, nil), lifecycle.NotFound)
	wantCode(t, b.Settle(t.Context(), []ledger.Settlement{{TouchID: sent.ID, State: lifecycle.TouchSending, At: noon}}, nil, nil), lifecycle.Invalid)
	b.settle(sent, lifecycle.TouchRefused, noon) // too late: ignored
	b.settle(sent, lifecycle.TouchPlanned, noon)
	if s := b.state(sent); s != lifecycle.TouchAccepted {
		t.Errorf("it is %s", s)
	}
	b.verified()
}
