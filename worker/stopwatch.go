package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"touchstone/internal/watch"
)

// Stopwatch times activities from the moment at which their workflow asked for
// them to their stored result, retries included, in real time.
type Stopwatch struct {
	interceptor.WorkerInterceptorBase
	seconds *prometheus.HistogramVec

	mu     sync.Mutex
	counts map[string]watch.Histogram // since the last take
}

// timed says which activities are timed as what.
var timed = map[string]string{"Prepare": watch.LatencyDecision, "Deliver": watch.LatencyDelivery, "SendPage": watch.LatencyPage}

// NewStopwatch returns a stopwatch that also shows its times as a metric.
func NewStopwatch(r prometheus.Registerer) (*Stopwatch, error) {
	s := &Stopwatch{counts: map[string]watch.Histogram{}, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "touchstone", Name: "latency_seconds", Help: "Real time from asking for it to its stored result: decision, delivery, page.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 15, 30, 60, 120},
	}, []string{"what"})}
	if r == nil {
		return s, nil
	}
	err := r.Register(s.seconds)
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		known, same := there.ExistingCollector.(*prometheus.HistogramVec)
		if !same {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
		s.seconds, err = known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return s, nil
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (s *Stopwatch) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	t := &timedActivity{stopwatch: s}
	t.Next = next
	return t
}

type timedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	stopwatch *Stopwatch
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (t *timedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	out, err := t.Next.ExecuteActivity(ctx, in)
	info := activity.GetInfo(ctx)
	if what := timed[info.ActivityType.Name]; what != "" && err == nil {
		t.stopwatch.record(what, time.Since(info.ScheduledTime))
	}
	return out, err
}

func (s *Stopwatch) record(what string, took time.Duration) {
	took = max(took, 0) // the server's clock may be ahead of ours
	s.seconds.WithLabelValues(what).Observe(took.Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts[what] == nil {
		s.counts[what] = watch.Histogram{}
	}
	s.counts[what][watch.Bucket(took)]++
}

// take returns what was counted since the last take.
func (s *Stopwatch) take() map[string]watch.Histogram {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.counts
	s.counts = map[string]watch.Histogram{}
	return counts
}

// giveBack adds counts that could not be stored.
func (s *Stopwatch) giveBack(counts map[string]watch.Histogram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, histogram := range counts {
		if s.counts[what] == nil {
			s.counts[what] = watch.Histogram{}
		}
		for bucket, n := range histogram {
			s.counts[what][bucket] += n
		}
	}
}
