package watch

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"touchstone/internal/ledger"
)

// Collector serves Gauges as Prometheus metrics. Every process that serves
// metrics shows the same figures, which are about the whole system: dashboards
// take the maximum over processes.
type Collector struct {
	// Read sums the gauges up, Earned the revenue, which reads four weeks of
	// orders. They are asked at most every readEvery and earnedEvery.
	Read    func(ctx context.Context) (Gauges, error)
	Earned  func(ctx context.Context) (Earned, error)
	Breaker Breaker // its limits are shown beside the rates
	Log     *slog.Logger

	mu     sync.Mutex
	gauges cached[Gauges]
	earned cached[Earned]
}

const (
	readEvery   = 30 * time.Second
	earnedEvery = 15 * time.Minute
)

// collectTime bounds one reading.
const collectTime = 10 * time.Second

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("touchstone_"+name, help, labels, nil)
}

var (
	descRead       = describe("gauges_read", "1 when the figures of the business could be read from the database.")
	descTouches    = describe("touches_day", "Touches that went out in the last 24 hours of business time.", "channel", "state")
	descDecisions  = describe("decisions_day", "Decisions of the last 24 hours of business time by result.", "state")
	descBlocks     = describe("blocked_day", "Touches blocked in the last 24 hours of business time by guardrail.", "rule")
	descAlerts     = describe("alerts_open", "Open alerts.", "kind", "severity")
	descViolations = describe("violations_month", "Compliance violations found in the last 30 days of business time.", "rule")
	descControls   = describe("controls", "Pauses and halts in force.", "state")
	descHalted     = describe("halted", "1 while everything is halted.")
	descReviews    = describe("reviews_waiting", "Reviews that wait for a person.")
	descOldReview  = describe("review_oldest_seconds", "Age of the oldest waiting review.")
	descOutbox     = describe("outbox_events", "Events not yet brought to their journeys.")
	descFailing    = describe("outbox_failing", "Of them, tried in vain at least once.")
	descOldEvent   = describe("outbox_oldest_seconds", "Age of the event that has waited longest.")
	descNotices    = describe("notices_waiting", "Notices of alerts that are not delivered yet.")
	descChecked    = describe("watch_age_seconds", "Time since the circuit breaker last looked.")
	descRate       = describe("breaker_rate", "Share of the last day's messages complained about or bounced hard.", "channel", "rate")
	descSample     = describe("breaker_messages", "Messages behind the rate.", "channel", "rate")
	descLimit      = describe("breaker_limit", "Rates at which people are warned and sending stops.", "rate", "level")
	descUp         = describe("component_up", "1 when the component answered the last probe.", "component")
	descRevenue    = describe("revenue_month", "Revenue credited to the marketing touches of the last 28 days of business time, major units.", "currency")
	descBilled     = describe("marketing_touches_month", "Those touches.")
	descRpMT       = describe("rpmt", "Revenue per marketing touch over the last 28 days of business time, major units.", "currency")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRead, descTouches, descDecisions, descBlocks, descAlerts, descViolations, descControls, descHalted,
		descReviews, descOldReview, descOutbox, descFailing, descOldEvent, descNotices, descChecked, descRate, descSample, descLimit, descUp,
		descRevenue, descBilled, descRpMT} {
		out <- d
	}
}

// Collect implements prometheus.Collector. A database that does not answer shows
// as touchstone_gauges_read 0.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	g, err := c.gauges.get(readEvery, c.Read)
	earned, failed := c.earned.get(earnedEvery, c.Earned)
	c.mu.Unlock()
	err = errors.Join(err, failed)
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, rate := range []struct {
		name string
		Threshold
	}{{"complaints", c.Breaker.Complaints}, {"bounces", c.Breaker.Bounces}} {
		gauge(descLimit, rate.Warn, rate.name, "warn")
		gauge(descLimit, rate.Halt, rate.name, "halt")
	}
	if err != nil {
		c.Log.Warn("the figures for the metrics endpoint could not be read", "error", err.Error())
		gauge(descRead, 0)
		return
	}
	gauge(descRead, 1)
	for label, n := range g.Touches {
		gauge(descTouches, float64(n), string(label.Channel), string(label.State))
	}
	for state, n := range g.Decisions {
		gauge(descDecisions, float64(n), string(state))
	}
	for rule, n := range g.Blocks {
		gauge(descBlocks, float64(n), rule)
	}
	for label, n := range g.Alerts {
		gauge(descAlerts, float64(n), string(label.Kind), string(label.Severity))
	}
	for rule, n := range byHead(g.Violations) {
		gauge(descViolations, float64(n), rule)
	}
	for _, state := range []ledger.ControlState{ledger.ControlPaused, ledger.ControlHalted} {
		gauge(descControls, float64(g.Controls[state]), string(state))
	}
	gauge(descHalted, truth(g.Halted))
	gauge(descReviews, float64(g.Reviews))
	gauge(descOldReview, g.OldestReview.Seconds())
	gauge(descOutbox, float64(g.Outbox))
	gauge(descFailing, float64(g.OutboxFailing))
	gauge(descOldEvent, g.OldestEvent.Seconds())
	gauge(descNotices, float64(g.Notices))
	if g.CheckedAgo >= 0 {
		gauge(descChecked, g.CheckedAgo.Seconds())
	}
	for _, n := range g.Breaker {
		channel := string(n.Channel)
		gauge(descSample, float64(n.Delivered), channel, "complaints")
		gauge(descSample, float64(n.Sent), channel, "bounces")
		if n.Delivered > 0 {
			gauge(descRate, float64(n.Complained)/float64(n.Delivered), channel, "complaints")
		}
		if n.Sent > 0 {
			gauge(descRate, float64(n.Bounced)/float64(n.Sent), channel, "bounces")
		}
	}
	for component, up := range g.Up {
		gauge(descUp, truth(up), string(component))
	}
	revenue := earned.Revenue.Major()
	gauge(descRevenue, revenue, earned.Revenue.Currency)
	gauge(descBilled, float64(earned.Touches))
	if earned.Touches > 0 {
		gauge(descRpMT, revenue/float64(earned.Touches), earned.Revenue.Currency)
	}
}

// cached is a reading and when it was taken.
type cached[V any] struct {
	value V
	at    time.Time
}

// get reads anew when the last reading is too old. A failed reading is tried
// again the next time.
func (c *cached[V]) get(every time.Duration, read func(context.Context) (V, error)) (V, error) {
	if !c.at.IsZero() && time.Since(c.at) < every {
		return c.value, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTime)
	defer cancel()
	value, err := read(ctx)
	if err != nil {
		return value, err
	}
	c.value, c.at = value, time.Now()
	return value, nil
}

// byHead adds up rules under what stands before their first slash, so that the
// label stays a small fixed set.
func byHead(violations map[Rule]int) map[string]int {
	heads := map[string]int{}
	for _, rule := range slices.Sorted(maps.Keys(violations)) {
		head, _, _ := strings.Cut(string(rule), "/")
		heads[head] += violations[rule]
	}
	return heads
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
