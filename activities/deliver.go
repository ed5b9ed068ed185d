package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"touchstone/guardrails"
	"touchstone/internal/channel"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

const (
	// maxAttempts bounds how often a touch goes back to its provider after
	// answers that prove it was not taken.
	maxAttempts = 8
	// staleAfter is how late a touch may leave after it was planned; later it
	// would say something that is no longer true.
	staleAfter = 10 * 24 * time.Hour
	// transientDelay is the real time to wait when a provider names none.
	transientDelay = 30 * time.Second
	// sendChunk is how many touches are marked as being sent at once: what a
	// crash can leave unconfirmed.
	sendChunk = 64
)

// shipment is a passage whose touch may go out now.
type shipment struct {
	*passage
	message lifecycle.Message
}

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

// deliver judges each touch, reserves, sends and settles those that may go, and
// walks every run on. It also says how many touches the provider took, or may
// have taken.
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
	if ready, err = t.reserve(ctx, ready); err != nil {
		return nil, 0, err
	}
	for chunk := range slices.Chunk(ready, sendChunk) {
		if err := t.send(ctx, chunk); err != nil {
			return nil, 0, err
		}
	}
	for _, p := range t.passages {
		if p.next.Action != "" {
			continue
		}
		if err := p.walk(ctx); err != nil {
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
		if held(p) && p.stopped(*p.sit.Touch) == "" {
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
		return &shipment{passage: p}, nil // reserve settles it as unconfirmed
	}
	if !t.State.Open() || t.State == lifecycle.TouchInReview {
		return nil, nil
	}
	if over, _, err := p.over(); err != nil || over != "" {
		return nil, err // walk ends the run and skips the touch
	}
	if reason := p.stopped(*t); reason != "" {
		p.next = Next{Action: ActionHold, Step: p.progress.Step, TouchID: t.ID, Reason: reason}
		p.progress.Held, p.moved = true, true
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
	if p.allowed != nil && p.allowed.TouchID == t.ID {
		return &shipment{passage: p, message: *p.allowed}, nil // judged on these very rows
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

// reserve takes the ledger row and cap slots of each shipment and returns those
// that may be sent.
func (t *table) reserve(ctx context.Context, ready []*shipment) ([]*shipment, error) {
	if len(ready) == 0 {
		return nil, nil
	}
	batch := make([]ledger.Reservation, len(ready))
	for i, s := range ready {
		touch := s.sit.Touch
		batch[i] = ledger.Reservation{TouchID: touch.ID, CustomerID: touch.CustomerID, At: s.now, Content: touch.Content, Caps: s.caps()}
	}
	answers, err := t.Ledger.Reserve(ctx, batch)
	if err != nil {
		return nil, err
	}
	var granted []*shipment
	var lost []ledger.Settlement
	for i, a := range answers {
		s := ready[i]
		touch := *s.sit.Touch
		switch a.Result {
		case ledger.Granted, ledger.AlreadyReserved:
			granted = append(granted, s)
		case ledger.InFlight:
			touch.State, touch.Reason = lifecycle.TouchUnconfirmed, "an earlier attempt may have reached the provider"
			lost = append(lost, ledger.Settlement{TouchID: touch.ID, State: touch.State, At: s.now, Reason: touch.Reason, Cost: touch.Cost})
			s.sit.Touch = &touch
			t.sent++
		case ledger.CapFull:
			touch.State, touch.NotBefore = lifecycle.TouchDeferred, s.now.Add(soonest)
			touch.Reason = "frequency-cap: another touch took the last slot of " + a.Cap
			s.plan(touch, lifecycle.Decision{}, lifecycle.Verdict{Outcome: lifecycle.Defer, Until: touch.NotBefore, Findings: []lifecycle.Finding{{
				Rule: "frequency-cap", Outcome: lifecycle.Defer, Value: a.Cap, Limit: "one free slot", Until: touch.NotBefore, Reason: touch.Reason,
			}}})
			s.sit.Touch = &touch
		case ledger.Closed:
			touch.State = a.State
			s.sit.Touch = &touch
		}
	}
	if len(lost) > 0 {
		if err := t.Ledger.Settle(ctx, lost, nil); err != nil {
			return nil, err
		}
	}
	return granted, nil
}

// caps are the cap windows that the reservation enforces; transactional
// messages are exempt.
func (s *shipment) caps() []ledger.CapWindow {
	touch := s.sit.Touch
	var windows []ledger.CapWindow
	for _, w := range s.Policy.Windows(guardrails.Touch{
		At: s.now, Customer: s.sit.Profile, Channel: touch.Channel, Class: touch.Class, Tags: touch.Tags,
		Journey: touch.Journey, Campaign: touch.Campaign, Step: touch.Step, Priority: s.def.Priority,
	}) {
		windows = append(windows, ledger.CapWindow{Cap: w.Cap, Channel: w.Channel, Tag: w.Tag, Since: w.Since, Limit: w.Limit})
	}
	return windows
}

// send marks a chunk as being sent, calls the provider once per touch, and
// settles every answer.
func (t *table) send(ctx context.Context, chunk []*shipment) error {
	ids := make([]lifecycle.TouchID, len(chunk))
	for i, s := range chunk {
		ids[i] = s.sit.Touch.ID
	}
	marked, err := t.Ledger.MarkSending(ctx, ids, chunk[0].now)
	if err != nil {
		return err
	}
	settlements := make([]ledger.Settlement, len(chunk))
	group := errgroup.Group{}
	group.SetLimit(max(t.Concurrency, 1))
	for i, s := range chunk {
		if !slices.Contains(marked, s.sit.Touch.ID) {
			continue // somebody else is sending it; the next look will tell
		}
		group.Go(func() error {
			receipt, err := t.Providers[s.sit.Touch.Channel].Send(ctx, s.message)
			settlements[i] = s.answer(receipt, err)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	settlements = slices.DeleteFunc(settlements, func(s ledger.Settlement) bool { return s.TouchID == "" })
	for _, s := range settlements {
		if s.State.Sent() {
			t.sent++
		}
	}
	return t.record(ctx, settlements)
}

// recordFor is how long answers wait for a database that restarts, in all.
const recordFor = 12 * time.Second

// record stores what the provider answered, even when the activity is being
// cancelled or the database restarts: an answer that gets lost would leave its
// touch unconfirmed for nothing.
func (t *table) record(ctx context.Context, settlements []ledger.Settlement) error {
	ctx = context.WithoutCancel(ctx)
	for waited, wait := time.Duration(0), 100*time.Millisecond; ; wait *= 2 {
		err := t.Ledger.Settle(ctx, settlements, nil)
		if lifecycle.CodeOf(err) != lifecycle.Unavailable || waited > recordFor {
			return err
		}
		time.Sleep(wait)
		waited += wait
	}
}

// answer turns a provider's answer into the touch's settlement.
func (s *shipment) answer(receipt channel.Receipt, err error) ledger.Settlement {
	touch := *s.sit.Touch
	settlement := ledger.Settlement{TouchID: touch.ID, State: lifecycle.TouchAccepted, At: s.now, ProviderID: receipt.ProviderID, Cost: touch.Cost}
	var refusal *channel.Error
	switch {
	case err == nil:
	case !errors.As(err, &refusal):
		settlement.State, settlement.Reason = lifecycle.TouchUnconfirmed, err.Error()
	case refusal.Class == channel.Refused:
		settlement.State, settlement.Reason, settlement.Cost = lifecycle.TouchRefused, refusal.Error(), lifecycle.Money{}
	case refusal.Class == channel.Transient, refusal.Class == channel.Misconfigured:
		settlement.State, settlement.Reason, settlement.Cost = lifecycle.TouchDeferred, refusal.Error(), lifecycle.Money{}
		delay := refusal.RetryAfter
		if delay <= 0 {
			delay = transientDelay
		}
		settlement.NotBefore = s.now.Add(s.Scale.Business(delay))
		if touch.Attempts+1 >= maxAttempts {
			settlement.State, settlement.Reason = lifecycle.TouchRefused, fmt.Sprintf("given up after %d attempts: %s", touch.Attempts+1, refusal.Error())
		}
	default:
		settlement.State, settlement.Reason = lifecycle.TouchUnconfirmed, refusal.Error()
	}
	touch.State, touch.Reason, touch.NotBefore = settlement.State, settlement.Reason, settlement.NotBefore
	s.sit.Touch = &touch
	return settlement
}
