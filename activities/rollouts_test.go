package activities_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/rollout"
)

const pilot = `programme: pilot
journeys: [winback, welcome]
phases:
  - phase: small
    channels: [email]
    journeys: [winback]
    gates: [delivery_rate > 90% at 95%, delivery_rate > 80% at 95% over 1d]
    guardrails: [{keep: violations == 0, else: halt}]
    checklist:
      - {item: trained, title: The team is trained}
      - {item: delivery, title: Mail arrives, evidence: delivery_rate > 90%}
    stages:
      - {stage: one, share: 10%, hold: 1d, sample: 10}
      - {stage: two, share: 50%, hold: 1d, sample: 10}
  - phase: full
    stages: [{stage: all, share: 100%, hold: 1d, sample: 0}]
`

// programmes is a store of one rollout, in memory.
type programmes struct {
	row      ledger.RolloutRow
	changes  []ledger.RolloutChange
	journeys []ledger.JourneyRow
	sample   int
	parked   []int        // what each call of ParkOutside holds
	held     []ledger.Run // what ReleaseInside and ReleaseHeld find, in pages
	queries  []measure.KPIQuery
	woken    []ledger.Run
	campaign []string
	fails    error // of the next wake
}

func (p *programmes) Rollout(context.Context, string, int) (ledger.RolloutRow, error) {
	return p.row, nil
}
func (p *programmes) ChangeRollout(_ context.Context, c ledger.RolloutChange) error {
	if c.Number == p.row.Changes+1 {
		p.row.Changes++
		p.changes = append(p.changes, c)
	}
	return nil
}
func (p *programmes) SaveAssessment(_ context.Context, _ string, _ int, a []byte) error {
	p.row.Assessment = a
	return nil
}
func (p *programmes) RolloutSample(context.Context, []string, time.Time, time.Time) (int, error) {
	return p.sample, nil
}
func (p *programmes) Journeys(context.Context) ([]ledger.JourneyRow, error) { return p.journeys, nil }
func (p *programmes) ParkOutside(context.Context, ledger.Scope, time.Time, int) (int, error) {
	if len(p.parked) == 0 {
		return 0, nil
	}
	n := p.parked[0]
	p.parked = p.parked[1:]
	return n, nil
}
func (p *programmes) ReleaseInside(_ context.Context, _ ledger.Scope, _ time.Time, _ bool, limit int, after lifecycle.RunID) ([]ledger.Run, error) {
	var page []ledger.Run
	for _, r := range p.held {
		if r.ID > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}
func (p *programmes) ReleaseHeld(_ context.Context, _ string, limit int, _ time.Time) ([]ledger.Run, error) {
	n := min(limit, len(p.held))
	page := p.held[:n]
	p.held = p.held[n:]
	return page, nil
}
func (p *programmes) StartJourney(context.Context, []ledger.Run, time.Time) error { return nil }
func (p *programmes) StartReview(context.Context, lifecycle.ReviewItem) error     { return nil }
func (p *programmes) Wake(_ context.Context, runs []ledger.Run, signal, _ string) error {
	if err := p.fails; err != nil {
		p.fails = nil
		return err
	}
	if signal == activities.SignalResume {
		p.woken = append(p.woken, runs...)
	}
	return nil
}
func (p *programmes) WakeCampaigns(_ context.Context, names []string, _ string) error {
	p.campaign = append(p.campaign, names...)
	return nil
}

func (p *programmes) activities(readings ...measure.Reading) *activities.Rollouts {
	p.row.Programme, p.row.Version, p.row.Source = "pilot", 1, []byte(pilot)
	return &activities.Rollouts{Store: p, Runs: p, Starter: p, Readings: func(_ context.Context, q measure.KPIQuery) ([]measure.Reading, error) {
		p.queries = append(p.queries, q)
		return readings, nil
	}}
}

func delivery(hits, n int) measure.Reading {
	return measure.Reading{KPI: "delivery_rate", Status: measure.OK, Denominator: float64(n), Interval: measure.Proportion{N: n, Hits: hits}.Wilson(measure.Level)}
}

func TestPreflightRolloutNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := &programmes{}
	ready, err := p.activities(delivery(1, 1)).PreflightRollout(t.Context(), activities.RolloutCheck{Programme: "pilot", Version: 1, Now: noon})
	if err != nil || len(ready.Problems) != 2 || !strings.Contains(ready.Problems[0], "journey winback") || !strings.Contains(ready.Problems[1], "KPI violations:") {
		t.Fatalf("%+v %v", ready, err)
	}
	p.journeys = []ledger.JourneyRow{{Name: "winback"}}
	ready, err = p.activities(delivery(1, 1), measure.Reading{KPI: "violations", Status: measure.NotEnoughData}).PreflightRollout(t.Context(), activities.RolloutCheck{Now: noon})
	if err != nil || len(ready.Problems) != 0 {
		t.Fatalf("%+v %v", ready, err)
	}
}

func TestAssessRolloutReadsEachPeriodOnce(t *testing.T) {
	t.Parallel()
	p := &programmes{sample: 12, parked: []int{500, 3}}
	r := p.activities(delivery(990, 1000), measure.Reading{KPI: "violations", Status: measure.OK})
	at := rollout.Position{Stage: 1, Since: noon.AddDate(0, 0, -3), PhaseSince: noon.AddDate(0, 0, -9), Watched: 72 * time.Hour}
	got, err := r.AssessRollout(t.Context(), activities.AssessInput{Programme: "pilot", Version: 1, At: at, Now: noon})
	if err != nil || got.Action != rollout.Ask || got.Open != 1 || got.Last || !strings.Contains(got.Markdown, "`delivery_rate > 90% at 95%` | holds | 0.99") {
		t.Fatalf("%+v %v", got, err)
	}
	since := map[time.Time]bool{}
	for _, q := range p.queries {
		since[q.From] = true
		if !q.To.Equal(noon) || q.Journey != "" {
			t.Errorf("%+v", q)
		}
	}
	if len(p.queries) != 3 || !since[at.Since] || !since[at.PhaseSince] || !since[noon.AddDate(0, 0, -1)] {
		t.Errorf("%+v", p.queries)
	}
	var stored rollout.Assessment
	if err := json.Unmarshal(p.row.Assessment, &stored); err != nil || stored.Action != rollout.Ask || stored.Sample != 12 || len(stored.Gates) != 2 {
		t.Errorf("%+v %v", stored, err)
	}
	if len(p.parked) != 0 {
		t.Error("a full page of held runs is followed by another one")
	}
	soon := at
	soon.Since = noon.Add(-59 * time.Minute)
	p.queries = nil
	got, err = r.AssessRollout(t.Context(), activities.AssessInput{At: soon, Now: noon.Add(30 * time.Minute)})
	if err != nil || got.Action != rollout.Wait || !strings.Contains(got.Why, "no whole hour has passed") || len(p.queries) != 1 {
		t.Errorf("within the first hour: %+v %v, %d periods read", got, err, len(p.queries))
	}
	r.Readings = func(context.Context, measure.KPIQuery) ([]measure.Reading, error) {
		return nil, lifecycle.Errorf(lifecycle.Unavailable, "the database restarts")
	}
	if _, err := r.AssessRollout(t.Context(), activities.AssessInput{At: at, Now: noon}); activities.ErrorCode(err) != lifecycle.Unavailable {
		t.Errorf("readings fail: %v", err)
	}
	at.Stage = 9
	if _, err := r.AssessRollout(t.Context(), activities.AssessInput{At: at, Now: noon}); activities.ErrorCode(err) != lifecycle.Invalid {
		t.Errorf("no such stage: %v", err)
	}
}

func TestStepRollout(t *testing.T) {
	t.Parallel()
	step := func(n int, what string, stage int) activities.RolloutStep {
		return activities.RolloutStep{Programme: "pilot", Version: 1, Number: n, Step: what, Status: "running", Stage: stage, Since: noon, By: "jane", Why: "because", Now: noon}
	}
	p := &programmes{held: []ledger.Run{
		{ID: "1", Status: ledger.RunRunning, Durable: true}, {ID: "2", Status: ledger.RunPending, Campaign: "spring"}, {ID: "3", Status: ledger.RunPending, Campaign: "spring"},
	}}
	r := p.activities()
	place, err := r.StepRollout(t.Context(), step(1, activities.RolloutEntered, 1))
	if err != nil || place.Phase != "small" || place.Stage != "two" || place.Number != 2 || place.Of != 3 || place.Reach != 0.5 {
		t.Fatalf("%+v %v", place, err)
	}
	c := p.changes[0]
	if c.Scope == nil || c.Scope.Share != 0.5 || len(c.Scope.Governs) != 2 || len(c.Scope.Journeys) != 1 || c.Record.Kind != "rollout.entered" || c.Record.Actor != "jane" ||
		!strings.Contains(string(c.Record.Body), `"stage":"two"`) {
		t.Errorf("%+v", c)
	}
	if len(p.woken) != 1 || len(p.campaign) != 1 || p.campaign[0] != "spring" {
		t.Errorf("woken %v, campaigns %v", p.woken, p.campaign)
	}
	// An attempt that failed after it was stored is repeated without a second record.
	p.fails = lifecycle.Errorf(lifecycle.Unavailable, "temporal restarts")
	if _, err := r.StepRollout(t.Context(), step(2, activities.RolloutSteppedBack, 0)); activities.ErrorCode(err) != lifecycle.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := r.StepRollout(t.Context(), step(2, activities.RolloutSteppedBack, 0)); err != nil || len(p.changes) != 2 {
		t.Errorf("%d changes, %v", len(p.changes), err)
	}
	for i, want := range []struct {
		step  string
		stage int
		check func(c ledger.RolloutChange) bool
	}{
		{activities.RolloutHalted, 0, func(c ledger.RolloutChange) bool { return c.Halt == "because" && c.Scope == nil }},
		{activities.RolloutResumed, 0, func(c ledger.RolloutChange) bool { return c.Resume && c.Halt == "" }},
		{activities.RolloutAborted, 0, func(c ledger.RolloutChange) bool { return c.Scope.Share == 0 && c.EndedAt.Equal(noon) && !c.Lift }},
		{activities.RolloutDone, 2, func(c ledger.RolloutChange) bool { return c.Lift && c.EndedAt.Equal(noon) }},
		{activities.RolloutDone, 1, func(c ledger.RolloutChange) bool { return !c.Lift }},
	} {
		if _, err := r.StepRollout(t.Context(), step(i+3, want.step, want.stage)); err != nil || !want.check(p.changes[len(p.changes)-1]) {
			t.Errorf("%s: %+v %v", want.step, p.changes[len(p.changes)-1], err)
		}
	}
	for item, want := range map[string]string{"delivery": "ticked by its reading", "x": "use one of trained"} {
		tick := step(8, activities.RolloutTicked, 0)
		tick.Item = item
		if _, err := r.StepRollout(t.Context(), tick); activities.ErrorCode(err) != lifecycle.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("tick %s: %v", item, err)
		}
	}
	tick := step(8, activities.RolloutTicked, 0)
	tick.Item = "trained"
	if _, err := r.StepRollout(t.Context(), tick); err != nil || p.changes[7].Ticks["small/trained"].By != "jane" {
		t.Errorf("%+v %v", p.changes[7:], err)
	}
	if _, err := r.StepRollout(t.Context(), step(9, activities.RolloutEntered, 3)); activities.ErrorCode(err) != lifecycle.Invalid {
		t.Errorf("no such stage: %v", err)
	}
}
