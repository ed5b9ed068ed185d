package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// scenario is one workflow's way through a real engine: what its activities
// answer, and what people and events do meanwhile.
type scenario struct {
	workflow string
	name     string
	fakes    func() *fakes
	input    func() any    // made when it starts: scaled clocks begin then
	drive    func(*driver) // nil: nobody does anything
	endless  bool          // the workflow does not end by itself
	touches  int           // delivered on the common path: costs are checked
	runs     int           // workflow runs at least, by continue-as-new; 0 = exactly one
}

// driver acts on the running workflow of a scenario, one act after the other;
// after a failure it does nothing more.
type driver struct {
	context.Context
	client    client.Client
	namespace string
	id        string
	fakes     *fakes
	err       error
}

func (d *driver) do(act func() error) {
	if d.err == nil {
		d.err = act()
	}
}

func (d *driver) signal(name string, data any) {
	d.do(func() error { return d.client.SignalWorkflow(d, d.id, "", name, data) })
}

// click sends a signal without data, as the Temporal UI does.
func (d *driver) click(name string) {
	d.do(func() error {
		_, err := d.client.WorkflowService().SignalWorkflowExecution(d, &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: d.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: d.id}, SignalName: name,
		})
		return err
	})
}

func (d *driver) update(name string, in any) {
	d.do(func() error { return d.updated(name, in) })
}

// refused sends an update that must not be carried out.
func (d *driver) refused(name string, in any) {
	d.do(func() error {
		if d.updated(name, in) == nil {
			return fmt.Errorf("update %s with %+v was carried out", name, in)
		}
		return nil
	})
}

func (d *driver) updated(name string, in any) error {
	handle, err := d.client.UpdateWorkflow(d, client.UpdateWorkflowOptions{
		WorkflowID: d.id, UpdateName: name, Args: []any{in}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(d, nil)
}

// run is the id of the workflow's present run.
func (d *driver) run() (id string) {
	d.do(func() error {
		described, err := d.client.DescribeWorkflowExecution(d, d.id, "")
		id = described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		return err
	})
	return id
}

// calls waits until an activity has been called n times.
func (d *driver) calls(name string, n int) {
	d.do(func() error {
		for {
			seen := 0
			for _, each := range d.fakes.names() {
				if each == name {
					seen++
				}
			}
			if seen >= n {
				return nil
			}
			select {
			case <-d.Done():
				return fmt.Errorf("waited in vain for %d calls of %s; so far: %v", n, name, d.fakes.names())
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
}

// settle gives the workflow time to take its last answer into its history.
func (d *driver) settle() {
	d.do(func() error {
		select {
		case <-d.Done():
			return d.Err()
		case <-time.After(300 * time.Millisecond):
			return nil
		}
	})
}

// fast is a scale on which a day takes a fifth of a second.
func fast() clock.Scale {
	return clock.Scale{Base: time.Now(), Origin: start, Factor: 5 * 86400}
}

func scenarios() []scenario {
	return append(append(journeyScenarios(), campaignScenarios()...), slices.Concat(reviewScenarios(), rolloutScenarios(), otherScenarios())...)
}

func journeyFast() any {
	in := journeyInput
	in.Clock = fast()
	return in
}

func inputOf(in any) func() any { return func() any { return in } }

func journeyScenarios() []scenario {
	looks := func(answers ...func(now time.Time) activities.Next) func(activities.Step) (activities.Next, error) {
		n := 0
		return func(in activities.Step) (activities.Next, error) {
			n++
			return answers[min(n, len(answers))-1](in.Now), nil
		}
	}
	waits := func(d time.Duration) func(time.Time) activities.Next {
		return func(now time.Time) activities.Next { return waitUntil("pause", now.Add(d)) }
	}
	goes := func(step string, d time.Duration) func(time.Time) activities.Next {
		return func(now time.Time) activities.Next { return deliverAt(step, now.Add(d)) }
	}
	always := func(n activities.Next) func(time.Time) activities.Next {
		return func(time.Time) activities.Next { return n }
	}
	onDelivery := func(answers ...func(time.Time) activities.Next) func(activities.DeliverInput) (activities.Next, error) {
		look := looks(answers...)
		return func(in activities.DeliverInput) (activities.Next, error) { return look(in.Step) }
	}
	return []scenario{
		{
			workflow: workflows.JourneyName, name: "two-touches", input: journeyFast, touches: 2,
			fakes: func() *fakes {
				return &fakes{
					Prepare: looks(waits(3*day), goes("nudge", 0), goes("offer", 0)),
					Deliver: onDelivery(waits(5*day), always(ended)),
				}
			},
		},
		{
			workflow: workflows.JourneyName, name: "deferred-touch", input: journeyFast, touches: 1,
			fakes: func() *fakes {
				return &fakes{Prepare: looks(goes("nudge", 0)), Deliver: onDelivery(goes("nudge", 12*time.Hour), always(ended))}
			},
		},
		{
			workflow: workflows.JourneyName, name: "woken", input: journeyFast,
			fakes: func() *fakes {
				return &fakes{Prepare: looks(waits(500*day), goes("nudge", 500*day), always(inReview), always(onHold), always(converted))}
			},
			drive: func(d *driver) {
				d.calls("Prepare", 1)
				d.signal(activities.SignalEvent, activities.Woken{Reason: "Product Viewed"})
				d.calls("Prepare", 2)
				d.signal(activities.SignalMigrate, nil)
				d.calls("Prepare", 3)
				d.click(activities.SignalReviewDecided)
				d.calls("Prepare", 4)
				d.signal(activities.SignalResume, "jane")
			},
		},
		{
			workflow: workflows.JourneyName, name: "broken-and-mended", input: journeyFast,
			fakes: func() *fakes {
				return &fakes{
					Prepare: prepares(errors.New("connection refused"), finalError(lifecycle.Conflict, "no such step"), deliverAt("nudge", start), ended),
					Deliver: delivers(finalError(lifecycle.NotFound, "no such creative")),
				}
			},
			drive: func(d *driver) {
				d.calls("Prepare", 2)
				d.signal(activities.SignalResume, nil)
				d.calls("Deliver", 1)
				d.signal(activities.SignalMigrate, nil)
				d.signal(activities.SignalExit, nil)
			},
		},
		{
			workflow: workflows.JourneyName, name: "unscaled", endless: true,
			input: inputOf(workflows.JourneyInput{RunID: journeyInput.RunID, Journey: "winback", Start: time.Now().UTC()}),
			fakes: func() *fakes {
				return &fakes{Prepare: looks(goes("nudge", 100*time.Millisecond)), Deliver: onDelivery(waits(5 * day))}
			},
			drive: func(d *driver) {
				d.calls("Deliver", 1)
				d.settle()
			},
		},
		{
			// Signals keep coming while the workflow continues as new: the look
			// after the last one must not be missed.
			workflow: workflows.JourneyName, name: "continued-as-new", input: journeyFast, runs: 2,
			fakes: func() *fakes {
				f := &fakes{}
				f.Prepare = func(in activities.Step) (activities.Next, error) {
					if f.over.Load() {
						return converted, nil
					}
					return waitUntil("pause", in.Now.Add(5000*day)), nil
				}
				return f
			},
			drive: func(d *driver) {
				for first := d.run(); d.err == nil && d.run() == first; {
					for range 25 {
						d.signal(activities.SignalEvent, activities.Woken{Reason: "Product Viewed"})
					}
				}
				d.fakes.over.Store(true)
				d.signal(activities.SignalEvent, activities.Woken{Reason: "Order Completed"})
			},
		},
	}
}

func campaignScenarios() []scenario {
	in := func(change func(*workflows.CampaignInput)) func() any {
		return func() any {
			in := campaignInput
			in.Clock, in.Start = fast(), start
			if change != nil {
				change(&in)
			}
			return in
		}
	}
	newFakes := func(treated int, change func(*shop)) func() *fakes {
		return func() *fakes {
			s := newShop(treated)
			if change != nil {
				change(s)
			}
			return s.fakes
		}
	}
	return []scenario{
		{workflow: workflows.CampaignName, name: "pages", input: in(nil), fakes: newFakes(1200, nil)},
		{workflow: workflows.CampaignName, name: "paced", input: in(func(in *workflows.CampaignInput) { in.PerMinute = 60_000 }), fakes: newFakes(1200, nil)},
		{
			workflow: workflows.CampaignName, name: "reviewed-paused-enlarged", input: in(nil),
			fakes: newFakes(1200, func(s *shop) {
				s.waiting = 2
				checked, page := s.Preflight, s.SendPage
				s.Preflight = func(in activities.PreflightInput) (activities.PreflightResult, error) {
					result, err := checked(in)
					s.waiting--
					return result, err
				}
				s.SendPage = func(in activities.PageInput) (activities.PageResult, error) {
					result, err := page(in)
					if s.pages < 4 { // the rest comes due in a year
						result.NextDue = in.Now.Add(365 * day)
						result.Pending = 10
					}
					return result, err
				}
			}),
			drive: func(d *driver) {
				d.calls("Preflight", 1)
				d.signal(workflows.SignalReviewed, activities.Woken{Reason: "copy approved"})
				d.calls("Preflight", 2)
				d.click(workflows.SignalReviewed)
				d.calls("SendPage", 1)
				d.signal(workflows.SignalPause, activities.Woken{Reason: "check the links"})
				d.calls("SetStatus", 3)
				d.signal(workflows.SignalHalt, nil)
				d.calls("SetStatus", 4)
				d.update(workflows.UpdateRamp, workflows.RampInput{Ramp: 0.5, By: "jane"})
				d.signal(workflows.SignalResume, "jane")
				d.calls("Enrol", 2)
				d.signal(workflows.SignalReviewed, nil)
				d.calls("SendPage", 2)
				d.signal(workflows.SignalReviewed, nil)
				d.calls("SendPage", 3)
				d.signal(workflows.SignalReviewed, nil)
			},
		},
		{
			workflow: workflows.CampaignName, name: "held-and-broken", input: in(nil),
			fakes: newFakes(600, func(s *shop) {
				s.onPage = func(n int) { s.held = n == 1 }
				var failed atomic.Bool
				page := s.SendPage
				s.SendPage = func(in activities.PageInput) (activities.PageResult, error) {
					if s.pages == 1 && !failed.Swap(true) {
						return activities.PageResult{}, finalError(lifecycle.Invalid, "no provider for sms")
					}
					return page(in)
				}
			}),
			drive: func(d *driver) {
				d.calls("SetStatus", 3)
				d.signal(workflows.SignalResume, nil)
				d.calls("SetStatus", 5)
				d.signal(workflows.SignalResume, nil)
			},
		},
		{
			workflow: workflows.CampaignName, name: "standing", endless: true,
			input: in(func(in *workflows.CampaignInput) { in.Name, in.Every = "winback", day }),
			fakes: newFakes(10, nil),
			drive: func(d *driver) {
				d.calls("Enrol", 4)
				d.settle()
			},
		},
	}
}

func reviewScenarios() []scenario {
	in := inputOf(reviewInput)
	hasty := inputOf(workflows.ReviewInput{ReviewID: "r-1", Remind: 200 * time.Millisecond, Escalate: 400 * time.Millisecond, Expire: 600 * time.Millisecond})
	newFakes := func() *fakes { return newDesk().fakes }
	return []scenario{
		{
			workflow: workflows.ReviewName, name: "approved-by-click", input: in, fakes: newFakes,
			drive: func(d *driver) {
				d.calls("Brief", 1)
				d.click(workflows.SignalApprove)
			},
		},
		{
			workflow: workflows.ReviewName, name: "garbage-edit-update", input: in, fakes: newFakes,
			drive: func(d *driver) {
				d.calls("Brief", 1)
				d.signal(workflows.SignalApprove, 42)
				d.signal(workflows.SignalApprove, map[string]any{"by": "jane", "hash": "cccc"})
				d.signal(workflows.SignalEdit, map[string]any{"by": "jane", "subject": "Better"})
				d.calls("Brief", 2)
				d.refused(workflows.UpdateDecide, workflows.Decision{By: "jane", Verdict: "approve"})
				d.refused(workflows.UpdateDecide, workflows.Decision{Verdict: "approve"})
				d.update(workflows.UpdateDecide, workflows.Decision{By: "tom", Verdict: "approve"})
			},
		},
		{
			workflow: workflows.ReviewName, name: "rejected-by-name", input: in, fakes: newFakes,
			drive: func(d *driver) {
				d.calls("Brief", 1)
				d.signal(workflows.SignalReject, map[string]any{"by": "jane", "note": "off tone"})
			},
		},
		{workflow: workflows.ReviewName, name: "expired", input: hasty, fakes: newFakes},
		{
			workflow: workflows.ReviewName, name: "stuck", input: in,
			fakes: func() *fakes {
				desk := newDesk()
				brief, n := desk.Brief, 0
				desk.Brief = func(in activities.ReviewID) (activities.Brief, error) {
					if n++; n == 1 {
						return activities.Brief{}, finalError(lifecycle.Invalid, "the copy does not render")
					}
					return brief(in)
				}
				return desk.fakes
			},
			drive: func(d *driver) {
				d.calls("Brief", 1)
				d.settle()
				d.click(activities.SignalResume)
				d.calls("Brief", 2)
				d.signal(workflows.SignalApprove, "jane")
			},
		},
	}
}

func otherScenarios() []scenario {
	return []scenario{
		{
			workflow: workflows.PreflightName, name: "missing", input: inputOf(workflows.PreflightInput{Journey: "winback", Version: 3, By: "jane"}),
			fakes: func() *fakes {
				return &fakes{Preflight: script[activities.PreflightInput, activities.PreflightResult](activities.PreflightResult{Missing: []string{"winback/nudge (step nudge)"}})}
			},
		},
		{
			workflow: workflows.ErasureName, name: "in-steps", endless: true, input: inputOf(workflows.ErasureInput{CustomerID: "c-1", Request: "r-1", Clock: fast()}),
			fakes: func() *fakes {
				return erases(script[activities.EraseInput, activities.RunsEnded](activities.RunsEnded{Running: 1}, activities.RunsEnded{}), nil, nil)
			},
			drive: func(d *driver) {
				d.calls("Forget", 1) // the look at what comes late is an hour away
				d.settle()
			},
		},
		{
			workflow: workflows.ReportName, name: "weekly", input: inputOf(workflows.ReportInput{Kind: "weekly"}),
			fakes: func() *fakes {
				return &fakes{WriteReport: script[activities.ReportInput, activities.ReportWritten](activities.ReportWritten{From: start.AddDate(0, 0, -7), To: start, Suggestions: 2})}
			},
		},
		{
			workflow: workflows.UpkeepName, name: "rounds", endless: true,
			input: func() any { return workflows.UpkeepInput{Every: time.Hour, Clock: fast()} },
			fakes: func() *fakes {
				return &fakes{Round: script[activities.UpkeepInput, activities.UpkeepResult](
					finalError(lifecycle.Invalid, "window must be positive"), activities.UpkeepResult{Unconfirmed: 1})}
			},
			drive: func(d *driver) {
				d.calls("Round", 2)
				d.settle()
			},
		},
		{
			workflow: workflows.WatchName, name: "rounds", endless: true,
			input: inputOf(workflows.WatchInput{Every: 5 * time.Minute}),
			fakes: watchFakes,
			drive: func(d *driver) {
				d.calls("KeepWatch", 4)
				d.settle()
			},
		},
	}
}
