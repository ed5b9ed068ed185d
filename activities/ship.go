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
	// shipChunk is how many touches are on their way to the provider at once:
	// what a crash can leave unconfirmed.
	shipChunk = 64
	// maxAttempts bounds how often a touch goes back to its provider after
	// answers that prove it was not taken.
	maxAttempts = 8
	// transientDelay is the real time to wait when a provider names none.
	transientDelay = 30 * time.Second
	// recordFor is how long answers wait for a database that restarts, in all.
	recordFor = 12 * time.Second
)

// shipment is a passage whose touch may go out now.
type shipment struct {
	*passage
	message lifecycle.Message
	group   string          // of a touch that is not stored yet
	records []ledger.Record // of its decision, when that is not stored yet
}

// ready takes the touches that were planned on the rows of this table and may go
// out at once: they are stored, reserved and marked as being sent together. The
// others, and all of them when reading and judging took too long, are saved as
// planned and sent on fresh rows. Only the controls are read again, so that a
// pause acts at once.
func (t *table) ready(ctx context.Context, now time.Time) ([]*shipment, error) {
	goes := func(p *passage) bool {
		return p.allowed != nil && p.next.Action == ActionDeliver && !p.next.At.After(now)
	}
	if !slices.ContainsFunc(t.passages, goes) || time.Since(t.opened) > freshFor {
		return nil, nil
	}
	var err error
	if t.controls, err = t.Controls.Controls(ctx); err != nil {
		return nil, err
	}
	var ready []*shipment
	for _, p := range t.passages {
		if !goes(p) {
			continue
		}
		if reason, _ := p.stopped(*p.sit.Touch); reason != "" {
			continue
		}
		last := len(p.plans) - 1 // planning this touch was the last thing the walk did
		s := &shipment{passage: p, message: *p.allowed, group: p.plans[last].Group, records: p.planned[last:]}
		p.plans, p.planned, p.next, p.progress.Held = p.plans[:last], p.planned[:last], Next{}, false
		ready = append(ready, s)
	}
	return ready, nil
}

// ship reserves, sends and settles touches, and walks their runs on.
func (t *table) ship(ctx context.Context, ready []*shipment) error {
	for chunk := range slices.Chunk(ready, shipChunk) {
		granted, lost, err := t.reserve(ctx, chunk)
		if err != nil {
			return err
		}
		if err := t.settle(ctx, chunk, append(t.send(ctx, granted), lost...)); err != nil {
			return err
		}
	}
	return nil
}

// reserve takes the ledger row and cap slots of each shipment. It returns those
// that must now be sent, and settles those that an earlier attempt may have sent.
func (t *table) reserve(ctx context.Context, chunk []*shipment) (granted []*shipment, lost []ledger.Settlement, err error) {
	batch := make([]ledger.Reservation, len(chunk))
	for i, s := range chunk {
		batch[i] = ledger.Reservation{Touch: *s.sit.Touch, Group: s.group, At: s.now, Caps: s.caps(), Records: s.records}
	}
	answers, err := t.Ledger.Reserve(ctx, batch)
	if err != nil {
		return nil, nil, err
	}
	for i, a := range answers {
		s := chunk[i]
		touch := *s.sit.Touch
		switch a.Result {
		case ledger.Granted:
			granted = append(granted, s)
		case ledger.InFlight:
			touch.State, touch.Reason = lifecycle.TouchUnconfirmed, "an earlier attempt may have reached the provider"
			lost = append(lost, ledger.Settlement{TouchID: touch.ID, State: touch.State, At: s.now, Reason: touch.Reason, Cost: touch.Cost})
		case ledger.CapFull:
			touch.State, touch.NotBefore = lifecycle.TouchDeferred, s.now.Add(soonest)
			touch.Reason = "frequency-cap: another touch took the last slot of " + a.Cap
			s.plan(touch, lifecycle.Decision{}, lifecycle.Verdict{Outcome: lifecycle.Defer, Until: touch.NotBefore, Findings: []lifecycle.Finding{{
				Rule: "frequency-cap", Outcome: lifecycle.Defer, Value: a.Cap, Limit: "one free slot", Until: touch.NotBefore, Reason: touch.Reason,
			}}})
		case ledger.Closed:
			touch.State = a.State
		}
		s.sit.Touch = &touch
	}
	return granted, lost, nil
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

// send calls the provider once per touch and returns every answer.
func (t *table) send(ctx context.Context, granted []*shipment) []ledger.Settlement {
	settlements := make([]ledger.Settlement, len(granted))
	var group errgroup.Group
	group.SetLimit(max(t.Concurrency, 1))
	for i, s := range granted {
		group.Go(func() error {
			receipt, err := t.Providers[s.sit.Touch.Channel].Send(ctx, s.message)
			settlements[i] = s.answer(receipt, err)
			return nil
		})
	}
	_ = group.Wait() // every answer is a settlement, errors included
	return settlements
}

// settle stores what the provider answered, and in the same transaction where
// the runs stand after it. A run that cannot be walked on does not hold up the
// answers: it is looked at again.
func (t *table) settle(ctx context.Context, chunk []*shipment, settlements []ledger.Settlement) error {
	for _, s := range settlements {
		if s.State.Sent() {
			t.sent++
		}
	}
	var walking []error
	var moves []ledger.Progress
	var records []ledger.Record
	for _, s := range chunk {
		if err := s.onward(ctx); err != nil {
			walking = append(walking, err)
			continue
		}
		if len(s.plans) > 0 {
			continue // save stores its progress with its plans
		}
		if s.moved {
			moves = append(moves, s.progress)
		}
		records = append(records, s.ended...)
		s.moved, s.ended = false, nil
	}
	return errors.Join(t.record(ctx, settlements, moves, records), errors.Join(walking...))
}

// record stores answers even when the activity is being cancelled or the
// database restarts: an answer that gets lost would leave its touch unconfirmed
// for nothing. Where only the progress is at fault, the answers are stored alone.
func (t *table) record(ctx context.Context, settlements []ledger.Settlement, moves []ledger.Progress, records []ledger.Record) error {
	ctx = context.WithoutCancel(ctx)
	for waited, wait := time.Duration(0), 100*time.Millisecond; ; wait *= 2 {
		err := t.Ledger.Settle(ctx, settlements, moves, records)
		switch {
		case err == nil:
			return nil
		case lifecycle.CodeOf(err) != lifecycle.Unavailable && len(moves)+len(records) > 0:
			return errors.Join(err, t.record(ctx, settlements, nil, nil))
		case lifecycle.CodeOf(err) != lifecycle.Unavailable, waited > recordFor:
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
