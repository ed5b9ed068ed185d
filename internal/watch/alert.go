package watch

import (
	"fmt"
	"strings"
	"time"
)

// Severity says how soon somebody has to look.
type Severity string

// Severities. Critical conditions of the kinds breaker and compliance halt the
// programme.
const (
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Kind groups conditions by who observes them: an observer opens and closes the
// alerts of its own kinds only.
type Kind string

// Kinds.
const (
	KindBreaker    Kind = "breaker"
	KindCompliance Kind = "compliance"
	KindAnomaly    Kind = "anomaly"
	KindUptime     Kind = "uptime"
)

// Condition is something wrong at one instant.
type Condition struct {
	Key      string   // what is wrong, stable while it is: one open alert each
	Kind     Kind     //
	Severity Severity //
	Title    string   // one line, without numbers that change by the minute where possible
	Detail   string   // a sentence or two with the numbers; ids only, no personal data
	Metric   string
	Value    *float64 // what was seen
	Expected *float64 // what usually is
	Limit    *float64 // what is allowed
}

// AlertID names an alert: a version 7 UUID.
type AlertID string

// Alert is a condition from when it was first seen until it is over. Its instants
// are business time.
type Alert struct {
	ID AlertID
	Condition
	OpenedAt time.Time
	SeenAt   time.Time // last
	ClosedAt time.Time // zero while open
	AckedAt  time.Time // somebody looks after it: no reminders
	AckedBy  string
}

// Open reports whether the condition still holds.
func (a Alert) Open() bool { return a.ClosedAt.IsZero() }

// Observation is everything that observers of some kinds see at one instant.
type Observation struct {
	Kinds      []Kind
	Conditions []Condition
	At         time.Time // business time
	// KeepCritical leaves critical alerts open whose condition is gone: a halt is
	// over when a person resumes, not when the rate has fallen.
	KeepCritical bool
}

// Occasion is why a notice is sent.
type Occasion string

// Occasions.
const (
	Opened    Occasion = "opened"
	Raised    Occasion = "raised"   // the severity rose
	Reminder  Occasion = "reminder" // still open and nobody acknowledged it
	Recovered Occasion = "recovered"
	Test      Occasion = "test" // of a target, by `touchstone alert test`
)

// Notice is one message about an alert to one target.
type Notice struct {
	ID       string // the same in every attempt, so that a receiver can drop repeats
	Occasion Occasion
	Alert    Alert
	Brand    string
	Link     string // where to look; may be empty
}

// Subject is the notice in one line.
func (n Notice) Subject() string {
	lead := map[Occasion]string{
		Opened: strings.ToUpper(string(n.Alert.Severity)), Raised: "NOW " + strings.ToUpper(string(n.Alert.Severity)),
		Reminder: "STILL " + strings.ToUpper(string(n.Alert.Severity)), Recovered: "RECOVERED", Test: "TEST",
	}[n.Occasion]
	return fmt.Sprintf("[%s] %s: %s", n.Brand, lead, n.Alert.Title)
}

// Body is the notice in a few lines: what changed and what to do next.
func (n Notice) Body() string {
	a := n.Alert
	lines := []string{a.Detail}
	if n.Occasion == Recovered {
		lines = append(lines, fmt.Sprintf("It was seen from %s to %s.", stamp(a.OpenedAt), stamp(a.SeenAt)))
	} else if !a.OpenedAt.IsZero() {
		lines = append(lines, fmt.Sprintf("Since %s.", stamp(a.OpenedAt)))
	}
	if facts := n.facts(); facts != "" {
		lines = append(lines, facts)
	}
	switch {
	case n.Occasion == Test || n.Occasion == Recovered:
	case a.Halts():
		lines = append(lines, "Sending has been halted; nobody loses their place. Find the cause, then run `touchstone resume`.")
	default:
		lines = append(lines, "Look into it, and run `touchstone alert ack "+string(a.ID)+"` to stop reminders.")
	}
	if n.Link != "" {
		lines = append(lines, n.Link)
	}
	return strings.Join(lines, "\n")
}

// facts lists the numbers of the alert.
func (n Notice) facts() string {
	var facts []string
	for _, f := range []struct {
		name  string
		value *float64
	}{{"value", n.Alert.Value}, {"expected", n.Alert.Expected}, {"limit", n.Alert.Limit}} {
		if f.value != nil {
			facts = append(facts, fmt.Sprintf("%s %.4g", f.name, *f.value))
		}
	}
	if len(facts) == 0 {
		return ""
	}
	return n.Alert.Metric + ": " + strings.Join(facts, ", ")
}

// Halts reports whether a condition stops the programme.
func (c Condition) Halts() bool {
	return c.Severity == Critical && (c.Kind == KindBreaker || c.Kind == KindCompliance)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
