package activities_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/channel"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func TestDeliverSendsOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	next := f.planned()
	f.wantTouch("nudge", lifecycle.TouchPlanned, "")
	f.wantEnd(f.deliver(next.TouchID, noon), "completed")
	touch := f.wantTouch("nudge", lifecycle.TouchAccepted, "")
	equal(t, "provider id", touch.ProviderID, "provider-"+string(touch.ID))
	equal(t, "cost", touch.Cost, f.Brand.Costs.PerTouch[lifecycle.Email])
	equal(t, "key", touch.Key, "winback/c-1/2026-03/nudge")
	f.wantSent(1)

	message := f.provider.messages[0]
	equal(t, "to", message.To, "c-1@mail.example")
	equal(t, "from", message.From, f.Brand.Sender.Email)
	equal(t, "unsubscribe", message.UnsubscribeURL, links{}.Unsubscribe("c-1", lifecycle.Email))
	if !strings.Contains(message.Text, "Ada") || !strings.Contains(message.Text, f.Brand.Sender.PostalAddress) {
		t.Errorf("the text lacks name or address:\n%s", message.Text)
	}

	// The activity is repeated: its answer had been lost.
	again := f.deliver(next.TouchID, noon)
	equal(t, "answer to the repetition", again.Action, activities.ActionEnd)
	f.wantSent(1)
	for _, r := range f.store.records {
		if strings.Contains(string(r.Body), "mail.example") || strings.Contains(string(r.Body), "Lovelace") {
			t.Errorf("personal data in the decision log: %s", r.Body)
		}
	}
}

func TestDeliverBelievesTheProvider(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		answer error
		state  lifecycle.TouchState
		reason string
		again  time.Duration // until the next attempt, 0 = none
		cost   bool          // the message is paid for
	}{
		{"accepted", nil, lifecycle.TouchAccepted, "", 0, true},
		{"refused", &channel.Error{Class: channel.Refused, Status: 400, Detail: "bad address"}, lifecycle.TouchRefused, "bad address", 0, false},
		{"busy", &channel.Error{Class: channel.Transient, Status: 503}, lifecycle.TouchDeferred, "try later", 30 * time.Second, false},
		{"rate limited", &channel.Error{Class: channel.Transient, Status: 429, RetryAfter: 7 * time.Minute}, lifecycle.TouchDeferred, "429", 7 * time.Minute, false},
		{"misconfigured", &channel.Error{Class: channel.Misconfigured, Status: 401}, lifecycle.TouchDeferred, "misconfigured", 30 * time.Second, false},
		{"unconfirmed", &channel.Error{Class: channel.Unconfirmed, Err: errors.New("connection reset")}, lifecycle.TouchUnconfirmed, "do not repeat", 0, true},
		{"unclassified", errors.New("broken pipe"), lifecycle.TouchUnconfirmed, "broken pipe", 0, true},
		{"unknown class", &channel.Error{Class: "odd"}, lifecycle.TouchUnconfirmed, "", 0, true},
		{"wrapped refusal", errors.Join(&channel.Error{Class: channel.Refused}), lifecycle.TouchRefused, "", 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			f.provider.always = c.answer
			touch := f.planned().TouchID
			next := f.deliver(touch, noon)
			row := f.wantTouch("nudge", c.state, c.reason)
			equal(t, "paid", row.Cost.Amount > 0, c.cost)
			f.wantSent(1)
			if c.again == 0 {
				f.wantEnd(next, "completed")
				f.deliver(touch, noon.Add(day))
				f.wantSent(1)
				return
			}
			f.wantNext(next, activities.ActionDeliver, "nudge", noon.Add(c.again))
			// Too early: nothing happens.
			f.wantNext(f.deliver(touch, noon.Add(c.again-time.Second)), activities.ActionDeliver, "nudge", noon.Add(c.again))
			f.wantSent(1)
			f.provider.always = nil
			f.wantEnd(f.deliver(touch, noon.Add(c.again)), "completed")
			f.wantTouch("nudge", lifecycle.TouchAccepted, "")
			f.wantSent(2)
		})
	}
}

func TestDeliverGivesUpAfterManyRefusalsForNow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.provider.always = &channel.Error{Class: channel.Transient, Status: 503}
	next, attempts := f.planned(), 0
	for next.Action == activities.ActionDeliver && attempts < 50 {
		next = f.deliver(next.TouchID, next.At)
		attempts++
	}
	f.wantEnd(next, "completed")
	f.wantTouch("nudge", lifecycle.TouchRefused, "given up after 8 attempts")
	f.wantSent(8)
}

// On a scaled clock a provider's real waiting time is many business days.
func TestDeliverScalesTheProvidersWaitingTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.Scale = season
	f.provider.always = &channel.Error{Class: channel.Transient, Status: 429, RetryAfter: time.Second}
	next := f.deliver(f.planned().TouchID, noon)
	f.wantNext(next, activities.ActionDeliver, "nudge", noon.Add(12*time.Hour))
}

// errCrash is what a call of a worker that has died would see.
var errCrash = errors.New("the worker died")

func TestDeliverAfterACrash(t *testing.T) {
	t.Parallel()
	cases := []struct {
		at    string // the method that does not return
		state lifecycle.TouchState
		sent  int
	}{
		{"Situations", lifecycle.TouchAccepted, 1},
		{"Reserve", lifecycle.TouchAccepted, 1},
		{"Settle", lifecycle.TouchUnconfirmed, 1}, // called, the answer is lost
	}
	for _, c := range cases {
		t.Run(c.at, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			touch := f.planned().TouchID
			f.store.dies = c.at
			_, err := f.Deliver(t.Context(), activities.DeliverInput{Step: activities.Step{RunID: "run-1", Now: noon}, TouchID: touch})
			if err == nil {
				t.Fatal("the crash went unnoticed")
			}
			equal(t, "retryable", retryable(err), true)
			f.store.revive()
			f.wantEnd(f.deliver(touch, noon.Add(time.Second)), "completed")
			f.wantTouch("nudge", c.state, "")
			f.wantSent(c.sent)
		})
	}
}

// The provider has the message: a database that restarts must not turn its
// answer into doubt.
func TestDeliverRecordsTheAnswerWhenTheDatabaseRestarts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.store.failing["Settle"] = lifecycle.Errorf(lifecycle.Unavailable, "the database is restarting")
	f.wantEnd(f.deliver(touch, noon), "completed")
	f.wantTouch("nudge", lifecycle.TouchAccepted, "")
	f.wantSent(1)
}

// A run whose attempt died in the call must not be looked at as if the touch
// could go out again.
func TestPrepareAfterACrashInTheCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.store.touches[touch].State = lifecycle.TouchSending
	next := f.prepare(noon.Add(time.Minute))
	f.wantNext(next, activities.ActionDeliver, "nudge", noon.Add(time.Minute))
	f.wantEnd(f.deliver(touch, noon.Add(time.Minute)), "completed")
	f.wantTouch("nudge", lifecycle.TouchUnconfirmed, "may have reached the provider")
	f.wantSent(0)
}

// The provider has answered: its answer is recorded even when the activity is
// being cancelled.
func TestDeliverRecordsTheAnswerWhenCancelled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	ctx, cancel := context.WithCancel(t.Context())
	f.provider.onSend = cancel
	_, err := f.Deliver(ctx, activities.DeliverInput{Step: activities.Step{RunID: "run-1", Now: noon}, TouchID: touch})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	f.wantTouch("nudge", lifecycle.TouchAccepted, "")
}

func TestDeliverLooksAtFreshRows(t *testing.T) {
	t.Parallel()
	withdrawn := func(f *fixture) {
		p := f.store.profiles["c-1"]
		p.Consents = map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn, At: noon}}
		f.store.profiles["c-1"] = p
	}
	cases := []struct {
		name   string
		change func(*fixture)
		at     time.Duration // after noon
		state  lifecycle.TouchState
		reason string
		next   activities.Action
	}{
		{"consent withdrawn", withdrawn, 0, lifecycle.TouchBlocked, "consent", activities.ActionEnd},
		{"suppressed", func(f *fixture) {
			f.store.suppressed["c-1"] = []ledger.Suppression{{Channel: lifecycle.Email, Reason: "bounce", At: noon}}
		}, 0, lifecycle.TouchBlocked, "suppression", activities.ActionEnd},
		{"bought meanwhile", func(f *fixture) { f.event("Order Completed", noon, nil) }, time.Minute, lifecycle.TouchSkipped, "goal: Order Completed", activities.ActionEnd},
		{"left meanwhile", func(f *fixture) { f.event("Unsubscribed", noon, nil) }, time.Minute, lifecycle.TouchSkipped, "exit: Unsubscribed", activities.ActionEnd},
		{"erased meanwhile", func(f *fixture) {
			p := f.store.profiles["c-1"]
			p.Customer.ErasedAt = noon
			f.store.profiles["c-1"] = p
		}, 0, lifecycle.TouchSkipped, "erased", activities.ActionEnd},
		{"paused", func(f *fixture) {
			f.store.controls = []ledger.Control{{Scope: ledger.ScopeJourney, Name: "winback", State: ledger.ControlPaused, Reason: "storm"}}
		}, 0, lifecycle.TouchPlanned, "", activities.ActionHold},
		{"halted channel", func(f *fixture) {
			f.store.controls = []ledger.Control{{Scope: ledger.ScopeChannel, Name: "email", State: ledger.ControlHalted, Reason: "bounces"}}
		}, 0, lifecycle.TouchPlanned, "", activities.ActionHold},
		{"another channel is paused", func(f *fixture) {
			f.store.controls = []ledger.Control{{Scope: ledger.ScopeChannel, Name: "sms", State: ledger.ControlPaused}}
		}, 0, lifecycle.TouchAccepted, "", activities.ActionEnd},
		{"copy retired", func(f *fixture) { f.store.creatives[0].Status = lifecycle.CreativeRetired }, 0, lifecycle.TouchBlocked, "no longer the approved one", activities.ActionEnd},
		{"copy changed", func(f *fixture) { f.store.creatives[0].Parts.Text += "!" }, 0, lifecycle.TouchBlocked, "no longer the approved one", activities.ActionEnd},
		{"another touch took the slot", func(f *fixture) {
			f.store.touches["other"] = &lifecycle.Touch{
				ID: "other", RunID: "run-9", CustomerID: "c-1", Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchReserved, ReservedAt: noon.Add(-time.Hour),
			}
		}, 0, lifecycle.TouchDeferred, "email-daily", activities.ActionDeliver},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			touch := f.planned().TouchID
			c.change(f)
			next := f.deliver(touch, noon.Add(c.at))
			equal(t, "next", next.Action, c.next)
			f.wantTouch("nudge", c.state, c.reason)
			sent := 0
			if c.state == lifecycle.TouchAccepted {
				sent = 1
			}
			f.wantSent(sent)
		})
	}
}

func TestDeliverGoesOnAfterAPause(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.store.controls = []ledger.Control{{Scope: ledger.ScopeGlobal, State: ledger.ControlPaused, Reason: "storm"}}
	next := f.deliver(touch, noon)
	equal(t, "reason", next.Reason, "global is paused: storm")
	equal(t, "held", f.store.runs["run-1"].Held, true)
	f.store.controls = nil
	f.wantNext(f.prepare(noon.Add(time.Hour)), activities.ActionDeliver, "nudge", noon.Add(time.Hour))
	f.wantEnd(f.deliver(touch, noon.Add(time.Hour)), "completed")
	equal(t, "held", f.store.runs["run-1"].Held, false)
	f.wantSent(1)
}

// Two journeys want the last slot of a cap at the same moment: the guardrails
// saw none of it, the reservation decides.
func TestDeliverLosesTheRaceForACapSlot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	// Reserved between the snapshot and the reservation: not among Recent.
	f.Ledger = &rival{store: f.store}
	next := f.deliver(touch, noon)
	f.wantNext(next, activities.ActionDeliver, "nudge", noon.Add(time.Hour))
	f.wantTouch("nudge", lifecycle.TouchDeferred, "frequency-cap")
	f.wantSent(0)
	// The next look sees the rival's touch and waits for the slot to come free.
	next = f.deliver(touch, noon.Add(time.Hour))
	f.wantNext(next, activities.ActionDeliver, "nudge", noon.Add(day-time.Second)) // the rival was a second earlier
	f.wantEnd(f.deliver(touch, next.At), "completed")
	f.wantSent(1)
}

// rival takes the customer's last slot right before the first reservation.
type rival struct {
	*store
	done bool
}

func (r *rival) Reserve(ctx context.Context, batch []ledger.Reservation) ([]ledger.Reserved, error) {
	if !r.done {
		r.done = true
		r.mu.Lock()
		r.touches["rival"] = &lifecycle.Touch{
			ID: "rival", RunID: "run-9", CustomerID: batch[0].Touch.CustomerID, Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchReserved, ReservedAt: batch[0].At.Add(-time.Second),
		}
		r.mu.Unlock()
	}
	return r.store.Reserve(ctx, batch)
}

func TestDeliverDropsWhatHasBecomeStale(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.store.touches[touch].PlannedAt = noon.Add(-9*day - 20*time.Hour)
	f.store.touches["other"] = &lifecycle.Touch{
		ID: "other", RunID: "run-9", CustomerID: "c-1", Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchAccepted, ReservedAt: noon.Add(-time.Hour),
	}
	f.wantEnd(f.deliver(touch, noon), "completed")
	f.wantTouch("nudge", lifecycle.TouchBlocked, "stale: planned at")
	f.wantSent(0)
}

// A touch that somebody else has settled is never sent.
func TestDeliverLeavesClosedTouchesAlone(t *testing.T) {
	t.Parallel()
	for _, state := range []lifecycle.TouchState{
		lifecycle.TouchAccepted, lifecycle.TouchUnconfirmed, lifecycle.TouchRefused, lifecycle.TouchDelivered, lifecycle.TouchBlocked, lifecycle.TouchSkipped, lifecycle.TouchRejected,
	} {
		f := newFixture(t, oneTouch)
		touch := f.planned().TouchID
		f.store.touches[touch].State = state
		f.wantEnd(f.deliver(touch, noon), "completed")
		f.wantTouch("nudge", state, "")
		f.wantSent(0)
	}
}

func TestDeliverOfATouchThatIsNotTheRunsOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.planned()
	f.wantNext(f.deliver("somebody-elses", noon), activities.ActionDeliver, "nudge", noon)
	f.wantSent(0)
}
