package onebox_test

import (
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
)

// stepwise is a journey with a wait between two e-mails, the second of which
// the daily cap leaves for tomorrow.
const stepwise = `entry: {event: "Did {name}"}
reentry: never
steps:
  - id: note
    touch: {slot: suite/note, brief: Say hello.}
  - id: rest
    wait: {for: 4m}
  - id: receipt
    touch: {slot: suite/receipt, class: transactional, brief: Confirm what was ordered.}
`

// load starts a campaign and journeys at once and waits until the provider is
// in the middle of them. It returns their journeys and sizes.
func (h *house) load(t *testing.T, name string) map[string]int {
	t.Helper()
	h.approvedCopy(t)
	page, single := unique(name+"-page"), unique(name+"-single")
	h.customers(t, page, "ada", 300)
	h.store(t, page, broadcast)
	ids := h.customers(t, single, "ada", 40)
	h.listen(t, single, stepwise)
	began := h.Sandbox.Accepted()
	h.campaign(t, control.Campaign{Name: page, Journey: page})
	h.trackAll(t, ids, "Did "+single)
	eventually(t, 60*time.Second, say("the first messages"), func() (bool, error) { return h.Sandbox.Accepted() > began+60, nil })
	return map[string]int{page: 300, single: 40}
}

// slower makes every provider call last.
func (h *house) slower(t *testing.T, ms int) {
	t.Helper()
	_, err := h.Sandbox.Inject(sandbox.Fault{Vendor: sandbox.SendGrid, Kind: sandbox.Slow, Rate: 1, DelayMS: ms})
	must(t, err)
	t.Cleanup(h.Sandbox.ClearFaults)
}

// finished waits for the end of what load started and checks that everybody
// was reached, or that the ledger says why nobody knows.
func (h *house) finished(t *testing.T, loads map[string]int) {
	t.Helper()
	for journey, n := range loads {
		h.ended(t, journey, n, 90*time.Second)
		h.reported(t, journey)
		for _, x := range h.touches(t, journey) {
			if x.state != lifecycle.TouchDelivered && x.state != lifecycle.TouchUnconfirmed {
				t.Errorf("touch %s of %s is %s: %s", x.id, journey, x.state, x.reason)
			}
		}
		t.Log(journey, h.states(t, journey))
	}
	h.sound(t)
}

func TestFaultPostgresRestarts(t *testing.T) {
	h := open(t)
	h.slower(t, 50)
	loads := h.load(t, "pg")
	must(t, h.Stack.RestartPostgres(t.Context()))
	h.sound(t)
	time.Sleep(300 * time.Millisecond)
	must(t, h.Stack.RestartPostgres(t.Context()))
	h.finished(t, loads)
}

func TestFaultTemporalRestarts(t *testing.T) {
	h := open(t)
	h.slower(t, 50)
	loads := h.load(t, "temporal")
	must(t, h.Stack.RestartTemporal(t.Context()))
	h.sound(t)
	h.finished(t, loads)
}
