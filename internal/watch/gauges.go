package watch

import (
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Gauges are what the metrics endpoints show of the business: counts of small
// fixed label sets, no ids, nothing personal.
type Gauges struct {
	Touches    map[TouchGauge]int           // that went out in the last day
	Decisions  map[lifecycle.TouchState]int // of the last day, by what was decided
	Blocks     map[string]int               // touches blocked in the last day, by rule
	Alerts     map[AlertGauge]int           // open
	Violations map[Rule]int                 // found in the last 30 days
	Controls   map[ledger.ControlState]int  // in force
	Halted     bool                         // everything is

	Reviews       int           // waiting for a person
	OldestReview  time.Duration // real time
	Outbox        int           // events not yet brought to their journeys
	OutboxFailing int           // of them, tried in vain
	OldestEvent   time.Duration // real time
	Notices       int           // of alerts, not delivered yet
	CheckedAgo    time.Duration // real time since the watch last checked; negative = never

	Breaker []Counts // of the last day, per channel
	Up      map[Component]bool
}

// TouchGauge labels touches.
type TouchGauge struct {
	Channel lifecycle.Channel
	State   lifecycle.TouchState
}

// AlertGauge labels alerts.
type AlertGauge struct {
	Kind     Kind
	Severity Severity
}

// Earned is what the marketing touches of the last 28 days were followed by.
type Earned struct {
	Revenue lifecycle.Money // credited to them, minor units
	Touches int
}
