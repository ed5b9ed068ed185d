package onebox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
)

// aftermath is what a touch must have come to when its worker died at a point
// of its delivery: whether the provider got it, and the state in the end.
type aftermath struct {
	at    point
	taken int
	state lifecycle.TouchState
}

var aftermaths = []aftermath{
	{beforeReserve, 1, lifecycle.TouchDelivered},
	{afterReserve, 0, lifecycle.TouchUnconfirmed}, // nobody knows that the call was not made
	{duringCall, 1, lifecycle.TouchDelivered},     // the webhook tells
	{afterAcceptance, 1, lifecycle.TouchDelivered},
	{afterSettling, 1, lifecycle.TouchDelivered},
}

// followed is a journey of one e-mail with something durable after it.
const followed = broadcast + `  - id: rest
    wait: {for: 1m}
`

// TestFaultWorkerKilled kills a worker process at every point of a delivery, of
// single touches and of pages, one worker after the other; then a healthy
// worker finishes what they left.
func TestFaultWorkerKilled(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	must(t, h.StopWorker())
	healthy := sync.OnceFunc(func() { must(t, h.StartWorker(context.Background())) })
	t.Cleanup(healthy) // the next test needs one

	// Reports wait until everything is over: one that is faster than the next
	// attempt would hide a second call.
	h.Sandbox.SetWebhookURL("")
	report := func() { h.Sandbox.SetWebhookURL(h.Config.Gateway.PublicURL + "/webhooks/sendgrid") }
	t.Cleanup(report)

	const people = 70 // more than are marked as being sent at once
	type killed struct {
		aftermath
		single, page string // journeys
		ids          []string
	}
	var all []killed
	for _, a := range aftermaths {
		k := killed{aftermath: a, single: unique("single-" + a.at.slug()), page: unique("page-" + a.at.slug())}
		k.ids = h.customers(t, k.single, "ada", 3)
		h.store(t, k.single, triggered)
		h.trackAll(t, k.ids, "Did "+k.single)
		h.slow(t, k.at)
		h.kill(t, k.at, k.single)
		h.sound(t)

		h.customers(t, k.page, "ada", people)
		h.store(t, k.page, broadcast)
		h.campaign(t, control.Campaign{Name: k.page, Journey: k.page})
		h.slow(t, k.at)
		h.kill(t, k.at, k.page)
		h.sound(t)
		all = append(all, k)
	}
	h.Sandbox.ClearFaults()
	around := []string{}
	for _, at := range []point{afterFollowers, afterEnrolling} {
		name := unique("page-" + at.slug())
		h.customers(t, name, "ada", people)
		h.store(t, name, followed)
		h.campaign(t, control.Campaign{Name: name, Journey: name})
		h.kill(t, at, name)
		around = append(around, name)
	}

	healthy()
	for _, k := range all {
		h.ended(t, k.single, 3, 90*time.Second)
		h.ended(t, k.page, people, 90*time.Second)
	}
	for _, name := range around {
		h.ended(t, name, people, 90*time.Second)
		if n := h.states(t, name)[lifecycle.TouchDelivered] + h.states(t, name)[lifecycle.TouchAccepted]; n != people {
			t.Errorf("%s: %d of %d customers were reached: %v", name, n, people, h.states(t, name))
		}
		h.campaignDone(t, name, people)
	}
	report()
	for _, k := range all {
		h.reported(t, k.single)
		h.reported(t, k.page)
		for _, journey := range []string{k.single, k.page} {
			hit := 0
			for _, x := range h.touches(t, journey) {
				n := h.Sandbox.AcceptedTouch(string(x.id))
				if x.state == k.state && n == k.taken {
					hit++
				}
				if x.state != lifecycle.TouchDelivered && x.state != lifecycle.TouchUnconfirmed {
					t.Errorf("%s, %s: touch %s is %s: %s", k.at, journey, x.id, x.state, x.reason)
				}
			}
			if hit == 0 {
				t.Errorf("%s, %s: no touch is %s after %d acceptances: %v", k.at, journey, k.state, k.taken, h.states(t, journey))
			}
		}
	}
	h.sound(t)
}

// slow makes the provider slow where the worker is to die during the call.
func (h *house) slow(t *testing.T, at point) {
	t.Helper()
	h.Sandbox.ClearFaults()
	if at == duringCall {
		_, err := h.Sandbox.Inject(sandbox.Fault{Vendor: sandbox.SendGrid, Kind: sandbox.Slow, Rate: 1, DelayMS: 3000})
		must(t, err)
	}
}
