package telemetry

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// TemporalMetrics hands the Temporal SDK's metrics to a Prometheus registry.
// The SDK's tag sets vary per metric; Prometheus wants one label set per name,
// so all metrics carry the same labels and leave empty what they do not have.
type TemporalMetrics struct {
	registry prometheus.Registerer
	tags     map[string]string
	vectors  *vectors
}

// vectors keeps collectors by metric name and label names.
type vectors struct {
	mu         sync.Mutex
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
}

// labelNames are the SDK's tags that are kept; fixed, so that a metric's label
// set never changes. Ids of workflows are not among them.
var labelNames = []string{"activity_type", "failure_reason", "namespace", "operation", "poller_type", "task_queue", "worker_type", "workflow_type"}

// NewTemporalMetrics returns a handler for client.Options.MetricsHandler.
func NewTemporalMetrics(registry prometheus.Registerer) *TemporalMetrics {
	return &TemporalMetrics{registry: registry, tags: map[string]string{}, vectors: &vectors{
		counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{}, histograms: map[string]*prometheus.HistogramVec{},
	}}
}

var _ client.MetricsHandler = (*TemporalMetrics)(nil)

// WithTags returns a handler that adds tags to everything it records.
func (m *TemporalMetrics) WithTags(tags map[string]string) client.MetricsHandler {
	merged := make(map[string]string, len(m.tags)+len(tags))
	for k, v := range m.tags {
		merged[k] = v
	}
	for k, v := range tags {
		merged[k] = v
	}
	return &TemporalMetrics{registry: m.registry, tags: merged, vectors: m.vectors}
}

// Counter returns the counter of this name.
func (m *TemporalMetrics) Counter(name string) client.MetricsCounter {
	v := lookup(m, m.vectors.counters, name, func(o prometheus.Opts) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(o), labelNames)
	})
	counter := v.WithLabelValues(m.values()...)
	return counterFunc(func(n int64) { counter.Add(float64(n)) })
}

// Gauge returns the gauge of this name.
func (m *TemporalMetrics) Gauge(name string) client.MetricsGauge {
	v := lookup(m, m.vectors.gauges, name, func(o prometheus.Opts) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts(o), labelNames)
	})
	return gaugeFunc(v.WithLabelValues(m.values()...).Set)
}

// Timer returns the latency histogram of this name, in seconds.
func (m *TemporalMetrics) Timer(name string) client.MetricsTimer {
	v := lookup(m, m.vectors.histograms, name+"_seconds", func(o prometheus.Opts) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: o.Namespace, Name: o.Name, Help: o.Help, Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, labelNames)
	})
	observer := v.WithLabelValues(m.values()...)
	return timerFunc(func(d time.Duration) { observer.Observe(d.Seconds()) })
}

func (m *TemporalMetrics) values() []string {
	values := make([]string, len(labelNames))
	for i, name := range labelNames {
		values[i] = m.tags[name]
	}
	return values
}

// lookup returns the collector of a name, registering it the first time.
func lookup[V prometheus.Collector](m *TemporalMetrics, known map[string]V, name string, make func(prometheus.Opts) V) V {
	m.vectors.mu.Lock()
	defer m.vectors.mu.Unlock()
	name = strings.NewReplacer("-", "_", ".", "_").Replace(name)
	if v, ok := known[name]; ok {
		return v
	}
	v := make(prometheus.Opts{Namespace: "", Name: name, Help: "Temporal SDK: " + name})
	m.registry.MustRegister(v)
	known[name] = v
	return v
}

type (
	counterFunc func(int64)
	gaugeFunc   func(float64)
	timerFunc   func(time.Duration)
)

func (f counterFunc) Inc(n int64)          { f(n) }
func (f gaugeFunc) Update(v float64)       { f(v) }
func (f timerFunc) Record(d time.Duration) { f(d) }
