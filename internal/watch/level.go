package watch

import (
	"time"

	"touchstone/internal/measure"
)

// Component is a part of the system whose working is recorded every minute.
type Component string

// Components. Each is up when it answered a probe; the worker, who probes, is up
// in the minutes in which it did.
const (
	Database Component = "database"
	Engine   Component = "engine" // Temporal
	Gateway  Component = "gateway"
	Worker   Component = "worker"
)

// Components lists all in the order of tables.
var Components = []Component{Database, Engine, Gateway, Worker}

// Heartbeat is whether a component worked in one minute of real time.
type Heartbeat struct {
	Component Component
	Minute    time.Time
	Up        bool
}

// Uptime is the share of minutes in which a component worked. Minutes in which
// nobody looked count as down.
type Uptime struct {
	Component  Component          `json:"component"`
	Share      measure.Proportion `json:"share"` // Hits of N minutes up
	Unobserved int                `json:"unobserved"`
}

// Timing is how long something took.
type Timing struct {
	What     string        `json:"what"`
	N        int64         `json:"n"`
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	Target   time.Duration `json:"target_ns"`
	InTarget float64       `json:"in_target"` // share within Target
}

// Levels are the service levels of a period of real time.
type Levels struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Uptimes []Uptime  `json:"uptimes"`
	Timings []Timing  `json:"timings"`
}

// targets are what the plan promises: decisions within two seconds (p95 of
// phase 2), reviews within the configured time. Deliveries have the provider's
// time-out.
var targets = map[string]time.Duration{
	LatencyDecision: 2 * time.Second, LatencyDelivery: 15 * time.Second, LatencyPage: 2 * time.Minute,
}

// TimingOf sums a histogram up.
func TimingOf(what string, h Histogram) Timing {
	return Timing{What: what, N: h.N(), P50: h.Quantile(0.5), P95: h.Quantile(0.95), Target: targets[what], InTarget: h.Within(targets[what])}
}

// DownFor is for how many minutes a component must have failed its probes before
// it is an alert: one failed probe is not.
const DownFor = 3

// Down describes the components that failed every probe of the last DownFor
// minutes before now, which is real time.
func Down(beats []Heartbeat, now time.Time) []Condition {
	failed, known := map[Component]int{}, map[Component]int{}
	for _, b := range beats {
		if age := now.Sub(b.Minute); age < 0 || age > (DownFor+1)*time.Minute {
			continue
		}
		known[b.Component]++
		if !b.Up {
			failed[b.Component]++
		}
	}
	var found []Condition
	for _, c := range Components {
		if failed[c] >= DownFor && failed[c] == known[c] {
			found = append(found, Condition{Key: "uptime/" + string(c), Kind: KindUptime, Severity: Critical,
				Title: "the " + string(c) + " does not answer", Detail: "It failed every probe for at least three minutes.", Metric: "uptime_" + string(c)})
		}
	}
	return found
}
