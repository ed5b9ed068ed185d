package workflows_test

import (
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// watchFakes keep watch well, fail for good, halt, and then fail for ever.
func watchFakes() *fakes {
	return &fakes{KeepWatch: script[activities.WatchInput, activities.WatchResult](
		activities.WatchResult{Checks: 20, Opened: 2, Open: 1}, finalError(lifecycle.Invalid, "the statement is too complex"),
		activities.WatchResult{Checks: 20, Opened: 1, Open: 2, Halted: "email spam complaint rate is at or above 0.1 %"},
		finalError(lifecycle.Invalid, "the statement is too complex"))}
}

func TestWatchNeverEnds(t *testing.T) {
	t.Parallel()
	x := newFixture(t, watchFakes())
	x.at(time.Second, func() { x.wantDetails("The watch cannot work", "too complex") })
	x.ExecuteWorkflow(workflows.WatchName, workflows.WatchInput{Every: 5 * time.Minute})
	equal(t, "next run", continued[workflows.WatchInput](x), workflows.WatchInput{Every: 5 * time.Minute})
	equal(t, "rounds", len(x.fakes.names()), 200)
	equal(t, "asked", inputs[activities.WatchInput](x.fakes, "KeepWatch")[0], activities.WatchInput{For: 5 * time.Minute})
	equal(t, "a pause after each failure only", x.timers, 198)
}

func TestWatchSaysWhatItHalted(t *testing.T) {
	t.Parallel()
	x := newFixture(t, &fakes{KeepWatch: script[activities.WatchInput, activities.WatchResult](
		activities.WatchResult{Checks: 20, Open: 1, Halted: "compliance violation: consent"})})
	x.ExecuteWorkflow(workflows.WatchName, workflows.WatchInput{Every: 5 * time.Minute})
	x.wantDetails("halted the programme", "compliance violation: consent", "touchstone resume", "20 checks")
}
