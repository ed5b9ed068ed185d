package onebox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// patient is a journey with a long wait between two e-mails.
const patient = `entry: {event: "Did {name}"}
reentry: never
exit:
  - event: Unsubscribed
steps:
  - id: note
    touch: {slot: suite/note, brief: Say hello.}
  - id: rest
    wait: {for: 3h}
  - id: receipt
    touch: {slot: suite/receipt, class: transactional, brief: Confirm what was ordered.}
`

// resting waits until a customer is in the wait step of patient.
func (h *house) resting(t *testing.T, journey, customer string) ledger.Run {
	t.Helper()
	var run ledger.Run
	eventually(t, 30*time.Second, say(customer+" in the wait step of "+journey), func() (bool, error) {
		runs := h.runs(t, journey, customer)
		if len(runs) == 1 {
			run = runs[0]
		}
		return run.Step == "rest", nil
	})
	return run
}

// TestUnsubscribe: opening the link changes nothing, the one-click POST takes
// the customer off the channel and out of the journey at once.
func TestUnsubscribe(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("unsubscribe")
	h.listen(t, name, patient)
	ids := h.customers(t, name, "ada", 2)
	h.trackAll(t, ids, "Did "+name)
	leaving, staying := ids[0], ids[1]
	run := h.resting(t, name, leaving)
	h.resting(t, name, staying)
	if state, err := h.state(t, run); err != nil || state.Doing != "wait" || state.Step != "rest" || state.Until.IsZero() {
		t.Errorf("the workflow says %+v, %v", state, err)
	}
	letter := h.mail(t, name, "note", leaving)
	if letter.UnsubscribeURL == "" || !letter.OneClick {
		t.Fatalf("letter %+v", letter)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, letter.UnsubscribeURL, nil)
	must(t, err)
	if status, page := roundTrip(t, req); status != http.StatusOK || !strings.Contains(page, "Yes, unsubscribe me") {
		t.Errorf("GET: %d %s", status, page)
	}
	consent := func(customer string) lifecycle.ConsentState {
		profile, err := h.Store.Profile(t.Context(), h.customer(t, customer))
		must(t, err)
		return profile.Consents[lifecycle.Email].State
	}
	if consent(leaving) != lifecycle.ConsentGranted {
		t.Error("opening the link unsubscribed the customer")
	}
	form := url.Values{"List-Unsubscribe": {"One-Click"}}.Encode()
	if status, page := h.post(t, letter.UnsubscribeURL, "application/x-www-form-urlencoded", []byte(form)); status != http.StatusOK {
		t.Errorf("POST: %d %s", status, page)
	}
	if consent(leaving) != lifecycle.ConsentWithdrawn || consent(staying) != lifecycle.ConsentGranted {
		t.Errorf("consents: %s %s", consent(leaving), consent(staying))
	}
	eventually(t, 20*time.Second, say("the end of the journey"), func() (bool, error) {
		return h.runs(t, name, leaving)[0].EndReason == "exit: Unsubscribed", nil
	})
	if left := h.runs(t, name, staying)[0]; left.Status != ledger.RunRunning {
		t.Errorf("the other customer's run: %+v", left)
	}
}

// TestErasure: a customer who asks to be forgotten leaves running journeys, and
// the ledger and the decision log stay whole.
func TestErasure(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("erasure")
	h.listen(t, name, patient)
	ids := h.customers(t, name, "ada", 1)
	h.trackAll(t, ids, "Did "+name)
	run := h.resting(t, name, ids[0])
	h.mail(t, name, "note", ids[0])
	customer := run.CustomerID
	erased, err := h.plane.Erase(t.Context(), customer, "maria", "asked by letter")
	must(t, err)
	if erased.DoneAt.IsZero() || !strings.Contains(string(erased.Receipt), `"email": "accepted, job`) {
		t.Errorf("receipt %s of %+v", erased.Receipt, erased)
	}
	h.ended(t, name, 1, 20*time.Second)
	profile, err := h.Store.Profile(t.Context(), customer)
	must(t, err)
	if c := profile.Customer; c.Email != "" || c.FirstName != "" || len(c.Attributes) != 0 || c.ErasedAt.IsZero() {
		t.Errorf("left of the customer: %+v", c)
	}
	eventually(t, 20*time.Second, say("the end of the workflow"), func() (bool, error) {
		state, err := h.state(t, run)
		return state.Doing == "end", err
	})
	h.sound(t)
}

// TestWebhooks: signed reports move touches, unsigned ones do not.
func TestWebhooks(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	for at, want := range map[string]lifecycle.TouchState{"ada": lifecycle.TouchDelivered, "bounce": lifecycle.TouchBounced, "block": lifecycle.TouchBounced, "drop": lifecycle.TouchBounced} {
		name := unique("webhook-" + at)
		ids := h.customers(t, name, at, 4)
		h.store(t, name, broadcast)
		h.campaign(t, control.Campaign{Name: name, Journey: name})
		eventually(t, 40*time.Second, func() string { return name + " " + string(want) }, func() (bool, error) {
			return h.states(t, name)[want] == 4, nil
		})
		var suppressed int
		must(t, h.db.QueryRow(t.Context(), `select count(*) from suppressions s join customers c on s.address_hash = address_hash(c.email)
			where s.channel = 'email' and c.external_id = any($1)`, ids).Scan(&suppressed))
		if hard := at == "bounce" || at == "drop"; hard != (suppressed == 4) || suppressed%4 != 0 {
			t.Errorf("%s: %d addresses are suppressed", at, suppressed)
		}
		forged := `[{"email":"x@example.com","event":"spamreport","sg_event_id":"forged-` + name + `","touch_id":"` + string(h.touches(t, name)[0].id) + `","timestamp":1800000000}]`
		if status, _ := h.post(t, h.Config.Gateway.PublicURL+"/webhooks/sendgrid", "application/json", []byte(forged)); status != http.StatusForbidden {
			t.Errorf("an unsigned webhook was answered with %d", status)
		}
		if states := h.states(t, name); states[want] != 4 {
			t.Errorf("after a forged report: %v", states)
		}
	}
}

// TestMigration moves people who wait in an old version to a new one on purpose.
func TestMigration(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("migration")
	h.listen(t, name, patient)
	ids := h.customers(t, name, "ada", 2)
	h.trackAll(t, ids, "Did "+name)
	for _, id := range ids {
		h.resting(t, name, id)
	}
	h.store(t, name, strings.Replace(patient, "id: rest", "id: other", 1))
	moved, err := h.plane.MigrateJourney(t.Context(), name, 2, "maria")
	must(t, err)
	if moved.Moved != 0 || moved.Kept != 2 || len(moved.Lost) != 1 || moved.Lost[0] != "rest" {
		t.Errorf("to a version without their step: %+v", moved)
	}
	h.store(t, name, strings.Replace(patient, "for: 3h", "for: 1m", 1))
	for _, id := range ids {
		if run := h.runs(t, name, id)[0]; run.Version != 1 || run.Status != ledger.RunRunning {
			t.Errorf("a new version touched a run in flight: %+v", run)
		}
	}
	moved, err = h.plane.MigrateJourney(t.Context(), name, 3, "maria")
	must(t, err)
	if moved.Moved != 2 || moved.Kept != 0 {
		t.Errorf("migration: %+v", moved)
	}
	h.ended(t, name, 2, 40*time.Second)
	for _, id := range ids {
		h.mail(t, name, "receipt", id)
		if run := h.runs(t, name, id)[0]; run.Version != 3 || run.EndReason != "completed" {
			t.Errorf("run %+v", run)
		}
	}
}
