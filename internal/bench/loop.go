package bench

import (
	"context"
	"fmt"
	"time"

	"touchstone/internal/lifecycle"
)

// loop is something that can be started and counted.
type loop struct {
	start func(ctx context.Context, n int) error
	done  func(ctx context.Context) (int, error)
}

// sample is what one round of a closed loop came to.
type sample struct {
	perSecond float64
	server    float64 // processor milliseconds of the Temporal server, each
	database  float64 // of PostgreSQL, each
	process   float64 // of this process, each
}

const (
	warmUp    = 3 * time.Second
	lookEvery = 50 * time.Millisecond
	drainTime = 2 * time.Minute
)

// closed keeps inFlight of them under way: it warms up, measures for a period,
// and lets what is under way finish.
func (s *stage) closed(ctx context.Context, l loop, inFlight int, period time.Duration) (sample, error) {
	base, err := l.done(ctx)
	if err != nil {
		return sample{}, err
	}
	started, done := 0, 0
	refill := func() error {
		n, err := l.done(ctx)
		if err != nil {
			return err
		}
		done = n - base
		if free := inFlight - (started - done); free > 0 {
			started += free
			return l.start(ctx, free)
		}
		return nil
	}
	hold := func(d time.Duration) error {
		for until := time.Now().Add(d); time.Now().Before(until); {
			if err := refill(); err != nil {
				return err
			}
			if err := pause(ctx, lookEvery); err != nil {
				return err
			}
		}
		return refill()
	}
	if err := hold(warmUp); err != nil {
		return sample{}, err
	}
	before, err := processorTime(s.box.Stack)
	if err != nil {
		return sample{}, err
	}
	from, began := done, time.Now()
	if err := hold(period); err != nil {
		return sample{}, err
	}
	n, took := float64(done-from), time.Since(began)
	after, err := processorTime(s.box.Stack)
	if err != nil {
		return sample{}, err
	}
	if n == 0 {
		return sample{}, lifecycle.Errorf(lifecycle.Unavailable, "not one was done in %s", took.Round(time.Second))
	}
	spent := after.since(before)
	result := sample{
		perSecond: n / took.Seconds(), server: milliseconds(spent.temporal) / n,
		database: milliseconds(spent.postgres) / n, process: milliseconds(spent.process) / n,
	}
	return result, drain(ctx, l, base+started)
}

// drain waits until as many are done as were started.
func drain(ctx context.Context, l loop, want int) error {
	for until := time.Now().Add(drainTime); ; {
		n, err := l.done(ctx)
		if err != nil || n >= want {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("%d of %d are not done after %s", want-n, want, drainTime)
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
