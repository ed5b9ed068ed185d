package activities_test

import (
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

const winding = `
journey: winding
title: Waits, branches and touches
agent: campaign
entry: {segment: orders.count > 0, every: 1d}
reentry: {after: 30d}
fallback: template
window: {from: "09:00", to: "20:00"}
goal: {event: Order Completed, when: "event.total > 20.0", within: 10d}
exit:
  - event: Unsubscribed
  - when: "!customer.has_email"
steps:
  - id: first
    touch: {channels: [email], offers: [none], brief: Say hello again.}
  - id: pause
    wait: {for: 5d}
  - id: split
    branch:
      - when: orders.count >= 3
        steps:
          - id: loyal
            touch: {channels: [email], offers: [none], brief: Thank the customer.}
      - else:
        steps:
          - id: casual
            touch: {channels: [email], offers: [none], brief: Say hello again.}
  - id: answer
    wait:
      event: Product Viewed
      timeout: 3d
      on_event:
        - id: viewed
          touch: {channels: [email], offers: [none], brief: Help with choosing.}
      on_timeout:
        - id: silent
          wait: {for: 1h}
  - id: monday
    wait: {until: "mon 10:00"}
`

// deliverNow delivers what is due and returns what follows.
func (f *fixture) deliverNow(next activities.Next) activities.Next {
	f.t.Helper()
	if next.Action != activities.ActionDeliver {
		f.t.Fatalf("nothing to deliver: %+v", next)
	}
	return f.deliver(next.TouchID, next.At)
}

func TestRunWalksThroughItsJourney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		orders int
		arm    string
	}{{3, "loyal"}, {1, "casual"}} {
		t.Run(c.arm, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, winding)
			p := f.store.profiles["c-1"]
			p.Orders.Count = c.orders
			f.store.profiles["c-1"] = p

			next := f.prepare(noon)
			f.wantNext(next, activities.ActionDeliver, "first", noon)
			next = f.deliverNow(next)
			f.wantNext(next, activities.ActionWait, "pause", noon.Add(5*day)) // Saturday ten o'clock, inside the window
			f.wantNext(f.prepare(noon.Add(4*day)), activities.ActionWait, "pause", noon.Add(5*day))
			next = f.prepare(noon.Add(5 * day))
			f.wantNext(next, activities.ActionDeliver, c.arm, noon.Add(5*day))
			branched := f.store.records[len(f.store.records)-1]
			equal(t, "record", branched.Kind, "run.branched")
			next = f.deliverNow(next)
			f.wantNext(next, activities.ActionWait, "answer", noon.Add(8*day))
			// Nothing happens within three days; an hour later the local time is awaited.
			f.wantNext(f.prepare(noon.Add(8*day)), activities.ActionWait, "silent", noon.Add(8*day+time.Hour))
			monday := time.Date(2026, 3, 16, 14, 0, 0, 0, time.UTC) // 10:00 in New York, in summer time
			f.wantNext(f.prepare(noon.Add(8*day+time.Hour)), activities.ActionWait, "monday", monday)
			f.wantEnd(f.prepare(monday), "completed")
			f.wantEnd(f.prepare(monday.Add(time.Hour)), "completed") // repeating it is harmless
			f.wantSent(2)
			equal(t, "touch steps taken", f.store.runs["run-1"].Position, 2)
		})
	}
}

// One timer does for a wait and the send window after it.
func TestWaitBeforeATouchLastsIntoTheWindow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, winding)
	late := noon.Add(9 * time.Hour) // 19:00 in New York, still open
	next := f.deliverNow(f.prepare(late))
	f.wantNext(next, activities.ActionWait, "pause", late.Add(5*day))
	later := newFixture(t, winding)
	at := noon.Add(-90 * time.Minute) // 08:30: the touch waits for 09:00
	next = later.prepare(at)
	equal(t, "first touch", next.At, noon.Add(-time.Hour))
	next = later.deliverNow(next)
	f.wantNext(next, activities.ActionWait, "pause", noon.Add(5*day-time.Hour))
}

func TestWaitForAnEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, winding)
	next := f.deliverNow(f.prepare(noon))
	next = f.deliverNow(f.prepare(next.At))
	began := noon.Add(5 * day)
	f.wantNext(next, activities.ActionWait, "answer", began.Add(3*day))
	f.event("Product Viewed", began.Add(-time.Minute), nil) // before the wait: does not count
	f.wantNext(f.prepare(began.Add(time.Hour)), activities.ActionWait, "answer", began.Add(3*day))
	f.event("Product Viewed", began.Add(time.Hour), nil)
	next = f.prepare(began.Add(2 * time.Hour))
	equal(t, "step", next.Step, "viewed")
	equal(t, "after the daily cap", next.At, began.Add(day))
	f.wantNext(f.deliverNow(next), activities.ActionWait, "monday", time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC))
}

func TestRunEndsByGoalOrExit(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*fixture)
		reason string // "" when the run goes on
	}{
		{"goal", func(f *fixture) { f.event("Order Completed", noon.Add(day), map[string]any{"total": 50.0}) }, "goal: Order Completed"},
		{"another kind of order", func(f *fixture) { f.event("Order Completed", noon.Add(day), map[string]any{"total": 5.0}) }, ""},
		{"goal at the end of its window", func(f *fixture) { f.event("Order Completed", noon.Add(10*day), map[string]any{"total": 50.0}) }, "goal: Order Completed"},
		{"goal after its window", func(f *fixture) {
			f.event("Order Completed", noon.Add(10*day+time.Second), map[string]any{"total": 50.0})
		}, ""},
		{"order before the entry", func(f *fixture) { f.event("Order Completed", noon.Add(-time.Hour), map[string]any{"total": 50.0}) }, ""},
		{"the entry event itself", func(f *fixture) {
			f.event("Order Completed", noon, map[string]any{"total": 50.0})
			f.store.runs["run-1"].EntryEventID = "event-1"
		}, ""},
		{"exit by event", func(f *fixture) { f.event("Unsubscribed", noon.Add(day), nil) }, "exit: Unsubscribed"},
		{"exit by condition", func(f *fixture) {
			p := f.store.profiles["c-1"]
			p.Customer.Email = ""
			f.store.profiles["c-1"] = p
		}, "exit: !customer.has_email"},
		{"erasure", func(f *fixture) {
			p := f.store.profiles["c-1"]
			p.Customer.ErasedAt = noon
			f.store.profiles["c-1"] = p
		}, "exit: customer erased"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, winding)
			f.deliverNow(f.prepare(noon))
			c.change(f)
			next := f.prepare(noon.Add(4 * day))
			if c.reason == "" {
				f.wantNext(next, activities.ActionWait, "pause", noon.Add(5*day))
				return
			}
			f.wantEnd(next, c.reason)
			run := f.store.runs["run-1"]
			converted := c.reason == "goal: Order Completed"
			equal(t, "converted", !run.ConvertedAt.IsZero(), converted)
			if converted {
				equal(t, "converted at the order", run.ConvertedAt, f.store.events["c-1"][0].At)
			}
		})
	}
}

// Two carts of one customer are two runs; the order of one ends only that one.
func TestKeyedExitsEndOnlyTheirOwnRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, `
journey: cart
title: Cart
agent: campaign
entry: {event: Checkout Started, key: event.cart_id}
reentry: {after: 7d}
fallback: template
goal: {event: Order Completed, when: event.cart_id == entry.cart_id, within: 7d}
exit:
  - event: Cart Emptied
    when: event.cart_id == entry.cart_id
steps:
  - id: patience
    wait: {for: 4h}
  - id: nudge
    touch: {channels: [email], offers: [none], brief: Remind of the cart.}
`)
	other := f.enter("c-1", "run-2", "cart")
	other.EntryKey = "b"
	other.Entry = map[string]any{"cart_id": "b", "value": 84.5, "products": []any{map[string]any{"name": "Walnut Desk Lamp"}}}
	f.store.runs["run-1"].Entry = map[string]any{"cart_id": "a"}
	f.prepare(noon)
	f.event("Order Completed", noon.Add(time.Hour), map[string]any{"cart_id": "a"})
	f.event("Cart Emptied", noon.Add(time.Hour), map[string]any{"cart_id": "c"})
	f.wantEnd(f.prepare(noon.Add(2*time.Hour)), "goal: Order Completed")

	prepare := func(at time.Time) activities.Next {
		next, err := f.Prepare(t.Context(), activities.Step{RunID: "run-2", Now: at})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	f.wantNext(prepare(noon.Add(2*time.Hour)), activities.ActionWait, "patience", noon.Add(6*time.Hour))
	f.wantNext(prepare(noon.Add(6*time.Hour)), activities.ActionDeliver, "nudge", noon.Add(6*time.Hour))
	f.event("Cart Emptied", noon.Add(6*time.Hour), map[string]any{"cart_id": "b"})
	equal(t, "second run", prepare(noon.Add(7*time.Hour)).Reason, "exit: Cart Emptied")
	equal(t, "its touch", f.store.step("run-2", "nudge").State, lifecycle.TouchSkipped)
	f.wantSent(0)
}

func TestTouchIsPlannedOrClosedWithItsReason(t *testing.T) {
	t.Parallel()
	change := func(edit func(*lifecycle.Profile)) func(*fixture) {
		return func(f *fixture) {
			p := f.store.profiles["c-1"]
			edit(&p)
			f.store.profiles["c-1"] = p
		}
	}
	status := func(s lifecycle.CreativeStatus) func(*fixture) {
		return func(f *fixture) {
			for i := range f.store.creatives {
				f.store.creatives[i].Status = s
			}
		}
	}
	cases := []struct {
		name   string
		change func(*fixture)
		at     time.Duration
		action activities.Action
		state  lifecycle.TouchState
		reason string
	}{
		{"allowed", func(*fixture) {}, 0, activities.ActionDeliver, lifecycle.TouchPlanned, ""},
		{"no address", change(func(p *lifecycle.Profile) { p.Customer.Email = "" }), 0, activities.ActionEnd, lifecycle.TouchSkipped, "no address or no provider"},
		{"no provider", func(f *fixture) { f.Providers = nil }, 0, activities.ActionEnd, lifecycle.TouchSkipped, "no address or no provider"},
		{"no copy", func(f *fixture) { f.store.creatives = nil }, 0, activities.ActionEnd, lifecycle.TouchSkipped, "no copy: slot winback/nudge"},
		{"rejected copy", status(lifecycle.CreativeRejected), 0, activities.ActionEnd, lifecycle.TouchSkipped, "no copy"},
		{"template without fallback", func(f *fixture) {
			def := *f.store.definitions["winback/1"]
			def.Fallback = "skip"
			f.store.definitions["winback/1"] = &def
		}, 0, activities.ActionEnd, lifecycle.TouchSkipped, "no copy"},
		{"not worth it", func(f *fixture) {
			f.Brand.Costs.PerTouch[lifecycle.Email] = lifecycle.Money{Amount: 1000, Currency: f.Brand.Currency}
		}, 0, activities.ActionEnd, lifecycle.TouchSkipped, "the agent chose not to touch"},
		{"no consent", change(func(p *lifecycle.Profile) { p.Consents = nil }), 0, activities.ActionEnd, lifecycle.TouchBlocked, "consent"},
		{"suppressed", func(f *fixture) {
			f.store.suppressed["c-1"] = []ledger.Suppression{{Reason: "complaint", At: noon}}
		}, 0, activities.ActionEnd, lifecycle.TouchBlocked, "suppression"},
		{"cap full", func(f *fixture) {
			f.store.touches["other"] = &lifecycle.Touch{
				ID: "other", RunID: "run-9", CustomerID: "c-1", Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchDelivered, ReservedAt: noon.Add(-time.Hour),
			}
		}, 0, activities.ActionDeliver, lifecycle.TouchDeferred, "email-daily"},
		{"review by policy", func(f *fixture) { f.Policy.Review.Share = 1 }, 0, activities.ActionReview, lifecycle.TouchInReview, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			c.change(f)
			next := f.prepare(noon.Add(c.at))
			equal(t, "action", next.Action, c.action)
			touch := f.wantTouch("nudge", c.state, c.reason)
			if c.state == lifecycle.TouchDeferred {
				equal(t, "next chance", touch.NotBefore, next.At)
				equal(t, "after", next.At, noon.Add(day-time.Hour))
			}
			planned := f.store.records[0]
			equal(t, "record", planned.Kind, "touch."+string(c.state))
			f.wantSent(0)
			// Repeating it changes nothing.
			again := f.prepare(noon.Add(c.at))
			equal(t, "action again", again.Action, c.action)
			f.wantTouch("nudge", c.state, c.reason)
			equal(t, "touches", len(f.store.touches)-len(filter(f.store.touches, "other")), 1)
		})
	}
}

func filter(touches map[lifecycle.TouchID]*lifecycle.Touch, id lifecycle.TouchID) []lifecycle.TouchID {
	if touches[id] == nil {
		return nil
	}
	return []lifecycle.TouchID{id}
}

func TestRunWaitsForCopyInReview(t *testing.T) {
	t.Parallel()
	for decision, want := range map[lifecycle.ReviewStatus]lifecycle.TouchState{
		lifecycle.ReviewApproved: lifecycle.TouchPlanned,
		lifecycle.ReviewRejected: lifecycle.TouchSkipped,
		lifecycle.ReviewExpired:  lifecycle.TouchSkipped,
	} {
		t.Run(string(decision), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			f.store.creatives[0].Status, f.store.creatives[0].Source = lifecycle.CreativeInReview, lifecycle.FromModel
			next := f.prepare(noon)
			equal(t, "action", next.Action, activities.ActionReview)
			equal(t, "reviews", len(f.starter.reviews), 1)
			if f.store.step("run-1", "nudge") != nil {
				t.Error("a touch was planned without copy")
			}
			item := f.store.reviews[0]
			equal(t, "waiters", len(f.store.waiters[item.ID]), 1)
			f.prepare(noon.Add(time.Minute))
			equal(t, "waiters after a second look", len(f.store.waiters[item.ID]), 1)

			if err := f.store.DecideReview(t.Context(), item.ID, decision, "jane", "", item.Content, noon); err != nil {
				t.Fatal(err)
			}
			next = f.prepare(noon.Add(time.Hour))
			for looks := 0; next.Action == activities.ActionWait; looks++ {
				if looks > 3 {
					t.Fatalf("the run looks for ever: %+v", next)
				}
				next = f.prepare(next.At)
			}
			f.wantTouch("nudge", want, "")
		})
	}
}

// Copy by a model replaces the template of the same offer once it is approved.
func TestWrittenCopyReplacesTheTemplate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	written := f.store.creatives[0]
	written.ID, written.Source, written.Author, written.Status = "by-model", lifecycle.FromModel, "gpt", lifecycle.CreativeInReview
	written.Parts.Subject = "We kept your place"
	f.store.creatives = append(f.store.creatives, written)
	f.prepare(noon)
	equal(t, "before approval", f.wantTouch("nudge", lifecycle.TouchPlanned, "").CreativeID, f.store.creatives[0].ID)

	g := newFixture(t, oneTouch)
	written.Status = lifecycle.CreativeApproved
	g.store.creatives = append(g.store.creatives, written)
	g.prepare(noon)
	equal(t, "after approval", g.wantTouch("nudge", lifecycle.TouchPlanned, "").CreativeID, "by-model")
}

func TestTouchReviewReleasesOrEndsTheTouch(t *testing.T) {
	t.Parallel()
	for approved, want := range map[bool]lifecycle.TouchState{true: lifecycle.TouchAccepted, false: lifecycle.TouchRejected} {
		f := newFixture(t, oneTouch)
		f.Policy.Review.Share = 1
		next := f.prepare(noon)
		equal(t, "action", next.Action, activities.ActionReview)
		item := f.store.reviews[0]
		equal(t, "kind", item.Kind, lifecycle.ReviewTouch)
		status := lifecycle.ReviewApproved
		if !approved {
			status = lifecycle.ReviewRejected
		}
		if err := f.store.DecideReview(t.Context(), item.ID, status, "jane", "", item.Content, noon); err != nil {
			t.Fatal(err)
		}
		if err := f.store.ReleaseWaiters(t.Context(), item.ID, f.store.waiters[item.ID], approved, noon); err != nil {
			t.Fatal(err)
		}
		next = f.prepare(noon.Add(time.Minute))
		if approved {
			next = f.deliverNow(next)
		}
		f.wantEnd(next, "completed")
		f.wantTouch("nudge", want, "")
	}
}

// Identical content and reasons are one item; what was decided answers at once.
func TestTouchReviewsAreSharedAndRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.Policy.Review.Share = 1
	f.prepare(noon)
	f.customer("c-2")
	f.enter("c-2", "run-2", "winback")
	prepare := func(run lifecycle.RunID) activities.Next {
		next, err := f.Prepare(t.Context(), activities.Step{RunID: run, Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	equal(t, "second run", prepare("run-2").Action, activities.ActionReview)
	equal(t, "reviews", len(f.store.reviews), 1)
	equal(t, "waiters", len(f.store.waiters[f.store.reviews[0].ID]), 2)
	f.store.reviews[0].Status = lifecycle.ReviewApproved
	f.customer("c-3")
	f.enter("c-3", "run-3", "winback")
	next := prepare("run-3")
	f.wantNext(next, activities.ActionWait, "nudge", noon)
	f.wantNext(prepare("run-3"), activities.ActionDeliver, "nudge", noon)
}

func TestRunOnAVersionWithoutItsStepSaysSo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.store.runs["run-1"].Step = "gone"
	_, err := f.Prepare(t.Context(), activities.Step{RunID: "run-1", Now: noon})
	equal(t, "code", activities.ErrorCode(err), lifecycle.Conflict)
	equal(t, "retryable", retryable(err), false)
}

func TestPrepareAfterACrash(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"SavePlans", "OpenReview"} {
		f := newFixture(t, oneTouch)
		f.Policy.Review.Share = 1
		f.store.failing[method] = errCrash
		if _, err := f.Prepare(t.Context(), activities.Step{RunID: "run-1", Now: noon}); err == nil {
			t.Fatalf("the crash in %s went unnoticed", method)
		}
		equal(t, "action after a crash in "+method, f.prepare(noon).Action, activities.ActionReview)
		equal(t, "touches", len(f.store.touches), 1)
		equal(t, "reviews after a crash in "+method, len(f.store.reviews), 1)
		equal(t, "started", len(f.starter.reviews), 1)
	}
}
