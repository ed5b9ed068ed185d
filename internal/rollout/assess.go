package rollout

import (
	"fmt"
	"strings"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/measure"
)

// Action is what an assessment asks for.
type Action string

// Actions.
const (
	Wait     Action = "wait"
	Advance  Action = "advance"
	Ask      Action = "ask" // everything holds; a person decides whether to go on
	StepBack Action = "step back"
	Halt     Action = "halt"
)

// Position is where a programme stands.
type Position struct {
	Stage      int           `json:"stage"`                // index into Programme.Stages
	Since      time.Time     `json:"since,omitzero"`       // when the stage began, business time
	PhaseSince time.Time     `json:"phase_since,omitzero"` // when the phase began
	Watched    time.Duration `json:"watched,omitempty"`    // business time in which the stage ran and was checked
	StepBacks  int           `json:"step_backs,omitempty"` // so far
}

// Evidence is what a stage is judged by.
type Evidence struct {
	// Reading returns the reading of a condition's KPI since an instant; known is
	// false when nothing of that name is measured.
	Reading func(kpi string, since time.Time) (r measure.Reading, known bool)
	Sample  int // customers who were sent a touch since the stage began
	Ticks   map[string]ledger.Tick
}

// Assessment is the judgement of a stage at one instant, with what it rests on.
type Assessment struct {
	At         time.Time     `json:"at"`
	Phase      string        `json:"phase"`
	Stage      string        `json:"stage"`
	Action     Action        `json:"action"`
	Why        string        `json:"why"`
	Watched    time.Duration `json:"watched"`
	Hold       time.Duration `json:"hold"`
	Sample     int           `json:"sample"`
	Minimum    int           `json:"minimum"`
	Gates      []Finding     `json:"gates"`
	Guardrails []Finding     `json:"guardrails"`
	Checklist  []Check       `json:"checklist"`
}

// Check is a checklist item with its evidence.
type Check struct {
	Item     string       `json:"item"`
	Title    string       `json:"title"`
	Done     bool         `json:"done"`
	Finding  *Finding     `json:"finding,omitempty"` // of an item with a condition
	Tick     *ledger.Tick `json:"tick,omitempty"`    // by a person
	Evidence string       `json:"evidence"`          // in words
}

// Open counts the checklist items that are not done.
func (a Assessment) Open() int {
	open := 0
	for _, c := range a.Checklist {
		if !c.Done {
			open++
		}
	}
	return open
}

// Assess judges a stage. Guardrail metrics come first: one that fails steps the
// programme back or halts it, whatever the gates say. Then hold time, sample and
// gates must all be met; too little data meets none of them.
func (p *Programme) Assess(at Position, now time.Time, e Evidence) Assessment {
	stage, phase := p.Stages[at.Stage], p.PhaseOf(at.Stage)
	a := Assessment{
		At: now, Phase: phase.Name, Stage: stage.Name, Watched: at.Watched, Hold: stage.Hold, Sample: e.Sample, Minimum: stage.Sample,
		Gates: []Finding{}, Guardrails: []Finding{},
	}
	judge := func(c Condition, since time.Time) Finding {
		if from := now.Add(-c.Over); c.Over > 0 && from.After(since) {
			since = from
		}
		r, known := e.Reading(c.KPI, since)
		return c.Judge(r, known)
	}
	for _, g := range stage.Guardrails {
		f := judge(g.Condition, at.Since)
		f.Else = g.Else
		a.Guardrails = append(a.Guardrails, f)
	}
	for _, c := range stage.Gates {
		a.Gates = append(a.Gates, judge(c, at.Since))
	}
	a.Checklist = p.Checklist(phase, e.Ticks)
	for i, item := range phase.Checklist {
		if item.Evidence == nil {
			continue
		}
		f := judge(*item.Evidence, at.PhaseSince)
		check := &a.Checklist[i]
		check.Finding, check.Done, check.Evidence = &f, f.Verdict == Holds, f.String()
	}
	a.Action, a.Why = p.decide(at, a)
	return a
}

// Checklist is a phase's checklist with people's ticks; items with a condition
// have not been measured.
func (p *Programme) Checklist(phase Phase, ticks map[string]ledger.Tick) []Check {
	checks := []Check{}
	for _, item := range phase.Checklist {
		check := Check{Item: item.Name, Title: item.Title}
		tick, ticked := ticks[phase.Name+"/"+item.Name]
		switch {
		case item.Evidence != nil:
			check.Evidence = item.Evidence.Source + ": measured in its phase"
		case ticked:
			check.Tick, check.Done = &tick, true
			check.Evidence = strings.TrimSuffix(fmt.Sprintf("%s, %s: %s", tick.By, tick.At.Format(time.DateOnly), tick.Note), ": ")
		default:
			check.Evidence = fmt.Sprintf("waits for a person: touchstone rollout tick %s %s", p.Name, item.Name)
		}
		checks = append(checks, check)
	}
	return checks
}

// decide is what to do about an assessment, and why.
func (p *Programme) decide(at Position, a Assessment) (Action, string) {
	for _, action := range []Action{Halt, StepBack} {
		for _, f := range a.Guardrails {
			if f.Verdict != Fails || f.Else != action {
				continue
			}
			why := "guardrail metric: " + f.String()
			switch {
			case action == Halt:
				return Halt, why
			case at.Stage == 0:
				return Halt, why + "; there is no smaller stage"
			case at.StepBacks >= p.StepBacks:
				return Halt, fmt.Sprintf("%s; %d steps back are enough", why, at.StepBacks)
			}
			return StepBack, why
		}
	}
	var missing []string
	if a.Watched < a.Hold {
		missing = append(missing, fmt.Sprintf("%s more to watch", (a.Hold-a.Watched).Round(time.Minute)))
	}
	if a.Sample < a.Minimum {
		missing = append(missing, fmt.Sprintf("%d of %d customers reached", a.Sample, a.Minimum))
	}
	for _, f := range a.Gates {
		if f.Verdict != Holds {
			missing = append(missing, "gate "+f.String())
		}
	}
	switch {
	case len(missing) > 0:
		return Wait, strings.Join(missing, "; ")
	case p.NeedsPerson(at.Stage):
		return Ask, "hold time, sample and all gates are met"
	}
	return Advance, "hold time, sample and all gates are met"
}

// String is the finding in words: "email_delivery_rate > 95% at 95%: holds
// (0.982, 0.975 to 0.987, of 2,100)".
func (f Finding) String() string {
	text := f.Condition + ": " + string(f.Verdict)
	if f.Verdict == NoData {
		if f.Why != "" {
			text += " (" + f.Why + ")"
		}
		return text
	}
	return text + " (" + f.Measured() + ")"
}

// Measured is what a finding rests on: estimate, bounds and denominator.
func (f Finding) Measured() string {
	if f.Verdict == NoData {
		return f.Why
	}
	i := f.Interval
	text := fmt.Sprintf("%.4g", i.Estimate)
	if i.Low != i.High {
		text += fmt.Sprintf(", %.4g to %.4g at %.4g%%", i.Low, i.High, i.Level*100)
	}
	if f.Of > 0 {
		text += fmt.Sprintf(", of %.0f", f.Of)
	}
	return text
}

// Markdown is the assessment for the details of the Temporal UI.
func (a Assessment) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Watched %s of %s · %d of %d customers reached · checked %s\n", clock.FormatDuration(a.Watched.Round(time.Minute)),
		clock.FormatDuration(a.Hold), a.Sample, a.Minimum, a.At.UTC().Format("2006-01-02 15:04"))
	table := func(title string, findings []Finding) {
		if len(findings) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n| %s | verdict | measured |\n|---|---|---|\n", title)
		for _, f := range findings {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Condition, f.Verdict, f.Measured())
		}
	}
	table("gate", a.Gates)
	table("guardrail metric", a.Guardrails)
	if len(a.Checklist) > 0 {
		b.WriteString("\n")
	}
	for _, c := range a.Checklist {
		mark := " "
		if c.Done {
			mark = "x"
		}
		fmt.Fprintf(&b, "- [%s] %s (`%s`): %s\n", mark, c.Title, c.Item, c.Evidence)
	}
	return b.String()
}
