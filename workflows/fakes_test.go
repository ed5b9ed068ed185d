package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// fakes stand in for all activities, under their registered names. A field that
// is nil makes the call fail for good.
type fakes struct {
	Prepare   func(activities.Step) (activities.Next, error)
	Deliver   func(activities.DeliverInput) (activities.Next, error)
	SendPage  func(activities.PageInput) (activities.PageResult, error)
	Enrol     func(activities.EnrolInput) (ledger.Enrolled, error)
	Preflight func(activities.PreflightInput) (activities.PreflightResult, error)
	SetStatus func(activities.StatusInput) error
	Brief     func(activities.ReviewID) (activities.Brief, error)
	Decide    func(activities.DecideInput) (activities.Decided, error)
	Edit      func(activities.EditInput) (activities.Decided, error)
	Escalate  func(activities.ReviewID) error
	Release   func(activities.ReleaseInput) (activities.Released, error)
	Round     func(activities.UpkeepInput) (activities.UpkeepResult, error)
	Erase     func(activities.EraseInput) (activities.Erased, error)
	EndRuns   func(activities.EraseInput) (activities.RunsEnded, error)
	Tell      func(activities.EraseInput) (activities.Told, error)
	Forget    func(activities.ForgetInput) (activities.Erased, error)
	KeepWatch func(activities.WatchInput) (activities.WatchResult, error)

	PreflightRollout func(activities.RolloutCheck) (activities.RolloutReady, error)
	AssessRollout    func(activities.AssessInput) (activities.Assessed, error)
	StepRollout      func(activities.RolloutStep) (activities.RolloutPlace, error)
	WriteReport      func(activities.ReportInput) (activities.ReportWritten, error)

	over atomic.Bool // for fakes that answer differently from some moment on

	mu   sync.Mutex
	seen []call
}

// call is one activity execution that a fake saw.
type call struct {
	name string
	in   any
}

func (f *fakes) register(r worker.ActivityRegistry) {
	registerFakes(r, func(context.Context) *fakes { return f })
}

// registerFakes registers all activities; of finds the fakes of the workflow
// that calls.
func registerFakes(r worker.ActivityRegistry, of func(context.Context) *fakes) {
	fake(r, of, "Prepare", func(f *fakes) func(activities.Step) (activities.Next, error) { return f.Prepare })
	fake(r, of, "Deliver", func(f *fakes) func(activities.DeliverInput) (activities.Next, error) { return f.Deliver })
	fake(r, of, "SendPage", func(f *fakes) func(activities.PageInput) (activities.PageResult, error) { return f.SendPage })
	fake(r, of, "Enrol", func(f *fakes) func(activities.EnrolInput) (ledger.Enrolled, error) { return f.Enrol })
	fake(r, of, "Preflight", func(f *fakes) func(activities.PreflightInput) (activities.PreflightResult, error) { return f.Preflight })
	fakeDone(r, of, "SetStatus", func(f *fakes) func(activities.StatusInput) error { return f.SetStatus })
	fake(r, of, "Brief", func(f *fakes) func(activities.ReviewID) (activities.Brief, error) { return f.Brief })
	fake(r, of, "Decide", func(f *fakes) func(activities.DecideInput) (activities.Decided, error) { return f.Decide })
	fake(r, of, "Edit", func(f *fakes) func(activities.EditInput) (activities.Decided, error) { return f.Edit })
	fakeDone(r, of, "Escalate", func(f *fakes) func(activities.ReviewID) error { return f.Escalate })
	fake(r, of, "Release", func(f *fakes) func(activities.ReleaseInput) (activities.Released, error) { return f.Release })
	fake(r, of, "Round", func(f *fakes) func(activities.UpkeepInput) (activities.UpkeepResult, error) { return f.Round })
	fake(r, of, "Erase", func(f *fakes) func(activities.EraseInput) (activities.Erased, error) { return f.Erase })
	fake(r, of, "EndRuns", func(f *fakes) func(activities.EraseInput) (activities.RunsEnded, error) { return f.EndRuns })
	fake(r, of, "TellProviders", func(f *fakes) func(activities.EraseInput) (activities.Told, error) { return f.Tell })
	fake(r, of, "Forget", func(f *fakes) func(activities.ForgetInput) (activities.Erased, error) { return f.Forget })
	fake(r, of, "KeepWatch", func(f *fakes) func(activities.WatchInput) (activities.WatchResult, error) { return f.KeepWatch })
	fake(r, of, "PreflightRollout", func(f *fakes) func(activities.RolloutCheck) (activities.RolloutReady, error) {
		return f.PreflightRollout
	})
	fake(r, of, "AssessRollout", func(f *fakes) func(activities.AssessInput) (activities.Assessed, error) { return f.AssessRollout })
	fake(r, of, "WriteReport", func(f *fakes) func(activities.ReportInput) (activities.ReportWritten, error) { return f.WriteReport })
	fake(r, of, "StepRollout", func(f *fakes) func(activities.RolloutStep) (activities.RolloutPlace, error) { return f.StepRollout })
}

func fake[In, Out any](r worker.ActivityRegistry, of func(context.Context) *fakes, name string, pick func(*fakes) func(In) (Out, error)) {
	r.RegisterActivityWithOptions(func(ctx context.Context, in In) (out Out, err error) {
		f := of(ctx)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.seen = append(f.seen, call{name, in})
		do := pick(f)
		if do == nil {
			return out, finalError(lifecycle.Invalid, "the test has no fake for "+name)
		}
		return do(in)
	}, activity.RegisterOptions{Name: name})
}

// fakeDone is fake for activities without a result, which are recorded
// differently in history.
func fakeDone[In any](r worker.ActivityRegistry, of func(context.Context) *fakes, name string, pick func(*fakes) func(In) error) {
	r.RegisterActivityWithOptions(func(ctx context.Context, in In) error {
		f := of(ctx)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.seen = append(f.seen, call{name, in})
		do := pick(f)
		if do == nil {
			return finalError(lifecycle.Invalid, "the test has no fake for "+name)
		}
		return do(in)
	}, activity.RegisterOptions{Name: name})
}

// names lists the activities that ran, in order, without those left out.
func (f *fakes) names(without ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, c := range f.seen {
		if !slices.Contains(without, c.name) {
			names = append(names, c.name)
		}
	}
	return names
}

// inputs lists what one activity was called with.
func inputs[In any](f *fakes, name string) []In {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []In
	for _, c := range f.seen {
		if c.name == name {
			all = append(all, c.in.(In))
		}
	}
	return all
}

// script answers one call after the other; the last answer is for all further
// calls. Answers are values or errors.
func script[In, Out any](answers ...any) func(In) (Out, error) {
	return func(In) (Out, error) {
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		switch a := answer.(type) {
		case error:
			var none Out
			return none, a
		case Out:
			return a, nil
		}
		panic(fmt.Sprintf("a %T is no answer of this script", answer))
	}
}

func prepares(answers ...any) func(activities.Step) (activities.Next, error) {
	return script[activities.Step, activities.Next](answers...)
}

func delivers(answers ...any) func(activities.DeliverInput) (activities.Next, error) {
	return script[activities.DeliverInput, activities.Next](answers...)
}

// finalError is what an activity returns that no further attempt can help.
func finalError(code lifecycle.Code, message string) error {
	return temporal.NewNonRetryableApplicationError(message, string(code), nil)
}
