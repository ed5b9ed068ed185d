package workflows_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

var journeyInput = workflows.JourneyInput{RunID: "01980000-0000-7000-8000-000000000001", Journey: "winback", Start: start}

func waitUntil(step string, at time.Time) activities.Next {
	return activities.Next{Action: activities.ActionWait, Step: step, At: at, Reason: "for 5d"}
}

func deliverAt(step string, at time.Time) activities.Next {
	return activities.Next{
		Action: activities.ActionDeliver, Step: step, At: at, Channel: lifecycle.Email,
		TouchID: lifecycle.TouchID("01980000-0000-7000-8000-" + fmt.Sprintf("%012d", len(step))),
	}
}

var (
	ended     = activities.Next{Action: activities.ActionEnd, Reason: "completed"}
	converted = activities.Next{Action: activities.ActionEnd, Reason: "goal: Order Completed"}
	inReview  = activities.Next{Action: activities.ActionReview, Step: "nudge", Reason: "copy awaits approval"}
	onHold    = activities.Next{Action: activities.ActionHold, Step: "nudge", Reason: "global is paused: storm"}
)

func runJourney(t *testing.T, f *fakes, prepare func(*fixture)) *fixture {
	t.Helper()
	x := newFixture(t, f)
	if prepare != nil {
		prepare(x)
	}
	x.ExecuteWorkflow(workflows.JourneyName, journeyInput)
	return x
}

func TestJourneyCostsTwoActivitiesAndOneTimerPerTouch(t *testing.T) {
	t.Parallel()
	f := &fakes{
		Prepare: prepares(
			waitUntil("pause", start.Add(3*day)), deliverAt("nudge", start.Add(3*day)),
			deliverAt("offer", start.Add(8*day))),
		Deliver: delivers(waitUntil("longer", start.Add(8*day)), ended),
	}
	x := runJourney(t, f, nil)
	equal(t, "reason", end[workflows.JourneyResult](x).Reason, "completed")
	equalNames(t, "activities", f.names(), "Prepare", "Prepare", "Deliver", "Prepare", "Deliver")
	equal(t, "timers", x.timers, 2)
	if size := x.payloads.largest.Load(); size >= 2000 {
		t.Errorf("the largest payload has %d bytes, want less than 2 KB", size)
	}
	sent := inputs[activities.DeliverInput](f, "Deliver")
	equal(t, "instant of the second touch", sent[1].Now, start.Add(8*day))
	equal(t, "touch", sent[1].TouchID, deliverAt("offer", start).TouchID)
}

func TestJourneyLooksAgainWhenWoken(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		first  activities.Next // what the run waits in
		signal string
	}{
		{"purchase during a wait", waitUntil("pause", start.Add(5*day)), activities.SignalEvent},
		{"purchase before a planned touch", deliverAt("nudge", start.Add(10*day)), activities.SignalEvent},
		{"decision", inReview, activities.SignalReviewDecided},
		{"resume", onHold, activities.SignalResume},
		{"migration", waitUntil("pause", start.Add(5*day)), activities.SignalMigrate},
		{"exit", waitUntil("pause", start.Add(5*day)), activities.SignalExit},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fakes{Prepare: prepares(c.first, converted)}
			x := runJourney(t, f, func(x *fixture) {
				x.at(day, func() {
					state := query[workflows.JourneyState](x, workflows.QueryState)
					equal(t, "query before", state.Doing, c.first.Action)
					x.wantDetails(string(c.first.Action), c.first.Step)
				})
				x.signalAt(day+time.Hour, c.signal, activities.Woken{Reason: "Order Completed"})
			})
			equal(t, "reason", end[workflows.JourneyResult](x).Reason, converted.Reason)
			equalNames(t, "activities", f.names(), "Prepare", "Prepare")
			looked := inputs[activities.Step](f, "Prepare")
			equal(t, "instant of the second look", looked[1].Now, start.Add(day+time.Hour))
		})
	}
}

func TestJourneyLooksByItselfWhenASignalWasLost(t *testing.T) {
	t.Parallel()
	for _, waiting := range []activities.Next{inReview, onHold} {
		f := &fakes{Prepare: prepares(waiting, ended)}
		x := runJourney(t, f, nil)
		end[workflows.JourneyResult](x)
		equal(t, "instant of the second look", inputs[activities.Step](f, "Prepare")[1].Now, start.Add(7*day))
	}
}

func TestJourneyTakesAnyPayloadOfASignal(t *testing.T) {
	t.Parallel()
	for _, data := range []any{nil, "now", 42, []string{"a"}, map[string]any{"reason": 7}} {
		f := &fakes{Prepare: prepares(inReview, ended)}
		x := runJourney(t, f, func(x *fixture) { x.signalAt(time.Hour, activities.SignalReviewDecided, data) })
		end[workflows.JourneyResult](x)
		equal(t, fmt.Sprintf("looks after %v", data), inputs[activities.Step](f, "Prepare")[1].Now, start.Add(time.Hour))
	}
}

func TestJourneyDeliversADeferredTouchLater(t *testing.T) {
	t.Parallel()
	f := &fakes{
		Prepare: prepares(deliverAt("nudge", start)),
		Deliver: delivers(deliverAt("nudge", start.Add(11*time.Hour)), deliverAt("nudge", start.Add(35*time.Hour)), ended),
	}
	x := runJourney(t, f, nil)
	end[workflows.JourneyResult](x)
	equalNames(t, "activities", f.names(), "Prepare", "Deliver", "Deliver", "Deliver")
	equal(t, "timers", x.timers, 2)
	equal(t, "instant of the last attempt", inputs[activities.DeliverInput](f, "Deliver")[2].Now, start.Add(35*time.Hour))
}

func TestJourneyAnswersABurstOfSignalsWithFewLooks(t *testing.T) {
	t.Parallel()
	f := &fakes{Prepare: prepares(waitUntil("pause", start.Add(5*day)), waitUntil("pause", start.Add(5*day)), waitUntil("pause", start.Add(5*day)), ended)}
	x := runJourney(t, f, func(x *fixture) {
		x.at(day, func() {
			for i := range 200 {
				x.SignalWorkflowSkippingWorkflowTask(activities.SignalEvent, activities.Woken{Reason: fmt.Sprint(i % 100)})
			}
			x.SignalWorkflow(activities.SignalEvent, activities.Woken{Reason: "last"})
		})
	})
	end[workflows.JourneyResult](x)
	if looks := len(f.names()); looks > 4 {
		t.Errorf("%d looks at the store for one burst", looks)
	}
}

func TestJourneyWaitsWhenSomethingIsBroken(t *testing.T) {
	t.Parallel()
	broken := finalError(lifecycle.Conflict, "journey winback v3 has no step \"nudge\"")
	cases := map[string]*fakes{
		"entering":       {Prepare: prepares(broken, ended)},
		"looking":        {Prepare: prepares(waitUntil("pause", start), broken, ended)},
		"delivering":     {Prepare: prepares(deliverAt("nudge", start), ended), Deliver: delivers(broken)},
		"unknown action": {Prepare: prepares(activities.Next{Action: "dance", Step: "nudge"}, ended)},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := runJourney(t, f, func(x *fixture) {
				x.at(time.Hour, func() {
					x.wantDetails("hold", "resume")
					if name == "unknown action" {
						x.wantDetails("dance")
					} else {
						x.wantDetails("has no step")
					}
				})
				x.signalAt(2*time.Hour, activities.SignalResume, nil)
			})
			equal(t, "reason", end[workflows.JourneyResult](x).Reason, "completed")
		})
	}
}

func TestJourneyOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	f := &fakes{Prepare: prepares(down, down, down, down, deliverAt("nudge", start)), Deliver: delivers(down, down, ended)}
	x := runJourney(t, f, nil)
	end[workflows.JourneyResult](x)
	equal(t, "attempts", len(f.names()), 8)
}

func TestJourneyCanBeCancelled(t *testing.T) {
	t.Parallel()
	f := &fakes{Prepare: prepares(waitUntil("pause", start.Add(5*day)))}
	x := runJourney(t, f, func(x *fixture) { x.at(day, x.CancelWorkflow) })
	if err := x.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("got error %v, want a cancellation", err)
	}
}

func TestJourneyContinuesAsNewWithItsPlace(t *testing.T) {
	t.Parallel()
	planned := deliverAt("nudge", start.Add(9*day))
	first := &fakes{Prepare: prepares(waitUntil("pause", start.Add(5*day)), planned)}
	x := runJourney(t, first, func(x *fixture) { x.at(day, func() { x.SetCurrentHistoryLength(1000) }) })
	next := continued[workflows.JourneyInput](x)
	equal(t, "runs", next.Runs, 1)
	equal(t, "business time", next.Start, start.Add(5*day))
	if next.Next == nil || *next.Next != planned {
		t.Fatalf("carried %+v, want %+v", next.Next, planned)
	}

	second := &fakes{Deliver: delivers(ended)}
	y := newFixture(t, second)
	y.SetStartTime(next.Start)
	y.ExecuteWorkflow(workflows.JourneyName, next)
	equal(t, "reason", end[workflows.JourneyResult](y).Reason, "completed")
	equalNames(t, "activities of the second run", second.names(), "Deliver")
	equal(t, "instant", inputs[activities.DeliverInput](second, "Deliver")[0].Now, start.Add(9*day))
}

func TestJourneyLosesNoSignalWhenItContinuesAsNew(t *testing.T) {
	t.Parallel()
	first := &fakes{}
	x := newFixture(t, first)
	looks := 0
	first.Prepare = func(activities.Step) (activities.Next, error) {
		if looks++; looks == 1 {
			return waitUntil("pause", start.Add(5*day)), nil
		}
		// The purchase arrives after this look at the store has been read.
		x.SetCurrentHistoryLength(1000)
		x.SignalWorkflowSkippingWorkflowTask(activities.SignalEvent, activities.Woken{Reason: "Order Completed"})
		return deliverAt("nudge", start.Add(9*day)), nil
	}
	x.ExecuteWorkflow(workflows.JourneyName, journeyInput)
	next := continued[workflows.JourneyInput](x)
	if next.Next != nil {
		t.Fatalf("the next run would deliver without looking at the store: %+v", next.Next)
	}
	second := &fakes{Prepare: prepares(converted)}
	y := newFixture(t, second)
	y.ExecuteWorkflow(workflows.JourneyName, next)
	equal(t, "reason", end[workflows.JourneyResult](y).Reason, converted.Reason)
}

func TestJourneyIDIsReadableAndFreeOfPersonalData(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"spring-2026": "spring-2026", "cart_81.2": "cart_81.2"} {
		id := workflows.JourneyID(runOf(key))
		equal(t, "id", id, "journey/winback/c-1/"+want)
	}
	for _, key := range []string{"ada@example.com", "a b", strings.Repeat("k", 65), "a/b"} {
		id := workflows.JourneyID(runOf(key))
		if strings.Contains(id, key) || len(id) > 100 {
			t.Errorf("key %q became id %q", key, id)
		}
		if id == workflows.JourneyID(runOf(key+"x")) {
			t.Errorf("two keys share id %q", id)
		}
	}
}

func runOf(key string) ledger.Run {
	return ledger.Run{Journey: "winback", CustomerID: "c-1", EntryKey: key}
}
