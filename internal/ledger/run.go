package ledger

import (
	"time"

	"touchstone/internal/lifecycle"
)

// Arm says whether a run is treated or held out, and by which draw.
type Arm string

// Arms. Both holdouts receive nothing; they differ in whether the draw is the
// journey's own or the brand's always-on one.
const (
	Treated       Arm = "treated"
	Holdout       Arm = "holdout"
	GlobalHoldout Arm = "global_holdout"
)

// RunStatus is the place of a run in its life.
type RunStatus string

// Run states. A pending run is worked through in pages by its campaign; a
// running one has a journey workflow of its own.
const (
	RunPending RunStatus = "pending"
	RunRunning RunStatus = "running"
	RunEnded   RunStatus = "ended"
)

// Run is one customer's passage through one journey.
type Run struct {
	ID            lifecycle.RunID
	Journey       string
	Version       int
	CustomerID    lifecycle.CustomerID
	EntryKey      string
	Campaign      string
	Arm           Arm
	Status        RunStatus
	Durable       bool // has, or had, a workflow of its own
	Held          bool // stopped before a touch by a pause
	Step          string
	StepStartedAt time.Time
	DueAt         time.Time
	Position      int // touch steps already taken
	EnteredAt     time.Time
	EntryEventID  lifecycle.EventID
	Entry         map[string]any // properties of the entry event
	ConvertedAt   time.Time
	EndedAt       time.Time
	EndReason     string
}

// Suppression is an address that must not be written to.
type Suppression struct {
	Channel lifecycle.Channel
	Reason  string
	At      time.Time
}

// Situation is one run with everything a decision about it may depend on, read
// in one consistent snapshot.
type Situation struct {
	Run        Run
	Profile    lifecycle.Profile
	Suppressed []Suppression
	Recent     []lifecycle.TouchRecord // slot-holding touches of the last 35 days, oldest first
	Events     []lifecycle.Event       // since the run entered, of names its journey listens to, oldest first
	Touch      *lifecycle.Touch        // the ledger row of the run's current step, if any
	Converted  bool                    // an order since the last touch of this run
}

// Progress moves a run. Zero fields keep what is stored except where said.
type Progress struct {
	RunID         lifecycle.RunID
	Status        RunStatus
	Durable       bool
	Held          bool
	Step          string
	StepStartedAt time.Time
	DueAt         time.Time // zero clears it
	Position      int
	ConvertedAt   time.Time
	EndedAt       time.Time
	EndReason     string
}

// Entry asks to start one customer on a journey.
type Entry struct {
	RunID      lifecycle.RunID
	Journey    string
	Version    int
	CustomerID lifecycle.CustomerID
	EntryKey   string
	EventID    lifecycle.EventID
	Properties map[string]any
	At         time.Time
	Holdout    float64 // the journey's share, in [0,1)
	Global     float64 // the brand's always-on share, in [0,1)
	// Reentry: a run of the same journey that entered after NotSince forbids
	// the entry; zero NotSince means any earlier run forbids it, unless Always.
	Always   bool
	NotSince time.Time
}

// Cohort asks to enrol every customer of a segment on a journey, once.
type Cohort struct {
	Campaign  string
	Journey   string
	Version   int
	Where     string // SQL condition over customers c and customer_stats s; arguments start at $1
	Args      []any
	EntryKey  string  // same for all: the scan's name
	Ramp      float64 // share of the cohort, by a stable draw; growing it only adds
	Holdout   float64
	Global    float64
	At        time.Time
	Always    bool
	NotSince  time.Time // as in Entry
	NoReentry bool      // any earlier run of the journey forbids it
}

// Enrolled counts what Enrol did.
type Enrolled struct {
	Treated, Holdout, GlobalHoldout int
}
