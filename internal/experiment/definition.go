package experiment

import (
	"time"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
)

// Mode says what an experiment is for.
type Mode string

// Modes.
const (
	Test   Mode = "test"   // finds out which arm is better, with a known error
	Bandit Mode = "bandit" // loses little while finding out; proves nothing
)

// Kind is what differs between the arms. An experiment changes one kind of thing,
// so that what it finds has one cause.
type Kind string

// Kinds of arms.
const (
	Creative Kind = "creative"  // another copy for one slot
	Offer    Kind = "offer"     // another incentive of the catalogue
	SendTime Kind = "send_time" // another hour or rule of sending
	Agent    Kind = "agent"     // another agent, or none
	Journey  Kind = "journey"   // another version of the journey
)

// Unit is what is assigned to an arm and counted.
type Unit string

// Units. Touches of one customer are not independent: with Touch the same
// customer may see several arms.
const (
	Customer Unit = "customer"
	Touch    Unit = "touch"
)

// Direction says which way a metric is better.
type Direction string

// Directions.
const (
	Higher Direction = "higher"
	Lower  Direction = "lower"
)

// Promotion says what happens when a challenger has won.
type Promotion string

// Promotions.
const (
	Automatically Promotion = "automatic" // it becomes what everybody gets
	Ask           Promotion = "ask"       // a person decides
)

// Definition is a parsed experiment file. It is immutable.
type Definition struct {
	Name        string     `json:"name"`
	Title       string     `json:"title,omitempty"`
	Hypothesis  string     `json:"hypothesis"`
	Unit        Unit       `json:"unit"`
	Kind        Kind       `json:"kind"`
	Where       Place      `json:"where"`
	Arms        []Arm      `json:"arms"` // the control first
	Metric      Metric     `json:"metric"`
	Guardrails  []Metric   `json:"guardrails,omitempty"`
	Secondary   []Metric   `json:"secondary,omitempty"`
	Segment     string     `json:"segment,omitempty"` // CEL; empty = everybody who gets there
	MinimumLift float64    `json:"minimum_effect"`    // relative; the smallest that matters
	Alpha       float64    `json:"alpha"`             // two-sided, over all challengers
	Power       float64    `json:"power"`
	Shortest    int        `json:"shortest"` // days
	Longest     int        `json:"longest"`  // days in which units enter
	PerArm      int        `json:"least_per_arm"`
	Looks       plan.Looks `json:"looks"`
	Promote     Promotion  `json:"promote"`
	Mode        Mode       `json:"mode"`
	Bandit      Settings   `json:"bandit,omitzero"`
}

// Place is where the arms differ.
type Place struct {
	Journey string `json:"journey,omitempty"` // empty = in all journeys
	Step    string `json:"step,omitempty"`
}

// Arm is one variant.
type Arm struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // of the units, all together 1
	// Use names the arm's variant in the words of its kind: a creative's name, an offer,
	// an hour, an agent, a journey's version. Empty in the control: what is used today.
	Use string `json:"use,omitempty"`
}

// Metric is one outcome per unit.
type Metric struct {
	Name   string        `json:"name"`
	Kind   estimate.Kind `json:"kind"`
	Better Direction     `json:"better"`
	// Window is the time from exposure in which outcomes count. A unit is analysed once
	// its window has closed, so that its outcome no longer grows.
	Window time.Duration `json:"window"`
	// Cap is what a unit's amount counts at most (winsorised), fixed beforehand; 0 =
	// no cap.
	Cap float64 `json:"cap,omitzero"`
	// Past is how far back before assignment the same amount is summed up as the
	// covariate (CUPED); 0 = no covariate.
	Past time.Duration `json:"past,omitzero"`
	// Baseline, SD and Correlation are what planning assumes where nothing has been
	// measured.
	Baseline    float64 `json:"baseline,omitzero"`
	SD          float64 `json:"sd,omitzero"`
	Correlation float64 `json:"correlation,omitzero"`
	// Margin is by how much of the control's value a guardrail may be worse, relative.
	Margin float64 `json:"margin,omitzero"`
}

// Settings are those of a bandit.
type Settings struct {
	Policy string        `json:"policy"` // horizon or thompson
	Floor  float64       `json:"floor"`  // least share of an arm
	Period time.Duration `json:"period"` // between two changes of the shares
	WarmUp int           `json:"warm_up"`
	// Horizon is how many units are to be sent in all: what a horizon-aware policy
	// weighs learning against. 0 = what enters in Longest.
	Horizon int `json:"horizon,omitzero"`
}

// Control is the first arm.
func (d *Definition) Control() Arm { return d.Arms[0] }

// Challengers are all arms but the control.
func (d *Definition) Challengers() []Arm { return d.Arms[1:] }

// Weights are the shares of the arms, in their order.
func (d *Definition) Weights() []float64 {
	w := make([]float64, len(d.Arms))
	for i, a := range d.Arms {
		w[i] = a.Share
	}
	return w
}

// Metrics are all of them: the primary one first, then guardrails, then the rest.
func (d *Definition) Metrics() []Metric {
	return append(append([]Metric{d.Metric}, d.Guardrails...), d.Secondary...)
}

// Request is what the planner is asked. baseline, sd and perDay are measured on the
// segment's recent traffic; zero keeps the file's assumptions.
func (d *Definition) Request(baseline, sd, perDay float64) plan.Request {
	m := plan.Metric{Name: d.Metric.Name, Kind: d.Metric.Kind, Baseline: d.Metric.Baseline, SD: d.Metric.SD, Correlation: d.Metric.Correlation}
	if baseline > 0 {
		m.Baseline = baseline
	}
	if sd > 0 {
		m.SD = sd
	}
	r := plan.Request{
		Metric: m, Lift: d.MinimumLift, Alpha: d.Alpha, Power: d.Power, Control: d.Control().Share, Looks: d.Looks,
		PerDay: perDay, Window: d.Metric.Window, PerArm: d.PerArm, Shortest: d.Shortest, Longest: d.Longest,
	}
	for _, a := range d.Challengers() {
		r.Challengers = append(r.Challengers, a.Share)
	}
	for _, s := range d.Secondary {
		if s.Baseline > 0 {
			r.Alternative = append(r.Alternative, plan.Metric{Name: s.Name, Kind: s.Kind, Baseline: s.Baseline, SD: s.SD, Correlation: s.Correlation})
		}
	}
	return r
}
