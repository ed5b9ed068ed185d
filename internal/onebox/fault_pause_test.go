package onebox_test

import (
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// TestFaultPauseUnderLoad pauses and resumes again and again while a campaign
// and journeys send: nobody is written to while a pause stands, nobody twice,
// nobody is left out.
func TestFaultPauseUnderLoad(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	h.slower(t, 60)
	page, single := unique("pause-page"), unique("pause-single")
	h.customers(t, page, "ada", 700)
	h.store(t, page, broadcast)
	h.listen(t, single, triggered)
	ids := h.customers(t, single, "ada", 120)
	began := h.Sandbox.Accepted()
	h.campaign(t, control.Campaign{Name: page, Journey: page})
	eventually(t, 60*time.Second, say("the first messages"), func() (bool, error) { return h.Sandbox.Accepted() > began, nil })

	set := func(state ledger.ControlState, scope ledger.ControlScope, name string) {
		t.Helper()
		must(t, h.plane.Control(t.Context(), ledger.Control{Scope: scope, Name: name, State: state, Reason: "a test of pauses", By: "maria"}))
	}
	for round := range 2 {
		set(ledger.ControlPaused, ledger.ScopeJourney, page)
		set(ledger.ControlHalted, ledger.ScopeJourney, single)
		h.trackAll(t, ids[round*60:(round+1)*60], "Did "+single)
		h.quiet(t)
		if unpaused := h.states(t, single); round == 0 && unpaused[lifecycle.TouchDelivered]+unpaused[lifecycle.TouchAccepted] > 0 {
			t.Errorf("a halted journey sent: %v", unpaused)
		}
		h.sound(t)
		set(ledger.ControlRunning, ledger.ScopeJourney, page)
		set(ledger.ControlRunning, ledger.ScopeJourney, single)
		time.Sleep(400 * time.Millisecond)
	}
	for journey, n := range map[string]int{page: 700, single: 120} {
		h.ended(t, journey, n, 90*time.Second)
		h.reported(t, journey)
		if states := h.states(t, journey); states[lifecycle.TouchDelivered] != n {
			t.Errorf("%s: %d customers, touches %v", journey, n, states)
		}
	}
	h.sound(t)
}

// quiet waits until what was under way when a pause began is over, and checks
// that nothing follows it.
func (h *house) quiet(t *testing.T) {
	t.Helper()
	last, since := h.Sandbox.Accepted(), time.Now()
	eventually(t, 60*time.Second, say("silence during the pause"), func() (bool, error) {
		if n := h.Sandbox.Accepted(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > time.Second, nil
	})
	time.Sleep(time.Second)
	if n := h.Sandbox.Accepted(); n != last {
		t.Errorf("%d messages went out during a pause", n-last)
	}
}

// TestFaultResumeRacesWithDeliveries pauses and resumes a journey so quickly
// that deliveries see a pause which is over before they have recorded it.
func TestFaultResumeRacesWithDeliveries(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	page, single := unique("flicker-page"), unique("flicker-single")
	h.customers(t, page, "ada", 300)
	h.store(t, page, broadcast)
	h.listen(t, single, triggered)
	ids := h.customers(t, single, "ada", 60)
	h.campaign(t, control.Campaign{Name: page, Journey: page})
	h.trackAll(t, ids, "Did "+single)
	for range 15 {
		for _, state := range []ledger.ControlState{ledger.ControlPaused, ledger.ControlRunning} {
			for _, journey := range []string{page, single} {
				must(t, h.plane.Control(t.Context(), ledger.Control{Scope: ledger.ScopeJourney, Name: journey, State: state, Reason: "a test of pauses", By: "maria"}))
			}
			time.Sleep(15 * time.Millisecond)
		}
	}
	for journey, n := range map[string]int{page: 300, single: 60} {
		h.ended(t, journey, n, 90*time.Second)
		h.reported(t, journey)
		if states := h.states(t, journey); states[lifecycle.TouchDelivered] != n {
			t.Errorf("%s: %d customers, touches %v", journey, n, states)
		}
	}
	h.sound(t)
}
