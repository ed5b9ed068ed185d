package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/rollout"
)

// RolloutStore keeps rollout programmes.
type RolloutStore interface {
	Rollout(ctx context.Context, programme string, version int) (ledger.RolloutRow, error)
	// ChangeRollout stores one step; one that was stored before stays as it is.
	ChangeRollout(ctx context.Context, change ledger.RolloutChange) error
	SaveAssessment(ctx context.Context, programme string, version int, assessment []byte) error
	// RolloutSample counts the customers who were sent a touch in a period.
	RolloutSample(ctx context.Context, journeys []string, since, until time.Time) (int, error)
	Journeys(ctx context.Context) ([]ledger.JourneyRow, error)
}

// RolloutRuns holds back and releases the runs that a stage is about.
type RolloutRuns interface {
	// ParkOutside holds pending runs outside a scope; they keep their place.
	ParkOutside(ctx context.Context, scope ledger.Scope, at time.Time, limit int) (int, error)
	// ReleaseInside releases held runs inside a scope, by id after the given one:
	// pending ones, and with durable those with workflows of their own.
	ReleaseInside(ctx context.Context, scope ledger.Scope, at time.Time, durable bool, limit int, after lifecycle.RunID) ([]ledger.Run, error)
	ReleaseHeld(ctx context.Context, journey string, limit int, at time.Time) ([]ledger.Run, error)
}

// Readings measures all KPIs of a period.
type Readings func(ctx context.Context, q measure.KPIQuery) ([]measure.Reading, error)

// Rollouts checks rollout programmes and carries out their steps.
type Rollouts struct {
	Store    RolloutStore
	Runs     RolloutRuns
	Readings Readings
	Starter  Starter
}

// RolloutCheck asks whether a programme may begin.
type RolloutCheck struct {
	Programme string    `json:"programme"`
	Version   int       `json:"version"`
	Now       time.Time `json:"now"`
}

// RolloutReady lists what keeps a programme from beginning.
type RolloutReady struct {
	Problems []string `json:"problems,omitempty"`
}

// preflightWindow is how far back a preflight looks for KPIs: which ones there
// are does not depend on it.
const preflightWindow = 24 * time.Hour

// PreflightRollout checks that the journeys of the first phase have been applied
// and that every KPI that a condition names is measured.
func (r *Rollouts) PreflightRollout(ctx context.Context, in RolloutCheck) (RolloutReady, error) {
	defer alive(ctx)()
	p, _, err := r.programme(ctx, in.Programme, in.Version)
	if err != nil {
		return RolloutReady{}, fail(err)
	}
	rows, err := r.Store.Journeys(ctx)
	if err != nil {
		return RolloutReady{}, fail(err)
	}
	readings, err := r.Readings(ctx, measure.KPIQuery{From: in.Now.Add(-preflightWindow), To: in.Now})
	if err != nil {
		return RolloutReady{}, fail(err)
	}
	return RolloutReady{Problems: Unready(p, rows, readings)}, nil
}

// Unready lists the journeys of a programme's first phase that have not been
// applied, and the KPIs in its conditions that nothing measures.
func Unready(p *rollout.Programme, applied []ledger.JourneyRow, readings []measure.Reading) []string {
	var problems []string
	needed := p.Phases[0].Journeys
	if len(needed) == 0 {
		needed = p.Journeys
	}
	for _, name := range needed {
		if !slices.ContainsFunc(applied, func(j ledger.JourneyRow) bool { return j.Name == name }) {
			problems = append(problems, fmt.Sprintf("journey %s has not been applied: touchstone journey apply", name))
		}
	}
	var unknown []string
	for stage := range p.Stages {
		for _, c := range p.Conditions(stage) {
			known := slices.ContainsFunc(readings, func(m measure.Reading) bool { return m.KPI == c.KPI })
			if !known && !slices.Contains(unknown, c.KPI) {
				unknown = append(unknown, c.KPI)
			}
		}
	}
	if len(unknown) > 0 {
		problems = append(problems, "nothing measures the KPI "+strings.Join(unknown, ", ")+": correct the name in the programme file")
	}
	return problems
}

func (r *Rollouts) programme(ctx context.Context, name string, version int) (*rollout.Programme, ledger.RolloutRow, error) {
	row, err := r.Store.Rollout(ctx, name, version)
	if err != nil {
		return nil, row, err
	}
	p, err := rollout.Parse(name+".yaml", row.Source)
	return p, row, err
}

// AssessInput asks for the judgement of the stage that a programme is in.
type AssessInput struct {
	Programme string           `json:"programme"`
	Version   int              `json:"version"`
	At        rollout.Position `json:"at"`
	Now       time.Time        `json:"now"`
}

// Assessed is the part of an assessment that the workflow acts on and shows.
type Assessed struct {
	Action   rollout.Action `json:"action"`
	Why      string         `json:"why"`
	Open     int            `json:"open,omitempty"` // checklist items that are not done
	Last     bool           `json:"last,omitempty"` // there is no stage after this one
	Markdown string         `json:"markdown"`
}

// AssessRollout reads the KPIs that the stage's conditions name, judges the
// stage, stores the judgement for people, and holds or releases runs of
// customers who have left or joined the cohort since.
func (r *Rollouts) AssessRollout(ctx context.Context, in AssessInput) (Assessed, error) {
	defer alive(ctx)()
	p, row, err := r.programme(ctx, in.Programme, in.Version)
	if err != nil {
		return Assessed{}, fail(err)
	}
	if in.At.Stage >= len(p.Stages) {
		return Assessed{}, fail(lifecycle.Errorf(lifecycle.Invalid, "rollout %s has no stage number %d", p.Name, in.At.Stage+1))
	}
	if err := r.settle(ctx, p.Scope(in.Version, in.At.Stage, in.Now), in.Now, false); err != nil {
		return Assessed{}, fail(err)
	}
	sample, err := r.Store.RolloutSample(ctx, p.Journeys, in.At.Since, in.Now)
	if err != nil {
		return Assessed{}, fail(err)
	}
	m := meter{ctx: ctx, read: r.Readings, until: in.Now, periods: map[time.Time][]measure.Reading{}}
	a := p.Assess(in.At, in.Now, rollout.Evidence{Reading: m.reading, Sample: sample, Ticks: row.Ticks})
	if m.err != nil {
		return Assessed{}, fail(m.err)
	}
	text, err := json.Marshal(a)
	if err != nil {
		return Assessed{}, fail(err)
	}
	if err := r.Store.SaveAssessment(ctx, in.Programme, in.Version, text); err != nil {
		return Assessed{}, fail(err)
	}
	return Assessed{Action: a.Action, Why: a.Why, Open: a.Open(), Last: in.At.Stage == len(p.Stages)-1, Markdown: a.Markdown()}, nil
}

// meter reads each period once.
type meter struct {
	ctx     context.Context
	read    Readings
	until   time.Time
	periods map[time.Time][]measure.Reading
	err     error // the first that reading a period gave
}

// reading measures a KPI over the whole hours since an instant: KPIs are summed
// up by the hour, and what happened before the instant must not count.
func (m *meter) reading(kpi string, since time.Time) (measure.Reading, bool) {
	if whole := since.Truncate(time.Hour); whole.Before(since) {
		since = whole.Add(time.Hour)
	}
	if !since.Before(m.until.Truncate(time.Hour)) {
		return measure.Reading{KPI: kpi, Status: measure.NotEnoughData, Why: "no whole hour has passed"}, true
	}
	readings, read := m.periods[since]
	if !read && m.err == nil {
		if readings, m.err = m.read(m.ctx, measure.KPIQuery{From: since, To: m.until}); m.err == nil {
			m.periods[since] = readings
		}
	}
	for _, r := range readings {
		if r.KPI == kpi {
			return r, true
		}
	}
	return measure.Reading{}, false
}

// Steps of a rollout, as they stand in decision records after "rollout.".
const (
	RolloutEntered     = "entered"
	RolloutAwaiting    = "awaiting"
	RolloutApproved    = "approved"
	RolloutHeld        = "held"
	RolloutHalted      = "halted"
	RolloutResumed     = "resumed"
	RolloutSteppedBack = "stepped_back"
	RolloutTicked      = "ticked"
	RolloutAborted     = "aborted"
	RolloutDone        = "done"
)

// RolloutStep asks to carry out and record one step of a rollout.
type RolloutStep struct {
	Programme string    `json:"programme"`
	Version   int       `json:"version"`
	Number    int       `json:"number"` // of the step, from 1 without gaps
	Step      string    `json:"step"`
	Status    string    `json:"status"`
	Stage     int       `json:"stage"` // index of the stage that the rollout is in from now on
	Since     time.Time `json:"since"` // when that stage began
	By        string    `json:"by"`
	Why       string    `json:"why,omitempty"`
	Item      string    `json:"item,omitempty"` // with RolloutTicked
	Now       time.Time `json:"now"`
}

// RolloutPlace says in words where a rollout is.
type RolloutPlace struct {
	Phase  string  `json:"phase"`
	Title  string  `json:"title,omitempty"` // of the phase
	Stage  string  `json:"stage"`
	Number int     `json:"number"` // of the stage, from 1
	Of     int     `json:"of"`     // stages
	Reach  float64 `json:"reach"`  // share of customers, in (0,1]
}

// StepRollout stores a step with its decision record and then lets runs feel
// it. Repeating it is harmless.
func (r *Rollouts) StepRollout(ctx context.Context, in RolloutStep) (RolloutPlace, error) {
	defer alive(ctx)()
	p, _, err := r.programme(ctx, in.Programme, in.Version)
	if err != nil {
		return RolloutPlace{}, fail(err)
	}
	if in.Stage >= len(p.Stages) {
		return RolloutPlace{}, fail(lifecycle.Errorf(lifecycle.Invalid, "rollout %s has no stage number %d", p.Name, in.Stage+1))
	}
	phase, stage := p.PhaseOf(in.Stage), p.Stages[in.Stage]
	place := RolloutPlace{Phase: phase.Name, Title: phase.Title, Stage: stage.Name, Number: in.Stage + 1, Of: len(p.Stages), Reach: stage.Reach}
	change := ledger.RolloutChange{
		Programme: in.Programme, Version: in.Version, Number: in.Number, Status: in.Status, Phase: phase.Name, Stage: stage.Name,
		Since: in.Since, Governs: p.Journeys,
	}
	scope := p.Scope(in.Version, in.Stage, in.Now)
	switch in.Step {
	case RolloutEntered, RolloutSteppedBack:
		change.Scope = &scope
	case RolloutHalted:
		change.Halt = in.Why
	case RolloutResumed:
		change.Resume = true
	case RolloutTicked:
		if change.Ticks, err = tick(phase, in); err != nil {
			return place, fail(err)
		}
	case RolloutAborted:
		change.EndedAt = in.Now
		if scope.Share = 0; !in.Since.IsZero() { // else nothing has come into force
			change.Scope = &scope
		}
	case RolloutDone:
		change.Lift, change.EndedAt = p.Unlimited(in.Stage), in.Now
	}
	body, err := json.Marshal(ledger.RolloutMoment{Phase: phase.Name, Stage: stage.Name, Why: in.Why})
	if err != nil {
		return place, fail(err)
	}
	change.Record = ledger.Record{At: in.Now, Kind: "rollout." + in.Step, Actor: in.By, Subject: in.Programme, Body: body}
	if err := r.Store.ChangeRollout(ctx, change); err != nil {
		return place, fail(err)
	}
	switch {
	case change.Scope != nil:
		return place, fail(r.settle(ctx, scope, in.Now, true))
	case in.Step == RolloutResumed:
		return place, fail(r.resume(ctx, p.Journeys, in.Now))
	}
	return place, nil
}

// tick is a person's word for an item of a phase.
func tick(phase rollout.Phase, in RolloutStep) (map[string]ledger.Tick, error) {
	var open []string
	for _, item := range phase.Checklist {
		switch {
		case item.Name == in.Item && item.Evidence != nil:
			return nil, lifecycle.Errorf(lifecycle.Invalid, "item %s is ticked by its reading (%s), not by a person", item.Name, item.Evidence.Source)
		case item.Name == in.Item:
			return map[string]ledger.Tick{phase.Name + "/" + item.Name: {By: in.By, At: in.Now, Note: in.Why}}, nil
		case item.Evidence == nil:
			open = append(open, item.Name)
		}
	}
	if len(open) == 0 {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "phase %s has no item for people to tick", phase.Name)
	}
	return nil, lifecycle.Errorf(lifecycle.Invalid, "phase %s has no item %q: use one of %s", phase.Name, in.Item, strings.Join(open, ", "))
}

// rolloutPage is how many runs one statement holds or releases.
const rolloutPage = 500

// settle holds the pending runs outside a scope and releases those inside; with
// durable it also wakes the workflows of runs that were held back at a send.
func (r *Rollouts) settle(ctx context.Context, scope ledger.Scope, now time.Time, durable bool) error {
	for {
		parked, err := r.Runs.ParkOutside(ctx, scope, now, rolloutPage)
		if err != nil {
			return err
		}
		if parked < rolloutPage {
			break
		}
	}
	return r.release(ctx, scope.String(), func(after lifecycle.RunID) ([]ledger.Run, error) {
		return r.Runs.ReleaseInside(ctx, scope, now, durable, rolloutPage, after)
	})
}

// resume lets the runs go on that the programme's halt stopped.
func (r *Rollouts) resume(ctx context.Context, journeys []string, now time.Time) error {
	if len(journeys) == 0 {
		journeys = []string{""}
	}
	for _, journey := range journeys {
		if err := r.release(ctx, "the rollout goes on", func(lifecycle.RunID) ([]ledger.Run, error) {
			return r.Runs.ReleaseHeld(ctx, journey, rolloutPage, now)
		}); err != nil {
			return err
		}
	}
	return nil
}

// release takes pages of released runs and wakes who waits for them.
func (r *Rollouts) release(ctx context.Context, reason string, next func(after lifecycle.RunID) ([]ledger.Run, error)) error {
	var campaigns []string
	var after lifecycle.RunID
	for {
		runs, err := next(after)
		if err != nil {
			return err
		}
		var durable []ledger.Run
		for _, run := range runs {
			switch {
			case run.Status == ledger.RunRunning && run.Durable:
				durable = append(durable, run)
			case run.Status == ledger.RunPending && run.Campaign != "" && !slices.Contains(campaigns, run.Campaign):
				campaigns = append(campaigns, run.Campaign)
			}
		}
		if err := r.Starter.Wake(ctx, durable, SignalResume, reason); err != nil {
			return err
		}
		if len(runs) < rolloutPage {
			return r.Starter.WakeCampaigns(ctx, campaigns, reason)
		}
		after = runs[len(runs)-1].ID
	}
}
