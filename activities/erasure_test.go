package activities_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/channel"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// forgetful is a provider that can be asked to erase.
type forgetful struct {
	*provider
	told []string
	err  error
}

func (f *forgetful) Erase(_ context.Context, address string) (string, error) {
	f.told = append(f.told, address)
	return "job-1", f.err
}

func (f *fixture) erasure(providers map[lifecycle.Channel]activities.Provider) *activities.Erasure {
	return &activities.Erasure{Customers: f.store, Runs: f.store, Starter: f.starter, Providers: providers}
}

func TestErasureWaitsForRunningJourneys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.planned()
	in := activities.EraseInput{CustomerID: "c-1", Now: noon}
	ended, err := f.erasure(nil).EndRuns(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "running", ended.Running, 1)
	equal(t, "woken", strings.Join(f.starter.woken, ","), "run-1 "+activities.SignalExit)
	f.store.runs["run-1"].Status = ledger.RunEnded
	ended, err = f.erasure(nil).EndRuns(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "running", ended.Running, 0)
	equal(t, "woken once", len(f.starter.woken), 1)
}

// TestErasureTellsProviders: what the provider says goes into the receipt, without
// the address; what may pass is tried again.
func TestErasureTellsProviders(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	vendor := &forgetful{provider: f.provider}
	erasure := f.erasure(map[lifecycle.Channel]activities.Provider{lifecycle.Email: vendor, lifecycle.SMS: f.provider})
	in := activities.EraseInput{CustomerID: "c-1", Now: noon}
	for _, c := range []struct {
		err  error
		want string
	}{{nil, "accepted, job job-1"}, {&channel.Error{Class: channel.Misconfigured, Status: 403}, "erase it there by hand"}} {
		vendor.err = c.err
		told, err := erasure.TellProviders(t.Context(), in)
		if err != nil || len(told.Providers) != 1 || !strings.Contains(told.Providers["email"], c.want) || strings.Contains(told.Providers["email"], "@") {
			t.Errorf("%v: told %+v, %v", c.err, told, err)
		}
	}
	vendor.err = &channel.Error{Class: channel.Transient, Status: 503}
	_, err := erasure.TellProviders(t.Context(), in)
	equal(t, "a provider that is down", activities.ErrorCode(err), lifecycle.Unavailable)
	equal(t, "told", strings.Join(vendor.told, " "), "c-1@mail.example c-1@mail.example c-1@mail.example")
	p := f.store.profiles["c-1"]
	p.Customer.Email = ""
	f.store.profiles["c-1"] = p
	if told, err := erasure.TellProviders(t.Context(), in); err != nil || len(told.Providers) != 0 {
		t.Errorf("without an address: %+v, %v", told, err)
	}
}

func TestErasureForgetsAndWritesTheReceipt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	in := activities.ForgetInput{CustomerID: "c-1", Request: "r-1", Now: noon, Providers: map[string]string{"email": "accepted, job 1"}}
	erased, err := f.erasure(nil).Forget(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "events", erased.Events, 2)
	in.Late, in.Now = true, noon.Add(time.Hour)
	if _, err := f.erasure(nil).Forget(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	equal(t, "receipts", len(f.store.receipts), 2)
	var first struct {
		Events    int
		Providers map[string]string
	}
	if err := json.Unmarshal(f.store.receipts[0].Receipt, &first); err != nil || first.Events != 2 || first.Providers["email"] == "" || f.store.receipts[0].ID != "r-1" {
		t.Errorf("receipt %s, %v", f.store.receipts[0].Receipt, err)
	}
	if late := string(f.store.receipts[1].Receipt); !strings.HasPrefix(late, `{"late":{`) {
		t.Errorf("what came late: %s", late)
	}
	f.store.failing["EraseCustomer"] = lifecycle.Errorf(lifecycle.NotFound, "there is no customer c-9")
	_, err = f.erasure(nil).Forget(t.Context(), in)
	equal(t, "nobody", activities.ErrorCode(err), lifecycle.NotFound)
}

const confirming = `
journey: double-opt-in
agent: campaign
class: transactional
entry: {event: Consent Requested, key: event.channel}
reentry: {after: 1d}
fallback: template
steps:
  - id: by-mail
    touch: {channels: [email], brief: Ask to confirm.}
`

// asking is a run that asks c-1 to confirm e-mail.
func asking(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, confirming)
	f.store.runs["run-1"].Entry = map[string]any{"channel": "email"}
	p := f.store.profiles["c-1"]
	p.Consents = map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {Channel: lifecycle.Email, State: lifecycle.ConsentPending, At: noon}}
	p.Orders = lifecycle.OrderStats{}
	f.store.profiles["c-1"] = p
	return f
}

// TestConfirmationIsSentNotWeighed: no agent decides whether somebody gets the link
// they wait for, and the link is theirs.
func TestConfirmationIsSentNotWeighed(t *testing.T) {
	t.Parallel()
	f := asking(t)
	f.Brand.Priors.BaseRate, f.Brand.Priors.Lift = 0, map[lifecycle.Channel]float64{lifecycle.Email: -1} // no touch pays
	next := f.prepare(noon)
	f.wantNext(next, activities.ActionDeliver, "by-mail", noon)
	f.deliverNow(next)
	f.wantSent(1)
	m := f.provider.messages[0]
	want := links{}.Confirm("c-1", lifecycle.Email, "c-1@mail.example")
	if m.ConfirmURL != want || !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) || m.Class != lifecycle.Transactional {
		t.Errorf("message %+v", m)
	}
	if m.PreferencesURL != m.UnsubscribeURL+"/preferences" || !strings.Contains(m.HTML, m.PreferencesURL) || strings.Contains(m.Text, "advertisement") {
		t.Errorf("links of the message: %+v", m)
	}
}

// TestPendingIsNoConsent: marketing waits for the confirmation; a confirmation that
// came in the meantime has no link any more and is not sent.
func TestPendingIsNoConsent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	p := f.store.profiles["c-1"]
	p.Consents = map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {Channel: lifecycle.Email, State: lifecycle.ConsentPending, At: noon}}
	f.store.profiles["c-1"] = p
	f.prepare(noon)
	f.wantTouch("nudge", lifecycle.TouchBlocked, "not confirmed yet")

	f = asking(t)
	next := f.prepare(noon)
	p = f.store.profiles["c-1"]
	p.Consents = map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon}}
	f.store.profiles["c-1"] = p
	f.deliver(next.TouchID, noon)
	f.wantSent(0)
	f.wantTouch("by-mail", lifecycle.TouchBlocked, "cannot be rendered")
}

// TestWishesAreKept: a topic that was left is not sent, and once a week is once a week.
func TestWishesAreKept(t *testing.T) {
	t.Parallel()
	about := strings.Replace(oneTouch, "agent: campaign", "agent: campaign\ntopic: offers", 1)
	f := newFixture(t, about)
	p := f.store.profiles["c-1"]
	p.Wishes = lifecycle.Wishes{Left: []string{"offers"}}
	f.store.profiles["c-1"] = p
	f.prepare(noon)
	f.wantTouch("nudge", lifecycle.TouchBlocked, "does not want to hear about offers")

	f = newFixture(t, about)
	next := f.planned()
	p = f.store.profiles["c-1"]
	p.Wishes = lifecycle.Wishes{Left: []string{"offers"}} // after it was planned
	f.store.profiles["c-1"] = p
	f.deliver(next.TouchID, noon)
	f.wantSent(0)

	f = newFixture(t, oneTouch)
	earlier := lifecycle.Touch{ID: "t-0", RunID: "run-0", CustomerID: "c-1", Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchDelivered,
		Slot: "other", ReservedAt: noon.Add(-2 * day), SentAt: noon.Add(-2 * day)}
	f.store.touches["t-0"] = &earlier
	p = f.store.profiles["c-1"]
	p.Wishes = lifecycle.Wishes{Frequency: lifecycle.AtMostWeekly}
	f.store.profiles["c-1"] = p
	f.prepare(noon)
	if touch := f.wantTouch("nudge", lifecycle.TouchDeferred, "customer-wish"); touch.NotBefore.Before(noon.Add(5 * day)) {
		t.Errorf("not before %s", touch.NotBefore)
	}
}
