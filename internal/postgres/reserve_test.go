package postgres_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func TestReserveResults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	week := ledger.CapWindow{Cap: "weekly", Channel: lifecycle.Email, Since: noon.Add(-7 * day), Limit: 2}
	first, second, third := b.planned(c, "1"), b.planned(c, "2"), b.planned(c, "3")

	if r := b.reserve(first, noon, week); r.Result != ledger.Granted || r.State != lifecycle.TouchSending {
		t.Fatalf("first: %+v", r)
	}
	if r := b.reserve(first, noon.Add(time.Hour), week); r.Result != ledger.InFlight {
		t.Fatalf("after a crash in the call: %+v", r)
	}
	b.settle(first, lifecycle.TouchUnconfirmed, noon.Add(time.Hour))
	if r := b.reserve(first, noon.Add(time.Hour), week); r.Result != ledger.Closed || r.State != lifecycle.TouchUnconfirmed {
		t.Fatalf("settled: %+v", r)
	}
	b.send(second, noon.Add(time.Hour), week)
	if r := b.reserve(third, noon.Add(2*time.Hour), ledger.CapWindow{Cap: "daily", Tag: "news", Since: noon.Add(-day), Limit: 1}, week); r.Result != ledger.CapFull || r.Cap != "weekly" {
		t.Fatalf("third: %+v, want the weekly cap full", r)
	}
	if r := b.reserve(third, noon.Add(8*day), ledger.CapWindow{Cap: "weekly", Since: noon.Add(day), Limit: 1}); r.Result != ledger.Granted {
		t.Fatalf("a later window: %+v", r)
	}
	b.verified()
}

func TestReserveCountsOnlyWhatTheCapMeans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	run := b.enter(c, "winback", "a")
	sms := touch(run, "sms")
	sms.Channel, sms.Tags = lifecycle.SMS, []string{"alert"}
	receipt := touch(run, "receipt")
	receipt.Class = lifecycle.Transactional
	refused, given := touch(run, "refused"), touch(run, "given back")
	b.plan(sms, receipt, refused, given)
	b.send(sms, noon)
	b.send(receipt, noon)
	b.reserve(refused, noon)
	b.settle(refused, lifecycle.TouchRefused, noon)
	b.reserve(given, noon)
	b.settle(given, lifecycle.TouchDeferred, noon)
	since := noon.Add(-time.Second)
	for _, c := range []struct {
		name string
		cap  ledger.CapWindow
		want ledger.ReservationResult
	}{
		{"zero allows nothing", ledger.CapWindow{Cap: "x", Since: since, Limit: 0}, ledger.CapFull},
		{"the text message counts in all", ledger.CapWindow{Cap: "x", Since: since, Limit: 1}, ledger.CapFull},
		{"nothing else does", ledger.CapWindow{Cap: "x", Since: since, Limit: 2}, ledger.Granted},
		{"not on e-mail", ledger.CapWindow{Cap: "x", Channel: lifecycle.Email, Since: since, Limit: 1}, ledger.Granted},
		{"by tag", ledger.CapWindow{Cap: "x", Tag: "alert", Since: since, Limit: 1}, ledger.CapFull},
		{"another tag", ledger.CapWindow{Cap: "x", Tag: "promo", Since: since, Limit: 1}, ledger.Granted},
		{"reserved exactly at the start is before the window", ledger.CapWindow{Cap: "x", Since: noon, Limit: 1}, ledger.Granted},
	} {
		next := touch(run, c.name)
		b.plan(next)
		got := b.reserve(next, noon.Add(time.Second), c.cap)
		if got.Result != c.want {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
		if got.Result == ledger.Granted {
			b.settle(next, lifecycle.TouchDeferred, noon.Add(time.Second)) // gives the slot back
		}
	}
	b.verified()
}

func TestReserveRefusesBadBatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(2)
	one, two := b.planned(customers[0], "1"), b.planned(customers[0], "2")
	_, err := b.Reserve(t.Context(), []ledger.Reservation{{Touch: one, At: noon}, {Touch: two, At: noon}})
	wantCode(t, err, lifecycle.Invalid)
	foreign, renamed := one, one
	foreign.CustomerID, renamed.ID = customers[1], lifecycle.TouchID(id())
	_, err = b.Reserve(t.Context(), []ledger.Reservation{{Touch: foreign, At: noon}})
	wantCode(t, err, lifecycle.Invalid)
	b.plan(as(one, lifecycle.TouchSkipped))
	_, err = b.Reserve(t.Context(), []ledger.Reservation{{Touch: renamed, At: noon}})
	wantCode(t, err, lifecycle.Conflict)
	if got := b.state(two); got != lifecycle.TouchPlanned {
		t.Errorf("a refused batch left the touch %s", got)
	}
}

// Many workers with overlapping batches: at no time does anybody get more than
// the cap, and every slot is used.
func TestReserveRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const people, touchesEach, limit = 12, 10, 3
	customers := b.customers(people)
	var all []lifecycle.Touch
	for i := range touchesEach {
		for _, c := range customers {
			next := b.planned(c, strings.Repeat("x", i+1))
			if i%2 == 0 {
				next.Tags = []string{"even"}
			}
			all = append(all, next)
		}
	}
	caps := []ledger.CapWindow{{Cap: "weekly", Since: noon.Add(-7 * day), Limit: limit}}
	work := make(chan []ledger.Reservation, 2*len(all))
	for _, touch := range all { // alone
		work <- []ledger.Reservation{{Touch: touch, At: noon, Caps: caps}}
	}
	for i := 0; i < len(all); i += people { // and the same again in batches, in random order
		var batch []ledger.Reservation
		for _, k := range rand.Perm(people) {
			batch = append(batch, ledger.Reservation{Touch: all[i+k], At: noon, Caps: caps})
		}
		work <- batch
	}
	close(work)
	var workers sync.WaitGroup
	var granted sync.Map
	for range 16 {
		workers.Go(func() {
			for batch := range work {
				got, err := b.Reserve(t.Context(), batch)
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range got {
					if r.Result != ledger.Granted {
						continue
					}
					if _, twice := granted.LoadOrStore(r.TouchID, true); twice {
						t.Errorf("touch %s was granted twice", r.TouchID)
					}
				}
			}
		})
	}
	workers.Wait()
	if worst := query[int](b, `select max(n) from (select count(*) n from touches where touch_holds_slot(state) group by customer_id) x`); worst != limit {
		t.Errorf("a customer has %d slots of %d", worst, limit)
	}
	if total := query[int](b, `select count(*) from touches where touch_holds_slot(state)`); total != people*limit {
		t.Errorf("%d slots are taken, want %d", total, people*limit)
	}
	b.verified()
}
