// Package onebox runs all of Touchstone on one machine: the engines of
// devstack, the vendors' sandbox, the gateway and the worker in one process.
// It is what `touchstone dev`, `touchstone demo` and the end-to-end tests
// start. Level 6.
package onebox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/devstack"
	"touchstone/internal/postgres"
	"touchstone/internal/sandbox"
	"touchstone/internal/telemetry"
)

// SettingClock is the settings key under which the business clock's scale is
// kept, so that every process tells the same time.
const SettingClock = postgres.SettingClock

// Options say what to start.
type Options struct {
	Dir       string // data folder
	BinDir    string // where tools are built; empty: see devstack
	Fresh     bool   // drop earlier data first
	Ephemeral bool   // for tests: nothing survives, ports are drawn anew
	UI        bool   // the Temporal UI too
	// TemporalFile keeps the Temporal server's state in a file, so that it can
	// be restarted; without Ephemeral it always does.
	TemporalFile bool
	Config       config.Config // base; addresses and keys of what is started are filled in
	Brand        *brand.Brand
	Policy       *guardrails.Policy
	Seed         uint64 // of the sandbox
	Sandbox      func(*sandbox.Options)
	Log          *slog.Logger
	Progress     func(string)
}

// Box is everything, running.
type Box struct {
	Stack    *devstack.Stack
	Config   config.Config
	Store    *postgres.Store
	Temporal client.Client
	Sandbox  *sandbox.Server
	Clock    clock.Clock
	// SandboxURL serves the vendors' stand-ins and the mailbox page.
	SandboxURL string

	options   Options
	keys      keys
	metrics   *prometheus.Registry
	listeners struct{ gateway, vendors, console net.Listener }
	gateway   *process
	console   *process
	vendors   *process
	worker    *process
	stopping  sync.Once
	stopped   error
}

// Start starts the engines, migrates the database and starts sandbox and
// gateway. The worker is started by StartWorker, once the clock is known.
func Start(ctx context.Context, o Options) (*Box, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	b := &Box{options: o, Config: o.Config, metrics: prometheus.NewRegistry()}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.Stop(context.WithoutCancel(ctx)))
	}
	return b, nil
}

func (b *Box) start(ctx context.Context) (err error) {
	o := b.options
	if b.Stack, err = devstack.Start(ctx, devstack.Options{
		Dir: o.Dir, BinDir: o.BinDir, Fresh: o.Fresh, Ephemeral: o.Ephemeral, TemporalFile: o.TemporalFile,
		Postgres: true, Temporal: true, UI: o.UI, Log: o.Log, Progress: o.Progress,
	}); err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, b.Stack.DatabaseURL); err != nil {
		return err
	}
	if b.Store, err = postgres.Open(ctx, b.Stack.DatabaseURL, postgres.Options{Stages: o.Brand.Stages}); err != nil {
		return err
	}
	if b.Temporal, err = client.DialContext(ctx, client.Options{
		HostPort: b.Stack.TemporalAddress, Namespace: b.Stack.TemporalNamespace, Logger: temporallog.NewStructuredLogger(o.Log),
		MetricsHandler: telemetry.NewTemporalMetrics(b.metrics),
	}); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	if b.keys, err = loadKeys(b.keysFile()); err != nil {
		return err
	}
	return b.serve(ctx)
}

// keysFile keeps keys over restarts; empty for ephemeral boxes.
func (b *Box) keysFile() string {
	if b.options.Ephemeral {
		return ""
	}
	return filepath.Join(b.options.Dir, "keys.json")
}

// serve listens for sandbox and gateway and completes the configuration.
func (b *Box) serve(ctx context.Context) error {
	vendorsAt, gatewayAt := "127.0.0.1:8701", b.options.Config.Gateway.Listen
	if b.options.Ephemeral {
		vendorsAt, gatewayAt = "127.0.0.1:0", "127.0.0.1:0"
	}
	sandboxListener, err := listen(vendorsAt)
	if err != nil {
		return err
	}
	gatewayListener, err := listen(gatewayAt)
	if err != nil {
		return errors.Join(err, sandboxListener.Close())
	}
	b.SandboxURL = "http://" + sandboxListener.Addr().String()
	gatewayURL := "http://" + gatewayListener.Addr().String()
	c := &b.Config
	c.DatabaseURL = b.Stack.DatabaseURL
	c.Temporal.Address, c.Temporal.Namespace, c.Temporal.UIURL = b.Stack.TemporalAddress, b.Stack.TemporalNamespace, b.Stack.UIURL
	c.Gateway.Listen, c.Gateway.PublicURL = gatewayListener.Addr().String(), gatewayURL
	c.Gateway.WriteKeys, c.Gateway.LinkKeys = []string{b.keys.WriteKey}, []string{b.keys.LinkKey}
	c.Privacy.Keys = []string{b.keys.PrivacyKey}
	c.SendGrid.APIKey, c.SendGrid.BaseURL = b.keys.SendGridKey, b.SandboxURL
	c.OpenAI.APIKey, c.OpenAI.BaseURL = b.keys.OpenAIKey, b.SandboxURL+"/v1"
	b.listeners.gateway, b.listeners.vendors = gatewayListener, sandboxListener
	return b.listenConsole()
}

// listen takes the preferred address, or any free port of the same host.
func listen(preferred string) (net.Listener, error) {
	if l, err := net.Listen("tcp", preferred); err == nil {
		return l, nil
	}
	host, _, err := net.SplitHostPort(preferred)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", preferred, err)
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// Run starts sandbox, gateway and worker on the given business clock. The box
// lives until Stop or until ctx ends, whichever comes first.
func (b *Box) Run(ctx context.Context, scale clock.Scale) error {
	b.Clock = clock.Clock{Scale: scale}
	if err := b.Store.SaveSetting(ctx, SettingClock, scale, "onebox", time.Now().UTC()); err != nil {
		return err
	}
	if err := b.startSandbox(ctx); err != nil {
		return err
	}
	if err := b.startGateway(ctx); err != nil {
		return err
	}
	if err := b.startConsole(ctx); err != nil {
		return err
	}
	return b.StartWorker(ctx)
}

func (b *Box) startSandbox(ctx context.Context) error {
	options := sandbox.Options{
		Clock: b.Clock, Seed: b.options.Seed, Log: b.options.Log, SendGridKey: b.keys.SendGridKey, OpenAIKey: b.keys.OpenAIKey,
		WebhookURL: b.Config.Gateway.PublicURL + "/webhooks/sendgrid",
	}
	if b.options.Sandbox != nil {
		b.options.Sandbox(&options)
	}
	vendors, err := sandbox.New(options)
	if err != nil {
		return err
	}
	b.Sandbox = vendors
	b.Config.SendGrid.WebhookKeys = []string{vendors.PublicKey()}
	b.vendors = start(ctx, func(ctx context.Context) error {
		server := &http.Server{Handler: vendors.Handler(), ReadHeaderTimeout: 10 * time.Second}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return vendors.Run(ctx) })
		group.Go(func() error {
			if err := server.Serve(b.listeners.vendors); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		<-ctx.Done()
		return errors.Join(server.Close(), group.Wait())
	})
	return nil
}

// Stop stops everything in the order that loses nothing: the worker first, the
// engines last. It is idempotent.
func (b *Box) Stop(ctx context.Context) error {
	b.stopping.Do(func() {
		var problems []error
		problems = append(problems, b.StopWorker())
		for _, p := range []*process{b.console, b.gateway, b.vendors} {
			if p != nil {
				problems = append(problems, p.stop())
			}
		}
		if b.Temporal != nil {
			b.Temporal.Close()
		}
		if b.Store != nil {
			b.Store.Close()
		}
		if b.Stack != nil {
			problems = append(problems, b.Stack.Stop(ctx))
		}
		b.stopped = errors.Join(problems...)
	})
	return b.stopped
}

// process is a goroutine that runs until it is stopped.
type process struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func start(ctx context.Context, run func(context.Context) error) *process {
	ctx, cancel := context.WithCancel(ctx)
	p := &process{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = run(ctx)
	}()
	return p
}

// stop ends the process and returns what it failed with, if not by our doing.
func (p *process) stop() error {
	p.cancel()
	<-p.done
	if errors.Is(p.err, context.Canceled) {
		return nil
	}
	return p.err
}
