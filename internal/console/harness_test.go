package console

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/guardrails"
	"touchstone/internal/access"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/workflows"
)

// desk acts on the store at once, as workflows do in the running system.
type desk struct{ *postgres.Store }

func (d desk) Decide(ctx context.Context, item lifecycle.ReviewItem, in workflows.Decision) error {
	status := map[string]lifecycle.ReviewStatus{"approve": lifecycle.ReviewApproved, "reject": lifecycle.ReviewRejected}[in.Verdict]
	return d.DecideReview(ctx, item.ID, status, in.By, in.Note, in.Hash, time.Now().UTC())
}

func (d desk) Edit(ctx context.Context, item lifecycle.ReviewItem, in workflows.Decision) error {
	creative, err := d.Creative(ctx, item.CreativeID)
	if err != nil {
		return err
	}
	if in.Parts.Subject != "" {
		creative.Parts.Subject = in.Parts.Subject
	}
	if in.Parts.Text != "" {
		creative.Parts.Text = in.Parts.Text
	}
	creative.ID, creative.Source, creative.Author = "", lifecycle.FromPerson, in.By
	stored, err := d.SaveCreatives(ctx, []lifecycle.Creative{creative})
	if err != nil {
		return err
	}
	return d.ReplaceReviewed(ctx, item.ID, stored[0])
}

func (d desk) AwaitEdit(ctx context.Context, before lifecycle.ReviewItem) (lifecycle.ReviewItem, error) {
	return d.Review(ctx, before.ID)
}

func (d desk) Control(ctx context.Context, c ledger.Control) error {
	return d.SetControl(ctx, c, time.Now().UTC())
}

func (d desk) CampaignProgress(context.Context, string) (workflows.CampaignState, error) {
	return workflows.CampaignState{Status: workflows.StatusRunning, Pages: 3, Note: "goes well"}, nil
}

// house is a console over a database with one of everything.
type house struct {
	*testing.T
	store  *postgres.Store
	db     *pgxpool.Pool
	server *Server
	web    *httptest.Server
	log    *bytes.Buffer

	customer lifecycle.CustomerID
	review   lifecycle.ReviewItem
}

// noon is the business instant around which everything happened.
var noon = time.Now().UTC().Truncate(time.Hour)

// secretAddress is the customer's e-mail address: it must show where it may only.
const secretAddress = "ada.lovelace@private.example"

func setup(t *testing.T, change ...func(*Config)) *house {
	t.Helper()
	url := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(t.Context(), url, postgres.Options{MaxConnections: 4})
	h := &house{T: t, store: store, log: &bytes.Buffer{}}
	h.must(err)
	t.Cleanup(store.Close)
	h.db, err = pgxpool.New(t.Context(), url)
	h.must(err)
	t.Cleanup(h.db.Close)
	h.fill()
	c := Config{Settings: config.Defaults(), Store: store, Acts: desk{store}, Brand: brand.Example(), Policy: guardrails.DefaultPolicy(), Clock: clock.Clock{},
		Log: slog.New(slog.NewTextHandler(h.log, nil))}
	h.web = httptest.NewUnstartedServer(nil)
	c.Settings.Console.PublicURL = "http://" + h.web.Listener.Addr().String()
	c.Settings.Temporal.UIURL = "http://127.0.0.1:8233"
	for _, one := range change {
		one(&c)
	}
	h.server, err = New(c)
	h.must(err)
	t.Cleanup(h.server.stop)
	h.web.Config.Handler = h.server.Handler()
	h.web.Start()
	t.Cleanup(h.web.Close)
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// fill stores a journey, a campaign, a customer with a blocked touch and a run,
// and copy under review with an approved version before it.
func (h *house) fill() {
	h.Helper()
	ctx := h.Context()
	_, _, err := h.store.SaveJourney(ctx, "winback", journey.Shipped()["winback"], "abcdef0123456789", nil, "", "maria", noon)
	h.must(err)
	_, err = h.store.SaveCampaign(ctx, ledger.CampaignRow{Name: "spring", Journey: "winback", Version: 1, Segment: `stage == "lapsed"`, Ramp: 0.5, Holdout: 0.1,
		Status: workflows.StatusRunning, CreatedAt: noon, CreatedBy: "maria"})
	h.must(err)
	_, err = h.store.UpsertCustomers(ctx, []lifecycle.Customer{{ExternalID: "C000001", Email: secretAddress, FirstName: "Ada", TimeZone: "Europe/Berlin"}}, nil, noon.AddDate(0, -2, 0))
	h.must(err)
	found, err := h.store.FindCustomer(ctx, "C000001")
	h.must(err)
	h.customer = found.ID
	run, _, err := h.store.Enter(ctx, ledger.Entry{Journey: "winback", Version: 1, CustomerID: h.customer, EntryKey: "k", At: noon.Add(-48 * time.Hour), Always: true})
	h.must(err)
	block := lifecycle.Verdict{Outcome: lifecycle.Block, Findings: []lifecycle.Finding{{Rule: "consent-age", Outcome: lifecycle.Block, Value: "800d", Limit: "720d", Reason: "the consent is too old"}}}
	touch := lifecycle.Touch{ID: "0f5e2a7c-6b1d-5c3e-9a55-000000000001", Key: "winback/" + string(h.customer) + "/k/nudge", RunID: run.ID, CustomerID: h.customer, Journey: "winback",
		Version: 1, Step: "nudge", Agent: "winback", Channel: lifecycle.Email, Class: lifecycle.Marketing, Slot: "winback/nudge", State: lifecycle.TouchBlocked, Reason: "consent-age", PlannedAt: noon.Add(-47 * time.Hour)}
	h.must(h.store.SavePlans(ctx, []ledger.Plan{{Touch: touch, Verdict: block, Group: "lapsed", At: touch.PlannedAt}}, []ledger.Record{{At: touch.PlannedAt, Kind: "touch.blocked", Actor: "agent/winback",
		CustomerID: h.customer, RunID: run.ID, TouchID: touch.ID, Subject: "winback/nudge", Body: []byte(`{"verdict":{"outcome":"block","findings":[{"rule":"consent-age","outcome":"block","value":"800d","limit":"720d","reason":"the consent is too old"}]}}`)}}))
	h.must(h.store.AppendDecisions(ctx, []ledger.Record{{At: noon, Kind: "journey.applied", Actor: "maria", Subject: "winback", Body: []byte(`{"version":1}`)}}))
	h.review = h.inReview("winback/nudge", "We miss you, {{ first_name }}", "Come back soon.", "gpt-4o-mini")
	old := lifecycle.Creative{Slot: "winback/nudge", Channel: lifecycle.Email, Parts: lifecycle.Parts{Subject: "We missed you", Text: "Come back. {{ unsubscribe_url }}", HTML: "<p>Come back.</p>"},
		Source: lifecycle.FromTemplate, Author: "template", Status: lifecycle.CreativeApproved, ApprovedBy: "maria", CreatedAt: noon.AddDate(0, 0, -9)}
	_, err = h.store.SaveCreatives(ctx, []lifecycle.Creative{old})
	h.must(err)
}

// inReview puts copy into the review queue.
func (h *house) inReview(slot, subject, text, author string) lifecycle.ReviewItem {
	h.Helper()
	c := lifecycle.Creative{Slot: slot, Channel: lifecycle.Email, Source: lifecycle.FromModel, Author: author, Status: lifecycle.CreativeInReview, CreatedAt: noon,
		Parts: lifecycle.Parts{Subject: subject, Text: text + "\n\n{{ unsubscribe_url }}", HTML: `<p style="color:#333">` + text + `</p><p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>`}}
	stored, err := h.store.SaveCreatives(h.Context(), []lifecycle.Creative{c})
	h.must(err)
	item, _, err := h.store.OpenReview(h.Context(), lifecycle.ReviewItem{Kind: lifecycle.ReviewCreative, CreativeID: stored[0].ID, Content: stored[0].ContentHash(), Journey: "winback",
		Author: author, OpenedAt: time.Now().UTC(), DueAt: time.Now().UTC().Add(time.Hour)}, "review/creative/"+slot, nil)
	h.must(err)
	return item
}

// user adds a user and returns the token.
func (h *house) user(name string, role access.Role) access.Secret {
	h.Helper()
	token := access.NewToken()
	h.must(h.store.AddUser(h.Context(), access.User{Name: name, Role: role, TokenExpiresAt: time.Now().Add(time.Hour), CreatedAt: time.Now().UTC(), CreatedBy: "test"}, token))
	return token
}

// browser is one person's browser: it keeps cookies and follows no redirect.
type browser struct {
	*house
	client *http.Client
	name   string
}

func (h *house) browser() *browser {
	jar := &cookieJar{}
	return &browser{house: h, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// cookieJar keeps the cookies of one server, whatever their path.
type cookieJar struct{ kept []*http.Cookie }

func (j *cookieJar) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		var others []*http.Cookie
		for _, old := range j.kept {
			if old.Name != c.Name {
				others = append(others, old)
			}
		}
		if j.kept = others; c.MaxAge >= 0 {
			j.kept = append(j.kept, c)
		}
	}
}

func (j *cookieJar) Cookies(*url.URL) []*http.Cookie { return j.kept }

// as signs in a new user of a role.
func (h *house) as(role access.Role) *browser {
	h.Helper()
	b := h.browser()
	b.name = string(role) + " " + string(access.NewSecret()[:6])
	b.post("/signin", url.Values{"token": {string(h.user(b.name, role))}}).leads("/")
	return b
}

// answer is what the console said.
type answer struct {
	*testing.T
	what   string
	status int
	header http.Header
	body   string
}

func (b *browser) get(path string) answer {
	b.Helper()
	return b.do(http.MethodGet, path, nil, nil)
}

func (b *browser) post(path string, form url.Values) answer {
	b.Helper()
	return b.do(http.MethodPost, path, form, nil)
}

func (b *browser) do(method, path string, form url.Values, header http.Header) answer {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.web.URL+path, strings.NewReader(form.Encode()))
	b.must(err)
	for name, values := range header {
		req.Header[name] = values
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	b.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	b.must(err)
	return answer{b.T, method + " " + path, resp.StatusCode, resp.Header, string(body)}
}

func (a answer) is(status int) answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("%s: status %d, want %d: %s", a.what, a.status, status, a.text())
	}
	return a
}

// leads wants a redirect to a path.
func (a answer) leads(path string) answer {
	a.Helper()
	if got := a.is(http.StatusSeeOther).header.Get("Location"); got != path {
		a.Fatalf("%s leads to %q, want %q", a.what, got, path)
	}
	return a
}

// says wants words in the visible text.
func (a answer) says(words ...string) answer {
	a.Helper()
	text := a.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			a.Errorf("%s does not say %q:\n%s", a.what, w, text)
		}
	}
	return a
}

func (a answer) lacks(words ...string) answer {
	a.Helper()
	for _, w := range words {
		if strings.Contains(a.body, w) {
			a.Errorf("%s contains %q", a.what, w)
		}
	}
	return a
}

var tags = regexp.MustCompile(`(?s)<(script|svg).*?</(script|svg)>|<[^>]*>`)

// text is the visible text, in one line.
func (a answer) text() string {
	plain := tags.ReplaceAllString(a.body, " ")
	for entity, char := range map[string]string{"&#39;": "'", "&#34;": `"`, "&amp;": "&", "&lt;": "<", "&gt;": ">"} {
		plain = strings.ReplaceAll(plain, entity, char)
	}
	return strings.Join(strings.Fields(plain), " ")
}

// settled asks for a page until its figures have been counted.
func (b *browser) settled(path string) answer {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := b.get(path).is(http.StatusOK)
		if !strings.Contains(a.body, "Being counted") {
			return a
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s is still being counted", path)
		}
	}
}
