package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Stage says at which moment of a touch's life the guardrails are asked.
type Stage string

// The stages. An empty stage runs every rule.
const (
	Preparing Stage = "preparing" // the touch is planned and rendered; a review may follow
	Sending   Stage = "sending"   // right before the reservation and the provider call
)

// SendWindow is a journey's own wish for when touches go out. Next returns the
// first instant at or after t that the window allows on the clocks of the zone,
// and the zero time when it never opens.
type SendWindow interface {
	Next(t time.Time, zone *time.Location) time.Time
}

// Suppression reasons the rules tell apart; any other text suppresses every class.
const (
	SuppressedUnsubscribe = "unsubscribed" // ends marketing, not receipts
	SuppressedBounce      = "bounced"
	SuppressedComplaint   = "complained"
	SuppressedManual      = "manual"
	SuppressedErased      = "erased"
)

// Suppression is an entry of the suppression list for this customer's address.
type Suppression struct {
	Channel lifecycle.Channel // empty = every channel
	Reason  string
	At      time.Time
}

// Touch is everything a rule may look at, assembled by the caller from fresh rows.
type Touch struct {
	At    time.Time // the instant the touch would go out
	Stage Stage

	Customer   lifecycle.Profile
	Suppressed []Suppression

	Channel  lifecycle.Channel
	Class    lifecycle.MessageClass // anything unknown is marketing, the strictest
	Tags     []string
	Journey  string
	Campaign string
	Step     string
	Priority int // higher is more important

	Exit   string // why the journey is over for this customer; empty = it is not
	Paused string // the control that is paused or halted; empty = none

	Creative lifecycle.Creative
	Message  lifecycle.Message // rendered
	Offer    *lifecycle.Offer  // nil = none
	Amounts  []lifecycle.Money // the customer's own figures the copy may show, such as the cart's value

	// Recent holds the customer's touches of the last LookBack, this one excluded.
	Recent []lifecycle.TouchRecord
	Window SendWindow // nil = any time

	RequireReview bool // the step asks for a person on each touch
	// Approved: a person approved this very touch; findings that only ask for a
	// person are kept as notes.
	Approved bool
	// ContentJudged: this very message, but for the unsubscribe link, passed the
	// content rules before; they are skipped, except those that depend on the instant.
	ContentJudged bool

	content *content // Message read once, by Judge
}

// LookBack is how far Touch.Recent must reach back. No cap and no duplicate
// window may be longer.
const LookBack = 35 * 24 * time.Hour

func (t Touch) marketing() bool {
	return t.Class != lifecycle.Transactional && t.Class != lifecycle.Reply
}

func (t Touch) hasTag(tag string) bool {
	for _, x := range t.Tags {
		if x == tag {
			return true
		}
	}
	return false
}

// read returns the message taken apart, reading it now when Judge did not.
func (t Touch) read() *content {
	if t.content != nil {
		return t.content
	}
	return readContent(t.Message)
}

// home is the customer's zone, else the brand's, else UTC.
func (t Touch) home(p *Policy, b *brand.Brand) *time.Location {
	if zone := p.zone(t.Customer.Customer.TimeZone); zone != nil {
		return zone
	}
	if zone := p.zone(b.TimeZone); zone != nil {
		return zone
	}
	return time.UTC
}
