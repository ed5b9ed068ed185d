package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"touchstone/internal/config"
	"touchstone/internal/watch"
)

// LevelStore keeps what the system records about itself.
type LevelStore interface {
	SaveHeartbeats(ctx context.Context, beats []watch.Heartbeat) error
	AddLatencies(ctx context.Context, hour time.Time, counted map[string]watch.Histogram) error
}

// prober asks every component once a minute whether it works, and stores the
// answers and the latencies. While the database is away, answers are kept: they
// are stored when it is back, its own absence among them.
type prober struct {
	store  LevelStore
	probes map[watch.Component]func(context.Context) error
	times  *Stopwatch
	log    *slog.Logger

	kept []watch.Heartbeat
}

const (
	probeEvery = time.Minute
	probeTime  = 5 * time.Second
	// keptAtMost is a day of answers.
	keptAtMost = 24 * 60 * 4
)

func newProber(o Options, times *Stopwatch) *prober {
	p := &prober{store: o.Store, times: times, log: o.Log, probes: map[watch.Component]func(context.Context) error{
		watch.Database: o.Store.Ping,
		watch.Engine: func(ctx context.Context) error {
			_, err := o.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		},
		watch.Worker: func(context.Context) error { return nil },
	}}
	base := o.Config.Watch.Probe
	if base == "" {
		base = o.Config.Gateway.PublicURL
	}
	if base != config.ProbeOff {
		p.probes[watch.Gateway] = probeHTTP(strings.TrimRight(base, "/") + "/healthz")
	}
	return p
}

// probeHTTP wants an answer of 200.
func probeHTTP(address string) func(context.Context) error {
	caller := &http.Client{Timeout: probeTime}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := caller.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", response.StatusCode)
		}
		return nil
	}
}

// Run probes until ctx ends; it returns nil then.
func (p *prober) Run(ctx context.Context) error {
	for {
		p.round(ctx, time.Now())
		next := time.Now().Truncate(probeEvery).Add(probeEvery + time.Second)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
			defer cancel()
			p.save(last, time.Now())
			return nil
		case <-time.After(time.Until(next)):
		}
	}
}

// round probes everything at once and stores what is known.
func (p *prober) round(ctx context.Context, now time.Time) {
	var mu sync.Mutex
	var probing sync.WaitGroup
	for component, probe := range p.probes {
		probing.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, probeTime)
			defer cancel()
			err := probe(ctx)
			if ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
				return // we are stopping: that says nothing about the component
			}
			if err != nil {
				p.log.Warn("a component does not answer", "component", string(component), "error", err.Error())
			}
			mu.Lock()
			defer mu.Unlock()
			p.kept = append(p.kept, watch.Heartbeat{Component: component, Minute: now.UTC().Truncate(time.Minute), Up: err == nil})
		})
	}
	probing.Wait()
	if len(p.kept) > keptAtMost {
		p.kept = p.kept[len(p.kept)-keptAtMost:]
	}
	p.save(ctx, now)
}

// save stores answers and latencies; what cannot be stored is kept.
func (p *prober) save(ctx context.Context, now time.Time) {
	if err := p.store.SaveHeartbeats(ctx, p.kept); err != nil {
		p.log.Warn("heartbeats are kept until the database answers", "kept", len(p.kept), "error", err.Error())
		return
	}
	p.kept = nil
	counts := p.times.take()
	if err := p.store.AddLatencies(ctx, now.UTC(), counts); err != nil {
		p.times.giveBack(counts)
		p.log.Warn("latencies are kept until the database answers", "error", err.Error())
	}
}
