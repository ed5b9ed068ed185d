package cli

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/internal/postgres"
	"touchstone/internal/telemetry"
)

// session is what a command works with: configuration, store, business clock.
type session struct {
	config config.Config
	store  *postgres.Store
	clock  clock.Clock
	brand  *brand.Brand
	policy *guardrails.Policy
	log    *slog.Logger

	metrics *prometheus.Registry
	traced  bool // spans are sent: see telemetry.Tracing
}

// stackFile is where `touchstone dev` says how to reach what it started.
const stackFile = "stack.json"

// loadConfig reads the configuration; where no database is named, a running
// `touchstone dev` or `touchstone demo` in the data folder is used.
func (a *app) loadConfig() (config.Config, error) {
	c, err := config.Load(a.config, a.LookupEnv)
	if err != nil {
		return c, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	if c.DatabaseURL != "" {
		return c, nil
	}
	source, err := os.ReadFile(filepath.Join(a.data, stackFile))
	if errors.Is(err, os.ErrNotExist) {
		return c, lifecycle.Errorf(lifecycle.Invalid, "no database: set DATABASE_URL, or start everything on this machine with `touchstone dev` (looked for it in %s)", a.data)
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(source, &c); err != nil {
		return c, lifecycle.Errorf(lifecycle.Invalid, "%s is damaged; start `touchstone dev` again: %w", filepath.Join(a.data, stackFile), err)
	}
	return c, nil
}

// open connects to the store.
func (a *app) open(ctx context.Context) (*session, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	s := &session{config: c, metrics: prometheus.NewRegistry()}
	if s.log, err = telemetry.NewLogger(a.Err, a.level(c), c.LogFormat); err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	if s.brand, s.policy, err = loadRules(c); err != nil {
		return nil, err
	}
	if s.store, err = postgres.Open(ctx, c.DatabaseURL, postgres.Options{Stages: s.brand.Stages}); err != nil {
		return nil, err
	}
	if _, err := s.store.Setting(ctx, onebox.SettingClock, &s.clock.Scale); err != nil {
		s.store.Close()
		return nil, err
	}
	return s, nil
}

// level is the log level: services log what they do, other commands only what
// goes wrong unless more is asked for.
func (a *app) level(c config.Config) string {
	if !a.service && c.LogLevel == config.Defaults().LogLevel {
		return "warn"
	}
	return c.LogLevel
}

// loadRules reads the brand file and the guardrail policy, or the shipped ones.
func loadRules(c config.Config) (*brand.Brand, *guardrails.Policy, error) {
	b, policy := brand.Example(), guardrails.DefaultPolicy()
	if c.BrandFile != "" {
		source, err := os.ReadFile(c.BrandFile)
		if err != nil {
			return nil, nil, lifecycle.Errorf(lifecycle.Invalid, "brand file: %w", err)
		}
		if b, err = brand.Parse(c.BrandFile, source); err != nil {
			return nil, nil, err
		}
	}
	if c.PolicyFile != "" {
		source, err := os.ReadFile(c.PolicyFile)
		if err != nil {
			return nil, nil, lifecycle.Errorf(lifecycle.Invalid, "policy file: %w", err)
		}
		if policy, err = guardrails.ParsePolicy(c.PolicyFile, source); err != nil {
			return nil, nil, err
		}
	}
	return b, policy, nil
}

// trace sends the spans of a service where the environment says, until stop.
func (a *app) trace(ctx context.Context, s *session, service string) (stop func(), err error) {
	shutdown, on, err := telemetry.Tracing(ctx, service, a.LookupEnv)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	s.traced = on
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := shutdown(last); err != nil {
			s.log.Warn("the last spans were not sent", "error", err.Error())
		}
	}, nil
}

func (s *session) close() { s.store.Close() }

// dial connects to Temporal.
func (s *session) dial(ctx context.Context) (client.Client, error) {
	return dialTemporal(ctx, s.config, s.metrics, s.log, s.traced)
}

// dialTemporal connects to the configured cluster: a plain one, Temporal Cloud
// with an API key, or one with mTLS.
func dialTemporal(ctx context.Context, c config.Config, metrics *prometheus.Registry, log *slog.Logger, traced bool) (client.Client, error) {
	options := client.Options{
		HostPort: c.Temporal.Address, Namespace: c.Temporal.Namespace, Logger: temporallog.NewStructuredLogger(log),
		MetricsHandler: telemetry.NewTemporalMetrics(metrics),
	}
	tlsConfig, err := c.Temporal.TLSConfig()
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "temporal: %w", err)
	}
	options.ConnectionOptions.TLS = tlsConfig
	if c.Temporal.APIKey != "" {
		options.Credentials = client.NewAPIKeyStaticCredentials(c.Temporal.APIKey)
	}
	if traced {
		if err := telemetry.TraceTemporal(&options); err != nil {
			return nil, err
		}
	}
	connection, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Unavailable, "temporal at %s does not answer: %w", c.Temporal.Address, err)
	}
	return connection, nil
}

// customer finds a customer by our id, the brand's id, or e-mail address.
func (s *session) customer(ctx context.Context, ref string) (lifecycle.Customer, error) {
	customer, err := s.store.FindCustomer(ctx, strings.TrimSpace(ref))
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return customer, lifecycle.Errorf(lifecycle.NotFound, "no customer %q: give the external id, our id, or the e-mail address", ref)
	}
	return customer, err
}
