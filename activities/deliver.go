package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// staleAfter is how late a touch may leave after it was planned; later it
// would say something that is no longer true.
const staleAfter = 10 * 24 * time.Hour

// deliver reads runs afresh and sends their touches.
func (j *Journeys) deliver(ctx context.Context, in []DeliverInput) (next []Next, sent int, err error) {
	steps := make([]Step, len(in))
	for i := range in {
		steps[i] = in[i].Step
	}
	t, err := j.open(ctx, steps)
	if err != nil {
		return nil, 0, err
	}
	return t.deliver(ctx, in)
}

// deliver judges each touch, sends those that may go, and walks every run on. It
// also says how many touches the provider took, or may have taken.
func (t *table) deliver(ctx context.Context, in []DeliverInput) (next []Next, sent int, err error) {
	if len(in) == 0 {
		return nil, 0, nil
	}
	var ready []*shipment
	for i, p := range t.passages {
		s, err := p.clear(ctx, in[i].TouchID)
		if err != nil {
			return nil, 0, err
		}
		if s != nil {
			ready = append(ready, s)
		}
	}
	if err := t.ship(ctx, ready); err != nil {
		return nil, 0, err
	}
	for _, p := range t.passages {
		if err := p.onward(ctx); err != nil {
			return nil, 0, err
		}
	}
	if err := t.save(ctx); err != nil {
		return nil, 0, err
	}
	if err := t.resumed(ctx); err != nil {
		return nil, 0, err
	}
	return t.next(), t.sent, nil
}

// onward walks a run on that does not know yet what to do next.
func (p *passage) onward(ctx context.Context) error {
	if p.next.Action != "" {
		return nil
	}
	return p.walk(ctx)
}

// resumed sends runs back to their touch that were held by a control which is
// gone by now: whoever resumed may have looked for held runs before these were
// stored as such, and would not come again.
func (t *table) resumed(ctx context.Context) (err error) {
	held := func(p *passage) bool { return p.next.Action == ActionHold }
	if !slices.ContainsFunc(t.passages, held) {
		return nil
	}
	if t.controls, err = t.Controls.Controls(ctx); err != nil {
		return err
	}
	for _, p := range t.passages {
		if reason, _ := p.stopped(*p.sit.Touch); held(p) && reason == "" {
			p.next.Action, p.next.At, p.next.Channel = ActionDeliver, p.now, p.sit.Touch.Channel
		}
	}
	return nil
}

// clear decides on fresh rows whether the passage's touch may go out now. When
// it may not, the passage's plan or next says what happens instead.
func (p *passage) clear(ctx context.Context, id lifecycle.TouchID) (*shipment, error) {
	t := p.sit.Touch
	if p.sit.Run.Status == ledger.RunEnded || t == nil || t.ID != id {
		return nil, nil // the run has moved on: walk says where it is
	}
	if t.State == lifecycle.TouchSending {
		return &shipment{passage: p}, nil // settled as unconfirmed
	}
	if !t.State.Open() || t.State == lifecycle.TouchInReview {
		return nil, nil
	}
	if over, _, err := p.over(); err != nil || over != "" {
		return nil, err // walk ends the run and skips the touch
	}
	if reason, parked := p.stopped(*t); reason != "" {
		p.next = Next{Action: ActionHold, Step: p.progress.Step, TouchID: t.ID, Reason: reason, Parked: parked}
		p.progress.Held, p.moved = true, true
		if parked {
			p.progress.DueAt = time.Time{}
		}
		return nil, nil
	}
	p.progress.Held = false
	if t.State == lifecycle.TouchDeferred && t.NotBefore.After(p.now) {
		return nil, nil
	}
	step, known := p.def.Step(p.progress.Step)
	if !known || step.Touch == nil {
		return nil, lifecycle.Errorf(lifecycle.Conflict, "journey %s v%d has no touch step %q: move the run with `touchstone journey migrate`", p.def.Name, p.sit.Run.Version, p.progress.Step)
	}
	creative, err := p.creative(ctx, t.Slot, t.CreativeID)
	if err != nil {
		return nil, err
	}
	if creative.Status != lifecycle.CreativeApproved || p.hash(creative) != t.Content {
		_, err := p.close(*t, lifecycle.TouchBlocked, "the copy is no longer the approved one", lifecycle.Decision{}, lifecycle.Verdict{})
		return nil, err
	}
	verdict, message, err := p.judge(step, *t, creative, guardrails.Sending, false)
	if err != nil {
		return nil, err
	}
	if verdict.Outcome == lifecycle.Review {
		reviewed, err := p.Reviews.TouchReviewed(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		if reviewed {
			if verdict, message, err = p.judge(step, *t, creative, guardrails.Sending, true); err != nil {
				return nil, err
			}
		}
	}
	if verdict.Outcome == lifecycle.Defer && verdict.Until.Sub(t.PlannedAt) > staleAfter {
		_, err := p.close(*t, lifecycle.TouchBlocked, fmt.Sprintf("stale: planned at %s, next possible at %s", t.PlannedAt.Format(time.RFC3339), verdict.Until.Format(time.RFC3339)), lifecycle.Decision{}, verdict)
		return nil, err
	}
	if verdict.Outcome != lifecycle.Allow {
		_, err := p.settle(step, *t, lifecycle.Decision{}, verdict)
		return nil, err
	}
	return &shipment{passage: p, message: message}, nil
}
