package onebox_test

import (
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
)

// TestFaultProviderRefusesForGood: what the provider will never take is closed
// with its words, and costs nothing.
func TestFaultProviderRefusesForGood(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Cleanup(h.Sandbox.ClearFaults)
	_, err := h.Sandbox.Inject(sandbox.Fault{Vendor: sandbox.SendGrid, Kind: sandbox.Refused, Count: 7})
	must(t, err)
	name := unique("refused")
	h.customers(t, name, "ada", 30)
	h.store(t, name, broadcast)
	h.campaign(t, control.Campaign{Name: name, Journey: name})
	h.ended(t, name, 30, 60*time.Second)
	h.reported(t, name)
	states := h.states(t, name)
	if states[lifecycle.TouchRefused] != 7 || states[lifecycle.TouchDelivered] != 23 {
		t.Errorf("states: %v", states)
	}
	for _, x := range h.touches(t, name) {
		if x.state == lifecycle.TouchRefused && x.reason == "" {
			t.Errorf("touch %s was refused without a reason", x.id)
		}
	}
	h.sound(t)
}

// TestFaultProviderStorm lets a tenth of all calls fail in each of the ways
// that providers know, at once, while webhooks are lost, doubled and reordered.
func TestFaultProviderStorm(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Cleanup(h.Sandbox.ClearFaults)
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.RateLimited, Rate: 0.12, ResetSeconds: 1},
		{Kind: sandbox.Unavailable, Rate: 0.1},
		{Kind: sandbox.Cut, Rate: 0.12},
		{Kind: sandbox.CutBefore, Rate: 0.1},
		{Kind: sandbox.Slow, Rate: 0.15, DelayMS: 300},
		{Kind: sandbox.WebhooksLost, Rate: 0.1},
		{Kind: sandbox.WebhooksDuplicated, Rate: 0.15},
		{Kind: sandbox.WebhooksReordered, Rate: 0.2},
	} {
		f.Vendor = sandbox.SendGrid
		_, err := h.Sandbox.Inject(f)
		must(t, err)
	}
	page, single := unique("storm-page"), unique("storm-single")
	h.customers(t, page, "ada", 300)
	h.store(t, page, broadcast)
	ids := h.customers(t, single, "ada", 60)
	h.listen(t, single, triggered)
	h.campaign(t, control.Campaign{Name: page, Journey: page})
	h.trackAll(t, ids, "Did "+single)
	loads := map[string]int{page: 300, single: 60}

	// The storm lasts until everybody was tried once.
	eventually(t, 60*time.Second, say("the first attempt at everybody"), func() (bool, error) {
		tried := 0
		for journey := range loads {
			for _, x := range h.touches(t, journey) {
				if x.attempts > 0 && x.state != lifecycle.TouchSending {
					tried++
				}
			}
		}
		return tried == 360, nil
	})
	for _, f := range h.Sandbox.Faults() {
		if f.Struck == 0 && f.Rate > 0.1 {
			t.Errorf("fault %s never struck", f.Kind)
		}
	}
	h.sound(t)
	h.Sandbox.ClearFaults()
	// What the provider did not take for now comes again in half a minute, or
	// when it said: the other tests need not wait for that.
	t.Parallel()
	for journey, n := range loads {
		h.ended(t, journey, n, 90*time.Second)
		again := 0
		for _, x := range h.touches(t, journey) {
			taken := h.Sandbox.AcceptedTouch(string(x.id))
			if x.attempts > 1 {
				again++
			}
			switch x.state {
			case lifecycle.TouchDelivered, lifecycle.TouchAccepted, lifecycle.TouchUnconfirmed: // accepted: its webhooks were lost
			default:
				t.Errorf("touch %s of %s is %s after %d attempts: %s", x.id, journey, x.state, x.attempts, x.reason)
			}
			if x.state == lifecycle.TouchUnconfirmed && x.reason == "" {
				t.Errorf("touch %s of %s is unconfirmed without a reason, the provider took it %d times", x.id, journey, taken)
			}
		}
		if again == 0 {
			t.Errorf("%s: no touch was tried again after a refusal for now", journey)
		}
		t.Log(journey, h.states(t, journey), "tried again:", again)
	}
	h.sound(t)
}
