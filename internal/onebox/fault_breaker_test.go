package onebox_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// TestFaultComplaintSpike lets customers complain about a campaign that is going
// out: the watch halts everything within a minute, a person resumes, and nobody
// has lost their place or is written to twice.
func TestFaultComplaintSpike(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	h.slower(t, 25)
	page := unique("spike")
	const n = 1500
	h.customers(t, page, "ada", n)
	h.store(t, page, broadcast)
	h.campaign(t, control.Campaign{Name: page, Journey: page})
	delivered := func() (ids []string) {
		rows, err := h.db.Query(t.Context(), "select id::text from touches where journey = $1 and state = 'delivered' order by sent_at desc", page)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var id string
			must(t, rows.Scan(&id))
			ids = append(ids, id)
		}
		must(t, rows.Err())
		return ids
	}
	eventually(t, 90*time.Second, say("the first messages"), func() (bool, error) { return len(delivered()) >= 300, nil })
	var complaints []ledger.Outcome
	for _, id := range delivered()[:40] {
		complaints = append(complaints, ledger.Outcome{Key: "spike/" + id, TouchID: lifecycle.TouchID(id), Kind: ledger.OutcomeComplained, At: h.Clock.Now()})
	}
	_, err := h.Store.ApplyOutcomes(t.Context(), complaints)
	must(t, err)
	began := time.Now()
	global := func() ledger.Control {
		controls, err := h.Store.Controls(t.Context())
		must(t, err)
		for _, c := range controls {
			if c.Scope == ledger.ScopeGlobal {
				return c
			}
		}
		return ledger.Control{}
	}
	eventually(t, time.Minute, say("the halt"), func() (bool, error) { return global().State == ledger.ControlHalted, nil })
	if c := global(); c.By != activities.WatchActor || !strings.Contains(c.Reason, "spam complaint rate") {
		t.Errorf("halted by %s: %s", c.By, c.Reason)
	}
	h.quiet(t)
	t.Logf("sending had stopped %s after the complaints came", time.Since(began).Round(time.Second))
	if sent := h.Sandbox.Accepted(); sent == 0 || len(delivered()) >= n {
		t.Fatalf("the campaign was over before it could be halted: %d", len(delivered()))
	}
	alerts, err := h.Store.Alerts(t.Context(), false, 10)
	must(t, err)
	if len(alerts) == 0 || alerts[0].Key != "breaker/complaints/email" {
		t.Errorf("%+v", alerts)
	}
	must(t, h.plane.Control(t.Context(), ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlRunning, By: "maria"}))
	h.ended(t, page, n, 3*time.Minute)
	eventually(t, time.Minute, say("reports on all"), func() (bool, error) {
		states := h.states(t, page)
		return states[lifecycle.TouchDelivered]+states[lifecycle.TouchComplained] == n && states[lifecycle.TouchComplained] == len(complaints), nil
	})
	h.sound(t)
	eventually(t, time.Minute, say("the alert to close"), func() (bool, error) {
		alerts, err := h.Store.Alerts(t.Context(), false, 10)
		return len(alerts) == 0, err
	})
}
