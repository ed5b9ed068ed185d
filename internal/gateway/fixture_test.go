package gateway_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/gateway"
	"touchstone/internal/ledger"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// fake stands in for the store: function fields where a test cares, counters
// everywhere.
type fake struct {
	mu          sync.Mutex
	outcomes    map[string]ledger.Outcome
	left        map[string]int
	batches     []postgres.TrackBatch
	kept        []postgres.RejectedMessage
	pruned      int
	onTrack     func(postgres.TrackBatch) (postgres.TrackResult, error)
	fail        error
	failKeeping error
	onUnsub     func() (bool, error)
	notified    atomic.Int32
	eventsNoted atomic.Int32
}

func (f *fake) ApplyOutcomes(_ context.Context, outcomes []ledger.Outcome) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return 0, f.fail
	}
	fresh := 0
	for _, o := range outcomes {
		if _, ok := f.outcomes[o.Key]; !ok {
			f.outcomes[o.Key] = o
			fresh++
		}
	}
	return fresh, nil
}

func (f *fake) Unsubscribe(_ context.Context, u postgres.Unsubscription) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onUnsub != nil {
		return f.onUnsub()
	}
	key := string(u.Customer) + "/" + string(u.Channel)
	f.left[key]++
	return f.left[key] == 1, nil
}

func (f *fake) Track(_ context.Context, b postgres.TrackBatch) (postgres.TrackResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onTrack != nil {
		if result, err := f.onTrack(b); err != nil || result.Refused != nil {
			return result, err
		}
	}
	if f.fail != nil {
		return postgres.TrackResult{}, f.fail
	}
	f.batches = append(f.batches, b)
	return postgres.TrackResult{New: len(b.Messages)}, nil
}

func (f *fake) AddRejected(_ context.Context, messages []postgres.RejectedMessage) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, messages...)
	return f.failKeeping
}

func (f *fake) PruneRejected(_ context.Context, _ time.Time, keep int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pruned++
	return max(len(f.kept)-keep, 0), nil
}

type bench struct {
	*fake
	url   string
	links link.Signer
	key   *ecdsa.PrivateKey
	logs  *journal
}

const writeKey = "write-key-1"

func start(t testing.TB, change ...func(*gateway.Config)) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := sendgrid.NewVerifier(base64.StdEncoding.EncodeToString(der))
	if err != nil {
		t.Fatal(err)
	}
	links, err := link.NewSigner([]byte("a signing key for these tests"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{outcomes: map[string]ledger.Outcome{}, left: map[string]int{}}
	logs := &journal{}
	c := gateway.Config{
		Brand: "Fern & Co", Currency: "GBP", Links: links, SendGrid: verifier, WriteKeys: []string{writeKey, "shop:write-key-2"},
		Outcomes: f, Unsubscribing: f, Tracking: f, KeepRejected: 100, RejectedFor: time.Hour,
		Listens:    func(context.Context) ([]string, error) { return []string{"Checkout Started"}, nil },
		OnOutcomes: func(context.Context, []ledger.Outcome) { f.notified.Add(1) }, OnEvents: func() { f.eventsNoted.Add(1) },
		Log: slog.New(slog.NewTextHandler(logs, nil)),
	}
	for _, ch := range change {
		ch(&c)
	}
	s, err := gateway.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	return &bench{f, server.URL, links, key, logs}
}

// do sends a request and returns status, headers and body.
func (b *bench) do(t testing.TB, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(got)
}

// signed posts a webhook body as the provider signs it.
func (b *bench) signed(t testing.TB, body string) int {
	t.Helper()
	stamp := "1767225600"
	digest := sha256.Sum256([]byte(stamp + body))
	signature, err := ecdsa.SignASN1(rand.Reader, b.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	status, _, _ := b.do(t, "POST", "/webhooks/sendgrid", body, "Content-Type", "application/json",
		"X-Twilio-Email-Event-Webhook-Timestamp", stamp, "X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature))
	return status
}

// journal takes log lines and may be read meanwhile.
type journal struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.String()
}
