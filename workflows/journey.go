package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

// QueryState asks a journey where its customer stands.
const QueryState = "state"

// JourneyInput starts, or continues as new, one customer's journey.
type JourneyInput struct {
	RunID   lifecycle.RunID  `json:"run"`
	Journey string           `json:"journey"`
	Clock   clock.Scale      `json:"clock,omitzero"`
	Start   time.Time        `json:"start"` // business instant of the start
	Next    *activities.Next `json:"next,omitempty"`
	Runs    int              `json:"runs,omitempty"` // continued as new so many times
}

// JourneyResult says how a journey ended.
type JourneyResult struct {
	Reason string `json:"reason"`
}

// JourneyState answers QueryState.
type JourneyState struct {
	Step    string            `json:"step"`
	Doing   activities.Action `json:"doing"`
	Until   time.Time         `json:"until,omitzero"`
	Reason  string            `json:"reason,omitempty"`
	Touches int               `json:"deliveries"`
}

// Journey takes one customer through a journey: it asks what to do next, waits,
// delivers, and asks again. The definition, the customer and every decision
// stay in the store.
func Journey(ctx workflow.Context, in JourneyInput) (JourneyResult, error) {
	j, err := newJourney(ctx, in)
	if err != nil {
		return JourneyResult{}, err
	}
	return j.run(ctx)
}

// journey is the state of one workflow run.
type journey struct {
	in         JourneyInput
	clock      *businessClock
	next       activities.Next
	deliveries int
	wakes      wakes
}

func newJourney(ctx workflow.Context, in JourneyInput) (*journey, error) {
	j := &journey{in: in, clock: newBusinessClock(ctx, in.Clock, in.Start)}
	j.wakes.listen(ctx, map[string]string{
		activities.SignalEvent:         "An event this journey listens to has happened; the run looks again.",
		activities.SignalReviewDecided: "A person has decided on copy or a touch of this run; the run looks again.",
		activities.SignalResume:        "A pause is over; the run looks again.",
		activities.SignalMigrate:       "The run was moved to another version of the journey; the run looks again.",
		activities.SignalExit:          "Look again at whether this customer should leave the journey.",
	})
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryState, func() (JourneyState, error) {
		return JourneyState{Step: j.next.Step, Doing: j.next.Action, Until: j.next.At, Reason: j.next.Reason, Touches: j.deliveries}, nil
	}, workflow.QueryHandlerOptions{Description: "Where this customer stands in the journey."})
	return j, err
}

func (j *journey) run(ctx workflow.Context) (JourneyResult, error) {
	err := j.first(ctx)
	for {
		if broken(err) {
			j.hold(problem(ctx, err))
			err = nil
		}
		if err != nil {
			return JourneyResult{}, err
		}
		if j.full(ctx) {
			return JourneyResult{}, j.again(ctx)
		}
		j.show(ctx)
		switch j.next.Action {
		case activities.ActionEnd:
			j.wakes.drain() // nothing is left to look at
			return JourneyResult{Reason: j.next.Reason}, nil
		case activities.ActionDeliver:
			err = j.deliver(ctx)
		case activities.ActionWait:
			err = j.wait(ctx)
		case activities.ActionReview, activities.ActionHold:
			err = j.await(ctx)
		default:
			j.hold(fmt.Sprintf("unknown action %q: this worker is older than the one that wrote it", j.next.Action))
		}
	}
}

// hold keeps the customer's place when something is wrong that time alone
// cannot mend: the run looks again when somebody sends a signal.
func (j *journey) hold(problem string) {
	j.next = activities.Next{Action: activities.ActionHold, Step: j.next.Step, Reason: problem + " (mend it, then send the signal \"resume\")"}
}

// first finds the first thing to do, unless an earlier run of the workflow
// already knew.
func (j *journey) first(ctx workflow.Context) error {
	if j.in.Next != nil {
		j.next = *j.in.Next
		return nil
	}
	return j.look(ctx, "enter")
}

// look asks the store what to do next. Signals that arrived before are covered
// by it.
func (j *journey) look(ctx workflow.Context, why string) error {
	if j.wakes.drain() {
		why = j.wakes.last
	}
	next, err := prepare(ctx, activities.Step{RunID: j.in.RunID, Now: j.clock.now(ctx)}, why)
	if err != nil {
		return err
	}
	j.next = next
	return nil
}

// deliver waits until the touch may go out and delivers it.
func (j *journey) deliver(ctx workflow.Context) error {
	woken, err := j.clock.sleep(ctx, j.next.At, "send window of "+j.next.Step, j.wakes.any)
	if err != nil {
		return err
	}
	if woken {
		return j.look(ctx, "woken before "+j.next.Step)
	}
	next, err := deliver(ctx, j.next.Channel, activities.DeliverInput{
		Step: activities.Step{RunID: j.in.RunID, Now: j.clock.now(ctx)}, TouchID: j.next.TouchID,
	}, "deliver "+j.next.Step)
	if err != nil {
		return err
	}
	j.deliveries++
	j.next = next
	return nil
}

// wait sits out a wait step.
func (j *journey) wait(ctx workflow.Context) error {
	_, err := j.clock.sleep(ctx, j.next.At, "wait "+j.next.Step+" "+j.next.Reason, j.wakes.any)
	if err != nil {
		return err
	}
	return j.look(ctx, "after "+j.next.Step)
}

// recheck is how often a run that waits for a person or a resume looks again
// on its own, in case the signal that should wake it was lost.
const recheck = 7 * 24 * time.Hour

// await sits out a review or a pause.
func (j *journey) await(ctx workflow.Context) error {
	until := j.clock.now(ctx).Add(recheck)
	if _, err := j.clock.sleep(ctx, until, string(j.next.Action)+" at "+j.next.Step, j.wakes.any); err != nil {
		return err
	}
	return j.look(ctx, "look again at "+j.next.Step)
}

// show tells the Temporal UI where the customer stands.
func (j *journey) show(ctx workflow.Context) {
	text := fmt.Sprintf("**%s** at step `%s`", j.next.Action, j.next.Step)
	if !j.next.At.IsZero() {
		text += " until " + j.next.At.UTC().Format(time.RFC3339)
	}
	if j.next.Reason != "" {
		text += "\n\n" + j.next.Reason
	}
	workflow.SetCurrentDetails(ctx, text)
}

// full reports whether the history is long enough to continue as new.
func (j *journey) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return j.next.Action != activities.ActionEnd && (info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= 1000)
}

// again continues as new. Signals that arrive until then are lost without
// harm only if the new run looks at the store first, so it carries no Next
// when one is pending.
func (j *journey) again(ctx workflow.Context) error {
	next := &j.next
	if j.wakes.drain() {
		next = nil
	}
	return workflow.NewContinueAsNewError(ctx, Journey, JourneyInput{
		RunID: j.in.RunID, Journey: j.in.Journey, Clock: j.in.Clock, Start: j.clock.now(ctx), Next: next, Runs: j.in.Runs + 1,
	})
}
