package sandbox

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/internal/clock"
)

// Options set up a Server. The zero value works: real time, any key accepted,
// a fresh webhook key, no webhook target until SetWebhookURL.
type Options struct {
	Clock clock.Clock
	Seed  uint64
	Log   *slog.Logger

	SendGridKey string // required bearer key; empty = any non-empty key
	OpenAIKey   string // likewise

	// VerifiedSenders lists addresses ("news@shop.example") and domains
	// ("shop.example") that may send; others are refused with 403 as the vendor
	// does for unverified sender identities. Empty = every sender may.
	VerifiedSenders []string

	WebhookURL string            // where event batches go; may be set later
	WebhookKey *ecdsa.PrivateKey // P-256; nil = generated
	EventDelay time.Duration     // business time from acceptance to delivery, default 1 s
	BatchEvery time.Duration     // real time between event posts, default 200 ms
	KeepBodies int               // messages kept readable in the mailbox, default 2,000
	TouchArg   string            // custom argument that identifies a touch, default "touch_id"

	Delivery Delivery // rates of bounces, blocks and deferrals
	Faults   []Fault  // faults in force from the start

	// OnDelivered is asked what the recipient does with a delivered message.
	// It is called from Run, one message at a time; it must not block.
	OnDelivered func(Delivered) []Reaction
}

// Server is the sandbox. Serve Handler and call Run once.
type Server struct {
	opts    Options
	log     *slog.Logger
	key     *ecdsa.PrivateKey
	public  string
	faults  *faultSet
	outbox  *outbox
	hooks   *webhookQueue
	chats   atomic.Uint64 // chat completions answered
	refused atomic.Uint64 // mail/send requests answered with 4xx or 5xx
	mux     *http.ServeMux

	violations violations
	erasures   erasures

	batchMu sync.Mutex
	batches map[string]bool // batch ids handed out by POST /v3/mail/batch
}

// New returns a sandbox; it fails only when the webhook key is not P-256, a
// starting fault is not valid or no key can be generated.
func New(opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.BatchEvery <= 0 {
		opts.BatchEvery = 200 * time.Millisecond
	}
	if opts.EventDelay <= 0 {
		opts.EventDelay = time.Second
	}
	if opts.KeepBodies <= 0 {
		opts.KeepBodies = 2000
	}
	if opts.TouchArg == "" {
		opts.TouchArg = "touch_id"
	}
	if opts.WebhookKey == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate the webhook key: %w", err)
		}
		opts.WebhookKey = key
	}
	if opts.WebhookKey.Curve != elliptic.P256() {
		return nil, fmt.Errorf("webhook key is on curve %s: SendGrid signs with P-256", opts.WebhookKey.Params().Name)
	}
	der, err := x509.MarshalPKIXPublicKey(&opts.WebhookKey.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the webhook public key: %w", err)
	}
	s := &Server{
		opts: opts, log: opts.Log, key: opts.WebhookKey,
		public:  base64.StdEncoding.EncodeToString(der),
		faults:  &faultSet{seed: opts.Seed},
		outbox:  newOutbox(opts.KeepBodies),
		hooks:   newWebhookQueue(opts.WebhookURL),
		batches: map[string]bool{},
	}
	for _, f := range opts.Faults {
		if _, err := s.Inject(f); err != nil {
			return nil, err
		}
	}
	s.mux = s.routes()
	return s, nil
}

// PublicKey is the key that verifies webhooks, in the form SendGrid shows it:
// base64 of the DER (PKIX) encoding.
func (s *Server) PublicKey() string { return s.public }

// SetWebhookURL says where event batches go from now on. Events that arose
// before are delivered too.
func (s *Server) SetWebhookURL(url string) { s.hooks.setURL(url) }

// Handler answers the vendors' APIs, the mailbox page and the /sandbox doors.
func (s *Server) Handler() http.Handler { return s.mux }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/v3/mail/send", s.mailSend)
	mux.HandleFunc("/v3/mail/batch", s.mailBatch)
	mux.HandleFunc("/v3/recipients/erasejob", s.eraseJob)
	mux.HandleFunc("/v3/messages", s.messages)
	mux.HandleFunc("/v3/messages/{id}", s.message)
	mux.HandleFunc("/v3/", func(w http.ResponseWriter, _ *http.Request) {
		mailError(w, http.StatusNotFound, "not found", "")
	})
	mux.HandleFunc("/v1/chat/completions", s.chatCompletions)
	mux.HandleFunc("/v1/models", s.models)
	mux.HandleFunc("/v1/models/{id}", s.models)
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		chatError{status: http.StatusNotFound, Type: "invalid_request_error",
			Message: "Invalid URL (" + r.Method + " " + r.URL.Path + ")"}.write(w)
	})
	mux.HandleFunc("GET /sandbox/faults", s.listFaults)
	mux.HandleFunc("POST /sandbox/faults", s.addFault)
	mux.HandleFunc("DELETE /sandbox/faults", s.clearFaults)
	mux.HandleFunc("GET /sandbox/stats", s.stats)
	mux.HandleFunc("GET /sandbox/violations", s.listViolations)
	mux.HandleFunc("GET /mailbox", s.mailboxList)
	mux.HandleFunc("GET /mailbox/{id}", s.mailboxLetter)
	mux.Handle("GET /{$}", http.RedirectHandler("/mailbox", http.StatusFound))
	return mux
}

// Run delivers accepted messages and posts their events until the context
// ends; it returns nil then. Events not yet posted stay queued.
func (s *Server) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.opts.BatchEvery)
	defer ticker.Stop()
	for {
		s.deliverDue(s.opts.Clock.Now())
		s.postEvents(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// bearer reports whether the request carries the key.
func bearer(r *http.Request, key string) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && got != "" && (key == "" || got == key)
}
