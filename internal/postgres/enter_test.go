package postgres_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// bucket is the draw of the SQL function of the same name, written down anew.
func bucket(salt string, c lifecycle.CustomerID) float64 {
	sum := sha256.Sum256([]byte(salt + "/" + string(c)))
	return float64(binary.BigEndian.Uint64(sum[:8])>>12) / (1 << 52)
}

func TestEnterReentry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(8)
	for i, c := range []struct {
		name   string
		second ledger.Entry // entered a day after the first, whose key is "a"
		want   bool
	}{
		{"the same entry again", ledger.Entry{EntryKey: "a", Always: true}, false},
		{"another entry, always", ledger.Entry{EntryKey: "b", Always: true}, true},
		{"another entry, never", ledger.Entry{EntryKey: "b"}, false},
		{"entered within the wait", ledger.Entry{EntryKey: "b", NotSince: noon.Add(-time.Second)}, false},
		{"entered exactly the wait ago", ledger.Entry{EntryKey: "b", NotSince: noon}, true},
		{"entered before the wait", ledger.Entry{EntryKey: "b", NotSince: noon.Add(time.Hour)}, true},
		{"the same entry after the wait", ledger.Entry{EntryKey: "a", NotSince: noon.Add(time.Hour)}, false},
	} {
		first := b.enter(customers[i], "cart", "a")
		e := c.second
		e.RunID, e.Journey, e.Version, e.CustomerID, e.At = lifecycle.RunID(id()), "cart", 2, customers[i], noon.Add(day)
		run, entered, err := b.Enter(t.Context(), e)
		b.must(err)
		if entered != c.want {
			t.Errorf("%s: entered = %v", c.name, entered)
		}
		if !entered && run.ID != first.ID {
			t.Errorf("%s: run %s stands in the way, want %s", c.name, run.ID, first.ID)
		}
		if entered && (run.ID != e.RunID || run.Version != 2 || run.Status != ledger.RunRunning || !run.Durable) {
			t.Errorf("%s: %+v", c.name, run)
		}
	}
	if _, entered, err := b.Enter(t.Context(), ledger.Entry{Journey: "welcome", CustomerID: customers[0], At: noon}); err != nil || !entered {
		t.Errorf("another journey does not count: %v %v", entered, err)
	}
	b.erase(customers[7], noon)
	for _, c := range []lifecycle.CustomerID{customers[7], lifecycle.CustomerID(id())} {
		_, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "cart", CustomerID: c, At: noon})
		wantCode(t, err, lifecycle.NotFound)
	}
}

// Different entries of one customer at the same time: a journey without
// re-entry is entered once.
func TestEnterRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	var callers sync.WaitGroup
	for i := range 12 {
		callers.Go(func() {
			if _, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "cart", CustomerID: c, EntryKey: fmt.Sprint(i), At: noon}); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := query[int](b, "select count(*) from journey_runs"); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestEnterArms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const global, holdout = 0.2, 0.3
	for _, c := range b.customers(200) {
		want := ledger.Treated
		switch {
		case bucket("holdout", c) < global:
			want = ledger.GlobalHoldout
		case bucket("holdout/winback", c) < holdout:
			want = ledger.Holdout
		}
		run, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: c, At: noon, Holdout: holdout, Global: global,
			Properties: map[string]any{"cart": "7"}})
		b.must(err)
		if run.Arm != want {
			t.Fatalf("customer %s is %s, want %s", c, run.Arm, want)
		}
		if held := want != ledger.Treated; held != (run.Status == ledger.RunEnded) || held != (run.EndReason == "holdout") || held == run.Durable || run.Entry["cart"] != "7" {
			t.Fatalf("%+v", run)
		}
		if want != ledger.Treated { // a held-out customer can still convert
			b.must(b.MoveRuns(t.Context(), []ledger.Progress{{RunID: run.ID, Status: ledger.RunRunning, ConvertedAt: noon.Add(day)}}, nil))
			if run, err = b.Run(t.Context(), run.ID); err != nil || run.Status != ledger.RunEnded || !run.ConvertedAt.Equal(noon.Add(day)) {
				t.Fatalf("%+v %v", run, err)
			}
		}
	}
}

func TestEnrolRampOnlyAdds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(300)
	b.erase(customers[0], noon)
	cohort := ledger.Cohort{Campaign: "spring", Journey: "winback", Version: 3, Where: "c.external_id >= $1 and s.orders_count = $2",
		Args: []any{"c000000", 0}, EntryKey: "spring", Holdout: 0.1, Global: 0.05, At: noon}
	enrolled := func() map[lifecycle.CustomerID]string {
		runs, err := b.RunsInJourney(t.Context(), "winback", []ledger.RunStatus{ledger.RunPending, ledger.RunEnded}, 1000, "")
		b.must(err)
		arms := map[lifecycle.CustomerID]string{}
		for _, r := range runs {
			arms[r.CustomerID] = string(r.Arm)
		}
		return arms
	}
	before := map[lifecycle.CustomerID]string{}
	for i, ramp := range []float64{0.1, 0.4, 0.4, 1} {
		cohort.Ramp, cohort.At = ramp, noon.Add(time.Duration(i)*time.Second)
		n, err := b.Enrol(t.Context(), cohort)
		b.must(err)
		if again, err := b.Enrol(t.Context(), cohort); err != nil || again != n {
			t.Errorf("ramp %v: %+v, asked again %+v, %v", ramp, n, again, err)
		}
		after := enrolled()
		if added := n.Treated + n.Holdout + n.GlobalHoldout; added != len(after)-len(before) {
			t.Errorf("ramp %v: %+v, but %d rows were added", ramp, n, len(after)-len(before))
		}
		for c, arm := range before {
			if after[c] != arm {
				t.Errorf("ramp %v changed customer %s from %s to %s", ramp, c, arm, after[c])
			}
		}
		for _, c := range customers[1:] {
			if in := after[c] != ""; in != (bucket("ramp/spring", c) < ramp) {
				t.Errorf("ramp %v: customer %s enrolled = %v", ramp, c, in)
			}
		}
		before = after
	}
	if len(before) != 299 || before[customers[0]] != "" {
		t.Errorf("%d enrolled, the erased customer among them: %q", len(before), before[customers[0]])
	}
	due, pending, err := b.NextDue(t.Context(), "spring")
	b.must(err)
	runs, err := b.DueRuns(t.Context(), "spring", noon.Add(time.Minute), 500)
	b.must(err)
	if !due.Equal(noon) || len(runs) != pending {
		t.Errorf("due %s, %d pending, %d due", due, pending, len(runs))
	}
	if none, err := b.DueRuns(t.Context(), "spring", noon.Add(-time.Second), 500); err != nil || len(none) != 0 {
		t.Errorf("before the due time: %d %v", len(none), err)
	}
	b.must(b.Detach(t.Context(), []lifecycle.RunID{runs[0].ID}))
	if run, err := b.Run(t.Context(), runs[0].ID); err != nil || run.Status != ledger.RunRunning || !run.Durable {
		t.Errorf("detached: %+v %v", run, err)
	}
	// A later scan of a journey that forbids re-entry adds nobody.
	cohort.EntryKey, cohort.NoReentry, cohort.At = "summer", true, noon
	if n, err := b.Enrol(t.Context(), cohort); err != nil || n != (ledger.Enrolled{}) {
		t.Errorf("again: %+v %v", n, err)
	}
	cohort.NoReentry, cohort.NotSince = false, noon.Add(time.Minute)
	if n, err := b.Enrol(t.Context(), cohort); err != nil || n.Treated+n.Holdout+n.GlobalHoldout != 299 {
		t.Errorf("after the wait: %+v %v", n, err)
	}
	if n, err := b.CountCohort(t.Context(), cohort.Where, cohort.Args); err != nil || n != 299 {
		t.Errorf("the segment has %d customers: %v", n, err)
	}
}
