package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// passage is one run on its way through its journey within one activity call.
type passage struct {
	*table
	sit ledger.Situation
	def *journey.Definition
	now time.Time

	next     Next
	progress ledger.Progress
	moved    bool // progress must be stored
	plans    []ledger.Plan
	planned  []ledger.Record
	ended    []ledger.Record
	asks     []ask // reviews to open once the plans are stored

	allowed *lifecycle.Message // of the touch that was planned on these rows and may go out
}

// walk moves the run to its next blocking step and sets next.
func (p *passage) walk(ctx context.Context) error {
	if p.sit.Run.Status == ledger.RunEnded {
		p.next = Next{Action: ActionEnd, Reason: p.sit.Run.EndReason}
		return nil
	}
	reason, converted, err := p.over()
	if err != nil {
		return err
	}
	if reason != "" {
		p.end(reason, converted)
		return nil
	}
	step, done := journey.Step{}, false
	var trail []string
	if p.progress.Step == "" {
		step, done, trail, err = p.def.First(p.match(nil))
		if err != nil {
			return err
		}
		p.arrive(step, done, trail)
	} else {
		var known bool
		if step, known = p.def.Step(p.progress.Step); !known {
			return lifecycle.Errorf(lifecycle.Conflict, "journey %s v%d has no step %q: move the run to a version that has it with `touchstone journey migrate`", p.def.Name, p.sit.Run.Version, p.progress.Step)
		}
	}
	for !done {
		outcome, blocked, err := p.take(step)
		if err != nil || blocked {
			return err
		}
		if step, done, trail, err = p.def.After(step.ID, outcome, p.match(nil)); err != nil {
			return err
		}
		p.arrive(step, done, trail)
	}
	p.end(completed, time.Time{})
	return nil
}

// completed is why a run ends that came to the last step.
const completed = "completed"

// take works on the current step: it either blocks, with next set, or is done
// with the outcome that journey.Definition.After wants.
func (p *passage) take(step journey.Step) (outcome string, blocked bool, err error) {
	if step.Wait != nil {
		outcome, done, until, err := p.waited(*step.Wait)
		if err != nil || done {
			return outcome, false, err
		}
		p.next = Next{Action: ActionWait, Step: step.ID, At: until, Reason: waitReason(*step.Wait)}
		p.due(until)
		return "", true, nil
	}
	blocked, err = p.touch(step)
	if err == nil && !blocked {
		p.progress.Position++
		p.moved = true
	}
	return "", blocked, err
}

// arrive places the run at a new step.
func (p *passage) arrive(step journey.Step, done bool, trail []string) {
	if len(trail) > 0 {
		p.ended = append(p.ended, p.record("run.branched", map[string]any{"trail": trail}))
	}
	if done {
		return
	}
	p.progress.Step, p.progress.StepStartedAt, p.progress.DueAt = step.ID, p.now, time.Time{}
	p.sit.Touch = nil
	p.moved = true
}

// due sets when a pending run must be looked at again.
func (p *passage) due(at time.Time) {
	if !p.progress.DueAt.Equal(at) {
		p.progress.DueAt = at
		p.moved = true
	}
}

// idle leaves a pending run to the person who has to decide. The page looks
// again after a while: a crash may have come between the plan and its review.
func (p *passage) idle() { p.due(p.now.Add(undecided)) }

// undecided is how long a pending run waits for a person before it is looked at
// again.
const undecided = 24 * time.Hour

// over reports why the journey is over for this customer, "" if it is not, and
// the instant of the goal if that is the reason.
func (p *passage) over() (string, time.Time, error) {
	run := p.sit.Run
	for _, event := range p.sit.Events {
		if event.ID == run.EntryEventID || event.At.Before(run.EnteredAt) {
			continue
		}
		if g := p.def.Goal; g != nil && event.Name == g.Event && (g.Within == 0 || event.At.Sub(run.EnteredAt) <= g.Within) {
			hit, err := p.holds(g.When, event)
			if err != nil {
				return "", time.Time{}, err
			}
			if hit {
				return "goal: " + event.Name, event.At, nil
			}
		}
		for _, exit := range p.def.Exits {
			if exit.Event != event.Name {
				continue
			}
			hit, err := p.holds(exit.When, event)
			if err != nil {
				return "", time.Time{}, err
			}
			if hit {
				return "exit: " + event.Name, time.Time{}, nil
			}
		}
	}
	for _, exit := range p.def.Exits {
		if exit.Event != "" || exit.When == nil {
			continue
		}
		hit, err := p.match(nil)(exit.When)
		if err != nil {
			return "", time.Time{}, err
		}
		if hit {
			return "exit: " + exit.When.String(), time.Time{}, nil
		}
	}
	if !p.sit.Profile.Customer.ErasedAt.IsZero() {
		return "exit: customer erased", time.Time{}, nil
	}
	return "", time.Time{}, nil
}

// waited says whether a wait step is over and with which outcome, or until when
// it lasts at most.
func (p *passage) waited(wait journey.Wait) (outcome string, done bool, until time.Time, err error) {
	began := p.progress.StepStartedAt
	switch {
	case wait.Event != "":
		for _, event := range p.sit.Events {
			if event.Name != wait.Event || event.ID == p.sit.Run.EntryEventID || event.At.Before(began) {
				continue
			}
			hit, err := p.holds(wait.When, event)
			if err != nil {
				return "", false, time.Time{}, err
			}
			if hit {
				return "event", true, time.Time{}, nil
			}
		}
		outcome, until = "timeout", began.Add(wait.Timeout)
	case wait.Until != nil:
		until = wait.Until.Next(began, p.zone())
	default:
		until = began.Add(wait.For)
		if p.touchFollows() {
			until = p.def.Window.Next(until, p.zone())
		}
	}
	return outcome, !p.now.Before(until), until, nil
}

// touchFollows reports whether a touch comes straight after the current wait:
// the wait then lasts into the send window, so that one timer does for both.
func (p *passage) touchFollows() bool {
	step, done, _, err := p.def.After(p.progress.Step, "", p.match(nil))
	return err == nil && !done && step.Touch != nil
}

func (p *passage) holds(when *segment.Expr, event lifecycle.Event) (bool, error) {
	if when == nil {
		return true, nil
	}
	return p.match(event.Properties)(when)
}

// end closes the run. Coming to the last step is no decision; everything else that
// ends a run is.
func (p *passage) end(reason string, converted time.Time) {
	p.progress.Status, p.progress.EndedAt, p.progress.EndReason, p.progress.DueAt = ledger.RunEnded, p.now, reason, time.Time{}
	p.progress.Held = false
	if !converted.IsZero() {
		p.progress.ConvertedAt = converted
	}
	p.moved = true
	if reason != completed {
		p.ended = append(p.ended, p.record("run.ended", map[string]any{"reason": reason}))
	}
	p.next = Next{Action: ActionEnd, Reason: reason}
	if t := p.sit.Touch; t != nil && t.State.Open() {
		touch := *t
		touch.State, touch.Reason = lifecycle.TouchSkipped, reason
		p.plan(touch, lifecycle.Decision{}, lifecycle.Verdict{})
	}
}

// record makes a decision-log entry about this run. Body never holds personal data.
func (p *passage) record(kind string, body map[string]any) ledger.Record {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("activities: a decision record must marshal: %v", err))
	}
	return ledger.Record{
		At: p.now, Kind: kind, Actor: "engine", CustomerID: p.sit.Run.CustomerID, RunID: p.sit.Run.ID,
		Subject: p.def.Name + "/" + p.progress.Step, Body: text,
	}
}

func waitReason(w journey.Wait) string {
	var parts []string
	if w.Event != "" {
		parts = append(parts, "for "+w.Event)
	}
	if w.For > 0 {
		parts = append(parts, "for "+w.For.String())
	}
	if w.Until != nil {
		parts = append(parts, "until "+w.Until.String())
	}
	return strings.Join(parts, ", ")
}
