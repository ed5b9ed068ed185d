// Package worker is the composition root of the worker process: it builds the
// activities from their adapters, registers them and the workflows, and runs
// until its context ends. Level 5.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdk "go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"touchstone/activities"
	"touchstone/agents"
	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/copywriter"
	"touchstone/internal/gateway"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
	"touchstone/workflows"
)

// Options are what a worker is built from.
type Options struct {
	Config    config.Config
	Store     *postgres.Store
	Temporal  client.Client
	Brand     *brand.Brand
	Policy    *guardrails.Policy
	Scale     clock.Scale
	Providers map[lifecycle.Channel]activities.Provider
	Log       *slog.Logger
	// Wrap may put something between activities and their ports: the fault suite
	// breaks them there. nil leaves them as they are.
	Wrap func(*activities.Journeys, *activities.Campaigns)
	// Metrics is where the worker's own metrics go; nil = nowhere.
	Metrics prometheus.Registerer
}

// Worker runs workflows and activities, and routes stored events to journeys.
type Worker struct {
	options    Options
	workers    []sdk.Worker
	router     *gateway.Router
	times      *Stopwatch
	prober     *prober
	erasures   *erasures
	starter    *Starter
	Definition *Definitions
}

// New builds a worker.
func New(o Options) (*Worker, error) {
	c := o.Config
	now := clock.Clock{Scale: o.Scale}.Now
	signer, err := link.NewSigner(c.LinkKeys()...)
	if err != nil {
		return nil, err
	}
	links := publicLinks{signer, c.Gateway.PublicURL}
	var offers []string
	for _, offer := range o.Brand.Offers {
		offers = append(offers, offer.ID)
	}
	definitions := &Definitions{Store: o.Store, Offers: offers}
	starter := &Starter{Client: o.Temporal, Scale: o.Scale, Review: c.Review}
	renderer := copywriter.NewRenderer()
	journeys := &activities.Journeys{
		Runs: o.Store, Ledger: o.Store, Creatives: o.Store, Reviews: o.Store, Controls: o.Store, Evidence: o.Store, Due: o.Store,
		Definitions: definitions, Brand: o.Brand, Policy: o.Policy, Agent: agents.Under(agentTest(o.Brand), agents.ByName), Renderer: renderer, Links: links,
		Providers: o.Providers, Starter: starter, Scale: o.Scale, ReviewSLA: c.Review.SLA, Concurrency: c.SendGrid.InFlight, Log: o.Log,
	}
	reviews := &activities.Reviews{
		Reviews: o.Store, Creatives: o.Store, Runs: o.Store, Renderer: renderer, Links: links, Brand: o.Brand, Policy: o.Policy,
		Starter: starter, Now: now,
	}
	desk, err := newDesk(c, o.Brand, reviews.Objections, now, o.Log)
	if err != nil {
		return nil, err
	}
	campaigns := &activities.Campaigns{
		Cohorts: o.Store, Creatives: o.Store, Reviews: o.Store, Definitions: definitions, Brand: o.Brand, Writer: desk, Templates: copywriter.NewTemplates(now),
		Starter: starter, GlobalHoldout: c.GlobalHoldout, ReviewSLA: c.Review.SLA,
	}
	rollouts := &activities.Rollouts{Store: o.Store, Runs: o.Store, Readings: o.Store.KPIs, Starter: starter}
	erasure := &activities.Erasure{Customers: o.Store, Runs: o.Store, Starter: starter, Providers: o.Providers}
	if o.Wrap != nil {
		o.Wrap(journeys, campaigns)
	}
	w := &Worker{options: o, starter: starter, Definition: definitions}
	if w.times, err = NewStopwatch(o.Metrics); err != nil {
		return nil, err
	}
	w.prober = newProber(o, w.times)
	w.erasures = &erasures{o.Store, starter, o.Log}
	engine := w.add(workflows.QueueEngine, 0)
	workflows.Register(engine)
	for _, a := range []any{
		journeys.Prepare, campaigns.Enrol, campaigns.SetStatus, campaigns.Preflight,
		reviews.Brief, reviews.Decide, reviews.Edit, reviews.Escalate, reviews.Release,
		(&activities.Upkeep{Ledger: o.Store, Evidence: o.Store, Partitions: o.Store, Figures: o.Store, Currency: o.Brand.Currency, Scale: o.Scale, Window: c.AttributionWindow,
			Forgetting: o.Store, Rejected: c.Intake.Rejected, KeepFor: c.Intake.RejectedFor}).Round,
		(&activities.Reports{Writer: reporter{o.Store, o.Brand, o.Scale, c.AttributionWindow}}).WriteReport,
		rollouts.PreflightRollout, rollouts.AssessRollout, rollouts.StepRollout,
		erasure.Erase, erasure.EndRuns, erasure.TellProviders, erasure.Forget,
	} {
		engine.RegisterActivity(a)
	}
	w.add(workflows.QueueBroadcast, 0).RegisterActivity(journeys.SendPage)
	keeper, err := newWatch(o, now)
	if err != nil {
		return nil, err
	}
	w.add(workflows.QueueWatch, 0).RegisterActivity(keeper.KeepWatch)
	for channel := range o.Providers {
		rate := 0.0
		if channel == lifecycle.Email {
			rate = c.SendGrid.PerSecond
		}
		w.add(workflows.QueueDelivery(channel), rate).RegisterActivity(journeys.Deliver)
	}
	dispatcher := &Dispatcher{
		Store: o.Store, Definitions: definitions, Starter: starter, Brand: o.Brand, GlobalHoldout: c.GlobalHoldout, Now: now,
	}
	w.router = &gateway.Router{Outbox: o.Store, Dispatch: dispatcher.Dispatch, Log: o.Log}
	return w, nil
}

// stickyWorkflows is how many idle workflows stay in memory, at about 20 KB
// each; evicted ones are replayed when they wake.
const stickyWorkflows = 4000

// add makes a worker for one task queue. Pollers scale by themselves: the
// default of two stalls under bursts.
func (w *Worker) add(queue string, perSecond float64) sdk.Worker {
	options := sdk.Options{
		WorkflowTaskPollerBehavior:         sdk.NewPollerBehaviorAutoscaling(sdk.PollerBehaviorAutoscalingOptions{InitialNumberOfPollers: 4, MinimumNumberOfPollers: 2, MaximumNumberOfPollers: 16}),
		ActivityTaskPollerBehavior:         sdk.NewPollerBehaviorAutoscaling(sdk.PollerBehaviorAutoscalingOptions{InitialNumberOfPollers: 4, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: 16}),
		MaxConcurrentActivityExecutionSize: 64,
		WorkerStopTimeout:                  20 * time.Second, // lets a delivery settle what it sent
		Interceptors:                       []interceptor.WorkerInterceptor{w.times},
	}
	if queue != workflows.QueueEngine {
		options.DisableWorkflowWorker = true
	}
	if queue == workflows.QueueBroadcast {
		options.MaxConcurrentActivityExecutionSize = 4 // a page uses the provider's whole concurrency by itself
	}
	if perSecond > 0 {
		options.TaskQueueActivitiesPerSecond = perSecond
	}
	added := sdk.New(w.options.Temporal, queue, options)
	w.workers = append(w.workers, added)
	return added
}

// Run works until ctx ends, then stops gracefully.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.runAgentTest(ctx); err != nil {
		return err
	}
	if err := w.warnUnconfirmable(ctx); err != nil {
		return err
	}
	sdk.SetStickyWorkflowCacheSize(stickyWorkflows)
	for _, each := range w.workers {
		if err := each.Start(); err != nil {
			w.stop()
			return fmt.Errorf("worker: %w", err)
		}
	}
	defer w.stop()
	if err := w.starter.StartUpkeep(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if err := w.starter.StartWatch(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if err := w.starter.ScheduleReports(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.router.Run(ctx) })
	group.Go(func() error { return w.prober.Run(ctx) })
	group.Go(func() error { return w.erasures.Run(ctx) })
	return group.Wait()
}

func (w *Worker) stop() {
	for _, each := range w.workers {
		each.Stop()
	}
}

// publicLinks makes the links in messages.
type publicLinks struct {
	signer link.Signer
	base   string
}

func (l publicLinks) Unsubscribe(customer lifecycle.CustomerID, channel lifecycle.Channel) string {
	return l.signer.Unsubscribe(l.base, customer, channel)
}

func (l publicLinks) Confirm(customer lifecycle.CustomerID, channel lifecycle.Channel, address string) string {
	return l.signer.Confirm(l.base, customer, channel, address)
}
