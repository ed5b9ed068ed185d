package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/gateway"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

const touch = "018f0000-0000-7000-8000-0000000000aa"

func post(events ...string) string { return "[" + strings.Join(events, ",") + "]" }

func event(kind, more string) string {
	return `{"event":"` + kind + `","timestamp":1767225600,"email":"ann@shop.example","touch_id":"` + touch + `","sg_message_id":"abc.def","sg_event_id":"` + rand.Text() + `"` + more + `}`
}

func TestSignedWebhookBecomesOutcomes(t *testing.T) {
	t.Parallel()
	b := start(t)
	body := post(event("delivered", ""), event("bounce", `,"type":"bounce","reason":"550 5.1.1 <ann@shop.example> unknown","status":"5.1.1"`),
		event("bounce", `,"type":"blocked"`), event("open", `,"sg_machine_open":true`), event("click", `,"url":"https://shop.example/p?utm=1&who=ann"`),
		event("spamreport", ""), event("group_unsubscribe", ""), event("group_resubscribe", ""), `{"event":"open"}`)
	if status := b.signed(t, body); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	kinds := map[ledger.OutcomeKind]ledger.Outcome{}
	for _, o := range b.outcomes {
		kinds[o.Kind] = o
		if o.TouchID != touch || o.Provider != "abc" || strings.Contains(o.Detail, "@") || strings.Contains(o.Detail, "who=") {
			t.Errorf("outcome %+v", o)
		}
	}
	if len(b.outcomes) != 7 || !kinds[ledger.OutcomeBounced].Suppress || kinds[ledger.OutcomeBlocked].Suppress || !kinds[ledger.OutcomeComplained].Suppress ||
		!kinds[ledger.OutcomeUnsubscribe].Suppress || !kinds[ledger.OutcomeOpened].Machine || kinds[ledger.OutcomeClicked].Detail != "https://shop.example/p" {
		t.Errorf("%d outcomes: %+v", len(b.outcomes), kinds)
	}
	if b.notified.Load() != 1 {
		t.Errorf("notified %d times", b.notified.Load())
	}
	// The same events again, under new event ids, change nothing.
	again := strings.ReplaceAll(body, `"sg_event_id":"`, `"sg_event_id":"x`)
	if status := b.signed(t, again); status != http.StatusNoContent || len(b.outcomes) != 7 || b.notified.Load() != 1 {
		t.Errorf("repeated: status %d, %d outcomes, notified %d", status, len(b.outcomes), b.notified.Load())
	}
	if strings.Contains(b.logs.String(), "ann@") {
		t.Error("the log holds an address")
	}
}

func TestUnsignedWebhookChangesNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	body := post(event("spamreport", ""))
	for name, header := range map[string][]string{
		"none":  {},
		"wrong": {"X-Twilio-Email-Event-Webhook-Timestamp", "1", "X-Twilio-Email-Event-Webhook-Signature", "MEUCIQ=="},
	} {
		if status, _, _ := b.do(t, "POST", "/webhooks/sendgrid", body, header...); status != http.StatusForbidden {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if len(b.outcomes) != 0 {
		t.Errorf("outcomes %+v", b.outcomes)
	}
	if _, _, metrics := b.do(t, "GET", "/metrics", ""); !strings.Contains(metrics, `touchstone_gateway_signatures_rejected_total{door="sendgrid"} 2`) {
		t.Errorf("metrics:\n%s", metrics)
	}
	if status, _, _ := b.do(t, "POST", "/webhooks/sendgrid", strings.Repeat("x", 1<<20+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: status %d", status)
	}
}

// The vector is the one of the provider's own libraries.
func TestProviderSignatureVector(t *testing.T) {
	t.Parallel()
	const (
		publicKey = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
		signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
		timestamp = "1600112502"
		payload   = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n"
	)
	verifier, err := sendgrid.NewVerifier(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, func(c *gateway.Config) { c.SendGrid = verifier })
	send := func(body string) int {
		status, _, _ := b.do(t, "POST", "/webhooks/sendgrid", body,
			"X-Twilio-Email-Event-Webhook-Timestamp", timestamp, "X-Twilio-Email-Event-Webhook-Signature", signature)
		return status
	}
	if status := send(payload); status != http.StatusNoContent || len(b.outcomes) != 1 {
		t.Errorf("status %d, outcomes %+v", status, b.outcomes)
	}
	if status := send(strings.TrimSpace(payload)); status != http.StatusForbidden {
		t.Errorf("a changed body: status %d", status)
	}
}

func TestStoreFailureAsksForRepetition(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.fail = lifecycle.Errorf(lifecycle.Unavailable, "the database is gone")
	if status := b.signed(t, post(event("open", ""))); status != http.StatusServiceUnavailable {
		t.Errorf("webhook: status %d", status)
	}
	status, h, _ := b.do(t, "POST", "/v1/track", `{"userId":"u","event":"X"}`, "Authorization", basic(writeKey))
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("track: status %d", status)
	}
	if b.notified.Load()+b.eventsNoted.Load() != 0 {
		t.Error("nobody may be told of what was not committed")
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	b := start(t)
	u, err := url.Parse(b.links.Unsubscribe("http://x", "018f0000-0000-7000-8000-000000000001", lifecycle.Email))
	if err != nil {
		t.Fatal(err)
	}
	// Scanners fetch every link: that must change nothing.
	for _, method := range []string{"GET", "HEAD", "GET"} {
		status, h, page := b.do(t, method, u.Path, "")
		if status != http.StatusOK || len(b.left) != 0 {
			t.Fatalf("%s: status %d, left %v", method, status, b.left)
		}
		if h.Get("Set-Cookie") != "" || h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("headers %v", h)
		}
		if method == "GET" && (!strings.Contains(page, "Fern &amp; Co") || !strings.Contains(page, `<form method="post">`) || strings.Contains(page, "http")) {
			t.Errorf("page:\n%s", page)
		}
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := errors.Join(w.WriteField("List-Unsubscribe", "One-Click"), w.Close()); err != nil {
		t.Fatal(err)
	}
	const urlencoded = "application/x-www-form-urlencoded"
	for i, c := range []struct{ body, kind string }{
		{"List-Unsubscribe=One-Click", urlencoded}, {form.String(), w.FormDataContentType()}, {"confirm=yes", urlencoded},
	} {
		status, h, _ := b.do(t, "POST", u.Path, c.body, "Content-Type", c.kind)
		if status != http.StatusOK || h.Get("Location") != "" || h.Get("Set-Cookie") != "" {
			t.Errorf("%d: status %d, %v", i, status, h)
		}
		if b.left["018f0000-0000-7000-8000-000000000001/email"] != i+1 {
			t.Errorf("%d: left %v", i, b.left)
		}
	}
	if b.eventsNoted.Load() != 1 {
		t.Errorf("noted %d events", b.eventsNoted.Load())
	}
	for _, body := range []string{"", "List-Unsubscribe=Maybe", "confirm=no"} {
		if status, _, _ := b.do(t, "POST", u.Path, body, "Content-Type", urlencoded); status != http.StatusBadRequest {
			t.Errorf("%q: status %d", body, status)
		}
	}
	for _, path := range []string{"/u/nonsense", u.Path + "A"} {
		if status, _, _ := b.do(t, "POST", path, "List-Unsubscribe=One-Click", "Content-Type", urlencoded); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	// An erased customer clicks an old link.
	b.onUnsub = func() (bool, error) { return false, lifecycle.Errorf(lifecycle.NotFound, "nobody") }
	if status, _, _ := b.do(t, "POST", u.Path, "List-Unsubscribe=One-Click", "Content-Type", urlencoded); status != http.StatusOK {
		t.Errorf("erased: status %d", status)
	}
	if strings.Contains(b.logs.String(), "u1.") {
		t.Error("the log holds a token")
	}
}

func basic(key string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":")) }

func TestBatch(t *testing.T) {
	t.Parallel()
	b := start(t)
	body := `{"batch":[
		{"type":"track","userId":"u1","event":"Checkout Started","messageId":"1","properties":{"cart_id":"c"}},
		{"type":"track","userId":"u1"},
		{"type":"identify","userId":"u2","traits":{"email":"u2@shop.example"}},
		{"type":"track","userId":"u2","event":"Order Completed","messageId":"2","properties":{"order_id":"o","total":12,"currency":"GBP"}}]}`
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{body}, {zipped.String(), "Content-Encoding", "gzip"}} {
		b.batches, b.kept = nil, nil
		status, _, text := b.do(t, "POST", "/v1/batch", c[0], append(c[1:], "Authorization", basic("write-key-2"))...)
		var got struct {
			Success  bool
			Accepted int
			Rejected []struct {
				Index  int
				Reason string
			}
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != http.StatusOK {
			t.Fatalf("status %d: %s", status, text)
		}
		if !got.Success || got.Accepted != 3 || len(got.Rejected) != 1 || got.Rejected[0].Index != 1 || got.Rejected[0].Reason != "event is missing" {
			t.Errorf("answer %s", text)
		}
		if len(b.batches) != 1 {
			t.Fatalf("%d batches: everything of one request is one transaction", len(b.batches))
		}
		w := b.batches[0]
		if len(w.Messages) != 3 || len(w.Listens) != 1 || w.Messages[0].Event == nil || w.Messages[1].Traits == nil || w.Messages[2].Order.Total.Amount != 1200 {
			t.Errorf("batch %+v", w)
		}
		if len(b.kept) != 1 || b.kept[0].Key != "shop" || b.kept[0].ExternalID != "u1" || b.kept[0].Reason != "event is missing" {
			t.Errorf("kept %+v", b.kept)
		}
	}
}

func TestTrackingDoorsRefuse(t *testing.T) {
	t.Parallel()
	b := start(t)
	auth := []string{"Authorization", basic(writeKey)}
	for name, c := range map[string]struct {
		path, body string
		header     []string
		status     int
	}{
		"no key":           {"/v1/track", `{}`, nil, 401},
		"wrong key":        {"/v1/track", `{}`, []string{"Authorization", basic("write-key")}, 401},
		"empty key":        {"/v1/track", `{}`, []string{"Authorization", "Bearer "}, 401},
		"bearer":           {"/v1/track", `{"userId":"u","event":"X"}`, []string{"Authorization", "Bearer " + writeKey}, 200},
		"bad JSON":         {"/v1/track", `{`, auth, 400},
		"bad batch":        {"/v1/batch", `{"batch":3}`, auth, 400},
		"no batch":         {"/v1/batch", `{}`, auth, 400},
		"bad UTF-8":        {"/v1/track", "{\"userId\":\"\xff\",\"event\":\"X\"}", auth, 400},
		"large message":    {"/v1/track", `{"userId":"u","event":"X","properties":{"a":"` + strings.Repeat("a", 32<<10) + `"}}`, auth, 400},
		"large batch":      {"/v1/batch", `{"batch":[` + strings.Repeat(" ", 500<<10) + `]}`, auth, 400},
		"gzip bomb":        {"/v1/batch", bomb(), append([]string{"Content-Encoding", "gzip"}, auth...), 400},
		"identify":         {"/v1/identify", `{"userId":"u","traits":{"email_consent":true}}`, auth, 200},
		"identify, bad":    {"/v1/identify", `{"userId":"u","traits":{"phone":"123"}}`, auth, 200},
		"key in the body":  {"/v1/t", `{"userId":"u","event":"X","writeKey":"write-key-2"}`, []string{"Content-Type", "text/plain"}, 200},
		"wrong in body":    {"/v1/t", `{"userId":"u","event":"X","writeKey":"nope"}`, []string{"Content-Type", "text/plain"}, 401},
		"beacon":           {"/beacon/v1/batch?writeKey=write-key-2", `{"batch":[{"type":"page","anonymousId":"a"}]}`, nil, 200},
		"slash at the end": {"/v1/batch/", `{"batch":[]}`, auth, 200},
		"import":           {"/v1/import", `{"batch":[{"type":"track","userId":"u","event":"X","timestamp":"2020-01-01T00:00:00Z"}]}`, auth, 200},
		"group":            {"/v1/group", `{"userId":"u","groupId":"g","traits":{"plan":"gold"}}`, auth, 200},
		"alias":            {"/v1/alias", `{"userId":"u","previousId":"a"}`, auth, 200},
		"brotli":           {"/v1/track", `{}`, append([]string{"Content-Encoding", "br"}, auth...), 400},
		"unknown door":     {"/v1/nothing", `{}`, auth, 404},
		"page":             {"/v1/page", `{"userId":"u","name":"Home"}`, auth, 200},
		"too many in one":  {"/v1/batch", `{"batch":[` + strings.Repeat("1,", 2500) + `1]}`, auth, 400},
		"anonymous person": {"/v1/track", `{"anonymousId":"a","event":"X"}`, auth, 200},
		"nobody":           {"/v1/track", `{"event":"X"}`, auth, 200},
	} {
		if status, _, text := b.do(t, "POST", c.path, c.body, c.header...); status != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, status, c.status, text)
		}
	}
	if status, _, _ := b.do(t, "GET", "/v1/track", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /v1/track: status %d", status)
	}
}

// bomb is 50 MB of blanks in a few kilobytes.
func bomb() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 50 {
		if _, err := z.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var down error
	b := start(t, func(c *gateway.Config) {
		c.Checks = map[string]func(context.Context) error{
			"database": func(context.Context) error { return nil },
			"temporal": func(context.Context) error { return down },
		}
	})
	if status, _, _ := b.do(t, "GET", "/readyz", ""); status != http.StatusOK {
		t.Errorf("ready: %d", status)
	}
	down = errors.New("connection to 10.0.0.1 refused")
	status, _, text := b.do(t, "GET", "/readyz", "")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, `"temporal":"failing"`) || strings.Contains(text, "10.0.0.1") {
		t.Errorf("not ready: %d %s", status, text)
	}
	if status, _, _ := b.do(t, "GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("alive: %d", status)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *gateway.Config) { c.Listens = func(context.Context) ([]string, error) { panic("surprise") } })
	if status, _, _ := b.do(t, "POST", "/v1/track", `{"userId":"u","event":"X"}`, "Authorization", basic(writeKey)); status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(b.logs.String(), "surprise") {
		t.Error("a panic must be logged")
	}
}

func FuzzBatch(f *testing.F) {
	b := start(f)
	f.Add([]byte(`{"batch":[{"type":"track","userId":"u","event":"X"}]}`))
	f.Add([]byte(`{"batch":[null,{"type":"identify","userId":1,"traits":{"email":1}}],"sentAt":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		status, _, text := b.do(t, "POST", "/v1/batch", string(body), "Authorization", basic(writeKey))
		if status != http.StatusOK && status != http.StatusBadRequest {
			t.Fatalf("status %d: %s", status, text)
		}
	})
}
