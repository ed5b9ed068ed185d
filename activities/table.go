package activities

import (
	"context"
	"slices"
	"time"

	"touchstone/agents"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// table is what one activity call works on: a batch of runs and the facts they
// share, read once.
type table struct {
	*Journeys
	passages  []*passage
	controls  []ledger.Control
	admission ledger.Admission
	evidence  agents.Evidence
	creatives map[string][]lifecycle.Creative // by slot
	hashes    map[lifecycle.CreativeID]string // content hashes worked out so far
	opened    time.Time                       // real instant before the rows were read
	sent      int                             // touches the provider took, or may have taken
}

// freshFor is how old what a page has read may be when its touches are sent: as
// old as it may grow between reading and sending anyway.
const freshFor = 2 * time.Second

// open reads the runs of a batch and everything shared by them.
func (j *Journeys) open(ctx context.Context, steps []Step) (*table, error) {
	if len(steps) == 0 {
		return &table{Journeys: j}, nil
	}
	ids := make([]lifecycle.RunID, len(steps))
	for i, s := range steps {
		ids[i] = s.RunID
	}
	opened := time.Now()
	situations, err := j.Runs.Situations(ctx, ids, steps[0].Now)
	if err != nil {
		return nil, err
	}
	t := &table{Journeys: j, opened: opened, creatives: map[string][]lifecycle.Creative{}, hashes: map[lifecycle.CreativeID]string{}}
	var slots []string
	for i, sit := range situations {
		def, err := j.Definitions.Definition(ctx, sit.Run.Journey, sit.Run.Version)
		if err != nil {
			return nil, err
		}
		p := &passage{table: t, sit: sit, def: def, now: steps[i].Now, progress: progressOf(sit.Run)}
		t.passages = append(t.passages, p)
		for _, slot := range def.Slots() {
			if _, known := t.creatives[slot]; !known {
				t.creatives[slot] = nil
				slots = append(slots, slot)
			}
		}
	}
	creatives, err := j.Creatives.Creatives(ctx, slots)
	if err != nil {
		return nil, err
	}
	for _, c := range creatives {
		t.creatives[c.Slot] = append(t.creatives[c.Slot], c)
	}
	if t.controls, err = j.Controls.Controls(ctx); err != nil {
		return nil, err
	}
	if t.admission, err = j.Runs.Admission(ctx, ids, steps[0].Now); err != nil {
		return nil, err
	}
	t.evidence, err = j.evidence.read(ctx, j.Evidence)
	return t, err
}

// save stores plans and progress of all passages, then opens the reviews they
// ask for: a review is only opened for a touch that is in the ledger.
func (t *table) save(ctx context.Context) error {
	var plans []ledger.Plan
	var planned, moved []ledger.Record
	var progress []ledger.Progress
	for _, p := range t.passages {
		switch {
		case len(p.plans) > 0:
			// With the place where the run ends up: a crash must not leave a
			// planned touch behind in a run that is not due.
			for i := range p.plans {
				p.plans[i].Progress = p.progress
			}
			plans = append(plans, p.plans...)
			planned = append(planned, slices.Concat(p.planned, p.ended)...)
		case p.moved:
			progress = append(progress, p.progress)
			moved = append(moved, p.ended...)
		}
	}
	if len(plans) > 0 {
		if err := t.Runs.SavePlans(ctx, plans, planned); err != nil {
			return err
		}
	}
	if len(progress) > 0 {
		if err := t.Runs.MoveRuns(ctx, progress, moved); err != nil {
			return err
		}
	}
	for _, p := range t.passages {
		if err := p.openReviews(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) next() []Next {
	next := make([]Next, len(t.passages))
	for i, p := range t.passages {
		next[i] = p.next
	}
	return next
}

// stopped returns the reason of a control or rollout that holds back a touch, ""
// if none. One that is outside a rollout is parked: nothing is due until its stage
// grows.
func (t *table) stopped(touch lifecycle.Touch) (reason string, parked bool) {
	if reason := t.controlled(touch); reason != "" {
		return reason, false
	}
	reason = t.admission.Stops(touch)
	return reason, reason != ""
}

// controlled returns the reason of a control that holds back such a touch.
func (t *table) controlled(touch lifecycle.Touch) string {
	for _, c := range t.controls {
		if c.Stops(touch.Journey, touch.Campaign, touch.Channel) {
			name := string(c.Scope)
			if c.Name != "" {
				name += " " + c.Name
			}
			return name + " is " + string(c.State) + ": " + c.Reason
		}
	}
	return ""
}

func progressOf(r ledger.Run) ledger.Progress {
	return ledger.Progress{
		RunID: r.ID, Status: r.Status, Durable: r.Durable, Held: r.Held, Step: r.Step, StepStartedAt: r.StepStartedAt,
		DueAt: r.DueAt, Position: r.Position, ConvertedAt: r.ConvertedAt, EndedAt: r.EndedAt, EndReason: r.EndReason,
	}
}

// match evaluates branch and exit conditions for a passage.
func (p *passage) match(event map[string]any) journey.Matcher {
	return func(e *segment.Expr) (bool, error) {
		return e.Match(segment.Env{
			Now: p.now, Profile: p.sit.Profile, Stages: p.Brand.Stages, Event: event, Entry: p.sit.Run.Entry,
		})
	}
}

// zone is the customer's time zone, UTC when unknown: quiet hours have a
// stricter rule of their own for unknown zones.
func (p *passage) zone() *time.Location {
	if zone, err := time.LoadLocation(p.sit.Profile.Customer.TimeZone); err == nil {
		return zone
	}
	return time.UTC
}

// creative returns a creative as it stood when the table was opened.
func (t *table) creative(ctx context.Context, slot string, id lifecycle.CreativeID) (lifecycle.Creative, error) {
	for _, c := range t.creatives[slot] {
		if c.ID == id {
			return c, nil
		}
	}
	return t.Creatives.Creative(ctx, id) // the journey has moved on to another slot
}

// hash is the content hash of a creative of this table.
func (t *table) hash(c lifecycle.Creative) string {
	known := t.hashes[c.ID]
	if known == "" {
		known = c.ContentHash()
		t.hashes[c.ID] = known
	}
	return known
}

// due returns the touches that may go out now, as what to deliver.
func (t *table) due(now time.Time) []DeliverInput {
	var due []DeliverInput
	for _, p := range t.passages {
		if p.next.Action == ActionDeliver && !p.next.At.After(now) {
			due = append(due, DeliverInput{Step: Step{RunID: p.sit.Run.ID, Now: p.now}, TouchID: p.next.TouchID})
		}
	}
	return due
}
