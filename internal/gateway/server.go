package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/ingest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
	"touchstone/internal/web"
)

// OutcomeStore applies what providers report. It returns how many were new.
type OutcomeStore interface {
	ApplyOutcomes(ctx context.Context, outcomes []ledger.Outcome) (int, error)
}

// UnsubscribeStore takes a customer off a channel, in one transaction and
// idempotently.
type UnsubscribeStore interface {
	Unsubscribe(ctx context.Context, u postgres.Unsubscription) (changed bool, err error)
}

// Verifier checks the signature of a webhook over its raw body;
// *sendgrid.Verifier is one.
type Verifier interface {
	Verify(h http.Header, body []byte) error
}

// Config is what a Server is made of.
type Config struct {
	Brand         string // shown on the unsubscribe page
	Currency      string // ISO 4217; totals of tracked orders must be in it
	Clock         clock.Clock
	Links         link.Signer
	SendGrid      Verifier // nil: the webhook door answers 404
	WriteKeys     []string // of the tracking API, as KEY or NAME:KEY; none: its doors answer 401
	Outcomes      OutcomeStore
	Unsubscribing UnsubscribeStore
	Tracking      ingest.Tracking
	Limits        Limits
	// KeepRejected is how many refused messages are kept, for at most RejectedFor.
	KeepRejected int
	RejectedFor  time.Duration
	// Listens names the events some journey may react to; they go to the outbox.
	Listens func(ctx context.Context) ([]string, error)
	// OnOutcomes is told of applied outcomes after they are committed, OnEvents
	// that the outbox may have something; both may be nil and must not block.
	OnOutcomes func(ctx context.Context, outcomes []ledger.Outcome)
	OnEvents   func()
	// Choices keeps what customers choose on the preference page, in the words of
	// Wording; without, the page and the confirmation links do not work.
	Choices ChoiceStore
	Wording *brand.Brand
	// Privacy carries out exports and erasures for the shop's own systems, which
	// show one of PrivacyKeys; without keys its doors answer 401. They are not the
	// write keys: those may stand in the pages of a shop.
	Privacy        PrivacyDesk
	PrivacyKeys    []string
	ClientIPHeader string // set by a trusted proxy in front; empty = the connection's address counts
	// Checks are what /readyz asks: "database", "temporal".
	Checks  map[string]func(ctx context.Context) error
	Metrics *prometheus.Registry // nil: one of its own
	Log     *slog.Logger         // nil: silent
}

// Server answers HTTP.
type Server struct {
	Config
	keys      keyring
	flow      *flow
	intake    *ingest.Intake
	committer *committer
	secrets   keyring // of the privacy doors
	metrics   *metrics
	handler   http.Handler
}

// New returns a server. It fails when a door could never work.
func New(c Config) (*Server, error) {
	for name, missing := range map[string]bool{
		"Outcomes": c.Outcomes == nil, "Unsubscribing": c.Unsubscribing == nil,
		"Tracking": c.Tracking == nil, "Listens": c.Listens == nil,
	} {
		if missing {
			return nil, fmt.Errorf("gateway: %s is not set", name)
		}
	}
	if !lifecycle.ValidCurrency(c.Currency) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "gateway: currency %q is not an ISO 4217 code such as USD", c.Currency)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	s := &Server{Config: c, keys: newKeyring(c.WriteKeys), secrets: newKeyring(c.PrivacyKeys)}
	s.flow = newFlow(c.Limits, s.keys.names)
	s.intake = &ingest.Intake{Store: c.Tracking, Currency: c.Currency, Now: c.Clock.Now, Listens: c.Listens, Confirm: s.needsConfirmation, Keep: c.KeepRejected, KeepFor: c.RejectedFor}
	s.committer = newCommitter(s.intake)
	var err error
	if s.metrics, err = newMetrics(c.Metrics); err != nil {
		return nil, fmt.Errorf("gateway: register metrics: %w", err)
	}
	mux := http.NewServeMux()
	for _, d := range []struct {
		pattern, name string
		handle        http.HandlerFunc
	}{
		{"POST /webhooks/sendgrid", "sendgrid", s.sendgrid},
		{"GET /u/{token}", "unsubscribe_page", s.unsubscribePage},
		{"POST /u/{token}", "unsubscribe", s.unsubscribe},
		{"GET /u/{token}/preferences", "preferences_page", s.preferencesPage},
		{"POST /u/{token}/preferences", "preferences", s.choose},
		{"GET /c/{token}", "confirm_page", s.confirmPage},
		{"POST /c/{token}", "confirm", s.confirm},
		{"POST /v1/privacy/export", "privacy_export", s.export},
		{"POST /v1/privacy/erase", "privacy_erase", s.erase},
		{"GET /v1/privacy/requests/{id}", "privacy_request", s.privacyRequest},
		{"GET /healthz", "healthz", s.healthz},
		{"GET /readyz", "readyz", s.readyz},
		{"GET /metrics", "metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{}).ServeHTTP},
	} {
		mux.Handle(d.pattern, s.door(d.name, d.handle))
	}
	s.track(mux)
	s.handler = mux
	return s, nil
}

// Handler returns all doors.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return web.Serve(ctx, l, s.handler, s.Log)
}

// door wraps a handler with a time limit, metrics, a span, and the answer to a panic.
// Paths are not logged: they carry tokens.
func (s *Server) door(name string, handle http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(r.Context(), web.RequestTime)
		defer cancel()
		ctx, span := otel.Tracer("touchstone/gateway").Start(ctx, "gateway "+name, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { // an answer that broke off on purpose
					s.metrics.request(name, rec.status, time.Since(began))
					panic(p)
				}
				s.Log.Error("request panicked", "door", name, "panic", fmt.Sprint(p))
				if rec.status == 0 {
					http.Error(rec, "internal error", http.StatusInternalServerError)
				}
			}
			s.metrics.request(name, rec.status, time.Since(began))
		}()
		handle(rec, r.WithContext(ctx))
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// fail answers an error of the store: unavailable asks for another attempt.
func (s *Server) fail(w http.ResponseWriter, door string, err error) {
	s.Log.Error("request failed", "door", door, "code", string(lifecycle.CodeOf(err)), "error", err.Error())
	w.Header().Set("Retry-After", "5")
	switch lifecycle.CodeOf(err) {
	case lifecycle.Unavailable:
		http.Error(w, "temporarily unavailable: try again", http.StatusServiceUnavailable)
	default:
		http.Error(w, "internal error: try again", http.StatusInternalServerError)
	}
}
