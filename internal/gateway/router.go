package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Outbox hands out events that wait to be routed; *postgres.Store is one. Events
// in done are removed, those in failed come again after a growing wait, the
// others come again at once.
type Outbox interface {
	ClaimOutbox(ctx context.Context, limit int,
		handle func(context.Context, []ledger.OutboxEvent) (done []int64, failed map[int64]error)) (claimed int, err error)
}

const (
	routerBatch    = 200
	routerParallel = 8 // customers served at once
	routerPoll     = 100 * time.Millisecond
	routerPause    = time.Second // after the outbox could not be read
	dispatchTime   = 30 * time.Second
	// holdTime bounds how long a customer's later events wait for one that
	// failed: a little more than the outbox waits between attempts.
	holdTime = 6 * time.Minute
)

// Router takes stored events to the journeys, each at least once. Events of one
// customer go in the order in which they were stored, one after the other; when
// one fails, the later ones wait for it. The order is that of one process: with
// several routers, as with any source of events, journeys must bear reordering.
// No event is ever dropped: a failing one is tried again with a growing delay.
type Router struct {
	Outbox   Outbox
	Dispatch func(ctx context.Context, e lifecycle.Event) error // must bear repetition
	Log      *slog.Logger                                       // nil: silent

	wake chan struct{}
	once sync.Once
	held map[lifecycle.CustomerID]hold
}

// hold is the event a customer's later events wait for.
type hold struct {
	id    int64
	since time.Time
}

func (r *Router) init() {
	r.once.Do(func() {
		r.wake = make(chan struct{}, 1)
		r.held = map[lifecycle.CustomerID]hold{}
		if r.Log == nil {
			r.Log = slog.New(slog.DiscardHandler)
		}
	})
}

// Wake says that the outbox may have something; it never blocks.
func (r *Router) Wake() {
	r.init()
	select {
	case r.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run routes events until ctx ends; it returns nil then. A database that does
// not answer is waited for.
func (r *Router) Run(ctx context.Context) error {
	r.init()
	for ctx.Err() == nil {
		claimed, err := r.Outbox.ClaimOutbox(ctx, routerBatch, r.route)
		wait := routerPoll
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.Log.Error("read the outbox", "error", err.Error())
			wait = routerPause
		case claimed == routerBatch:
			continue
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-time.After(wait):
		}
	}
	return nil
}

// route dispatches one batch.
func (r *Router) route(ctx context.Context, events []ledger.OutboxEvent) (done []int64, failed map[int64]error) {
	var mu sync.Mutex
	failed = map[int64]error{}
	byCustomer := map[lifecycle.CustomerID][]ledger.OutboxEvent{}
	for _, e := range events {
		byCustomer[e.Event.CustomerID] = append(byCustomer[e.Event.CustomerID], e)
	}
	var group errgroup.Group
	group.SetLimit(routerParallel)
	for customer, list := range byCustomer {
		slices.SortFunc(list, func(a, b ledger.OutboxEvent) int { return int(a.ID - b.ID) })
		mu.Lock()
		h, holding := r.held[customer]
		mu.Unlock()
		if holding && time.Since(h.since) > holdTime {
			holding = false // it left the outbox some other way
		}
		group.Go(func() error {
			ok, bad, first := r.serve(ctx, list, h.id, holding)
			mu.Lock()
			defer mu.Unlock()
			done = append(done, ok...)
			for id, err := range bad {
				failed[id] = err
			}
			switch {
			case first == 0:
				delete(r.held, customer)
			case !holding || first != h.id:
				r.held[customer] = hold{first, time.Now()}
			}
			return nil
		})
	}
	_ = group.Wait() // serve reports per event
	return done, failed
}

// serve dispatches one customer's events in order. It returns those routed,
// those that failed, and the first event the customer now waits for, 0 if none.
func (r *Router) serve(ctx context.Context, list []ledger.OutboxEvent, heldBy int64, holding bool) (done []int64, failed map[int64]error, first int64) {
	failed = map[int64]error{}
	if holding {
		first = heldBy
	}
	for _, e := range list {
		if first != 0 && e.ID > first {
			failed[e.ID] = fmt.Errorf("waits for event %d of the same customer", first)
			continue
		}
		err := r.dispatch(ctx, e.Event)
		if ctx.Err() != nil && err != nil {
			return done, failed, first // not the event's fault: it comes again at once
		}
		if err != nil {
			r.Log.Warn("event not routed", "event", string(e.Event.ID), "name", e.Event.Name, "attempts", e.Attempts+1, "error", err.Error())
			failed[e.ID], first = err, e.ID
			continue
		}
		done = append(done, e.ID)
		if e.ID == first {
			first = 0
		}
	}
	return done, failed, first
}

// dispatch calls Dispatch within its time; a panic is a failure of the event.
func (r *Router) dispatch(ctx context.Context, e lifecycle.Event) (err error) {
	ctx, cancel := context.WithTimeout(ctx, dispatchTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = lifecycle.Errorf(lifecycle.Internal, "dispatch panicked: %v", p)
		}
	}()
	return r.Dispatch(ctx, e)
}
