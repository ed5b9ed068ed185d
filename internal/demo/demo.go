// Package demo plays a season of lifecycle marketing on the real engines:
// simulated customers with realistic histories, the shipped journeys, one
// campaign with a holdout, on a scaled clock, with a simulated reviewer for
// the reviews that people leave alone. Level 6.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/control"
	"touchstone/internal/onebox"
	"touchstone/internal/report"
	"touchstone/internal/sandbox"
	"touchstone/internal/sandbox/people"
)

// Options say what to play.
type Options struct {
	Box      onebox.Options
	People   int           // customers with a past
	Weeks    int           // length of the season, in business weeks
	Factor   float64       // business seconds per real second
	Lead     time.Duration // real time for reviewing copy before the season starts
	Patience time.Duration // real time a review is left to people before the simulated reviewer takes it
	Seed     uint64
	Out      io.Writer
	Terminal bool // Out is a terminal: progress overwrites itself
	// Announce tells other commands how to reach the box; may be nil.
	Announce func(*onebox.Box) error
}

// Season is a demo that has been played.
type Season struct {
	Box    *onebox.Box
	Report *report.Report
}

// origin is the first business day: a Monday before both clock changes of the
// spring, so that every season crosses them.
var origin = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// person signs what the demo does on behalf of a marketer.
const marketer = "demo marketer"

// Play starts everything, plays the season and reports. The box is left running
// for the caller to stop, also with an error after it was started.
func Play(ctx context.Context, o Options) (*Season, error) {
	d := &demo{Options: o, season: &Season{}}
	return d.season, d.play(ctx)
}

type demo struct {
	Options
	season     *Season
	population *people.Population
	plane      *control.Plane
	opened     time.Time // business instant at which the clock started
	start      time.Time // business instant of the first day
	end        time.Time
}

func (d *demo) play(ctx context.Context) error {
	d.start, d.end = origin, origin.AddDate(0, 0, 7*d.Weeks)
	d.Box.Sandbox = func(so *sandbox.Options) {
		so.OnDelivered = d.population.OnDelivered
		so.Delivery = sandbox.Delivery{HardBounce: 0.01, Block: 0.01, Defer: 0.02}
	}
	d.say("starting PostgreSQL, Temporal and the Temporal UI")
	box, err := onebox.Start(ctx, d.Box)
	if err != nil {
		return err
	}
	d.season.Box = box
	// The clock starts so that the season begins after the lead: until then it
	// is the time before the first day, in which copy is written and reviewed.
	scale := clock.Scale{Base: time.Now().Add(d.Lead), Origin: d.start, Factor: d.Factor}
	if err := d.populate(ctx, clock.Clock{Scale: scale}); err != nil {
		return err
	}
	if err := box.Run(ctx, scale); err != nil {
		return err
	}
	d.opened = box.Clock.Now()
	if d.Announce != nil {
		if err := d.Announce(box); err != nil {
			return err
		}
	}
	d.plane = &control.Plane{Store: box.Store, Temporal: box.Temporal, Brand: d.Box.Brand, Clock: box.Clock, Review: box.Config.Review}
	d.links()
	if err := d.apply(ctx); err != nil {
		return err
	}
	return d.watch(ctx)
}

// watch lets the season pass with everything that acts in it, and reports.
func (d *demo) watch(ctx context.Context) error {
	season, stop := context.WithCancel(ctx)
	defer stop()
	var actors sync.WaitGroup
	failed := make(chan error, 6)
	for _, act := range []func(context.Context) error{d.review, d.population.Run, d.launch, d.pilotProgramme, d.incident, d.box().Failed} {
		actors.Go(func() {
			if err := act(season); err != nil && season.Err() == nil {
				failed <- err
			}
		})
	}
	err := d.progress(season, failed)
	stop()
	actors.Wait()
	if err != nil {
		return err
	}
	return d.report(ctx)
}

func (d *demo) box() *onebox.Box { return d.season.Box }

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Out, format+"\n", args...) }

func (d *demo) links() {
	b := d.box()
	d.say("")
	d.say("  Temporal UI      %s/namespaces/%s/workflows", b.Stack.UIURL, b.Stack.TemporalNamespace)
	d.say("  Awaiting review  %s", AwaitingReview(b.Stack.UIURL, b.Stack.TemporalNamespace))
	d.say("  Mailbox          %s/mailbox", b.SandboxURL)
	d.say("  Explain one      bin/touchstone why C000001   (in a second terminal)")
	d.say("")
	d.say("The copy waits for its reviewer: open a review and send approve_copy (docs/review.md).")
	d.say("What you leave alone for %s, the simulated reviewer takes. The season starts in %s.", d.Patience, d.Lead.Round(time.Second))
	d.say("")
}

// wait sleeps until a business instant.
func (d *demo) wait(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(d.box().Clock.Scale.RealAt(until)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// populate makes the customers and brings their past in through the import.
func (d *demo) populate(ctx context.Context, now clock.Clock) (err error) {
	if d.population, err = people.New(people.Options{
		Seed: d.Seed, Count: d.People, Start: d.start, Days: 7 * d.Weeks, Clock: now, Currency: d.Box.Brand.Currency,
		Offers: d.Box.Brand.Offers, GatewayURL: d.box().Config.Gateway.PublicURL, WriteKey: d.box().Config.Gateway.WriteKeys[0], Log: d.Box.Log,
	}); err != nil {
		return err
	}
	history := d.population.History(historyDays)
	d.say("importing %d customers and %d orders of their past", len(history.Customers), len(history.Orders))
	// The past is complete: it is imported as of the first day.
	eve := clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: d.start, Factor: 1}}
	folder := filepath.Join(d.box().Stack.Dir, "demo")
	return errors.Join(
		d.importFile(ctx, filepath.Join(folder, "customers.csv"), "customers", history.WriteCustomers, eve),
		d.importFile(ctx, filepath.Join(folder, "orders.csv"), "orders", history.WriteOrders, eve),
	)
}

// historyDays is how much past the customers have.
const historyDays = 400
