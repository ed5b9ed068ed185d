package onebox

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"touchstone/activities"
	"touchstone/internal/brand"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/gateway"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
	"touchstone/worker"
)

// Providers builds the clients of the configured vendors.
func Providers(c config.Config) (map[lifecycle.Channel]activities.Provider, error) {
	email, err := sendgrid.New(sendgrid.Config{APIKey: c.SendGrid.APIKey, BaseURL: c.SendGrid.BaseURL, MaxInFlight: c.SendGrid.InFlight})
	if err != nil {
		return nil, err
	}
	return map[lifecycle.Channel]activities.Provider{lifecycle.Email: email}, nil
}

// GatewayOptions are what a gateway is built from.
type GatewayOptions struct {
	Config   config.Config
	Store    *postgres.Store
	Temporal client.Client // nil: readiness does not ask Temporal
	Brand    *brand.Brand
	Clock    clock.Clock
	Metrics  *prometheus.Registry // nil: one of its own
	Log      *slog.Logger
}

// NewGateway builds the gateway from the configuration.
func NewGateway(o GatewayOptions) (*gateway.Server, error) {
	signer, err := link.NewSigner(o.Config.LinkKeys()...)
	if err != nil {
		return nil, err
	}
	settings := gateway.Config{
		Brand: o.Brand.Name, Currency: o.Brand.Currency, Clock: o.Clock, Links: signer, WriteKeys: o.Config.Gateway.WriteKeys,
		Outcomes: o.Store, Unsubscribing: o.Store, Tracking: o.Store, Listens: o.Store.Listens,
		Limits: gateway.Limits{InFlight: int64(o.Config.Intake.InFlightMB) << 20, Requests: o.Config.Intake.Requests,
			PerSecond: o.Config.Intake.PerSecond, Burst: o.Config.Intake.Burst},
		KeepRejected: o.Config.Intake.Rejected, RejectedFor: o.Config.Intake.RejectedFor,
		Checks: map[string]func(context.Context) error{"database": o.Store.Ping}, Metrics: o.Metrics, Log: o.Log,
	}
	settings.Choices, settings.Wording = o.Store, o.Brand
	settings.PrivacyKeys, settings.ClientIPHeader = o.Config.Privacy.Keys, o.Config.Privacy.ClientIPHeader
	if o.Temporal != nil {
		settings.Privacy = privacyDesk{o.Store, &worker.Starter{Client: o.Temporal, Scale: o.Clock.Scale, Review: o.Config.Review}}
		settings.Checks["temporal"] = func(ctx context.Context) error {
			_, err := o.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		}
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
		settings.Metrics = o.Metrics
	}
	if err := worker.RegisterGauges(o.Metrics, o.Store, o.Config, o.Brand, o.Clock, o.Log); err != nil {
		return nil, err
	}
	if len(o.Config.SendGrid.WebhookKeys) > 0 {
		if settings.SendGrid, err = sendgrid.NewVerifier(o.Config.SendGrid.WebhookKeys...); err != nil {
			return nil, err
		}
	}
	return gateway.New(settings)
}

func (b *Box) startGateway(ctx context.Context) error {
	doors, err := NewGateway(GatewayOptions{
		Config: b.Config, Store: b.Store, Temporal: b.Temporal, Brand: b.options.Brand, Clock: b.Clock, Metrics: b.metrics, Log: b.options.Log,
	})
	if err != nil {
		return err
	}
	b.gateway = start(ctx, func(ctx context.Context) error { return doors.Serve(ctx, b.listeners.gateway) })
	return nil
}

// StartWorker starts a worker on the box's clock.
func (b *Box) StartWorker(ctx context.Context) error {
	providers, err := Providers(b.Config)
	if err != nil {
		return err
	}
	w, err := worker.New(worker.Options{
		Config: b.Config, Store: b.Store, Temporal: b.Temporal, Brand: b.options.Brand, Policy: b.options.Policy,
		Scale: b.Clock.Scale, Providers: providers, Log: b.options.Log, Metrics: b.metrics,
	})
	if err != nil {
		return err
	}
	b.worker = start(ctx, w.Run)
	return nil
}

// StopWorker stops the worker gracefully; StartWorker starts another.
func (b *Box) StopWorker() error {
	if b.worker == nil {
		return nil
	}
	p := b.worker
	b.worker = nil
	return p.stop()
}

// Failed delivers the first error of a part that ended by itself.
func (b *Box) Failed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-b.Stack.Exited():
		return err
	case <-b.worker.done:
		return b.worker.err
	case <-b.gateway.done:
		return b.gateway.err
	case <-b.console.done:
		return b.console.err
	case <-b.vendors.done:
		return b.vendors.err
	}
}
