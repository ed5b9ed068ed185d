// Package console serves the pages for people: what the programme earns, where
// everybody is, what waits for a decision, what was stopped, and why. Pages are
// rendered here, from the store; what people do goes through internal/control
// and is signed with the name they signed in under. Level 5.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
	"touchstone/internal/web"
	"touchstone/workflows"
)

// Acts is what people may do to the running system; *control.Plane is one.
type Acts interface {
	Decide(ctx context.Context, item lifecycle.ReviewItem, d workflows.Decision) error
	Edit(ctx context.Context, item lifecycle.ReviewItem, d workflows.Decision) error
	AwaitEdit(ctx context.Context, before lifecycle.ReviewItem) (lifecycle.ReviewItem, error)
	Control(ctx context.Context, c ledger.Control) error
	CampaignProgress(ctx context.Context, name string) (workflows.CampaignState, error)
}

// KPIs reads the catalogue's metrics and the baselines that were measured.
type KPIs interface {
	KPIs(ctx context.Context, in measure.KPIQuery) ([]measure.Reading, error)
	Baselines(ctx context.Context) (measure.Baselines, error)
	RolledUpTo(ctx context.Context) (time.Time, error)
}

// Config is what a Server is made of.
type Config struct {
	Settings config.Config
	Store    *postgres.Store
	Acts     Acts
	Brand    *brand.Brand
	Policy   *guardrails.Policy
	Clock    clock.Clock
	KPIs     KPIs         // nil: the store
	Log      *slog.Logger // nil: silent
}

// Server answers people's browsers.
type Server struct {
	Config
	handler  http.Handler
	openID   *openID
	attempts attempts

	background context.Context // of figures that are computed between requests
	stop       context.CancelFunc
	figures    keptBy[time.Duration, overview]
	counts     keptBy[ledger.ControlScope, []postgres.RunCounts]
	funnels    keptBy[string, []postgres.FunnelRow]
	blocks     keptBy[time.Duration, []objections]
	proof      keptBy[struct{}, ledger.VerifyReport]
}

// New returns a server. Errors: Invalid for settings that cannot work.
func New(c Config) (*Server, error) {
	for name, missing := range map[string]bool{
		"Store": c.Store == nil, "Acts": c.Acts == nil, "Brand": c.Brand == nil, "Policy": c.Policy == nil,
	} {
		if missing {
			return nil, fmt.Errorf("console: %s is not set", name)
		}
	}
	if c.KPIs == nil {
		c.KPIs = c.Store
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c}
	s.background, s.stop = context.WithCancel(context.Background())
	var err error
	if s.openID, err = newOpenID(c.Settings.Console); err != nil {
		return nil, err
	}
	s.keep()
	s.handler, err = s.routed()
	return s, err
}

// keep says how the figures over whole tables are computed, and how old they may
// get before they are computed again.
func (s *Server) keep() {
	s.figures = keptBy[time.Duration, overview]{fresh: time.Minute, load: computed(s, s.overview)}
	s.blocks = keptBy[time.Duration, []objections]{fresh: time.Minute, load: computed(s, s.objections)}
	s.funnels = keptBy[string, []postgres.FunnelRow]{fresh: 5 * time.Second, load: computed(s, s.Store.Funnel)}
	s.counts = keptBy[ledger.ControlScope, []postgres.RunCounts]{fresh: 5 * time.Second, load: computed(s, s.runCounts)}
	s.proof = keptBy[struct{}, ledger.VerifyReport]{load: computed(s, func(ctx context.Context, _ struct{}) (ledger.VerifyReport, error) {
		return s.Store.VerifyDecisions(ctx)
	})}
}

// loadTime bounds one computation.
const loadTime = 4 * time.Minute

// computed runs a computation in the server's background.
func computed[K, T any](s *Server, load func(context.Context, K) (T, error)) func(K) (T, error) {
	return func(key K) (T, error) {
		ctx, cancel := context.WithTimeout(s.background, loadTime)
		defer cancel()
		value, err := load(ctx, key)
		if err != nil && s.background.Err() == nil {
			s.Log.Error("compute a figure of the console", "error", err.Error())
		}
		return value, err
	}
}

// runCounts counts the runs of every journey or campaign.
func (s *Server) runCounts(ctx context.Context, scope ledger.ControlScope) ([]postgres.RunCounts, error) {
	if scope == ledger.ScopeCampaign {
		return s.Store.CampaignCounts(ctx)
	}
	return s.Store.JourneyCounts(ctx)
}

// Handler returns all pages.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer s.stop()
	go s.tidy(ctx)
	return web.Serve(ctx, l, s.handler, s.Log)
}

// tidyEvery is how often sessions that have ended are forgotten.
const tidyEvery = time.Hour

// tidy warms the figures that people see first, and forgets ended sessions.
func (s *Server) tidy(ctx context.Context) {
	s.figures.of(periods[defaultPeriod].Length).get(0)
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		if err := s.Store.DropStaleSessions(ctx, time.Now().UTC()); err != nil && ctx.Err() == nil {
			s.Log.Error("forget ended sessions", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
