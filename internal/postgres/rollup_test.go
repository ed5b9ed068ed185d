package postgres_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

var rollup = measure.Rollup{Now: noon, Attribution: 7 * day, Currency: "USD"}

// rolled are all sums, as text in one order.
func (b bench) rolled() string {
	b.t.Helper()
	text := ""
	for _, table := range []string{"rollup_touches", "rollup_blocks", "rollup_orders", "rollup_credits"} {
		rows, err := b.raw.Query(b.t.Context(), fmt.Sprintf("select row_to_json(r)::text from %s r order by 1", table))
		b.must(err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		b.must(err)
		for _, line := range lines {
			text += table + " " + line + "\n"
		}
	}
	return text
}

func (b bench) roll() measure.RolledUp {
	b.t.Helper()
	out, err := b.RollUp(b.t.Context(), rollup)
	b.must(err)
	return out
}

// history does random things to the ledger, through the store's own doors, in
// any order of time.
type history struct {
	bench
	r       *rand.Rand
	people  []lifecycle.CustomerID
	open    []lifecycle.Touch // planned or deferred
	going   []lifecycle.Touch // sending
	sent    []lifecycle.Touch
	orders  int
	reports int
}

func (h *history) at() time.Time {
	return noon.Add(-20 * day).Add(time.Duration(h.r.Int64N(int64(25 * day)))).Truncate(time.Second)
}

func take[T any](r *rand.Rand, from *[]T) (one T, ok bool) {
	if len(*from) == 0 {
		return one, false
	}
	i := r.IntN(len(*from))
	one = (*from)[i]
	(*from)[i] = (*from)[len(*from)-1]
	*from = (*from)[:len(*from)-1]
	return one, true
}

// happen does one random thing.
func (h *history) happen() {
	h.t.Helper()
	ctx := h.t.Context()
	switch n := h.r.IntN(100); {
	case n < 25:
		x := touch(h.enter(h.people[h.r.IntN(len(h.people))], []string{"winback", "welcome"}[h.r.IntN(2)], id()), "s")
		x.PlannedAt, x.Campaign = h.at(), []string{"", "spring"}[h.r.IntN(2)]
		x.State = []lifecycle.TouchState{lifecycle.TouchPlanned, lifecycle.TouchPlanned, lifecycle.TouchPlanned, lifecycle.TouchBlocked, lifecycle.TouchInReview, lifecycle.TouchSkipped}[h.r.IntN(6)]
		h.plan(x)
		if x.State == lifecycle.TouchPlanned {
			h.open = append(h.open, x)
		}
	case n < 30: // planned otherwise
		if x, ok := take(h.r, &h.open); ok {
			x.Channel, x.Agent = lifecycle.SMS, "winback"
			h.plan(x)
			h.open = append(h.open, x)
		}
	case n < 45:
		if x, ok := take(h.r, &h.open); ok {
			if r := h.reserve(x, h.at()); r.Result == ledger.Granted {
				h.going = append(h.going, x)
			}
		}
	case n < 60:
		if x, ok := take(h.r, &h.going); ok {
			state := []lifecycle.TouchState{lifecycle.TouchAccepted, lifecycle.TouchAccepted, lifecycle.TouchAccepted, lifecycle.TouchUnconfirmed, lifecycle.TouchRefused, lifecycle.TouchDeferred}[h.r.IntN(6)]
			h.settle(x, state, h.at())
			if state == lifecycle.TouchDeferred {
				h.open = append(h.open, x)
			} else {
				h.sent = append(h.sent, x)
			}
		}
	case n < 85: // a report, often before the touch is settled, by either id
		of := h.sent
		if h.r.IntN(3) == 0 {
			of = h.going
		}
		if len(of) == 0 {
			return
		}
		x := of[h.r.IntN(len(of))]
		h.reports++
		o := ledger.Outcome{Key: fmt.Sprint("report", h.reports), Provider: "p-" + string(x.ID), At: h.at(), Machine: h.r.IntN(4) == 0,
			Kind: []ledger.OutcomeKind{ledger.OutcomeDelivered, ledger.OutcomeOpened, ledger.OutcomeClicked, ledger.OutcomeBounced, ledger.OutcomeBlocked, ledger.OutcomeComplained, ledger.OutcomeUnsubscribe}[h.r.IntN(7)]}
		if h.r.IntN(2) == 0 {
			o.TouchID = x.ID
		}
		_, err := h.ApplyOutcomes(ctx, []ledger.Outcome{o})
		h.must(err)
	default:
		h.orders++
		_, err := h.InsertOrders(ctx, []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: fmt.Sprint("o", h.orders), CustomerID: h.people[h.r.IntN(len(h.people))],
			At: h.at(), Total: lifecycle.Money{Amount: int64(h.r.IntN(20_000)) - 3000, Currency: []string{"USD", "USD", "USD", "EUR"}[h.r.IntN(4)]}}}})
		h.must(err)
	}
}

func TestRollUpAgreesWithRecomputing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		h := &history{bench: setup(t), r: rand.New(rand.NewPCG(seed, 7))}
		h.people = h.customers(8)
		incremental := 0
		for range 12 {
			for range 25 {
				h.happen()
			}
			if out := h.roll(); !out.Everything {
				incremental++
			}
			got := h.rolled()
			if _, err := h.Recompute(t.Context(), rollup); err != nil {
				t.Fatal(err)
			}
			if want := h.rolled(); got != want {
				t.Fatalf("seed %d: the sums of a round differ from those of all rows:\n%s\nwant\n%s", seed, got, want)
			}
		}
		if incremental != 11 {
			t.Errorf("%d rounds of 12 were incremental, want all but the first", incremental)
		}
		for _, need := range []string{"rollup_credits", `"hard_bounced":1`, `"opened":1`, `"unsubscribed":1`, `"in_review":1`, "spring"} {
			if !strings.Contains(h.rolled(), need) {
				t.Errorf("seed %d: nothing has %s; the history proves too little", seed, need)
			}
		}
	}
}

func TestRollUpTouchesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(2)
	b.send(b.planned(customers[0], "one"), noon.Add(-10*day))
	b.send(b.planned(customers[1], "one"), noon.Add(-3*day))
	if out := b.roll(); !out.Everything {
		t.Errorf("the first round: %+v, want everything", out)
	}
	for out := b.roll(); out.Hours != 0; out = b.roll() { // transactions of other tests may be older
		if out.Everything {
			t.Fatalf("a round after nothing: %+v", out)
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err := b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: "late", CustomerID: customers[0],
		At: noon.Add(-9 * day), Total: lifecycle.Money{Amount: 5000, Currency: "USD"}}}})
	b.must(err)
	if out := b.roll(); out.Hours != 1 {
		t.Errorf("a late order: %+v, want one hour", out)
	}
	if got := query[int](b, "select sum(revenue)::int from rollup_credits where hour = $1", noon.Add(-9*day)); got != 5000 {
		t.Errorf("the late order brought %d in its hour", got)
	}
	changed := rollup
	changed.Attribution = 12 * time.Hour
	out, err := b.RollUp(t.Context(), changed)
	b.must(err)
	if !out.Everything || query[int](b, "select count(*)::int from rollup_credits") != 0 {
		t.Errorf("another attribution window: %+v, want everything anew and the order credited no longer", out)
	}
}

// A transaction that is still running during a round must be summed by the next.
func TestRollUpMissesNoLateCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.customers(1)[0]
	b.send(b.planned(customer, "one"), noon.Add(-2*day))
	b.roll()
	slow, err := b.raw.Begin(t.Context())
	b.must(err)
	_, err = slow.Exec(t.Context(), `insert into orders (external_id, customer_id, at, total, currency, received_at) values ('slow', $1, $2, 700, 'USD', $2)`,
		string(customer), noon.Add(-day))
	b.must(err)
	for range 3 { // others go on, and rounds pass
		_, err := b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: id(), CustomerID: customer,
			At: noon.Add(-5 * day), Total: lifecycle.Money{Amount: 1, Currency: "USD"}}}})
		b.must(err)
		b.roll()
	}
	b.must(slow.Commit(t.Context()))
	b.roll()
	if got := query[int](b, "select coalesce(sum(value), 0)::int from rollup_orders where hour = $1", noon.Add(-day)); got != 700 {
		t.Errorf("the order that was committed late brought %d", got)
	}
	// A restored database numbers its transactions anew.
	b.exec("update rollup_state set horizon = horizon + 1000000000")
	if out := b.roll(); !out.Everything {
		t.Errorf("after a restore: %+v, want everything", out)
	}
}

func TestRollUpRefusesNonsense(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, in := range map[string]measure.Rollup{
		"no instant":  {Attribution: day, Currency: "USD"},
		"no window":   {Now: noon, Currency: "USD"},
		"no currency": {Now: noon, Attribution: day, Currency: "dollars"},
	} {
		_, err := b.RollUp(t.Context(), in)
		if lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	out := b.roll()
	if encoded, err := json.Marshal(out); err != nil || out.Hours != 0 {
		t.Errorf("an empty database: %s, %v", encoded, err)
	}
}
