package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// says is a consent of e-mail that came by a door.
func says(external string, state lifecycle.ConsentState, at time.Time, wording string, live bool) ledger.ConsentRow {
	return ledger.ConsentRow{ExternalID: external, Live: live, Consent: lifecycle.Consent{Channel: lifecycle.Email, State: state, At: at, Source: "form",
		Wording: wording, Form: "v3", IP: "192.0.2.1", UserAgent: "Firefox"}}
}

func (b bench) consent(rows ...ledger.ConsentRow) {
	b.t.Helper()
	_, err := b.UpsertCustomers(b.t.Context(), nil, rows, noon)
	b.must(err)
}

// history is the consent history in short.
func (b bench) history(customer lifecycle.CustomerID) string {
	b.t.Helper()
	records, err := b.ConsentHistory(b.t.Context(), customer)
	b.must(err)
	var list []string
	for _, r := range records {
		list = append(list, r.Subject+" "+r.State+" "+r.Source)
	}
	return strings.Join(list, ", ")
}

func (b bench) email(customer lifecycle.CustomerID) lifecycle.Consent {
	b.t.Helper()
	p, err := b.Profile(b.t.Context(), customer)
	b.must(err)
	return p.Consents[lifecycle.Email]
}

// TestConsentHistory: every statement is kept with its proof, those too that do not
// count, whatever way they came; and nobody can change one.
func TestConsentHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	b.consent(says("c000000", lifecycle.ConsentGranted, noon, "Yes, write to me", false))
	b.consent(says("c000000", lifecycle.ConsentGranted, noon, "Yes, write to me", false)) // the same file again
	b.consent(says("c000000", lifecycle.ConsentWithdrawn, noon.Add(-day), "", false),     // an older statement
		says("c000000", lifecycle.ConsentGranted, noon.Add(-2*day), "", false)) // two in one batch
	b.must(b.SetConsent(t.Context(), c, lifecycle.Consent{Channel: lifecycle.SMS, State: lifecycle.ConsentGranted, Basis: lifecycle.BasisPurchase, At: noon, Source: "checkout"}))
	b.exec(`update consents set state = 'withdrawn', at = $1, source = 'elsewhere' where customer_id = $2 and channel = 'email'`, noon.Add(day), string(c))
	want := "email granted form, email withdrawn form, email granted form, sms granted checkout, email withdrawn elsewhere"
	if got := b.history(c); got != want {
		t.Errorf("history %s\nwant %s", got, want)
	}
	records, err := b.ConsentHistory(t.Context(), c)
	b.must(err)
	if r := records[2]; r.Wording != "Yes, write to me" || r.Form != "v3" || r.IP != "192.0.2.1" || r.UserAgent != "Firefox" || !r.At.Equal(noon) || r.RecordedAt.IsZero() {
		t.Errorf("proof %+v", r)
	}
	if got := b.email(c); got.State != lifecycle.ConsentWithdrawn || got.Source != "elsewhere" {
		t.Errorf("what counts: %+v", got)
	}
	for _, sql := range []string{"update consent_records set state = 'granted'", "update consent_records set wording = 'other'", "delete from consent_records",
		"truncate consent_records", "update consent_records set at = at + interval '1 day'"} {
		if _, err := b.raw.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestDoubleOptIn: a pending consent is no yes until it is confirmed at the address
// that was asked; asking does not undo a yes; the live door asks once.
func TestDoubleOptIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(2)
	b.consent(says("c000000", lifecycle.ConsentPending, noon, "Yes", true))
	b.consent(says("c000000", lifecycle.ConsentPending, noon, "Yes", true))
	asked := func() int {
		return query[int](b, "select count(*) from events e join event_outbox o on o.event_id = e.id where e.name = 'Consent Requested' and e.properties = '{\"channel\": \"email\"}'")
	}
	if got := b.email(c[0]); got.State != lifecycle.ConsentPending || asked() != 1 {
		t.Fatalf("%+v, asked %d times", got, asked())
	}
	b.consent(says("c000001", lifecycle.ConsentPending, noon, "Yes", false)) // by a file: nobody is asked
	if asked() != 1 {
		t.Error("a file asked somebody to confirm")
	}
	confirm := func(address string, at time.Time) bool {
		t.Helper()
		ok, err := b.Confirm(t.Context(), postgres.Confirmation{Customer: c[0], Channel: lifecycle.Email, Address: link.AddressMark(address), At: at, IP: "198.51.100.9", UserAgent: "Safari",
			Event: postgres.BulkEvent{ID: lifecycle.EventID(id()), Name: postgres.ConsentConfirmed, At: at, ReceivedAt: at, Properties: []byte("{}")}, Listens: []string{postgres.ConsentConfirmed}})
		b.must(err)
		return ok
	}
	if confirm("somebody@else.example", noon.Add(time.Hour)) || b.email(c[0]).State != lifecycle.ConsentPending {
		t.Error("confirmed at another address")
	}
	if !confirm("C000000@example.com", noon.Add(time.Hour)) || confirm("c000000@example.com", noon.Add(2*time.Hour)) {
		t.Error("want one confirmation")
	}
	if got := b.email(c[0]); got.State != lifecycle.ConsentGranted || got.Wording != "Yes" || !got.ConfirmedAt.Equal(noon.Add(time.Hour)) || got.IP != "198.51.100.9" {
		t.Errorf("confirmed: %+v", got)
	}
	b.consent(says("c000000", lifecycle.ConsentPending, noon.Add(day), "Yes", true))
	if got := b.email(c[0]); got.State != lifecycle.ConsentGranted || asked() != 1 {
		t.Errorf("asked again: %+v", got)
	}
	if got := query[int](b, "select count(*) from event_outbox where name = 'Consent Confirmed'"); got != 1 {
		t.Errorf("%d confirmations are routed", got)
	}
	b.verified()
}

// choose is what the preference page sends.
func (b bench) choose(c postgres.Choices) []string {
	b.t.Helper()
	c.Source, c.Form, c.IP = "preference-centre", "preferences-en-1", "192.0.2.5"
	if c.At.IsZero() {
		c.At = noon
	}
	c.Event = func(name string, properties map[string]any) postgres.BulkEvent {
		return postgres.BulkEvent{ID: lifecycle.EventID(id()), Name: name, At: c.At, ReceivedAt: c.At, Properties: []byte(fmt.Sprintf("{\"n\": %d}", len(properties)))}
	}
	changed, err := b.Choose(b.t.Context(), c)
	b.must(err)
	return changed
}

func channelTo(state lifecycle.ConsentState) []lifecycle.Consent {
	return []lifecycle.Consent{{Channel: lifecycle.Email, State: state, Wording: "Send me e-mails."}}
}

func TestChoosePreferences(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	b.consent(says("c000000", lifecycle.ConsentGranted, noon.Add(-day), "Yes", false))
	weekly := lifecycle.AtMostWeekly
	topics := []postgres.TopicChoice{{Topic: "offers", Left: true}, {Topic: "news"}}
	wording := map[string]string{"topic/offers": "Offers: discounts", "frequency": "At most one message a week"}
	changed := b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentGranted), Topics: topics, Frequency: &weekly, Wording: wording})
	if !slices.Equal(changed, []string{"topic/offers", "frequency"}) {
		t.Errorf("changed %v", changed)
	}
	if again := b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentGranted), Topics: topics, Frequency: &weekly, At: noon.Add(time.Hour)}); len(again) != 0 {
		t.Errorf("the same again changed %v", again)
	}
	p, err := b.Preferences(t.Context(), c)
	b.must(err)
	if !slices.Equal(p.Wishes.Left, []string{"offers"}) || p.Wishes.Frequency != weekly || len(p.Barred) != 0 {
		t.Errorf("%+v", p)
	}
	// Stop, then come back: the suppression goes as it came.
	if changed := b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentWithdrawn), At: noon.Add(2 * time.Hour)}); !slices.Equal(changed, []string{"email"}) {
		t.Errorf("stop changed %v", changed)
	}
	suppressed := func() int { return query[int](b, "select count(*) from suppressions where reason = 'unsubscribed'") }
	if suppressed() != 1 {
		t.Error("the address is not suppressed")
	}
	b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentGranted), Topics: []postgres.TopicChoice{{Topic: "offers"}}, At: noon.Add(3 * time.Hour)})
	if got := b.email(c); got.State != lifecycle.ConsentGranted || got.Wording != "Send me e-mails." || got.Rests() != lifecycle.BasisWritten || suppressed() != 0 {
		t.Errorf("came back: %+v, %d suppressed", got, suppressed())
	}
	if want := "email granted form, topic/offers left preference-centre, frequency weekly preference-centre, email withdrawn preference-centre, email granted preference-centre, topic/offers joined preference-centre"; b.history(c) != want {
		t.Errorf("history %s\nwant %s", b.history(c), want)
	}
	records, err := b.ConsentHistory(t.Context(), c)
	b.must(err)
	if records[1].Wording != "Offers: discounts" || records[1].Form != "preferences-en-1" || records[1].IP != "192.0.2.5" {
		t.Errorf("proof of a topic: %+v", records[1])
	}
	if n := query[int](b, "select count(*) from decision_log where kind = 'preferences.changed' and body not like '%192.0.2%'"); n != 3 {
		t.Errorf("%d decision records", n)
	}
	b.erase(c, noon.Add(day))
	_, err = b.Preferences(t.Context(), c)
	wantCode(t, err, lifecycle.NotFound)
	_, err = b.Choose(t.Context(), postgres.Choices{Customer: c, At: noon})
	wantCode(t, err, lifecycle.NotFound)
	b.verified()
}

// TestABounceSurvivesANewYes: what a provider reported about messages to a customer
// is not undone by the customer.
func TestABounceSurvivesANewYes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	sent := b.planned(c, "a")
	b.send(sent, noon)
	b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentWithdrawn), At: noon.Add(time.Minute)})
	_, err := b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "k", TouchID: sent.ID, Kind: ledger.OutcomeBounced, Suppress: true, At: noon.Add(time.Hour)}})
	b.must(err)
	b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentGranted), At: noon.Add(2 * time.Hour)})
	if n := query[int](b, "select count(*) from suppressions where channel = 'email'"); n != 1 {
		t.Error("a new yes made a bounced address reachable")
	}
}

// TestOnlyAnActLiftsAnUnsubscribe: neither an old file nor a trait that a shop
// repeats brings back somebody who left.
func TestOnlyAnActLiftsAnUnsubscribe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	b.choose(postgres.Choices{Customer: c, Consents: channelTo(lifecycle.ConsentWithdrawn)})
	suppressed := func() int { return query[int](b, "select count(*) from suppressions") }
	for name, row := range map[string]ledger.ConsentRow{"file": says("c000000", lifecycle.ConsentGranted, noon.Add(time.Hour), "Yes", false),
		"trait": says("c000000", lifecycle.ConsentGranted, noon.Add(2*time.Hour), "", true)} {
		if b.consent(row); suppressed() != 1 {
			t.Errorf("a %s lifted the unsubscribe", name)
		}
	}
	if _, err := b.UpsertCustomers(t.Context(), nil, []ledger.ConsentRow{says("c000000", lifecycle.ConsentGranted, noon.Add(3*time.Hour), "Yes", true)}, noon.Add(3*time.Hour)); err != nil || suppressed() != 0 {
		t.Errorf("a new sign-up did not: %v", err)
	}
}
