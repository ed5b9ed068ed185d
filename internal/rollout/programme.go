package rollout

import (
	"time"

	"touchstone/internal/experiment"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// Programme is a parsed programme file. It is immutable.
type Programme struct {
	Name        string
	Title       string
	Description string
	Journeys    []string      // that the programme governs; empty = all
	Every       time.Duration // business time between checks
	StepBacks   int           // so many steps back halt the programme
	Phases      []Phase
	Stages      []Stage // of all phases, in order
}

// Phase groups stages that share their cohort, what is in scope and the
// checklist by which people judge whether the programme may go on.
type Phase struct {
	Name      string
	Title     string
	Goal      string
	Cohort    *segment.Expr // nil = everybody
	Coverage  float64       // share of all customers that the stages' shares are of, in (0,1]
	Journeys  []string      // empty = all that the programme governs
	Channels  []lifecycle.Channel
	Agents    []string
	ReviewAll bool // every touch waits for a person
	GoNoGo    bool // a person decides at the end of the phase
	Checklist []Item
	first     int // index of its first stage
	last      int
}

// Stage is one step of a programme. It is left when it has been watched for
// Hold, at least Sample customers were sent a touch, and every gate holds.
type Stage struct {
	Name       string
	Phase      int     // index into Programme.Phases
	Share      float64 // as written: of the phase's coverage
	Reach      float64 // Share times the phase's coverage: what customers are drawn by, in (0,1]
	Hold       time.Duration
	Sample     int
	Approval   bool // a person decides before the next stage, as at the end of a phase
	Gates      []Condition
	Guardrails []Guardrail
}

// Guardrail is a metric that must not get worse.
type Guardrail struct {
	Condition
	Else Action // StepBack or Halt
}

// Item is one line of a phase's checklist, ticked by a reading or by a person.
type Item struct {
	Name     string // what `tick` takes
	Title    string
	Evidence *Condition // nil = a person ticks it
}

// PhaseOf returns the phase of a stage.
func (p *Programme) PhaseOf(stage int) Phase { return p.Phases[p.Stages[stage].Phase] }

// EndsPhase reports whether a stage is the last one of its phase.
func (p *Programme) EndsPhase(stage int) bool { return p.PhaseOf(stage).last == stage }

// NeedsPerson reports whether a person decides before the stage is left.
func (p *Programme) NeedsPerson(stage int) bool {
	return p.Stages[stage].Approval || p.EndsPhase(stage) && p.PhaseOf(stage).GoNoGo
}

// Scope is what a stage lets through.
func (p *Programme) Scope(version, stage int, at time.Time) ledger.Scope {
	phase := p.PhaseOf(stage)
	s := ledger.Scope{
		Programme: p.Name, Version: version, Phase: phase.Name, Stage: p.Stages[stage].Name, Governs: p.Journeys, Journeys: phase.Journeys,
		Channels: phase.Channels, Agents: phase.Agents, ReviewAll: phase.ReviewAll, Share: p.Stages[stage].Reach, At: at,
	}
	if phase.Cohort != nil {
		s.Cohort = phase.Cohort.String()
	}
	return s
}

// Unlimited reports whether a stage holds nobody and nothing back, so that the
// programme can end without leaving a scope behind.
func (p *Programme) Unlimited(stage int) bool {
	phase := p.PhaseOf(stage)
	return p.Stages[stage].Reach == 1 && phase.Cohort == nil && len(phase.Journeys)+len(phase.Channels)+len(phase.Agents) == 0 && !phase.ReviewAll
}

// Drawn reports whether a customer is among the share of a stage; whether the
// phase's cohort holds for the customer is another question. The database draws
// the same with bucket().
func (p *Programme) Drawn(stage int, customer lifecycle.CustomerID) bool {
	return experiment.Bucket(p.Scope(0, stage, time.Time{}).Salt(), string(customer)) < p.Stages[stage].Reach
}

// Conditions lists everything that readings are needed for in a stage.
func (p *Programme) Conditions(stage int) []Condition {
	s := p.Stages[stage]
	all := append([]Condition(nil), s.Gates...)
	for _, g := range s.Guardrails {
		all = append(all, g.Condition)
	}
	for _, item := range p.PhaseOf(stage).Checklist {
		if item.Evidence != nil {
			all = append(all, *item.Evidence)
		}
	}
	return all
}
