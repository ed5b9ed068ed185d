package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"touchstone/activities"
	"touchstone/internal/alert"
	"touchstone/internal/brand"
	"touchstone/internal/channel"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure/anomaly"
	"touchstone/internal/postgres"
	"touchstone/internal/watch"
	"touchstone/workflows"
)

// newWatch builds the activities of the watch.
func newWatch(o Options, now func() time.Time) (*activities.Watch, error) {
	targets, err := AlertTargets(o.Config.Watch, o.Brand, o.Providers[lifecycle.Email])
	if err != nil {
		return nil, err
	}
	channels := slices.Sorted(maps.Keys(o.Providers))
	inForce := now()
	if !o.Scale.Scaled() {
		inForce = inForce.Add(policySpread)
	}
	return &activities.Watch{
		Counts: o.Store, Inspector: o.Store, Ledger: o.Store, Hourly: o.Store, Alerts: o.Store, Heartbeats: o.Store, State: o.Store, Controls: o.Store,
		Halter: NewController(o.Store, o.Temporal, now), Targets: targets,
		Breaker: NewBreaker(o.Config.Watch), Rules: anomaly.DefaultRules(), Channels: channels, Policy: o.Policy, Brand: o.Brand,
		Holidays: o.Config.Watch.Holidays, Remind: o.Config.Watch.Remind, Link: watchLink(o.Config), Scale: o.Scale, InForce: inForce, Log: o.Log,
	}, nil
}

// policySpread is how long after a start workers with an older policy file may
// still send: a deployment replaces them one by one.
const policySpread = 10 * time.Minute

// NewBreaker returns the circuit breaker with the configured thresholds.
func NewBreaker(c config.Watch) watch.Breaker {
	b := watch.DefaultBreaker()
	b.Complaints = watch.Threshold{Warn: c.ComplaintsWarn, Halt: c.ComplaintsHalt}
	b.Bounces = watch.Threshold{Warn: c.BouncesWarn, Halt: c.BouncesHalt}
	b.Minimum = c.Minimum
	return b
}

// AlertTargets returns who is told of alerts: the webhook, and every operator
// through the brand's e-mail provider.
func AlertTargets(c config.Watch, b *brand.Brand, email channel.Provider) ([]watch.Target, error) {
	var targets []watch.Target
	if c.Webhook != "" {
		hook, err := alert.NewWebhook(c.Webhook)
		if err != nil {
			return nil, err
		}
		targets = append(targets, hook)
	}
	for _, address := range c.Email {
		if email == nil {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "alerts go to %s, but there is no e-mail provider: set SENDGRID_API_KEY", address)
		}
		mail, err := alert.NewEmail(email, address, b.Sender.Email, b.Sender.Name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, mail)
	}
	return targets, nil
}

// watchLink is where an alert sends people: what is configured, or the watch in
// the Temporal UI.
func watchLink(c config.Config) string {
	if c.Watch.Link != "" || c.Temporal.UIURL == "" {
		return c.Watch.Link
	}
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", strings.TrimRight(c.Temporal.UIURL, "/"), c.Temporal.Namespace, workflows.WatchID)
}

// RegisterGauges makes a process show the figures of the business beside its own
// metrics. Doing it again is harmless.
func RegisterGauges(r prometheus.Registerer, store *postgres.Store, c config.Config, b *brand.Brand, k clock.Clock, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	query := postgres.GaugeQuery{Clock: k, Currency: b.Currency, Attribution: c.AttributionWindow, Channels: lifecycle.Channels}
	return unlessRegistered(r.Register(&watch.Collector{
		Read:    func(ctx context.Context) (watch.Gauges, error) { return store.Gauges(ctx, query) },
		Earned:  func(ctx context.Context) (watch.Earned, error) { return store.Earned(ctx, query) },
		Breaker: NewBreaker(c.Watch), Log: log,
	}))
}

// unlessRegistered treats a collector that is there already as success.
func unlessRegistered(err error) error {
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		return nil
	}
	return err
}
