package workflows_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/rollout"
	"touchstone/workflows"
)

// threeStages has two stages before a go/no-go and one after it.
const threeStages = `programme: small
check: 6h
step_backs: 1
phases:
  - phase: pilot
    gates: [delivery_rate > 95% at 95%]
    guardrails:
      - {keep: violations == 0, else: halt}
      - {keep: bounce_rate < 3% at 95%, else: step back}
    checklist: [{item: trained, title: The team is trained}]
    stages:
      - {stage: one, share: 10%, hold: 7d, sample: 100}
      - {stage: two, share: 40%, hold: 7d, sample: 100}
  - phase: full
    go_no_go: false
    stages: [{stage: all, share: 100%, hold: 2d, sample: 0}]
`

var rolloutInput = workflows.RolloutInput{Programme: "small", Version: 1, Every: 6 * time.Hour, By: "jane"}

// world is what a rollout's activities see: a programme and its figures, which
// tests change while time passes.
type world struct {
	*fakes
	programme *rollout.Programme
	problems  []string
	readings  map[string]measure.Reading
	sample    int
	ticks     map[string]ledger.Tick
	steps     []activities.RolloutStep // stored, in order
}

func share(hits, n int) measure.Reading {
	return measure.Reading{Status: measure.OK, Denominator: float64(n), Interval: measure.Proportion{N: n, Hits: hits}.Wilson(measure.Level)}
}

func newWorld() *world {
	p, err := rollout.Parse("small.yaml", []byte(threeStages))
	if err != nil {
		panic(err)
	}
	w := &world{fakes: &fakes{}, programme: p, sample: 500, ticks: map[string]ledger.Tick{},
		readings: map[string]measure.Reading{"delivery_rate": share(990, 1000), "bounce_rate": share(1, 1000), "violations": {Status: measure.OK}}}
	w.PreflightRollout = func(activities.RolloutCheck) (activities.RolloutReady, error) {
		return activities.RolloutReady{Problems: w.problems}, nil
	}
	w.AssessRollout = func(in activities.AssessInput) (activities.Assessed, error) {
		a := p.Assess(in.At, in.Now, rollout.Evidence{Sample: w.sample, Ticks: w.ticks, Reading: func(kpi string, _ time.Time) (measure.Reading, bool) {
			r, known := w.readings[kpi]
			return r, known
		}})
		return activities.Assessed{Action: a.Action, Why: a.Why, Open: a.Open(), Last: in.At.Stage == 2, Markdown: a.Markdown()}, nil
	}
	w.StepRollout = func(in activities.RolloutStep) (activities.RolloutPlace, error) {
		phase := p.PhaseOf(in.Stage)
		if in.Step == activities.RolloutTicked {
			if in.Item != "trained" {
				return activities.RolloutPlace{}, finalError(lifecycle.Invalid, "phase pilot has no item "+in.Item)
			}
			w.ticks["pilot/trained"] = ledger.Tick{By: in.By, At: in.Now}
		}
		if in.Step == activities.RolloutSteppedBack {
			w.readings["bounce_rate"] = share(1, 1000) // its figures start anew
		}
		w.steps = append(w.steps, in)
		return activities.RolloutPlace{Phase: phase.Name, Stage: p.Stages[in.Stage].Name, Number: in.Stage + 1, Of: 3, Reach: p.Stages[in.Stage].Reach}, nil
	}
	return w
}

// story is what was stored, as "entered one by jane", with days since the start.
func (w *world) story() []string {
	var all []string
	for _, s := range w.steps {
		all = append(all, s.Step+"/"+w.programme.Stages[s.Stage].Name+"/"+s.By)
	}
	return all
}

func act(what string) workflows.RolloutAct {
	return workflows.RolloutAct{Act: what, By: "tom", Note: "because"}
}

func TestRolloutGoesThroughItsStages(t *testing.T) {
	t.Parallel()
	w := newWorld()
	x := newFixture(t, w.fakes)
	x.signalAt(day, workflows.SignalTick, workflows.RolloutAct{By: "ann", Item: "trained"})
	x.at(14*day+12*time.Hour, func() {
		x.wantDetails("**awaiting**", "stage `two` (2 of 3)", "Go or no go?", "`approve`", "delivery_rate > 95%", "holds", "[x] The team is trained")
		equal(t, "status", query[workflows.RolloutState](x, workflows.QueryProgress).Status, workflows.StatusAwaiting)
	})
	x.signalAt(15*day, workflows.SignalApproveStage, "tom")
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	equal(t, "status", end[workflows.RolloutState](x).Status, workflows.StatusDone)
	equalNames(t, "story", w.story(), "entered/one/jane", "ticked/one/ann", "entered/two/engine", "awaiting/two/engine", "approved/two/tom", "entered/all/tom", "done/all/engine")
	for i, s := range w.steps {
		equal(t, "number", s.Number, i+1)
	}
	equal(t, "second stage", w.steps[2].Since, start.Add(7*day))
	equal(t, "third stage", w.steps[5].Since, start.Add(15*day))
	equal(t, "done", w.steps[6].Now, start.Add(17*day))
}

func TestRolloutWaitsForData(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lack func(w *world)
		want string
	}{
		"sample": {func(w *world) { w.sample = 99 }, "99 of 100 customers"},
		"reading": {func(w *world) {
			w.readings["delivery_rate"] = measure.Reading{Status: measure.NotEnoughData, Why: "3 e-mails"}
		}, "no data (3 e-mails)"},
		"unclear": {func(w *world) { w.readings["delivery_rate"] = share(96, 100) }, "unclear"},
		"unknown": {func(w *world) { delete(w.readings, "delivery_rate") }, "no KPI of this name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.lack(w)
			x := newFixture(t, w.fakes)
			x.at(60*day, func() { x.wantDetails("stage `one`", c.want) })
			x.at(60*day+time.Minute, x.CancelWorkflow)
			x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
			equalNames(t, "story", w.story(), "entered/one/jane")
		})
	}
}

func TestRolloutStepsBackAndHalts(t *testing.T) {
	t.Parallel()
	w := newWorld()
	x := newFixture(t, w.fakes)
	x.at(8*day, func() { w.readings["bounce_rate"] = share(60, 1000) })
	x.at(9*day, func() {
		equal(t, "stage", query[workflows.RolloutState](x, workflows.QueryProgress).Place.Stage, "one")
	})
	x.at(17*day, func() {
		w.readings["violations"] = measure.Reading{Status: measure.OK, Interval: measure.Interval{Estimate: 1}}
	})
	x.at(18*day, func() {
		x.wantDetails("**halted**", "violations == 0: fails", "Nothing is sent", "`resume`")
		w.readings["violations"] = measure.Reading{Status: measure.OK}
	})
	x.signalAt(20*day, activities.SignalResume, workflows.RolloutAct{By: "tom", Note: "the rule was mended"})
	x.at(21*day+time.Hour, func() {
		at := query[workflows.RolloutState](x, workflows.QueryProgress).At
		equal(t, "the stage's time starts anew", at.Since, start.Add(20*day))
		equal(t, "watched", at.Watched, day)
	})
	x.signalAt(22*day, workflows.SignalAbort, act(""))
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	equal(t, "status", end[workflows.RolloutState](x).Status, workflows.StatusAborted)
	equalNames(t, "story", w.story(), "entered/one/jane", "entered/two/engine", "stepped_back/one/engine", "entered/two/engine",
		"halted/two/engine", "resumed/two/tom", "aborted/two/tom")
	equal(t, "nothing is checked while halted", len(inputs[activities.AssessInput](w.fakes, "AssessRollout")) < 85, true)
}

func TestRolloutHalts(t *testing.T) {
	t.Parallel()
	bounces := func(w *world) { w.readings["bounce_rate"] = share(60, 1000) }
	t.Run("where there is no smaller stage", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		x := newFixture(t, w.fakes)
		x.at(day, func() { bounces(w) })
		x.at(2*day, func() { x.wantDetails("**halted**", "no smaller stage") })
		x.signalAt(3*day, workflows.SignalAbort, act(""))
		x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
		equalNames(t, "story", w.story(), "entered/one/jane", "halted/one/engine", "aborted/one/tom")
	})
	t.Run("after too many steps back", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		x := newFixture(t, w.fakes)
		x.at(8*day, func() { bounces(w) })
		x.at(17*day, func() { bounces(w) })
		x.at(18*day, func() { x.wantDetails("**halted**", "1 steps back are enough") })
		x.signalAt(19*day, workflows.SignalAbort, act(""))
		x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
		equalNames(t, "story", w.story(), "entered/one/jane", "entered/two/engine", "stepped_back/one/engine", "entered/two/engine", "halted/two/engine", "aborted/two/tom")
	})
	t.Run("when a person says so, at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		x := newFixture(t, w.fakes)
		x.signalAt(day+time.Hour, workflows.SignalHalt, map[string]any{"by": "watch", "note": "complaints"})
		x.signalAt(2*day, workflows.SignalAbort, act(""))
		x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
		equalNames(t, "story", w.story(), "entered/one/jane", "halted/one/watch", "aborted/one/tom")
		equal(t, "halted", w.steps[1].Now, start.Add(day+time.Hour))
	})
}

func TestRolloutHeldDoesNotGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	x := newFixture(t, w.fakes)
	x.signalAt(6*day, workflows.SignalHold, act(""))
	x.at(10*day, func() { x.wantDetails("**held**", "stage `one`", "sends continue") })
	again := updateAt[struct{}](x, 10*day+time.Minute, workflows.UpdateAct, act("hold"))
	x.signalAt(11*day, activities.SignalResume, "tom")
	x.at(12*day, func() {
		equal(t, "stage", query[workflows.RolloutState](x, workflows.QueryProgress).Place.Stage, "two")
		x.CancelWorkflow()
	})
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	equalNames(t, "story", w.story(), "entered/one/jane", "held/one/tom", "resumed/one/tom", "entered/two/engine")
	if again.err == nil || !strings.Contains(again.err.Error(), "held already") {
		t.Errorf("a second hold: %v", again.err)
	}
}

func TestRolloutAnswersWhatItCannotDo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	x := newFixture(t, w.fakes)
	say := func(d time.Duration, signal string, data any, want ...string) {
		x.signalAt(d, signal, data)
		x.at(d+time.Second, func() { x.wantDetails(append(want, "was not carried out")...) })
	}
	say(6*time.Hour+time.Minute, workflows.SignalApproveStage, map[string]any{"by": "tom"}, "nothing waits for an approval", "more to watch")
	say(2*time.Hour, workflows.SignalHold, 42, `the data "42" was not understood`)
	say(3*time.Hour, workflows.SignalAbort, nil, "it needs a name")
	say(4*time.Hour, activities.SignalResume, "tom", "there is nothing to resume")
	say(5*time.Hour, workflows.SignalTick, workflows.RolloutAct{By: "ann", Item: "x"}, "phase pilot has no item x")
	early := updateAt[struct{}](x, 5*time.Hour+30*time.Minute, workflows.UpdateAct, act("approve"))
	nameless := updateAt[struct{}](x, 5*time.Hour, workflows.UpdateAct, workflows.RolloutAct{Act: "approve"})
	strange := updateAt[struct{}](x, 5*time.Hour, workflows.UpdateAct, act("go"))
	// At the end of the phase with an open checklist item.
	say(14*day+7*time.Hour, workflows.SignalApproveStage, "tom", "1 checklist items are open", "Go or no go?")
	noted := updateAt[struct{}](x, 15*day, workflows.UpdateAct, act("approve"))
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	equal(t, "status", end[workflows.RolloutState](x).Status, workflows.StatusDone)
	equalNames(t, "nothing else happened", w.story(), "entered/one/jane", "entered/two/engine", "awaiting/two/engine", "approved/two/tom", "entered/all/tom", "done/all/engine")
	if early.err == nil || !strings.Contains(early.err.Error(), "nothing waits") {
		t.Errorf("an early approval: %v", early.err)
	}
	if nameless.rejected == nil || strange.rejected == nil {
		t.Errorf("taken: %v, %v", nameless.rejected, strange.rejected)
	}
	if noted.err != nil || !noted.done {
		t.Errorf("an approval with a note: %v", noted.err)
	}
}

func TestRolloutTakesTheQuestionBack(t *testing.T) {
	t.Parallel()
	w := newWorld()
	x := newFixture(t, w.fakes)
	x.at(15*day, func() { w.readings["delivery_rate"] = share(950, 1000) })
	late := updateAt[struct{}](x, 16*day, workflows.UpdateAct, act("approve"))
	x.at(17*day, x.CancelWorkflow)
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	if late.err == nil || !strings.Contains(late.err.Error(), "nothing waits for an approval") {
		t.Errorf("approved although a gate no longer holds: %v", late.err)
	}
}

// A worker that was down for nine days finds an overdue check. That time was not
// watched, so it counts neither as hold time nor as a stage of its own, and the
// approval at the end of the phase is still asked for.
func TestRolloutCatchesUpWithoutSkipping(t *testing.T) {
	t.Parallel()
	w := newWorld()
	x := newFixture(t, w.fakes)
	late := rolloutInput
	late.State = workflows.RolloutState{
		Status: workflows.StatusRunning, Steps: 1, Place: activities.RolloutPlace{Phase: "pilot", Stage: "one", Number: 1, Of: 3},
		At:      rollout.Position{Since: start.Add(-10 * day), PhaseSince: start.Add(-10 * day), Watched: day},
		Checked: start.Add(-9 * day), Next: start.Add(-9*day + 6*time.Hour),
	}
	x.at(time.Minute, func() {
		equal(t, "watched", query[workflows.RolloutState](x, workflows.QueryProgress).At.Watched, day+12*time.Hour)
	})
	x.at(30*day, func() {
		equal(t, "status", query[workflows.RolloutState](x, workflows.QueryProgress).Status, workflows.StatusAwaiting)
		x.CancelWorkflow()
	})
	x.ExecuteWorkflow(workflows.RolloutName, late)
	equalNames(t, "story", w.story(), "entered/two/engine", "awaiting/two/engine")
	equal(t, "second stage", w.steps[0].Since, start.Add(5*day+12*time.Hour))
	equal(t, "question", w.steps[1].Now, start.Add(12*day+12*time.Hour))
}

func TestRolloutPreflight(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.problems = []string{"journey winback has not been applied"}
	x := newFixture(t, w.fakes)
	x.at(time.Hour, func() { x.wantDetails("**preflight**", "journey winback has not been applied", "`resume`") })
	x.at(2*time.Hour, func() { w.problems = nil })
	x.signalAt(3*time.Hour, activities.SignalResume, "tom")
	x.signalAt(4*time.Hour, workflows.SignalAbort, act(""))
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	equalNames(t, "story", w.story(), "entered/one/jane", "aborted/one/tom")
	equal(t, "entered", w.steps[0].Now, start.Add(3*time.Hour))
}

func TestRolloutSurvivesBrokenChecks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	assess, n := w.AssessRollout, 0
	w.AssessRollout = func(in activities.AssessInput) (activities.Assessed, error) {
		if n++; n == 2 {
			return activities.Assessed{}, finalError(lifecycle.Invalid, "the programme does not parse")
		}
		return assess(in)
	}
	x := newFixture(t, w.fakes)
	x.at(13*time.Hour, func() { x.wantDetails("The last check failed", "does not parse") })
	x.at(19*time.Hour, func() {
		if strings.Contains(x.details(), "failed") {
			t.Error("the next check went well")
		}
		x.CancelWorkflow()
	})
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
}

func TestRolloutContinuesAsNewWithItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.sample = 0
	x := newFixture(t, w.fakes)
	x.signalAt(day, workflows.SignalHold, act(""))
	x.at(2*day, func() { x.SetContinueAsNewSuggested(true) })
	x.ExecuteWorkflow(workflows.RolloutName, rolloutInput)
	next := continued[workflows.RolloutInput](x)
	equal(t, "status", next.State.Status, workflows.StatusHeld)
	equal(t, "stage", next.State.Place.Stage, "one")
	equal(t, "since", next.State.At.Since, start)
	equal(t, "steps", next.State.Steps, 2)
	equal(t, "programme", next.Programme, "small")

	w.sample = 500
	y := newFixture(t, w.fakes)
	y.SetStartTime(next.Start)
	y.signalAt(6*day, activities.SignalResume, "tom")
	y.at(7*day, y.CancelWorkflow)
	y.ExecuteWorkflow(workflows.RolloutName, next)
	equalNames(t, "story", w.story(), "entered/one/jane", "held/one/tom", "resumed/one/tom", "entered/two/engine")
	equal(t, "numbers go on", w.steps[3].Number, 4)
}

func rolloutScenarios() []scenario {
	// Six hours of business take a second: so long as checks are apart at least.
	in := func() any {
		in := rolloutInput
		in.Clock = clock.Scale{Base: time.Now(), Origin: start, Factor: 6 * 3600}
		return in
	}
	return []scenario{
		{
			workflow: workflows.RolloutName, name: "advanced-asked-approved", input: in,
			fakes: func() *fakes {
				w := newWorld()
				for i := range w.programme.Stages {
					w.programme.Stages[i].Hold = 6 * time.Hour
				}
				return w.fakes
			},
			drive: func(d *driver) {
				d.calls("StepRollout", 3) // asks
				d.signal(workflows.SignalHold, 42)
				d.refused(workflows.UpdateAct, workflows.RolloutAct{Act: "approve", By: "tom"})
				d.update(workflows.UpdateAct, workflows.RolloutAct{Act: "tick", By: "ann", Item: "trained"})
				d.signal(workflows.SignalApproveStage, "tom")
			},
		},
		{
			workflow: workflows.RolloutName, name: "held-halted-aborted", input: in,
			fakes: func() *fakes {
				w := newWorld()
				w.problems = []string{"journey winback has not been applied"}
				preflight := w.PreflightRollout
				w.PreflightRollout = func(in activities.RolloutCheck) (activities.RolloutReady, error) {
					ready, err := preflight(in)
					w.problems = nil
					return ready, err
				}
				return w.fakes
			},
			drive: func(d *driver) {
				d.calls("PreflightRollout", 1)
				d.settle()
				d.signal(activities.SignalResume, "tom")
				d.calls("StepRollout", 1)
				d.signal(workflows.SignalHold, act(""))
				d.calls("StepRollout", 2)
				d.calls("AssessRollout", 1)
				d.signal(workflows.SignalHalt, act(""))
				d.calls("StepRollout", 3)
				d.signal(activities.SignalResume, "tom")
				d.calls("StepRollout", 4)
				d.signal(workflows.SignalAbort, act(""))
			},
		},
		{
			workflow: workflows.RolloutName, name: "stepped-back", input: in, endless: true,
			fakes: func() *fakes {
				w := newWorld()
				for i := range w.programme.Stages {
					w.programme.Stages[i].Hold = 6 * time.Hour
				}
				step := w.StepRollout
				w.StepRollout = func(in activities.RolloutStep) (activities.RolloutPlace, error) {
					if in.Step == activities.RolloutEntered && in.Stage == 1 && in.Number == 2 {
						w.readings["bounce_rate"] = share(60, 1000)
					}
					return step(in)
				}
				return w.fakes
			},
			drive: func(d *driver) {
				d.calls("StepRollout", 4) // one, two, back to one, two
				d.settle()
			},
		},
	}
}
