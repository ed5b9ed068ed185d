package workflows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/rollout"
)

// Statuses of a rollout beyond those of a campaign, as stored and as shown.
const (
	StatusAwaiting = "awaiting" // a person decides whether to go on
	StatusHeld     = "held"     // a person stopped it from going on; sends continue
	StatusAborted  = "aborted"
)

// RolloutInput starts, or continues as new, a rollout programme.
type RolloutInput struct {
	Programme string        `json:"programme"`
	Version   int           `json:"version"`
	Every     time.Duration `json:"every"` // business time between checks
	By        string        `json:"by"`
	Clock     clock.Scale   `json:"clock,omitzero"`
	Start     time.Time     `json:"start,omitzero"`

	State RolloutState `json:"state,omitzero"` // carried over continue-as-new
}

// RolloutState is how far a rollout is; it answers the query "progress" and is
// carried over continue-as-new.
type RolloutState struct {
	Status  string                  `json:"status,omitempty"`
	At      rollout.Position        `json:"at,omitzero"`
	Place   activities.RolloutPlace `json:"place,omitzero"`
	Checked time.Time               `json:"checked,omitzero"` // when the stage was last checked
	Next    time.Time               `json:"next,omitzero"`    // when it is checked again
	Steps   int                     `json:"steps,omitempty"`  // stored so far
	Why     string                  `json:"why,omitempty"`    // what the last check or step said
	Open    int                     `json:"open,omitempty"`   // checklist items that are not done
	Last    bool                    `json:"last,omitempty"`   // there is no stage after this one
	Notice  string                  `json:"notice,omitempty"` // what was not understood or not carried out
}

// Rollout takes a programme through its stages: it lets a stage's customers in,
// checks it on a schedule, and goes on when hold time, sample and gates are met,
// after asking a person where the programme says so. Failing guardrail metrics
// step it back or halt it. What it knows of the stages comes from activities.
func Rollout(ctx workflow.Context, in RolloutInput) (RolloutState, error) {
	r, err := newRollout(ctx, in)
	if err != nil {
		return RolloutState{}, err
	}
	return r.run(ctx)
}

type rolloutRun struct {
	in       RolloutInput
	state    RolloutState
	clock    *businessClock
	inbox    inbox
	markdown string // of the last check
}

func newRollout(ctx workflow.Context, in RolloutInput) (*rolloutRun, error) {
	r := &rolloutRun{in: in, state: in.State, clock: newBusinessClock(ctx, in.Clock, in.Start)}
	if err := workflow.SetQueryHandlerWithOptions(ctx, QueryProgress, func() (RolloutState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "How far the rollout is."}); err != nil {
		return nil, err
	}
	return r, r.inbox.listen(ctx)
}

func (r *rolloutRun) run(ctx workflow.Context) (RolloutState, error) {
	for {
		done, err := r.step(ctx)
		if broken(err) {
			// Checks come again by themselves; what a person asked for was answered.
			r.state.Notice, err = "**The last check failed:** "+problem(ctx, err)+". It is tried again at the next one.", nil
			r.state.Next = r.clock.now(ctx).Add(r.every())
		}
		if err != nil {
			return r.state, err
		}
		if done {
			r.show(ctx)
			r.inbox.refuse("the rollout is " + r.state.Status)
			return r.state, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		}
		if r.full(ctx) {
			return r.state, r.again(ctx)
		}
	}
}

// step does the next thing there is to do; done says that the rollout is over.
//
// A check judges what is known now, so it asks the business clock itself and not
// the step's: a rollout that fell behind a scaled clock would judge its own past.
func (r *rolloutRun) step(ctx workflow.Context) (done bool, err error) {
	now := r.clock.sync(ctx)
	if q, asked := r.inbox.next(); asked {
		return r.answer(ctx, q)
	}
	switch {
	case r.state.Status == StatusHalted || now.Before(r.state.Next):
		return false, r.rest(ctx)
	case r.state.Status == "" || r.state.Status == StatusPreflight:
		return false, r.preflight(ctx, now)
	}
	return r.check(ctx, now)
}

// minRealCheck keeps checks from spinning on a fast clock.
const minRealCheck = time.Second

// every is the business time between two checks.
func (r *rolloutRun) every() time.Duration {
	return max(r.in.Every, r.in.Clock.Business(minRealCheck))
}

// rest waits for the next check or for a person; a halted rollout has no next
// check.
func (r *rolloutRun) rest(ctx workflow.Context) error {
	r.show(ctx)
	if r.state.Status == StatusHalted {
		_, err := r.clock.wait(ctx, 0, "", r.inbox.any)
		return err
	}
	_, err := r.clock.sleep(ctx, r.state.Next, "next check of "+r.state.Place.Stage, r.inbox.any)
	return err
}

// preflight enters the first stage when nothing keeps the programme from it.
func (r *rolloutRun) preflight(ctx workflow.Context, now time.Time) error {
	r.state.Status, r.state.Next = StatusPreflight, now.Add(r.every())
	ready, err := preflightRollout(ctx, activities.RolloutCheck{Programme: r.in.Programme, Version: r.in.Version, Now: now})
	if err != nil {
		return err
	}
	r.state.Notice, r.state.Why = "", strings.Join(ready.Problems, "; ")
	if len(ready.Problems) > 0 {
		return nil
	}
	return r.enter(ctx, activities.RolloutEntered, 0, r.in.By, "started")
}

// check judges the stage and does what the judgement says.
func (r *rolloutRun) check(ctx workflow.Context, now time.Time) (done bool, err error) {
	at := r.state.At
	// Only watched time counts as hold time: a worker that was down saw nothing.
	at.Watched += min(max(now.Sub(r.state.Checked), 0), 2*r.every())
	assessed, err := assessRollout(ctx, activities.AssessInput{Programme: r.in.Programme, Version: r.in.Version, At: at, Now: now})
	if err != nil {
		return false, err
	}
	r.state.At, r.state.Checked, r.state.Next, r.state.Notice = at, now, now.Add(r.every()), ""
	r.state.Why, r.state.Open, r.state.Last, r.markdown = assessed.Why, assessed.Open, assessed.Last, assessed.Markdown
	held := r.state.Status == StatusHeld
	switch assessed.Action {
	case rollout.Halt:
		return false, r.record(ctx, activities.RolloutHalted, StatusHalted, engine, assessed.Why)
	case rollout.StepBack:
		r.state.At.StepBacks++
		return false, r.enter(ctx, activities.RolloutSteppedBack, at.Stage-1, engine, assessed.Why)
	case rollout.Advance:
		if !held {
			return r.advance(ctx, engine, assessed.Why)
		}
	case rollout.Ask:
		if r.state.Status == StatusRunning {
			return false, r.record(ctx, activities.RolloutAwaiting, StatusAwaiting, engine, assessed.Why)
		}
	default:
		if r.state.Status == StatusAwaiting {
			r.state.Status = StatusRunning // a gate no longer holds: the question is off
		}
	}
	return false, nil
}

// engine is who acts when no person does.
const engine = "engine"

// advance enters the next stage, or ends the rollout after the last one.
func (r *rolloutRun) advance(ctx workflow.Context, by, why string) (done bool, err error) {
	if r.state.Last {
		return true, r.record(ctx, activities.RolloutDone, StatusDone, by, why)
	}
	return false, r.enter(ctx, activities.RolloutEntered, r.state.At.Stage+1, by, why)
}

// enter puts a stage into force and starts its time.
func (r *rolloutRun) enter(ctx workflow.Context, step string, stage int, by, why string) error {
	status := cmp.Or(map[string]string{StatusHeld: StatusHeld}[r.state.Status], StatusRunning)
	now := r.clock.now(ctx)
	at := rollout.Position{Stage: stage, Since: now, PhaseSince: r.state.At.PhaseSince, StepBacks: r.state.At.StepBacks}
	place, err := r.store(ctx, activities.RolloutStep{Step: step, Status: status, Stage: stage, Since: now, By: by, Why: why, Now: now})
	if err != nil {
		return err
	}
	if place.Phase != r.state.Place.Phase {
		at.PhaseSince = now
	}
	r.state.At, r.state.Place, r.state.Status, r.state.Why, r.markdown = at, place, status, why, ""
	r.state.Checked, r.state.Next = now, now.Add(r.every())
	return nil
}

// record stores a step that stays in the stage.
func (r *rolloutRun) record(ctx workflow.Context, step, status, by, why string) error {
	_, err := r.store(ctx, activities.RolloutStep{Step: step, Status: status, Stage: r.state.At.Stage, Since: r.state.At.Since, By: by, Why: why, Now: r.clock.now(ctx)})
	if err == nil {
		r.state.Status, r.state.Why = status, why
	}
	return err
}

func (r *rolloutRun) store(ctx workflow.Context, in activities.RolloutStep) (activities.RolloutPlace, error) {
	in.Programme, in.Version, in.Number = r.in.Programme, r.in.Version, r.state.Steps+1
	place, err := stepRollout(ctx, in)
	if err == nil {
		r.state.Steps++
	}
	return place, err
}

// answer carries out what a person asked for, or says why not.
func (r *rolloutRun) answer(ctx workflow.Context, q asked) (done bool, err error) {
	refused := q.bad
	if refused == "" {
		refused = r.refusal(q)
	}
	if refused == "" {
		done, err = r.carryOut(ctx, q)
		if broken(err) {
			refused, err = problem(ctx, err), nil
		}
	}
	if err != nil {
		return false, err
	}
	r.state.Notice = ""
	if refused != "" {
		r.state.Notice = fmt.Sprintf("**%s was not carried out:** %s", q.signal, refused)
	}
	r.inbox.answers[q.id] = refused
	r.show(ctx)
	return done && refused == "", nil
}

// refusal says why the rollout cannot do what was asked, "" when it can.
func (r *rolloutRun) refusal(q asked) string {
	switch s := r.state.Status; q.signal {
	case SignalApproveStage:
		if s != StatusAwaiting {
			return fmt.Sprintf("nothing waits for an approval: the rollout is %s; %s", s, r.state.Why)
		}
		if r.state.Open > 0 && q.Note == "" {
			return fmt.Sprintf("%d checklist items are open: tick them, or say in a note why it may go on without", r.state.Open)
		}
	case activities.SignalResume:
		if s != StatusHeld && s != StatusHalted && s != StatusPreflight {
			return "it is " + s + ": there is nothing to resume"
		}
	case SignalHold:
		if s == StatusHeld || s == StatusHalted || s == StatusPreflight {
			return "it is " + s + " already"
		}
	case SignalHalt:
		if s == StatusHalted || s == StatusPreflight {
			return "it is " + s + ": nothing is being sent for it"
		}
	case SignalTick:
		if s == StatusPreflight {
			return "the first phase has not begun"
		}
	}
	return ""
}

func (r *rolloutRun) carryOut(ctx workflow.Context, q asked) (done bool, err error) {
	why := cmp.Or(q.Note, "asked for")
	switch q.signal {
	case SignalApproveStage:
		if err := r.record(ctx, activities.RolloutApproved, StatusRunning, q.By, why); err != nil {
			return false, err
		}
		return r.advance(ctx, q.By, "approved: "+why)
	case SignalHold:
		return false, r.record(ctx, activities.RolloutHeld, StatusHeld, q.By, why)
	case SignalHalt:
		return false, r.record(ctx, activities.RolloutHalted, StatusHalted, q.By, why)
	case activities.SignalResume:
		return false, r.resume(ctx, q.By, why)
	case SignalTick:
		_, err := r.store(ctx, activities.RolloutStep{Step: activities.RolloutTicked, Status: r.state.Status, Stage: r.state.At.Stage,
			Since: r.state.At.Since, By: q.By, Why: q.Note, Item: q.Item, Now: r.clock.now(ctx)})
		if err == nil {
			r.state.Next = time.Time{} // the checklist has changed: check now
		}
		return false, err
	}
	return true, r.record(ctx, activities.RolloutAborted, StatusAborted, q.By, why)
}

// resume goes on after a hold or halt. What was wrong lies in the time before a
// halt, so the stage's time and figures start anew after one.
func (r *rolloutRun) resume(ctx workflow.Context, by, why string) error {
	now := r.clock.now(ctx)
	switch r.state.Status {
	case StatusPreflight:
		r.state.Next = time.Time{}
		return nil
	case StatusHalted:
		r.state.At.Since, r.state.At.Watched, r.state.At.StepBacks = now, 0, 0
	}
	r.state.Checked, r.state.Next = now, now.Add(r.every())
	return r.record(ctx, activities.RolloutResumed, StatusRunning, by, why)
}

// full reports whether the history is long enough to continue as new. Nothing a
// person asked for may be left behind.
func (r *rolloutRun) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return (info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= 1000) && !r.inbox.any()
}

func (r *rolloutRun) again(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	next := r.in
	next.State, next.Start = r.state, r.clock.now(ctx)
	return workflow.NewContinueAsNewError(ctx, Rollout, next)
}

// show tells the Temporal UI how far the rollout is and what it waits for.
func (r *rolloutRun) show(ctx workflow.Context) {
	s := r.state
	text := ""
	if s.Notice != "" {
		text = "> " + s.Notice + "\n\n"
	}
	text += "**" + s.Status + "**"
	if s.Place.Of > 0 {
		text += fmt.Sprintf(" · phase `%s` %s · stage `%s` (%d of %d), %.4g %% of customers", s.Place.Phase, s.Place.Title, s.Place.Stage, s.Place.Number, s.Place.Of, s.Place.Reach*100)
	}
	text += "\n\n" + s.Why + "\n"
	switch s.Status {
	case StatusPreflight:
		text += "\nMend what is missing, then send the signal `resume` with `{\"by\":\"your name\"}`, or wait for the next check.\n"
	case StatusAwaiting:
		text += "\n**Go or no go?** Send the signal `approve` with `{\"by\":\"your name\"}` to go on"
		if s.Open > 0 {
			text += fmt.Sprintf("; %d checklist items are open, so add `\"note\":\"why it may go on\"`", s.Open)
		}
		text += ". Send `hold` or `abort` with `{\"by\":\"your name\",\"note\":\"why\"}` for no.\n"
	case StatusHeld:
		text += "\nIt does not go on until the signal `resume` with `{\"by\":\"your name\"}`; sends continue.\n"
	case StatusHalted:
		text += "\nNothing is sent. Everybody keeps their place. Send `resume` with `{\"by\":\"your name\",\"note\":\"what was mended\"}` to start this stage's time anew, or `abort`.\n"
	}
	if r.markdown != "" {
		text += "\n" + r.markdown
	}
	workflow.SetCurrentDetails(ctx, text)
}
