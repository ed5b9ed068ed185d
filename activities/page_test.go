package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/channel"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// cohort puts n customers, pending, into campaign spring.
func (f *fixture) cohort(n int) []lifecycle.RunID {
	var ids []lifecycle.RunID
	for i := range n {
		customer := lifecycle.CustomerID(fmt.Sprintf("p-%03d", i))
		f.customer(customer)
		run := f.enter(customer, lifecycle.RunID(fmt.Sprintf("page-%03d", i)), "winback")
		run.Campaign, run.Status, run.Durable, run.DueAt = "spring", ledger.RunPending, false, noon
		ids = append(ids, run.ID)
	}
	return ids
}

func (f *fixture) page(at time.Time, limit int) activities.PageResult {
	f.t.Helper()
	result, err := f.SendPage(f.t.Context(), activities.PageInput{Campaign: "spring", Now: at, Limit: limit})
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

func TestPageSendsToEverybodyOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	ids := f.cohort(600)
	first := f.page(noon, 500)
	equal(t, "first page", first, activities.PageResult{Seen: 500, Sent: 500, Ended: 500, Pending: 100, NextDue: noon})
	second := f.page(noon.Add(time.Minute), 500)
	equal(t, "second page", second, activities.PageResult{Seen: 100, Sent: 100, Ended: 100})
	f.wantSent(600)
	for touch, times := range f.provider.sent {
		if times != 1 {
			t.Errorf("touch %s was sent %d times", touch, times)
		}
	}
	for _, id := range ids {
		equal(t, "run "+string(id), f.store.runs[id].Status, ledger.RunEnded)
	}
	equal(t, "workflows started", len(f.starter.journeys), 0)
}

// A full page does not count what is left, and a last one does.
func TestPageCountsWhenTheCampaignCannotKnow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.cohort(30)
	for _, c := range []struct{ known, limit, pending int }{{25, 10, 15}, {12, 10, 2}, {10, 10, 0}} {
		result, err := f.SendPage(t.Context(), activities.PageInput{Campaign: "spring", Now: noon, Limit: c.limit, Pending: c.known})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "ended", result.Ended, 10)
		equal(t, "pending", result.Pending, c.pending)
		equal(t, "more at once", result.NextDue.Equal(noon), c.pending > 0)
	}
}

func TestPageWithMixedOutcomes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	ids := f.cohort(8)
	edit := func(i int, change func(*lifecycle.Profile)) {
		id := f.store.runs[ids[i]].CustomerID
		p := f.store.profiles[id]
		change(&p)
		f.store.profiles[id] = p
	}
	edit(0, func(p *lifecycle.Profile) { p.Consents = nil })      // blocked
	edit(1, func(p *lifecycle.Profile) { p.Customer.Email = "" }) // skipped
	f.store.touches["other"] = &lifecycle.Touch{                  // deferred by a cap
		ID: "other", RunID: "run-9", CustomerID: f.store.runs[ids[2]].CustomerID, Channel: lifecycle.Email,
		Class: lifecycle.Marketing, State: lifecycle.TouchDelivered, ReservedAt: noon.Add(-time.Hour),
	}
	// What the provider says depends on the touch, whose id is known once planned.
	for i, answer := range map[int]error{
		3: &channel.Error{Class: channel.Refused, Status: 400},
		4: &channel.Error{Class: channel.Transient, Status: 429, RetryAfter: time.Minute},
		5: &channel.Error{Class: channel.Unconfirmed},
	} {
		if _, err := f.Prepare(t.Context(), activities.Step{RunID: ids[i], Now: noon}); err != nil {
			t.Fatal(err)
		}
		f.provider.answers[f.store.step(ids[i], "nudge").ID] = answer
	}
	result := f.page(noon, 500)
	equal(t, "page", result, activities.PageResult{Seen: 8, Sent: 3, Ended: 6, Pending: 2, NextDue: noon.Add(time.Minute)})
	for i, want := range []lifecycle.TouchState{
		lifecycle.TouchBlocked, lifecycle.TouchSkipped, lifecycle.TouchDeferred, lifecycle.TouchRefused,
		lifecycle.TouchDeferred, lifecycle.TouchUnconfirmed, lifecycle.TouchAccepted, lifecycle.TouchAccepted,
	} {
		equal(t, "touch of "+string(ids[i]), f.store.step(ids[i], "nudge").State, want)
	}
	f.provider.answers = nil
	equal(t, "a minute later", f.page(noon.Add(time.Minute), 500), activities.PageResult{Seen: 1, Sent: 1, Ended: 1, Pending: 1, NextDue: noon.Add(23 * time.Hour)})
	equal(t, "a day later", f.page(noon.Add(23*time.Hour), 500), activities.PageResult{Seen: 1, Sent: 1, Ended: 1})
	f.wantSent(7)
}

// Only who has to wait for something goes on in a workflow of their own, with
// the first touch sent.
func TestPageDetachesWhoHasToWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, `
journey: winback
title: Win back
agent: campaign
entry: {segment: orders.count > 0, every: 1d}
reentry: {after: 30d}
fallback: template
steps:
  - id: nudge
    touch: {channels: [email], offers: [none], brief: Say hello again.}
  - id: split
    branch:
      - when: orders.count >= 3
        steps:
          - id: pause
            wait: {for: 5d}
`)
	ids := f.cohort(4)
	p := f.store.profiles["p-000"]
	p.Orders.Count = 1
	f.store.profiles["p-000"] = p
	result := f.page(noon, 500)
	equal(t, "page", result, activities.PageResult{Seen: 4, Sent: 4, Durable: 3, Ended: 1})
	equal(t, "started", len(f.starter.journeys), 3)
	equal(t, "ended", f.store.runs[ids[0]].Status, ledger.RunEnded)
	for _, id := range ids[1:] {
		equal(t, "run "+string(id), f.store.runs[id].Status, ledger.RunRunning)
		equal(t, "step of "+string(id), f.store.runs[id].Step, "pause")
	}
}

func TestPageStopsAtAControl(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.cohort(600)
	f.store.controls = []ledger.Control{{Scope: ledger.ScopeCampaign, Name: "spring", State: ledger.ControlPaused, Reason: "storm"}}
	held := f.page(noon, 500)
	equal(t, "sent", held.Sent, 0)
	equal(t, "held at least", held.Held > 0, true)
	equal(t, "pending", held.Pending, 600)
	f.store.controls = nil
	equal(t, "after the pause", f.page(noon.Add(time.Hour), 1000), activities.PageResult{Seen: 600, Sent: 600, Ended: 600})
}

func TestPageLeavesRunsInReviewToThePerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.Policy.Review.Share = 1
	ids := f.cohort(30)
	equal(t, "page", f.page(noon, 500), activities.PageResult{Seen: 30, Pending: 30, NextDue: noon.Add(day)})
	equal(t, "reviews", len(f.store.reviews), 1)
	equal(t, "second page", f.page(noon.Add(time.Minute), 500), activities.PageResult{Pending: 30, NextDue: noon.Add(day)})

	// The review had not been opened when the worker died.
	f.store.reviews, f.store.waiters = nil, map[lifecycle.ReviewID][]ledger.Waiter{}
	equal(t, "a day later", f.page(noon.Add(day), 500).Seen, 30)
	item := f.store.reviews[0]
	equal(t, "waiters", len(f.store.waiters[item.ID]), 30)
	if err := f.store.DecideReview(t.Context(), item.ID, lifecycle.ReviewApproved, "jane", "", item.Content, noon); err != nil {
		t.Fatal(err)
	}
	reviews := &activities.Reviews{Reviews: f.store, Creatives: f.store, Runs: f.store, Starter: f.starter, Now: func() time.Time { return noon.Add(25 * time.Hour) }}
	released, err := reviews.Release(t.Context(), activities.ReleaseInput{ID: item.ID})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "released", released.Count, 30)
	equal(t, "campaigns woken", fmt.Sprint(f.starter.campaigns), "[spring spring]")
	equal(t, "page after the decision", f.page(noon.Add(25*time.Hour), 500), activities.PageResult{Seen: 30, Sent: 30, Ended: 30})
	equal(t, "run", f.store.runs[ids[0]].Status, ledger.RunEnded)
}

// A worker that dies in the middle of a page loses at most the chunk that was
// being sent, and never sends twice.
func TestPageAfterACrash(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"DueRuns", "Situations", "Reserve", "Settle", "NextDue"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			ids := f.cohort(100)
			f.store.dies = method
			if _, err := f.SendPage(t.Context(), activities.PageInput{Campaign: "spring", Now: noon, Limit: 500}); !errors.Is(err, errCrash) {
				t.Fatalf("the crash went unnoticed: %v", err)
			}
			f.store.revive()
			f.page(noon.Add(time.Minute), 500)
			unconfirmed := 0
			for _, id := range ids {
				equal(t, "run "+string(id), f.store.runs[id].Status, ledger.RunEnded)
				if touch := f.store.step(id, "nudge"); touch.State == lifecycle.TouchUnconfirmed {
					unconfirmed++
				} else {
					equal(t, "touch of "+string(id), touch.State, lifecycle.TouchAccepted)
				}
			}
			f.wantSent(100)
			if lost := method == "Settle"; lost != (unconfirmed > 0) || unconfirmed > 64 {
				t.Errorf("%d touches are unconfirmed", unconfirmed)
			}
		})
	}
}

func TestPageStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.cohort(10)
	ctx, cancel := context.WithCancel(t.Context())
	f.provider.onSend = cancel
	_, err := f.SendPage(ctx, activities.PageInput{Campaign: "spring", Now: noon, Limit: 500})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, touch := range f.store.touches {
		equal(t, "touch", touch.State, lifecycle.TouchAccepted)
	}
}
