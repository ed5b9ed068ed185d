package sandbox_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"

	"touchstone/internal/clock"
	"touchstone/internal/sandbox"
)

// hook is a gateway that verifies signatures with the vendor's helper.
type hook struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	key    *ecdsa.PublicKey
	down   int // answer 503 so many times
	bodies []string
	events []map[string]any
}

func newHook(t *testing.T) *hook {
	h := &hook{t: t}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL + "/webhooks/sendgrid"
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down > 0 {
		h.down--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	ok, err := eventwebhook.VerifySignature(h.key, body,
		r.Header.Get(eventwebhook.VerificationHTTPHeader), r.Header.Get(eventwebhook.TimestampHTTPHeader))
	if err != nil || !ok {
		h.t.Errorf("signature not valid: %v", err)
	}
	var batch []map[string]any
	if err := json.Unmarshal(body, &batch); err != nil {
		h.t.Errorf("body: %v", err)
	}
	h.bodies = append(h.bodies, string(body))
	h.events = append(h.events, batch...)
}

func (h *hook) seen() []map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// kinds lists the events of a touch in order of arrival.
func (h *hook) kinds(touchID string) []string {
	var out []string
	for _, e := range h.seen() {
		if e["touch_id"] == touchID {
			out = append(out, e["event"].(string))
		}
	}
	return out
}

// hooked starts a running sandbox that posts to a verifying gateway.
func hooked(t *testing.T, change func(*sandbox.Options)) (box, *hook) {
	t.Helper()
	h := newHook(t)
	b := start(t, true, change)
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(b.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	h.key = key
	b.SetWebhookURL(h.url)
	return b, h
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	origin := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	b, h := hooked(t, func(o *sandbox.Options) {
		o.Clock = clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: origin, Factor: 1}}
	})
	b.mustSend(t, letter("ada@example.com", touch(1)))
	eventually(t, "two events", func() bool { return len(h.kinds(touch(1))) == 2 })
	if got := h.kinds(touch(1)); !slices.Equal(got, []string{"processed", "delivered"}) {
		t.Fatalf("events %v", got)
	}
	e := h.seen()[1]
	if e["email"] != "ada@example.com" || e["response"] != "250 2.0.0 OK" || e["sg_message_id"] == nil || e["sg_event_id"] == nil {
		t.Errorf("event %v", e)
	}
	if c, ok := e["category"].([]any); !ok || len(c) != 2 {
		t.Errorf("category %v", e["category"])
	}
	if at := time.Unix(int64(e["timestamp"].(float64)), 0); at.Before(origin.Add(-time.Minute)) || at.After(origin.Add(time.Minute)) {
		t.Errorf("the event's time %v is not business time", at)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, body := range h.bodies {
		lines := strings.Split(strings.TrimSuffix(body, "]\r\n"), ",\r\n")
		if !strings.HasPrefix(body, `[{"email":`) || !strings.HasSuffix(body, "}]\r\n") || strings.Count(body, `"sg_event_id"`) != len(lines) {
			t.Errorf("layout %q", body)
		}
	}
}

func TestWebhookDelay(t *testing.T) {
	t.Parallel()
	b, h := hooked(t, func(o *sandbox.Options) { o.EventDelay = time.Hour })
	b.mustSend(t, letter("ada@example.com", touch(1)))
	time.Sleep(50 * time.Millisecond)
	if len(h.seen()) != 0 || b.Stats().Due != 1 {
		t.Error("nothing may happen before the delay is over")
	}
}

func TestDeliveryOutcomes(t *testing.T) {
	t.Parallel()
	b, h := hooked(t, nil)
	cases := []struct {
		to    string
		kinds []string
		field string
		value any
	}{
		{"bounce@example.com", []string{"processed", "bounce"}, "type", "bounce"},
		{"block+1@example.com", []string{"processed", "bounce"}, "type", "blocked"},
		{"drop@example.com", []string{"dropped"}, "reason", "Bounced Address"},
		{"bounce@example.com", []string{"dropped"}, "reason", "Bounced Address"},
		{"block+1@example.com", []string{"processed", "bounce"}, "type", "blocked"},
	}
	for i, c := range cases {
		b.mustSend(t, letter(c.to, touch(i)))
		eventually(t, c.to, func() bool { return len(h.kinds(touch(i))) == len(c.kinds) })
		if got := h.kinds(touch(i)); !slices.Equal(got, c.kinds) {
			t.Errorf("%s: %v, want %v", c.to, got, c.kinds)
		}
		if last := h.seen()[len(h.seen())-1]; last[c.field] != c.value {
			t.Errorf("%s: %s is %v, want %v", c.to, c.field, last[c.field], c.value)
		}
	}
}

func TestDeferral(t *testing.T) {
	t.Parallel()
	b, h := hooked(t, func(o *sandbox.Options) {
		o.Clock = clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: time.Now(), Factor: 36000}} // 10 minutes are 17 ms
	})
	b.mustSend(t, letter("defer@example.com", touch(1)))
	eventually(t, "delivery after deferral", func() bool {
		return slices.Equal(h.kinds(touch(1)), []string{"processed", "deferred", "delivered"})
	})
}

func TestReactions(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got sandbox.Delivered
	b, h := hooked(t, func(o *sandbox.Options) {
		o.OnDelivered = func(d sandbox.Delivered) []sandbox.Reaction {
			mu.Lock()
			defer mu.Unlock()
			got = d
			return []sandbox.Reaction{
				{Kind: sandbox.Open, Machine: true}, {Kind: sandbox.Open, After: time.Millisecond}, {Kind: sandbox.Click, After: 2 * time.Millisecond, URL: d.Links[0]},
				{Kind: sandbox.Click, After: 2 * time.Millisecond, URL: d.UnsubscribeURL}, // not tracked: no event
				{Kind: sandbox.SpamReport, After: 3 * time.Millisecond},
			}
		}
	})
	b.mustSend(t, letter("ada@example.com", touch(1)))
	eventually(t, "reactions", func() bool { return slices.Contains(h.kinds(touch(1)), "spamreport") })
	if kinds := h.kinds(touch(1)); !slices.Equal(kinds, []string{"processed", "delivered", "open", "open", "click", "spamreport"}) {
		t.Errorf("events %v", kinds)
	}
	all := h.seen()
	if all[2]["sg_machine_open"] != true || all[3]["sg_machine_open"] != false || all[4]["url"] != "https://shop.example.com/new?a=1&b=2" {
		t.Errorf("reactions %v", all[2:])
	}
	mu.Lock()
	if got.TouchID != touch(1) || got.UnsubscribeURL != "https://mail.example.com/u/1" || !got.OneClick || len(got.Links) != 1 || got.Text != "Hello Ada" {
		t.Errorf("delivered %+v", got)
	}
	mu.Unlock()
	b.mustSend(t, letter("ada@example.com", touch(2)))
	eventually(t, "drop after a complaint", func() bool { return slices.Equal(h.kinds(touch(2)), []string{"dropped"}) })
}

func inject(t *testing.T, b box, f sandbox.Fault) {
	t.Helper()
	if _, err := b.Inject(f); err != nil {
		t.Fatal(err)
	}
}

func TestWebhookFaults(t *testing.T) {
	t.Parallel()
	const n = 60
	run := func(kind sandbox.FaultKind, rate float64) (box, *hook) {
		b, h := hooked(t, nil)
		inject(t, b, sandbox.Fault{Vendor: sandbox.SendGrid, Kind: kind, Rate: rate})
		for i := range n {
			b.mustSend(t, letter(fmt.Sprintf("p%d@example.com", i), touch(i)))
		}
		eventually(t, "all posted", func() bool {
			st := b.Stats()
			return st.Events["delivered"] == n && st.Webhooks.Pending == 0 && st.Webhooks.Posted == len(h.seen())
		})
		return b, h
	}
	t.Run("duplicated", func(t *testing.T) {
		b, h := run(sandbox.WebhooksDuplicated, 0.5)
		ids, copies := map[any]bool{}, map[string]int{}
		for _, e := range h.seen() {
			if ids[e["sg_event_id"]] {
				t.Errorf("a copy must carry a new sg_event_id: %v", e)
			}
			ids[e["sg_event_id"]] = true
			copies[fmt.Sprint(e["touch_id"], e["event"], e["timestamp"])]++
		}
		if made := b.Stats().Webhooks.Copies; made < n/2 || len(h.seen()) != 2*n+made || len(copies) != 2*n {
			t.Errorf("%d copies made, %d events seen, %d different", made, len(h.seen()), len(copies))
		}
	})
	t.Run("lost", func(t *testing.T) {
		b, h := run(sandbox.WebhooksLost, 0.5)
		if lost := b.Stats().Webhooks.Lost; lost < n/2 || len(h.seen()) != 2*n-lost {
			t.Errorf("%d lost, %d seen", lost, len(h.seen()))
		}
	})
	t.Run("reordered", func(t *testing.T) {
		_, h := run(sandbox.WebhooksReordered, 0.5)
		swapped := 0
		for i := range n {
			if slices.Equal(h.kinds(touch(i)), []string{"delivered", "processed"}) {
				swapped++
			}
		}
		if swapped == 0 || len(h.seen()) != 2*n {
			t.Errorf("%d touches out of order, %d events", swapped, len(h.seen()))
		}
	})
}

func TestWebhookRetry(t *testing.T) {
	t.Parallel()
	b, h := hooked(t, nil)
	h.mu.Lock()
	h.down = 1
	h.mu.Unlock()
	b.mustSend(t, letter("ada@example.com", touch(1)))
	eventually(t, "events after the outage", func() bool { return len(h.seen()) == 2 })
	eventually(t, "counters", func() bool { w := b.Stats().Webhooks; return w.Posted == 2 && w.Pending == 0 && w.Failures == 1 })
}

func TestWebhookWaitsForURL(t *testing.T) {
	t.Parallel()
	b, h := hooked(t, nil)
	b.SetWebhookURL("")
	b.mustSend(t, letter("ada@example.com", touch(1)))
	eventually(t, "delivered", func() bool { return b.Stats().Webhooks.Pending == 2 })
	b.SetWebhookURL(h.url)
	eventually(t, "posted", func() bool { return len(h.seen()) == 2 })
}

func TestWebhookKey(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Options{WebhookKey: key}); err == nil {
		t.Error("only P-256 keys sign webhooks")
	}
}

func TestDeliveryRates(t *testing.T) {
	t.Parallel()
	const n = 400
	b, h := hooked(t, func(o *sandbox.Options) { o.Delivery = sandbox.Delivery{HardBounce: 0.1, Block: 0.1} })
	for i := range n {
		b.mustSend(t, letter(fmt.Sprintf("p%d@example.com", i), touch(i)))
	}
	eventually(t, "all events", func() bool { return len(h.seen()) == 2*n })
	hard, soft := 0, 0
	for _, e := range h.seen() {
		switch e["type"] {
		case "bounce":
			hard++
		case "blocked":
			soft++
		}
	}
	if hard < 15 || hard > 75 || soft < 15 || soft > 75 {
		t.Errorf("%d bounced, %d blocked of %d", hard, soft, n)
	}
}
