package gateway

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"touchstone/internal/ledger"
)

// metrics counts what comes in. Labels are from small fixed sets.
type metrics struct {
	requests    *prometheus.CounterVec   // door, status
	seconds     *prometheus.HistogramVec // door
	signatures  *prometheus.CounterVec   // door: refused signatures
	outcomes    *prometheus.CounterVec   // kind, machine
	unreadable  *prometheus.CounterVec   // door: entries that could not be read
	messages    *prometheus.CounterVec   // door, key (its name), result
	refused     *prometheus.CounterVec   // key (its name), why
	unsubscribe *prometheus.CounterVec   // channel, result
	preferences *prometheus.CounterVec   // result
	privacy     *prometheus.CounterVec   // kind, result
}

func newMetrics(r *prometheus.Registry) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "touchstone", Subsystem: "gateway", Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("requests_total", "Requests by door and status code.", "door", "status"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "touchstone", Subsystem: "gateway", Name: "request_seconds",
			Help: "Time to answer by door.", Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20}}, []string{"door"}),
		signatures:  counter("signatures_rejected_total", "Webhook posts with a wrong signature.", "door"),
		outcomes:    counter("outcomes_total", "Provider events applied or repeated, by kind and whether a machine caused them.", "kind", "machine"),
		unreadable:  counter("unreadable_total", "Webhook entries that could not be read or used.", "door"),
		messages:    counter("messages_total", "Tracking messages by door, name of the write key and result.", "door", "key", "result"),
		refused:     counter("refused_total", "Tracking requests sent away by name of the write key and why: rate or busy.", "key", "why"),
		unsubscribe: counter("unsubscribes_total", "Unsubscribe requests by channel and result.", "channel", "result"),
		preferences: counter("preferences_total", "Forms of the preference and confirmation pages by result.", "result"),
		privacy:     counter("privacy_requests_total", "Requests to export or erase by kind and result.", "kind", "result"),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.signatures, m.outcomes, m.unreadable, m.messages, m.refused, m.unsubscribe, m.preferences, m.privacy} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) request(door string, status int, took time.Duration) {
	m.requests.WithLabelValues(door, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(door).Observe(took.Seconds())
}

func (m *metrics) outcome(o ledger.Outcome) {
	m.outcomes.WithLabelValues(string(o.Kind), strconv.FormatBool(o.Machine)).Inc()
}
