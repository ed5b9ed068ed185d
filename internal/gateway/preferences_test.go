package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/gateway"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// german is the example brand with a page in German and double opt-in for texts.
func german(t testing.TB) *brand.Brand {
	t.Helper()
	source := strings.Replace(string(brand.ExampleSource()), "preferences: { language: en }", `preferences:
  language: en
  languages:
    de:
      texts: { title: Ihre Auswahl, email: "Werbung von {brand} per E-Mail." }
      topics: { offers: { title: Angebote, about: Rabatte } }`, 1)
	source = strings.Replace(source, "double_opt_in: {}", "double_opt_in: { sms: { sources: [preference-centre] }, email: { sources: [footer form] } }", 1)
	b, err := brand.Parse("brand.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// desk is the doors on a real store, with one customer who agreed to e-mail.
type desk struct {
	*bench
	store    *postgres.Store
	customer lifecycle.CustomerID
	path     string // of the preference page
}

func openDesk(t *testing.T, customer lifecycle.Customer, change ...func(*gateway.Config)) *desk {
	t.Helper()
	store, err := postgres.Open(t.Context(), pgtest.Migrated(t, postgres.Migrate), postgres.Options{MaxConnections: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	b := start(t, append([]func(*gateway.Config){func(c *gateway.Config) {
		c.Outcomes, c.Unsubscribing, c.Tracking, c.Choices, c.Wording = store, store, store, store, german(t)
	}}, change...)...)
	customer.ExternalID = "u"
	_, err = store.UpsertCustomers(t.Context(), []lifecycle.Customer{customer}, []ledger.ConsentRow{{ExternalID: "u", Consent: lifecycle.Consent{
		Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: time.Now().Add(-time.Hour), Source: "checkout"}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ids, err := store.CustomerIDs(t.Context(), []string{"u"})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{b, store, ids["u"], ""}
	d.path = d.pathOf(link.PreferencesOf(b.links.Unsubscribe("http://x", d.customer, lifecycle.Email)))
	return d
}

func (d *desk) pathOf(address string) string { return strings.TrimPrefix(address, "http://x") }

// fill sends a form of the page.
func (d *desk) fill(t *testing.T, form url.Values) (int, string) {
	t.Helper()
	status, _, body := d.do(t, "POST", d.path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "User-Agent", "Firefox")
	return status, body
}

// shown is the page's form as a browser would send it.
func (d *desk) shown(t *testing.T) url.Values {
	t.Helper()
	_, _, page := d.do(t, "GET", d.path, "")
	first, _, _ := strings.Cut(page, `class="stop"`)
	form := url.Values{"action": {"save"}}
	for _, input := range regexp.MustCompile(`<input [^>]*>`).FindAllString(first, -1) {
		name, value := attribute(input, "name"), attribute(input, "value")
		if strings.Contains(input, "hidden") || strings.Contains(input, " checked") {
			form.Add(name, value)
		}
	}
	return form
}

func attribute(tag, name string) string {
	found := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(tag)
	if found == nil {
		return ""
	}
	return found[1]
}

func without(form url.Values, field, value string) url.Values {
	form[field] = slices.DeleteFunc(slices.Clone(form[field]), func(v string) bool { return v == value })
	return form
}

func (d *desk) now(t *testing.T) postgres.Preferences {
	t.Helper()
	p, err := d.store.Preferences(t.Context(), d.customer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (d *desk) records(t *testing.T) []lifecycle.ConsentRecord {
	t.Helper()
	records, err := d.store.ConsentHistory(t.Context(), d.customer)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

var someone = lifecycle.Customer{Email: "Ada.Secret@shop.example", Phone: "+15550001242", FirstName: "Ada", Country: "US"}

func TestPreferencePage(t *testing.T) {
	t.Parallel()
	d := openDesk(t, someone)
	before := len(d.records(t))
	for _, method := range []string{"GET", "HEAD", "GET"} {
		status, h, page := d.do(t, method, d.path, "")
		if status != http.StatusOK || len(d.records(t)) != before || h.Get("Set-Cookie") != "" {
			t.Fatalf("%s: status %d, %v", method, status, h)
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", h)
		}
		if method == "HEAD" {
			continue
		}
		for _, want := range []string{`<html lang="en">`, "Your preferences", "marketing e-mails from Fern &amp; Co", "my number …42", "Discounts and promotions", "At most one message a week", "Stop everything"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		for _, personal := range []string{"Ada", "Secret", "555000", "<script", "http:"} {
			if strings.Contains(page, personal) {
				t.Errorf("the page holds %q", personal)
			}
		}
		for _, input := range regexp.MustCompile(`(?s)<label>.*?</label>`).FindAllString(page, -1) {
			if !strings.Contains(input, "<input") || !strings.Contains(input, "<span>") {
				t.Errorf("a label without field or words: %s", input)
			}
		}
		if n := strings.Count(page, "<legend>"); n != 3 || strings.Count(page, "<h1>") != 1 {
			t.Errorf("%d groups have a legend", n)
		}
	}
	form := d.shown(t)
	if !slices.Equal(form["channel"], []string{"email"}) || len(form["topic"]) != 4 || form.Get("frequency") != "" {
		t.Fatalf("form %v", form)
	}
	if status, page := d.fill(t, form); status != http.StatusOK || !strings.Contains(page, "Nothing was changed.") || len(d.records(t)) != before {
		t.Errorf("an untouched form: %d", status)
	}
	form = without(form, "topic", "offers")
	form["frequency"] = []string{"weekly"}
	for range 2 { // the button twice
		if status, page := d.fill(t, form); status != http.StatusOK || strings.Contains(page, `value="offers" checked`) || !strings.Contains(page, `value="weekly" checked`) {
			t.Errorf("saved: %d\n%s", status, page)
		}
	}
	if p := d.now(t); !slices.Equal(p.Wishes.Left, []string{"offers"}) || p.Wishes.Frequency != lifecycle.AtMostWeekly || p.Consents[lifecycle.Email].State != lifecycle.ConsentGranted {
		t.Errorf("%+v", p)
	}
	records := d.records(t)
	if r := records[before]; len(records) != before+2 || r.Subject != "topic/offers" || r.State != "left" || r.Wording != "Offers Discounts and promotions" ||
		!strings.HasPrefix(r.Form, "preferences-en-") || r.IP != "127.0.0.1" || r.UserAgent != "Firefox" || r.Source != "preference-centre" {
		t.Errorf("proof: %+v", records[before:])
	}
	if status, page := d.fill(t, url.Values{"action": {"stop"}}); status != http.StatusOK || !strings.Contains(page, "You will receive no more marketing from Fern &amp; Co.") {
		t.Errorf("stop: %d\n%s", status, page)
	}
	p := d.now(t)
	for _, ch := range []lifecycle.Channel{lifecycle.Email, lifecycle.SMS, lifecycle.Push} {
		if p.Consents[ch].State != lifecycle.ConsentWithdrawn {
			t.Errorf("after stop %s is %s", ch, p.Consents[ch].State)
		}
	}
	form = d.shown(t)
	form["channel"] = []string{"email"}
	if status, _ := d.fill(t, form); status != http.StatusOK {
		t.Errorf("come back: %d", status)
	}
	if c := d.now(t).Consents[lifecycle.Email]; c.State != lifecycle.ConsentGranted || !strings.Contains(c.Wording, "Send me marketing e-mails from Fern & Co") || c.Rests() != lifecycle.BasisWritten {
		t.Errorf("came back as %+v", c)
	}
	for _, body := range []string{"", "action=delete", "channel=email"} {
		if status, _, _ := d.do(t, "POST", d.path, body, "Content-Type", "application/x-www-form-urlencoded"); status != http.StatusBadRequest {
			t.Errorf("%q: status %d", body, status)
		}
	}
	if strings.Contains(d.logs.String(), "u1.") || strings.Contains(d.logs.String(), "127.0.0.1") {
		t.Error("the log holds a token or an address")
	}
}

// TestAStalePageUndoesNothing: a page that was left open changes what the person
// changed in it, not what was decided elsewhere since.
func TestAStalePageUndoesNothing(t *testing.T) {
	t.Parallel()
	d := openDesk(t, someone)
	stale := d.shown(t)
	if status, _, _ := d.do(t, "POST", strings.TrimSuffix(d.path, "/preferences"), "List-Unsubscribe=One-Click", "Content-Type", "application/x-www-form-urlencoded"); status != http.StatusOK {
		t.Fatalf("one click: %d", status)
	}
	if status, _ := d.fill(t, without(stale, "topic", "tips")); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if p := d.now(t); p.Consents[lifecycle.Email].State != lifecycle.ConsentWithdrawn || !slices.Equal(p.Wishes.Left, []string{"tips"}) {
		t.Errorf("a stale page brought an unsubscribed customer back: %+v", p)
	}
	// A form that never showed a channel says nothing about it.
	if status, _ := d.fill(t, url.Values{"action": {"save"}, "channel": {"email", "sms"}}); status != http.StatusOK || d.now(t).Consents[lifecycle.Email].State != lifecycle.ConsentWithdrawn {
		t.Error("a form of somebody else's making granted a consent")
	}
}

func TestPreferencePageInOtherLanguagesAndStates(t *testing.T) {
	t.Parallel()
	who := someone
	who.Locale = "de-AT"
	d := openDesk(t, who)
	_, _, page := d.do(t, "GET", d.path, "")
	for _, want := range []string{`<html lang="de">`, "Ihre Auswahl", "Werbung von Fern &amp; Co per E-Mail.", "Angebote", "Save my choices"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if err := d.store.Suppress(t.Context(), lifecycle.Email, someone.Email, "bounced", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	form := d.shown(t)
	if len(form["channel"]) != 0 {
		t.Errorf("an address that bounced is ticked: %v", form)
	}
	form["channel"] = []string{"email", "sms"}
	if _, page = d.fill(t, form); !strings.Contains(page, "disabled") || !strings.Contains(page, "Waits for you to confirm") {
		t.Errorf("page:\n%s", page)
	}
	if p := d.now(t); p.Consents[lifecycle.SMS].State != lifecycle.ConsentPending || !strings.HasPrefix(d.records(t)[len(d.records(t))-1].Form, "preferences-de-") {
		t.Errorf("%+v", p.Consents)
	}
	if _, err := d.store.EraseCustomer(t.Context(), d.customer, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		status, _, page := d.do(t, method, d.path, "action=stop", "Content-Type", "application/x-www-form-urlencoded")
		if status != http.StatusOK || !strings.Contains(page, "We hold nothing about you any more") {
			t.Errorf("erased, %s: %d\n%s", method, status, page)
		}
	}
}

// TestOldLinksWork: for longer than 60 days, again and again, after a change of keys.
func TestOldLinksWork(t *testing.T) {
	t.Parallel()
	oldKey, newKey := []byte("the key of half a year ago"), []byte("the key of today, a new one")
	old, err := link.NewSigner(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	d := openDesk(t, someone, func(c *gateway.Config) {
		if c.Links, err = link.NewSigner(newKey, oldKey); err != nil {
			t.Fatal(err)
		}
	})
	d.path = d.pathOf(link.PreferencesOf(old.Unsubscribe("http://x", d.customer, lifecycle.Email)))
	for range 3 {
		if status, _, _ := d.do(t, "GET", d.path, ""); status != http.StatusOK {
			t.Errorf("an old link: %d", status)
		}
	}
	if status, _ := d.fill(t, url.Values{"action": {"stop"}}); status != http.StatusOK || d.now(t).Consents[lifecycle.Email].State != lifecycle.ConsentWithdrawn {
		t.Errorf("stop by an old link: %d", status)
	}
	for _, path := range []string{"/u/nonsense/preferences", strings.Replace(d.path, "/preferences", "A/preferences", 1), "/c/" + strings.Split(d.path, "/")[2]} {
		if status, _, page := d.do(t, "GET", path, "", "Accept-Language", "de-DE,de;q=0.9"); status != http.StatusNotFound || !strings.Contains(page, "This link does not work") || !strings.Contains(page, `lang="de"`) {
			t.Errorf("%s: %d %s", path, status, page)
		}
	}
}

// TestConfirmation: the live door makes a consent pending where the brand asks for
// double opt-in; the link's page changes nothing, its button makes it a yes.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	d := openDesk(t, someone, func(c *gateway.Config) { c.ClientIPHeader = "X-Real-Ip" })
	identify := `{"userId":"v","traits":{"email":"v@shop.example","email_consent":{"state":"granted","source":"footer form","wording":"Send me news.","form":"f7"}},"context":{"ip":"203.0.113.9","userAgent":"Opera"}}`
	for range 2 {
		status, _, text := d.do(t, "POST", "/v1/identify", identify, "Authorization", basic(writeKey))
		if status != http.StatusOK || strings.Contains(text, "rejected") {
			t.Fatalf("identify: %d %s", status, text)
		}
	}
	ids, err := d.store.CustomerIDs(t.Context(), []string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	d.customer = ids["v"]
	if c := d.now(t).Consents[lifecycle.Email]; c.State != lifecycle.ConsentPending || c.Form != "f7" || c.IP != "203.0.113.9" || c.UserAgent != "Opera" {
		t.Fatalf("%+v", c)
	}
	path := d.pathOf(d.links.Confirm("http://x", d.customer, lifecycle.Email, "V@shop.example"))
	for range 2 {
		if status, _, page := d.do(t, "GET", path, ""); status != http.StatusOK || !strings.Contains(page, "Yes, I want that") || !strings.Contains(page, "marketing e-mails from Fern &amp; Co") || d.now(t).Consents[lifecycle.Email].State != lifecycle.ConsentPending {
			t.Errorf("page: %d\n%s", status, page)
		}
	}
	click := func(path, body string) (int, string) {
		status, _, page := d.do(t, "POST", path, body, "Content-Type", "application/x-www-form-urlencoded", "X-Real-Ip", "1.2.3.4, 198.51.100.4")
		return status, page
	}
	if status, _ := click(path, "confirm=no"); status != http.StatusBadRequest {
		t.Errorf("no: %d", status)
	}
	other := d.pathOf(d.links.Confirm("http://x", d.customer, lifecycle.Email, "old@shop.example"))
	if _, page := click(other, "confirm=yes"); !strings.Contains(page, "There is nothing to confirm") || d.now(t).Consents[lifecycle.Email].State != lifecycle.ConsentPending {
		t.Errorf("a link of an earlier address:\n%s", page)
	}
	for range 2 {
		if status, page := click(path, "confirm=yes"); status != http.StatusOK || !strings.Contains(page, "Thank you") {
			t.Errorf("confirm: %d\n%s", status, page)
		}
	}
	c := d.now(t).Consents[lifecycle.Email]
	if c.State != lifecycle.ConsentGranted || c.ConfirmedAt.IsZero() || c.Source != "double opt-in" || c.Wording != "Send me news." || c.IP != "198.51.100.4" {
		t.Errorf("%+v", c)
	}
	if _, err := d.store.Choose(t.Context(), postgres.Choices{Customer: d.customer, At: time.Now(), Source: "test", Event: func(string, map[string]any) postgres.BulkEvent {
		return postgres.BulkEvent{ID: "018f0000-0000-7000-8000-00000000000a", At: time.Now(), ReceivedAt: time.Now(), Properties: []byte("{}")}
	}, Consents: []lifecycle.Consent{{Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn}}}); err != nil {
		t.Fatal(err)
	}
	if _, page := click(path, "confirm=yes"); !strings.Contains(page, "There is nothing to confirm") || d.now(t).Consents[lifecycle.Email].State != lifecycle.ConsentWithdrawn {
		t.Errorf("an old confirmation brought back somebody who left:\n%s", page)
	}
}

// oneChoice is a store for fuzzing: nothing it is told may be out of bounds.
type oneChoice struct {
	t *testing.T
}

func (o oneChoice) Preferences(context.Context, lifecycle.CustomerID) (postgres.Preferences, error) {
	return postgres.Preferences{Customer: someone, Barred: []lifecycle.Channel{lifecycle.SMS}, Consents: map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {State: lifecycle.ConsentGranted}},
		Wishes: lifecycle.Wishes{Left: []string{"news"}}}, nil
}

func (o oneChoice) Choose(_ context.Context, c postgres.Choices) ([]string, error) {
	for _, consent := range c.Consents {
		known := consent.Channel == lifecycle.Email || consent.Channel == lifecycle.SMS || consent.Channel == lifecycle.Push
		if !known || consent.Wording == "" || consent.Channel == lifecycle.SMS && consent.State != lifecycle.ConsentWithdrawn {
			o.t.Fatalf("consent %+v", consent)
		}
	}
	for _, topic := range c.Topics {
		if !slices.Contains([]string{"news", "offers", "tips", "reminders"}, topic.Topic) {
			o.t.Fatalf("topic %+v", topic)
		}
	}
	if c.Frequency != nil && !slices.Contains(lifecycle.Frequencies, *c.Frequency) || len(c.UserAgent) > 500 {
		o.t.Fatalf("choices %+v", c)
	}
	return nil, nil
}

func (o oneChoice) Confirm(context.Context, postgres.Confirmation) (bool, error) { return false, nil }

func FuzzPreferenceForm(f *testing.F) {
	f.Add("action=save&channel=email&had_channel=email&shown=email&topic=offers&frequency=weekly")
	f.Add("action=stop")
	f.Add("action=save&shown=sms&channel=sms&shown=topic/news&topic=news&frequency=hourly&%zz")
	links, err := link.NewSigner([]byte("a signing key for these tests"))
	if err != nil {
		f.Fatal(err)
	}
	wording := german(f)
	path := strings.TrimPrefix(link.PreferencesOf(links.Unsubscribe("http://x", "018f0000-0000-7000-8000-000000000001", lifecycle.Email)), "http://x")
	f.Fuzz(func(t *testing.T, body string) {
		store := &fake{}
		s, err := gateway.New(gateway.Config{Currency: "GBP", Links: links, Outcomes: store, Unsubscribing: store, Tracking: store, Choices: oneChoice{t}, Wording: wording,
			Listens: func(context.Context) ([]string, error) { return nil, nil }})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Fatalf("%q: status %d", body, w.Code)
		}
		if w.Code == http.StatusOK && !strings.Contains(w.Body.String(), "</html>") {
			t.Fatal(fmt.Sprint("half a page: ", w.Body.String()))
		}
	})
}
