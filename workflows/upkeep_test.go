package workflows_test

import (
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

func TestUpkeepWorksInRoundsAndContinuesAsNew(t *testing.T) {
	t.Parallel()
	rounds := 0
	f := &fakes{Round: func(activities.UpkeepInput) (activities.UpkeepResult, error) {
		if rounds++; rounds == 3 {
			return activities.UpkeepResult{}, finalError(lifecycle.Invalid, "window must be positive")
		}
		return activities.UpkeepResult{Unconfirmed: rounds}, nil
	}}
	x := newFixture(t, f)
	x.at(90*time.Minute, func() { x.wantDetails("2 touches settled as unconfirmed") })
	x.at(150*time.Minute, func() { x.wantDetails("The last round failed", "window must be positive") })
	in := workflows.UpkeepInput{Every: time.Hour}
	x.ExecuteWorkflow(workflows.UpkeepName, in)
	equal(t, "next run", continued[workflows.UpkeepInput](x), in)
	equal(t, "rounds", rounds, 200)
	instants := inputs[activities.UpkeepInput](f, "Round")
	equal(t, "second round", instants[1].Now, start.Add(time.Hour))
	equal(t, "last round", instants[199].Now, start.Add(199*time.Hour))
}

func TestUpkeepDoesNotSpinOnAFastClock(t *testing.T) {
	t.Parallel()
	f := &fakes{Round: script[activities.UpkeepInput, activities.UpkeepResult](activities.UpkeepResult{})}
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.UpkeepName, workflows.UpkeepInput{Every: time.Hour, Clock: season})
	continued[workflows.UpkeepInput](x)
	instants := inputs[activities.UpkeepInput](f, "Round")
	equal(t, "five real seconds of business", near(instants[1].Now, season.At(start.Add(5*time.Second))), true)
}

func TestPreflightPreparesCopy(t *testing.T) {
	t.Parallel()
	want := activities.PreflightResult{Approved: 2, Waiting: 1, Missing: []string{"winback/nudge (step nudge)"}}
	f := &fakes{Preflight: script[activities.PreflightInput, activities.PreflightResult](want)}
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.PreflightName, workflows.PreflightInput{Journey: "winback", Version: 3, By: "jane"})
	result := end[activities.PreflightResult](x)
	equal(t, "waiting", result.Waiting, want.Waiting)
	equal(t, "ready", result.Ready(), false)
	equal(t, "input", inputs[activities.PreflightInput](f, "Preflight")[0], activities.PreflightInput{Journey: "winback", Version: 3, By: "jane", Now: start})
}
