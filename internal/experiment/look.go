package experiment

import (
	"time"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/measure"
)

// Day sums up the units of one arm that were first exposed on one day, by the phase
// in which they were drawn. A unit counts on the day of its first exposure, and only
// there: its outcomes are added to that day's sums whenever they come. Units that were
// drawn and never exposed count as assigned on the day of the draw.
type Day struct {
	Phase    int       `json:"phase"`
	Arm      string    `json:"arm"`
	Day      time.Time `json:"day"`               // midnight UTC at which the day begins
	Assigned int       `json:"assigned"`          // units drawn into the arm: what the sample ratio is checked on
	Exposed  int       `json:"exposed"`           // of those, units for which the arms really differed
	Crossed  int       `json:"crossed,omitempty"` // of those, units that met another arm as well
	// Metrics are sums over the exposed units, by the metric's name, amounts capped.
	Metrics map[string]estimate.Sums `json:"metrics"`
}

// Evidence is what an experiment is judged by.
type Evidence struct {
	Now    time.Time      `json:"now"`
	Plan   plan.Plan      `json:"plan"`   // as it was made at the start
	Phases []Phase        `json:"phases"` // in order; the last one is the present
	Days   []Day          `json:"days"`   // in any order
	Prior  estimate.Prior `json:"prior"`  // of past experiments; zero = estimate.Assumed
}

// Decision is what a look asks for.
type Decision string

// Decisions.
const (
	Continue     Decision = "continue"
	Promote      Decision = "promote"      // Look.Arm becomes what everybody gets
	Retire       Decision = "retire"       // Look.Arm is taken out; the others go on
	Extend       Decision = "extend"       // the planned days are over, the sample is not in, and more days are allowed
	StopHarm     Decision = "stop_harm"    // Look.Arm does harm: take it out now
	StopSRM      Decision = "stop_srm"     // assignment is not what it should be: no figure can be trusted
	Inconclusive Decision = "inconclusive" // ended without a winner: the control stays
)

// Look is an experiment judged at one instant, with everything it rests on.
type Look struct {
	Experiment  string   `json:"experiment"`
	Mode        Mode     `json:"mode"`
	Decision    Decision `json:"decision"`
	Arm         string   `json:"arm,omitempty"`
	NeedsPerson bool     `json:"needs_person,omitempty"` // before the decision is carried out
	Reasons     []string `json:"reasons"`                // in words, the deciding one first

	At          time.Time    `json:"at"`
	Day         int          `json:"day"`  // full days since the start
	Days        int          `json:"days"` // planned
	Longest     int          `json:"longest"`
	Closed      int          `json:"closed"` // first days whose outcomes are complete: those that are judged
	Units       int          `json:"units"`  // analysed
	Required    int          `json:"required"`
	Trust       Trust        `json:"trust"`
	Arms        []ArmReading `json:"arms"`
	Comparisons []Comparison `json:"comparisons"`
	Looks       int          `json:"looks"` // group-sequential looks taken
	// Shares are those of the next period, in the order of the arms; a bandit only.
	Shares []float64 `json:"shares,omitempty"`
}

// ArmReading is one arm by itself.
type ArmReading struct {
	Arm      string       `json:"arm"`
	Retired  bool         `json:"retired,omitempty"`
	Assigned int          `json:"assigned"`
	Exposed  int          `json:"exposed"`
	Required int          `json:"required"`
	Mean     measure.Mean `json:"mean"` // of the primary metric, complete outcomes
	// Of a bandit: what is believed, the chance of being best, and the mean by
	// adaptively weighted AIPW.
	Best     float64          `json:"best,omitzero"`
	Believed float64          `json:"believed,omitzero"`
	Unbiased measure.Interval `json:"unbiased,omitzero"`
}

// Comparison sets one challenger against the control on the primary metric.
type Comparison struct {
	Arm    string          `json:"arm"`
	Effect estimate.Effect `json:"effect"`
	// Interval is that of the difference if this look had been the only one. Read it
	// at the end; while the test runs, Sequence is the one that holds.
	Interval measure.Interval  `json:"interval"`
	Lift     *measure.Interval `json:"lift,omitempty"` // nil when the control's mean is not above zero
	Sequence *measure.Interval `json:"sequence,omitempty"`
	// SequenceP is the p-value that holds whenever it is read.
	SequenceP   float64 `json:"sequence_p"`
	Information float64 `json:"information"` // of the plan's, at the latest look
	Z           float64 `json:"z"`           // above zero = better
	Critical    float64 `json:"critical,omitzero"`
	Alpha       float64 `json:"alpha"` // two-sided, of this comparison
	Spent       float64 `json:"spent"`
	Crossed     string  `json:"crossed,omitempty"`    // better or worse, once a bound was crossed
	CrossedOn   int     `json:"crossed_on,omitempty"` // day of the crossing
	// Adjusted is the median-unbiased difference, once a bound was crossed or the last
	// look was taken: stopping on a high makes the plain one too high.
	Adjusted *measure.Interval `json:"adjusted,omitempty"`
	// Shrunk is the lift that remains to be expected after what past experiments
	// showed, and Chance the probability that it is above zero.
	Shrunk     *measure.Interval `json:"shrunk,omitempty"`
	Chance     float64           `json:"chance,omitzero"`
	Guardrails []GuardReading    `json:"guardrails,omitempty"`
	Secondary  []SideReading     `json:"secondary,omitempty"`
}

// GuardReading judges a guardrail metric by non-inferiority: it passes when its
// interval excludes being worse by the margin, and harms when its confidence
// sequence lies wholly beyond the margin.
type GuardReading struct {
	Metric     string           `json:"metric"`
	Difference measure.Interval `json:"difference"` // one-sided level alpha over the number of guardrails
	Limit      float64          `json:"limit"`      // difference that must not be reached
	Passes     bool             `json:"passes"`
	Harms      bool             `json:"harms"`
	Why        string           `json:"why,omitempty"` // why there is no reading yet
}

// SideReading is a secondary metric: never a reason to promote. Found says whether
// it is a discovery after Benjamini-Hochberg over all secondary metrics and arms.
type SideReading struct {
	Metric   string            `json:"metric"`
	Lift     *measure.Interval `json:"lift,omitempty"`
	P        float64           `json:"p"`
	Adjusted float64           `json:"adjusted_p"`
	Found    bool              `json:"found"`
}

// Trust says whether assignment did what it should.
type Trust struct {
	Statistic float64 `json:"statistic"` // chi-squared over all phases
	Degrees   int     `json:"degrees"`
	P         float64 `json:"p"`
	// LogE is the highest logarithm so far of the e-value that may be looked at all the
	// time; ln(sequential.Alarm) is an alarm.
	LogE    float64 `json:"log_e"`
	Crossed float64 `json:"crossed"` // share of exposed units that met more than one arm
	// Broken stops an experiment; Suspected (p below 0.01) keeps it from naming a
	// winner.
	Broken    bool   `json:"broken"`
	Suspected bool   `json:"suspected"`
	Why       string `json:"why,omitempty"`
}
