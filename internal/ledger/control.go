package ledger

import (
	"time"

	"touchstone/internal/lifecycle"
)

// ControlScope says what a control applies to.
type ControlScope string

// Control scopes. The global control has the name "".
const (
	ScopeGlobal   ControlScope = "global"
	ScopeJourney  ControlScope = "journey"
	ScopeCampaign ControlScope = "campaign"
	ScopeChannel  ControlScope = "channel"
)

// ControlState says what a control does.
type ControlState string

// Control states. Paused people keep their place; a halt is a pause that a
// guardrail or a person called because something is wrong.
const (
	ControlRunning ControlState = "running"
	ControlPaused  ControlState = "paused"
	ControlHalted  ControlState = "halted"
)

// Control pauses or halts a part of the programme.
type Control struct {
	Scope  ControlScope
	Name   string
	State  ControlState
	Reason string
	By     string
	At     time.Time
}

// Stops reports whether the control holds back touches of this kind.
func (c Control) Stops(journey, campaign string, channel lifecycle.Channel) bool {
	if c.State == ControlRunning {
		return false
	}
	switch c.Scope {
	case ScopeGlobal:
		return true
	case ScopeJourney:
		return c.Name == journey
	case ScopeCampaign:
		return campaign != "" && c.Name == campaign
	case ScopeChannel:
		return c.Name == string(channel)
	}
	return false
}

// Waiter is a run, and the touch it wants to send if it has one, that waits for
// a review.
type Waiter struct {
	RunID   lifecycle.RunID
	TouchID lifecycle.TouchID
}

// ResponseCell counts responses of one group of customers. Rows with an empty
// Channel count holdouts.
type ResponseCell struct {
	Group              string
	Journey            string
	Channel            lifecycle.Channel
	OfferID            string
	Touched            int
	TouchedConversions int
	Held               int
	HeldConversions    int
}
