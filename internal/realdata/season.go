package realdata

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"touchstone/internal/clock"
	"touchstone/internal/control"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

const (
	winback  = "winback"
	marketer = "realdata marketer"
	reviewer = "realdata reviewer"
	// lead is how long the copy takes to be written and approved before the
	// cut-off, in real time.
	lead = 8 * time.Second
)

// play lets the season pass with the winback journey, the simulated customers
// and a reviewer who approves everything.
func (r *season) play(ctx context.Context) error {
	scale := clock.Scale{Base: time.Now().Add(lead), Origin: r.dataset.Cut, Factor: float64(24*time.Hour) / float64(r.dataset.Day)}
	r.responder.offers, r.responder.median = r.Box.Brand.Offers, float64(r.figures.Revenue.Amount)/float64(max(r.figures.Orders, 1))/100
	if err := r.box.Run(ctx, scale); err != nil {
		return err
	}
	plane := &control.Plane{Store: r.box.Store, Temporal: r.box.Temporal, Brand: r.Box.Brand, Clock: r.box.Clock, Review: r.box.Config.Review}
	shop := &shop{url: r.box.Config.Gateway.PublicURL, key: r.box.Config.Gateway.WriteKeys[0], currency: r.Box.Brand.Currency}

	ctx, stop := context.WithCancelCause(ctx)
	var actors sync.WaitGroup
	defer actors.Wait()
	defer stop(nil)
	for _, act := range []func(context.Context) error{
		func(ctx context.Context) error { return plane.ApproveAll(ctx, reviewer) },
		func(ctx context.Context) error { return r.respond(ctx, shop) },
		r.box.Failed,
	} {
		actors.Go(func() {
			if err := act(ctx); err != nil && ctx.Err() == nil {
				stop(err)
			}
		})
	}
	if err := r.copy(ctx, plane); err != nil {
		return err
	}
	if err := r.until(ctx, r.dataset.Cut); err != nil {
		return err
	}
	if _, err := plane.ApplyJourney(ctx, winback+".yaml", journey.Shipped()[winback], marketer); err != nil {
		return err
	}
	if err := r.until(ctx, r.dataset.Cut.AddDate(0, 0, 7*r.Weeks)); err != nil {
		return err
	}
	return r.settle(ctx)
}

// copy has the copy written and approved before anybody is enrolled.
func (r *season) copy(ctx context.Context, plane *control.Plane) error {
	applied, err := plane.StoreJourney(ctx, winback+".yaml", journey.Shipped()[winback], marketer)
	if err != nil {
		return err
	}
	run, err := r.box.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.PreflightID(winback, applied.Version), TaskQueue: workflows.QueueEngine,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, workflows.PreflightName, workflows.PreflightInput{Journey: winback, Version: applied.Version, By: marketer, Clock: r.box.Clock.Scale})
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

// until waits for a business instant.
func (r *season) until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(r.box.Clock.Scale.RealAt(t)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// respond posts the simulated orders when they are due.
func (r *season) respond(ctx context.Context, shop *shop) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if due := r.responder.take(r.box.Clock.Now()); len(due) > 0 {
			if err := shop.post(ctx, due); err != nil {
				return err
			}
		}
	}
}

// settle waits until nothing is on its way to the provider or back.
func (r *season) settle(ctx context.Context) error {
	for range 60 {
		p, err := r.box.Store.Pulse(ctx)
		if err != nil {
			return err
		}
		if p.Outbox == 0 && p.Sent == r.box.Sandbox.Accepted() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(250 * time.Millisecond):
		}
	}
	return nil
}

// prove stops the worker and checks the ledger and the decision log.
func (r *season) prove(ctx context.Context) (err error) {
	if err := r.box.StopWorker(); err != nil {
		return err
	}
	f := &r.figures
	counts, err := r.box.Store.JourneyCounts(ctx)
	if err != nil {
		return err
	}
	for _, c := range counts {
		f.Enrolled, f.HeldOut = f.Enrolled+c.Entered, f.HeldOut+c.HeldOut
	}
	pulse, err := r.box.Store.Pulse(ctx)
	if err != nil {
		return err
	}
	f.Touches, f.Responses, f.Twice = pulse.Sent, r.responder.counted(), len(r.box.Sandbox.Duplicates())
	if f.Ledger, err = r.box.Store.VerifyLedger(ctx); err != nil {
		return err
	}
	if f.Audit, err = r.box.Store.VerifyDecisions(ctx); err != nil {
		return err
	}
	r.say("  after %d weeks at one day in %s: enrolled %d, of them held out %d; touches %d", r.Weeks, r.dataset.Day, f.Enrolled, f.HeldOut, f.Touches)
	r.say("  touches by state: %s", states(f.Ledger.ByState))
	r.say("  SIMULATED responses: %d opens, %d clicks, %d orders, %d unsubscribes, %d complaints",
		f.Responses.Opens, f.Responses.Clicks, f.Responses.Orders, f.Responses.Unsubscribes, f.Responses.Complaints)
	r.say("  ledger verify: %s, %d touches, %d cap windows recounted; audit verify: %s, %d entries; seen twice by the provider: %d",
		word(f.Ledger.OK), f.Ledger.Touches, f.Ledger.Caps, word(f.Audit.OK), f.Audit.Entries, f.Twice)
	return nil
}

func word(ok bool) string {
	if ok {
		return "ok"
	}
	return "FAILED"
}

func states(counts map[lifecycle.TouchState]int) string {
	var list []string
	for state, n := range counts {
		list = append(list, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
