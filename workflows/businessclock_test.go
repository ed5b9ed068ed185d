package workflows_test

import (
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"touchstone/internal/clock"
	"touchstone/workflows"
)

// season is a scale on which a day takes two seconds.
var season = clock.Scale{Base: start, Origin: time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC), Factor: 43200}

// clockStep is one thing that a workflow does with its clock.
type clockStep struct {
	Kind string        // "busy": real time passes; "sleep"; "woken": sleep, woken after After; "wait": for people
	For  time.Duration // busy, wait: real; sleep, woken: business time from now, may be in the past
	Wake time.Duration // woken: real time after which the condition holds
}

// reading is the clock before and after one step, with the workflow's instants.
type reading struct {
	Step                  clockStep
	Woken                 bool
	Until                 time.Time
	Before, After         time.Time // business
	RealBefore, RealAfter time.Time
}

func driveClock(ctx workflow.Context, scale clock.Scale, steps []clockStep) ([]reading, error) {
	c := workflows.NewBusinessClock(ctx, scale, scale.At(workflow.Now(ctx)))
	var readings []reading
	for _, s := range steps {
		r := reading{Step: s, Before: c.Now(ctx), RealBefore: workflow.Now(ctx)}
		var err error
		switch s.Kind {
		case "busy":
			err = workflow.Sleep(ctx, s.For)
		case "sleep":
			r.Until = r.Before.Add(s.For)
			r.Woken, err = c.Sleep(ctx, r.Until, func() bool { return false })
		case "woken":
			r.Until = r.Before.Add(s.For)
			due := false
			workflow.Go(ctx, func(ctx workflow.Context) {
				if workflow.Sleep(ctx, s.Wake) == nil {
					due = true
				}
			})
			r.Woken, err = c.Sleep(ctx, r.Until, func() bool { return due })
		case "wait":
			r.Woken, err = c.Wait(ctx, s.For, func() bool { return false })
		}
		if err != nil {
			return nil, err
		}
		r.After, r.RealAfter = c.Now(ctx), workflow.Now(ctx)
		readings = append(readings, r)
	}
	return readings, nil
}

func readClock(t interface{ Fatal(...any) }, scale clock.Scale, steps []clockStep) []reading {
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(start)
	env.RegisterWorkflow(driveClock)
	env.ExecuteWorkflow(driveClock, scale, steps)
	var readings []reading
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if err := env.GetWorkflowResult(&readings); err != nil {
		t.Fatal(err)
	}
	return readings
}

func drawSteps(t *rapid.T, scale clock.Scale) []clockStep {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) clockStep {
		s := clockStep{Kind: rapid.SampledFrom([]string{"busy", "sleep", "woken", "wait"}).Draw(t, "kind")}
		real := time.Duration(rapid.Int64Range(1, int64(20*time.Second)).Draw(t, "real"))
		switch s.Kind {
		case "busy", "wait":
			s.For = real
		default:
			s.For = time.Duration(rapid.Int64Range(int64(-2*day), int64(20*day)).Draw(t, "business"))
			s.Wake = real
		}
		return s
	}), 1, 8).Draw(t, "steps")
}

// near allows for the rounding of float64 nanoseconds over a season.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }

func TestBusinessClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]clock.Scale{{}, season, {Base: start.Add(-time.Hour), Origin: start, Factor: 2}, {Base: start, Origin: start, Factor: 0.5}}).Draw(t, "scale")
		var last time.Time
		for _, r := range readClock(t, scale, drawSteps(t, scale)) {
			if r.Before.Before(last) || r.After.Before(r.Before) {
				t.Fatalf("the clock went back: %v, %v, %v", last, r.Before, r.After)
			}
			last = r.After
			if !scale.Scaled() {
				if !r.Before.Equal(r.RealBefore) || !r.After.Equal(r.RealAfter) {
					t.Fatalf("an unscaled clock shows %v at %v", r.After, r.RealAfter)
				}
				continue
			}
			due := scale.RealAt(r.Until)
			var want time.Time
			switch {
			case r.Step.Kind == "busy":
				want = r.Before.Add(r.Step.For) // the engine's own time is not scaled
			case r.Step.Kind == "wait" || r.Woken && r.RealAfter.Before(due):
				want = scale.At(r.RealAfter)
			default:
				want = r.Until.Add(max(r.RealAfter.Sub(due), 0))
			}
			if floor := r.Before.Add(r.RealAfter.Sub(r.RealBefore)); want.Before(floor) {
				want = floor
			}
			if !near(r.After, want) {
				t.Fatalf("after %+v the clock shows %v, want %v", r, r.After, want)
			}
		}
	})
}

// A step that runs 300 ms late must not find itself hours late on a clock on
// which a day takes two seconds.
func TestScaledClockDoesNotScaleLateness(t *testing.T) {
	t.Parallel()
	readings := readClock(t, season, []clockStep{{Kind: "sleep", For: 5 * day}, {Kind: "busy", For: 300 * time.Millisecond}, {Kind: "sleep", For: -time.Second}})
	began := season.At(start)
	equal(t, "on time", near(readings[0].After, began.Add(5*day)), true)
	equal(t, "after 300 real milliseconds", near(readings[1].After, began.Add(5*day+300*time.Millisecond)), true)
	if lateness := readings[2].After.Sub(began.Add(5 * day)); lateness > 2*time.Second {
		t.Errorf("the next step believes to be %v late", lateness)
	}
}

func TestSleepWokenEarlyGivesScaledElapsedTime(t *testing.T) {
	t.Parallel()
	readings := readClock(t, season, []clockStep{{Kind: "woken", For: 10 * day, Wake: 6 * time.Second}})
	equal(t, "woken", readings[0].Woken, true)
	equal(t, "three days", near(readings[0].After, season.At(start).Add(3*day)), true)
}

// The SDK's own AwaitWithTimeout leaves its timer running.
func TestWaitForCancelsItsTimer(t *testing.T) {
	t.Parallel()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	fired, cancelled := 0, 0
	env.SetOnTimerFiredListener(func(string) { fired++ })
	env.SetOnTimerCanceledListener(func(string) { cancelled++ })
	env.RegisterDelayedCallback(func() { env.SignalWorkflow("go", nil) }, time.Hour)
	env.ExecuteWorkflow(func(ctx workflow.Context) (bool, error) {
		ch := workflow.GetSignalChannel(ctx, "go")
		woken, err := workflows.WaitFor(ctx, day, "test", func() bool { return ch.Len() > 0 })
		if err != nil {
			return false, err
		}
		return woken, workflow.Sleep(ctx, 3*day)
	})
	var woken bool
	if err := env.GetWorkflowResult(&woken); err != nil {
		t.Fatal(err)
	}
	equal(t, "woken", woken, true)
	equal(t, "timers cancelled", cancelled, 1)
	equal(t, "timers fired (the last sleep)", fired, 1)
}
