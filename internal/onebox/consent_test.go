package onebox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"touchstone/internal/ingest"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
)

// offering is a journey of two e-mails, the second about a topic.
const offering = `entry: {event: "Did {name}"}
reentry: never
exit:
  - event: Unsubscribed
steps:
  - id: note
    touch: {slot: suite/note, brief: Say hello.}
  - id: rest
    wait: {for: 25m}
  - id: offer
    touch: {slot: suite/second, topic: offers, brief: Say what is new.}
`

// ask posts to the doors of the shop's systems, and answers with the status.
func (h *house) ask(t *testing.T, path string, body map[string]any) (int, string) {
	t.Helper()
	text, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Config.Gateway.PublicURL+"/v1/privacy/"+path, bytes.NewReader(text))
	must(t, err)
	req.SetBasicAuth(h.Config.Privacy.Keys[0], "")
	return roundTrip(t, req)
}

// TestErasureByTheShop: a customer in the middle of a journey is erased by the shop's
// own system. Nothing is sent after the answer, the journey ends, the vendor is told,
// nothing personal is left, and ledger and decision log still verify.
func TestErasureByTheShop(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("forget")
	h.listen(t, name, strings.Replace(patient, "for: 3h", "for: 2m", 1)) // two real seconds: the next mail is close
	ids := h.customers(t, name, "ada", 2)
	h.trackAll(t, ids, "Did "+name)
	run := h.resting(t, name, ids[0])
	h.mail(t, name, "note", ids[0])
	before, err := h.Store.VerifyDecisions(t.Context())
	must(t, err)
	if status, doc := h.ask(t, "export", map[string]any{"userId": ids[0], "by": "helpdesk"}); status != http.StatusOK || !json.Valid([]byte(doc)) || !strings.Contains(doc, "ada+"+ids[0]+"@example.com") {
		t.Errorf("export: %d %.300s", status, doc)
	}
	status, answer := h.ask(t, "erase", map[string]any{"userId": ids[0], "reason": "asked by letter", "by": "helpdesk"})
	var accepted struct{ Request, Status string }
	if err := json.Unmarshal([]byte(answer), &accepted); err != nil || status != http.StatusAccepted || accepted.Request == "" {
		t.Fatalf("erase: %d %s", status, answer)
	}
	if status, again := h.ask(t, "erase", map[string]any{"userId": ids[0]}); status != http.StatusAccepted || !strings.Contains(again, accepted.Request) {
		t.Errorf("asked again: %d %s", status, again)
	}
	eventually(t, 40*time.Second, say("the receipt"), func() (bool, error) {
		r, err := h.Store.PrivacyRequest(t.Context(), accepted.Request)
		return !r.DoneAt.IsZero() && strings.Contains(string(r.Receipt), `"email": "accepted, job`), err
	})
	h.mail(t, name, "receipt", ids[1]) // the other customer's journey went on meanwhile
	for _, touch := range h.touches(t, name) {
		if touch.customer == ids[0] && touch.step != "note" {
			if _, arrived := h.inbox.Load(string(touch.id)); arrived || touch.state.Sent() {
				t.Errorf("step %s was sent after the request was accepted", touch.step)
			}
		}
	}
	if ended := h.runs(t, name, ids[0])[0]; ended.Status != ledger.RunEnded || len(ended.Entry) != 0 || !strings.Contains(ended.EndReason, "erased") {
		t.Errorf("run %+v", ended)
	}
	eventually(t, 20*time.Second, say("the end of the workflow"), func() (bool, error) {
		state, err := h.state(t, run)
		return state.Doing == "end", err
	})
	if !slices.Contains(h.Sandbox.Erased(), "ada+"+ids[0]+"@example.com") {
		t.Error("the vendor was not told")
	}
	for _, table := range []string{"customers", "consents", "consent_records", "suppressions", "events", "orders", "journey_runs", "touches", "provider_events", "decision_log", "privacy_requests"} {
		var left int
		must(t, h.db.QueryRow(t.Context(), `select count(*) from `+table+` x where to_jsonb(x)::text ~* $1`, "ada.{1,3}"+ids[0]+"@").Scan(&left))
		if left != 0 {
			t.Errorf("%s still has the address", table)
		}
	}
	// Somebody imports the old file again: nobody comes back, nothing is sent.
	h.importFile(t, "events", "external_id,name,at\n"+ids[1]+",Looked,"+h.Clock.Now().Format(time.RFC3339)+"\n", ingest.Mapping{}, 1)
	body := []byte(`{"userId":"` + ids[0] + `","traits":{"email":"ada+` + ids[0] + `@example.com","email_consent":true}}`)
	if status, text := h.post(t, h.Config.Gateway.PublicURL+"/v1/identify", "application/json", body); status != http.StatusOK {
		t.Errorf("identify: %d %s", status, text)
	}
	if p, err := h.Store.Profile(t.Context(), run.CustomerID); err != nil || p.Customer.Email != "" || p.Customer.ErasedAt.IsZero() {
		t.Errorf("a repeated trait brought the customer back: %+v, %v", p.Customer, err)
	}
	after, err := h.Store.VerifyDecisions(t.Context())
	must(t, err)
	if !before.OK || !after.OK || after.Entries <= before.Entries {
		t.Errorf("decision log before %+v, after %+v", before, after)
	}
	h.sound(t)
}

// TestPreferencesInABrowser: the link in a real message, without a log-in and without
// scripts; a topic that is left is not sent about any more.
func TestPreferencesInABrowser(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("choices")
	h.listen(t, name, offering)
	ids := h.customers(t, name, "ada", 1)
	h.trackAll(t, ids, "Did "+name)
	h.resting(t, name, ids[0])
	letter := h.mail(t, name, "note", ids[0])
	page := link.PreferencesOf(letter.UnsubscribeURL)
	if !strings.Contains(letter.HTML, page) || !strings.Contains(letter.Text, page) {
		t.Fatalf("the message has no preference link:\n%s", letter.Text)
	}
	if slices.ContainsFunc(letter.Links, func(l string) bool { return strings.Contains(l, "/preferences") }) {
		t.Error("the preference link is tracked")
	}
	u, err := url.Parse(page)
	must(t, err)
	b := openBrowser(t, "http://"+u.Host)
	b.goTo(u.Path)
	b.sees("Your preferences")
	b.shot("preferences")
	b.do(chromedp.Click(chromedp.CSS(`input[value="offers"]:not([type=hidden])`)), chromedp.Click(chromedp.CSS(`input[value="weekly"]`)))
	b.click(`button[value="save"]`)
	b.sees("Your choices are saved.")
	if !b.is(`!document.querySelector('input[type=checkbox][value="offers"]').checked && document.querySelector('input[type=radio][value="weekly"]').checked`) {
		t.Error("the page does not show what was saved")
	}
	p, err := h.Store.Preferences(t.Context(), h.customer(t, ids[0]))
	must(t, err)
	if !slices.Equal(p.Wishes.Left, []string{"offers"}) || p.Wishes.Frequency != lifecycle.AtMostWeekly || p.Consents[lifecycle.Email].State != lifecycle.ConsentGranted {
		t.Errorf("stored %+v", p)
	}
	eventually(t, 60*time.Second, func() string { return "the offer to be blocked" }, func() (bool, error) {
		for _, touch := range h.touches(t, name) {
			if touch.step == "offer" {
				return touch.state == lifecycle.TouchBlocked, nil
			}
		}
		return false, nil
	})
	b.press("\t")
	b.click(`button[value="stop"]`)
	b.sees("You will receive no more marketing")
	b.shot("preferences-stopped")
}

// TestDoubleOptInMail: somebody signs up where the brand asks for a confirmation. The
// journey sends the link through the ledger, and its button makes the consent count.
func TestDoubleOptInMail(t *testing.T) {
	h := open(t)
	t.Parallel()
	const asks = "double-opt-in"
	_, err := h.plane.ApplyJourney(t.Context(), asks+".yaml", journey.Shipped()[asks], "maria")
	must(t, err)
	eventually(t, 30*time.Second, say("approved copy that asks to confirm"), func() (bool, error) {
		creatives, err := h.Store.Creatives(t.Context(), []string{asks + "/by-mail"})
		return len(creatives) > 0 && creatives[0].Status == lifecycle.CreativeApproved, err
	})
	time.Sleep(1100 * time.Millisecond) // until every worker knows the journey
	id := unique("doi")
	body := []byte(`{"userId":"` + id + `","traits":{"email":"ada+` + id + `@example.com","email_consent":{"state":"pending","source":"sign-up form","wording":"Send me news."}}}`)
	if status, text := h.post(t, h.Config.Gateway.PublicURL+"/v1/identify", "application/json", body); status != http.StatusOK {
		t.Fatalf("identify: %d %s", status, text)
	}
	letter := h.mail(t, asks, "by-mail", id)
	at := strings.Index(letter.Text, "/c/")
	if at < 0 {
		t.Fatalf("no confirmation link in\n%s", letter.Text)
	}
	address := h.Config.Gateway.PublicURL + strings.Fields(letter.Text[at:])[0]
	state := func() lifecycle.ConsentState {
		p, err := h.Store.Profile(t.Context(), h.customer(t, id))
		must(t, err)
		return p.Consents[lifecycle.Email].State
	}
	res, err := http.Get(address)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusOK || !strings.Contains(string(text), "Yes, I want that") || state() != lifecycle.ConsentPending {
		t.Errorf("the page: %d, consent %s\n%s", res.StatusCode, state(), text)
	}
	if status, page := h.post(t, address, "application/x-www-form-urlencoded", []byte("confirm=yes")); status != http.StatusOK || state() != lifecycle.ConsentGranted {
		t.Errorf("confirm: %d, consent %s\n%s", status, state(), page)
	}
}
