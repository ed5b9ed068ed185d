package workflows_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

type (
	erasure = func(activities.EraseInput) (activities.RunsEnded, error)
	telling = func(activities.EraseInput) (activities.Told, error)
	forget  = func(activities.ForgetInput) (activities.Erased, error)
)

func erases(ends erasure, tells telling, forgets forget) *fakes {
	f := &fakes{EndRuns: ends, Tell: tells, Forget: forgets}
	if f.EndRuns == nil {
		f.EndRuns = script[activities.EraseInput, activities.RunsEnded](activities.RunsEnded{})
	}
	if f.Tell == nil {
		f.Tell = script[activities.EraseInput, activities.Told](activities.Told{Providers: map[string]string{"email": "accepted, job 7"}})
	}
	if f.Forget == nil {
		f.Forget = script[activities.ForgetInput, activities.Erased](activities.Erased{Runs: 1, Events: 9}, activities.Erased{})
	}
	return f
}

// TestErasureGoesInSteps: journeys end first, then the providers are told while there
// is an address, then everything is emptied, and once more for what comes late.
func TestErasureGoesInSteps(t *testing.T) {
	t.Parallel()
	running := []int{2, 1, 0}
	f := erases(func(activities.EraseInput) (activities.RunsEnded, error) {
		n := running[0]
		running = running[1:]
		return activities.RunsEnded{Running: n}, nil
	}, nil, nil)
	x := newFixture(t, f)
	x.at(time.Second, func() { x.wantDetails("2 running journeys are ending") })
	x.at(30*time.Minute, func() { x.wantDetails("The customer is forgotten. What comes in late") })
	x.ExecuteWorkflow(workflows.ErasureName, workflows.ErasureInput{CustomerID: "c-1", Request: "r-1"})
	equal(t, "events", end[activities.Erased](x).Events, 9)
	equal(t, "steps", strings.Join(f.names(), " "), "EndRuns EndRuns EndRuns TellProviders Forget Forget")
	forgot := inputs[activities.ForgetInput](f, "Forget")
	equal(t, "request", forgot[0].Request, "r-1")
	equal(t, "told", forgot[0].Providers["email"], "accepted, job 7")
	equal(t, "emptied after the journeys ended", forgot[0].Now, start.Add(6*time.Second))
	equal(t, "late", forgot[1].Late, true)
	equal(t, "an hour later", forgot[1].Now, start.Add(6*time.Second+time.Hour))
}

func TestErasureKeepsTheBusinessClock(t *testing.T) {
	t.Parallel()
	f := erases(nil, nil, nil)
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.ErasureName, workflows.ErasureInput{CustomerID: "c-1", Clock: season})
	end[activities.Erased](x)
	equal(t, "business instant", inputs[activities.ForgetInput](f, "Forget")[0].Now, season.At(start))
}

// TestErasureDoesNotWaitForEver: neither a journey that does not end nor a provider
// that does not answer keeps a customer's data here.
func TestErasureDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	f := erases(script[activities.EraseInput, activities.RunsEnded](activities.RunsEnded{Running: 1}),
		func(activities.EraseInput) (activities.Told, error) {
			return activities.Told{}, lifecycle.Errorf(lifecycle.Unavailable, "the provider does not answer")
		}, nil)
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.ErasureName, workflows.ErasureInput{CustomerID: "c-1"})
	end[activities.Erased](x)
	forgot := inputs[activities.ForgetInput](f, "Forget")[0]
	// The test engine gives up after ten attempts, a real one after the policy's day.
	if waited := forgot.Now.Sub(start); waited < 10*time.Minute || waited > 25*time.Hour {
		t.Errorf("emptied after %s", waited)
	}
	if note := forgot.Providers["all"]; !strings.Contains(note, "by hand") {
		t.Errorf("the receipt says %q", note)
	}
}

func TestErasureOfNobodyFails(t *testing.T) {
	t.Parallel()
	f := erases(nil, nil, script[activities.ForgetInput, activities.Erased](finalError(lifecycle.NotFound, "there is no customer c-1")))
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.ErasureName, workflows.ErasureInput{CustomerID: "c-1"})
	equal(t, "code", activities.ErrorCode(x.GetWorkflowError()), lifecycle.NotFound)
}
