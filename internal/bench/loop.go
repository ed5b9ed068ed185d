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
	lookEvery = 50 * time.Millisecond
	drainTime = 5 * time.Minute
)

// closed keeps inFlight of them under way until count are done, and measures all
// of it: journeys move in waves, and a period that ended within one would count
// work without its result.
func (s *stage) closed(ctx context.Context, l loop, inFlight, count int) (sample, error) {
	base, err := l.done(ctx)
	if err != nil {
		return sample{}, err
	}
	before, err := processorTime(s.box.Stack)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	for started, done := 0, 0; done < count; {
		if free := min(inFlight-(started-done), count-started); free > 0 {
			if err := l.start(ctx, free); err != nil {
				return sample{}, err
			}
			started += free
		}
		if err := pause(ctx, lookEvery); err != nil {
			return sample{}, err
		}
		n, err := l.done(ctx)
		if err != nil {
			return sample{}, err
		}
		done = n - base
		if time.Since(began) > drainTime {
			return sample{}, lifecycle.Errorf(lifecycle.Unavailable, "only %d of %d were done in %s", done, count, drainTime)
		}
	}
	n, took := float64(count), time.Since(began)
	after, err := processorTime(s.box.Stack)
	if err != nil {
		return sample{}, err
	}
	spent := after.since(before)
	return sample{
		perSecond: n / took.Seconds(), server: milliseconds(spent.temporal) / n,
		database: milliseconds(spent.postgres) / n, process: milliseconds(spent.process) / n,
	}, nil
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
