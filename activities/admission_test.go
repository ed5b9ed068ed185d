package activities_test

import (
	"testing"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// A customer whom a stage no longer reaches is held at the send, keeps the
// place, and goes on when the stage grows.
func TestDeliverHoldsWhoIsOutsideAStage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.store.admission = ledger.Admission{Outside: map[lifecycle.RunID]string{"run-1": "rollout pilot, stage one: the customer is not part of it"}}
	next := f.deliver(touch, noon)
	equal(t, "action", next.Action, activities.ActionHold)
	equal(t, "reason", next.Reason, f.store.admission.Outside["run-1"])
	equal(t, "held", f.store.runs["run-1"].Held, true)
	f.wantSent(0)
	f.store.admission.Outside = nil
	f.wantEnd(f.deliver(touch, noon), "completed")
	equal(t, "held", f.store.runs["run-1"].Held, false)
	f.wantSent(1)
}

func TestDeliverHoldsChannelsThatAreNotPartOfAStage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.store.admission.Scopes = []ledger.Scope{ledger.Scope{Programme: "pilot", Stage: "one", Channels: []lifecycle.Channel{lifecycle.SMS}, Share: 1}}
	equal(t, "reason", f.deliver(touch, noon).Reason, "rollout pilot, stage one: channel email is not part of it")
	f.wantSent(0)
}

func TestAStageMayPutEveryTouchBeforeAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.store.admission.Scopes = []ledger.Scope{ledger.Scope{Programme: "pilot", Stage: "one", Share: 1, ReviewAll: true}}
	equal(t, "action", f.prepare(noon).Action, activities.ActionReview)
	equal(t, "reviews", len(f.store.reviews), 1)
}

// Customers outside a stage leave their campaign's pages without stopping it for
// the others.
func TestPageParksWhoIsOutsideAStage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	ids := f.cohort(20)
	outside := map[lifecycle.RunID]string{}
	for _, id := range ids[:5] {
		outside[id] = "outside"
	}
	f.store.admission.Outside = outside
	result := f.page(noon, 100)
	equal(t, "sent", result.Sent, 15)
	equal(t, "held", result.Held, 0)
	equal(t, "pending", result.Pending, 5)
	equal(t, "next due", result.NextDue.IsZero(), true)
	for _, id := range ids[:5] {
		run := f.store.runs[id]
		if !run.Held || !run.DueAt.IsZero() || run.Status != ledger.RunPending {
			t.Errorf("run %s: %+v", id, run)
		}
		run.Held, run.DueAt = false, noon.Add(day) // as the store releases it
	}
	f.store.admission.Outside = nil
	equal(t, "sent when the stage has grown", f.page(noon.Add(day), 100).Sent, 5)
	f.wantSent(20)
}
