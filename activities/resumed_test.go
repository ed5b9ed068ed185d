package activities_test

import (
	"context"
	"testing"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Somebody resumes after the delivery has read the pause and before it has
// stored the run as held: releasing held runs finds none, and nobody would wake
// this one.
func TestDeliverNoticesAResumeThatWasFaster(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	touch := f.planned().TouchID
	f.Controls = &flicker{pause: ledger.Control{Scope: ledger.ScopeJourney, Name: f.store.runs["run-1"].Journey, State: ledger.ControlPaused, Reason: "storm"}}
	next := f.deliver(touch, noon)
	f.wantNext(next, activities.ActionDeliver, "nudge", noon)
	equal(t, "channel", next.Channel, lifecycle.Email)
	f.wantEnd(f.deliver(touch, noon), "completed")
	equal(t, "held", f.store.runs["run-1"].Held, false)
	f.wantSent(1)
}

// flicker is a pause that is gone when it is looked at again.
type flicker struct {
	pause ledger.Control
	asked int
}

func (f *flicker) Controls(context.Context) ([]ledger.Control, error) {
	if f.asked++; f.asked > 1 {
		return nil, nil
	}
	return []ledger.Control{f.pause}, nil
}
