// Package agents decides what to do for a customer at a step of a journey:
// which channel, which offer, which copy, or nothing. Agents are pure
// functions of a documented Situation: same situation, same decision, no
// clock, no store, no randomness.
//
// The value of a touch is
//
//	lift × order value × margin − message − offer − fatigue
//
// with every part explained in value.go and rates.go. An agent only ever
// chooses among what the step allows; doing nothing is always a candidate and
// wins unless something has positive value.
//
// Level 2: imports lifecycle and brand.
package agents

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Situation is everything an agent may know when it decides.
type Situation struct {
	Now     time.Time
	Profile lifecycle.Profile
	Stage   lifecycle.Stage

	Journey  string
	Step     string
	Position int // touch steps already taken in this run, unconverted: 0 at the first

	Channels  []lifecycle.Channel // allowed by the step and reachable: an address is known
	Offers    []lifecycle.Offer   // allowed by the step
	OfferNone bool                // the step allows a touch without an offer
	// Creatives are the variants of the step's slots. Only approved ones are
	// used, and a candidate without approved copy does not exist.
	Creatives []lifecycle.Creative
	Recent    []lifecycle.TouchRecord // earlier touches, at least those of the last 7 days
	// CartValue is what lies in the cart the journey is about; zero outside
	// cart journeys. It replaces the expected order.
	CartValue lifecycle.Money

	Evidence Evidence     // observed responses
	Brand    *brand.Brand // costs, priors, currency; must be set
}

// Agent decides. Implementations are pure and safe for concurrent use.
type Agent interface {
	Name() string
	Decide(Situation) lifecycle.Decision
}

// ByName returns the agent that journeys call by this name: "campaign" or
// "winback".
func ByName(name string) (Agent, error) {
	switch name {
	case campaignName:
		return Campaign{}, nil
	case winbackName:
		return Winback{}, nil
	}
	return nil, lifecycle.Errorf(lifecycle.Invalid, "unknown agent %q: use %s or %s", name, campaignName, winbackName)
}
