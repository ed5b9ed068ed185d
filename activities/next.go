package activities

import (
	"time"

	"touchstone/internal/lifecycle"
)

// Action is what a run should do next.
type Action string

// Actions.
const (
	ActionDeliver Action = "deliver" // deliver Next.TouchID, not before Next.At
	ActionWait    Action = "wait"    // look again at Next.At, or when woken
	ActionReview  Action = "review"  // look again when a person has decided
	ActionHold    Action = "hold"    // paused before a touch; look again on resume
	ActionEnd     Action = "end"     // the journey is over for this customer
)

// Next tells a run what to do next. It is small on purpose: the rest is in the
// store.
type Next struct {
	Action  Action            `json:"action"`
	Step    string            `json:"step,omitempty"`
	TouchID lifecycle.TouchID `json:"touch,omitempty"`
	Channel lifecycle.Channel `json:"channel,omitempty"`
	At      time.Time         `json:"at,omitzero"`
	Reason  string            `json:"reason,omitempty"`
	Parked  bool              `json:"parked,omitempty"` // with hold: outside a rollout, until its stage grows
}

// Step asks about one run. Now is the business instant of the step: its due
// time plus the real lateness of the engine.
type Step struct {
	RunID lifecycle.RunID `json:"run"`
	Now   time.Time       `json:"now"`
}

// DeliverInput asks to deliver one planned touch.
type DeliverInput struct {
	Step
	TouchID lifecycle.TouchID `json:"touch"`
}
