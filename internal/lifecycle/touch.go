package lifecycle

import "time"

// TouchState is the place of a touch in the ledger.
type TouchState string

// Ledger states. A touch is planned before it may be sent; everything from
// Reserved on holds a frequency-cap slot except Refused.
const (
	TouchPlanned  TouchState = "planned"   // prepared, waiting for its time
	TouchInReview TouchState = "in_review" // waiting for a person
	TouchDeferred TouchState = "deferred"  // not now; Touch.NotBefore says when again
	TouchSkipped  TouchState = "skipped"   // the agent chose nothing, or an exit came first
	TouchBlocked  TouchState = "blocked"   // a guardrail said no
	TouchRejected TouchState = "rejected"  // a person said no

	TouchReserved    TouchState = "reserved"    // cap slot held, provider not called yet
	TouchSending     TouchState = "sending"     // the one provider call is under way
	TouchAccepted    TouchState = "accepted"    // the provider took it
	TouchRefused     TouchState = "refused"     // the provider definitely did not take it; slot released
	TouchUnconfirmed TouchState = "unconfirmed" // nobody knows; counts as sent, never repeated

	TouchDelivered  TouchState = "delivered"
	TouchBounced    TouchState = "bounced"
	TouchComplained TouchState = "complained"
)

// TouchStates lists all states in the order of a touch's life.
var TouchStates = []TouchState{
	TouchPlanned, TouchInReview, TouchDeferred, TouchSkipped, TouchBlocked, TouchRejected,
	TouchReserved, TouchSending, TouchAccepted, TouchRefused, TouchUnconfirmed,
	TouchDelivered, TouchBounced, TouchComplained,
}

// HoldsSlot reports whether a touch in this state counts against frequency caps.
func (s TouchState) HoldsSlot() bool {
	switch s {
	case TouchReserved, TouchSending, TouchAccepted, TouchUnconfirmed, TouchDelivered, TouchBounced, TouchComplained:
		return true
	}
	return false
}

// Sent reports whether the provider has, or may have, the message.
func (s TouchState) Sent() bool { return s.HoldsSlot() && s != TouchReserved }

// Open reports whether the touch may still be sent by us.
func (s TouchState) Open() bool {
	switch s {
	case TouchPlanned, TouchInReview, TouchDeferred, TouchReserved:
		return true
	}
	return false
}

// SlotStates lists the states for which HoldsSlot is true, for SQL.
func SlotStates() []TouchState {
	var held []TouchState
	for _, s := range TouchStates {
		if s.HoldsSlot() {
			held = append(held, s)
		}
	}
	return held
}

// Touch is one message to one customer on one channel: a row of the ledger.
type Touch struct {
	ID         TouchID
	Key        string // unique: journey/customer/entry key/step; never run id or attempt
	RunID      RunID
	CustomerID CustomerID
	Journey    string
	Version    int
	Campaign   string // empty outside campaigns
	Step       string
	Agent      string
	Channel    Channel
	Class      MessageClass
	Tags       []string
	Slot       string
	CreativeID CreativeID
	Content    string // content hash of the creative, checked again at send
	OfferID    string // empty = no offer
	State      TouchState
	Reason     string // why it is in this state, for people
	NotBefore  time.Time
	PlannedAt  time.Time
	ReservedAt time.Time
	SentAt     time.Time
	ProviderID string // the provider's message id
	Attempts   int    // provider calls made
	Cost       Money  // message cost; offers are costed when redeemed
}

// TouchRecord is what guardrails see of a customer's earlier touches.
type TouchRecord struct {
	ID      TouchID
	Channel Channel
	Class   MessageClass
	Tags    []string
	Slot    string
	Content string
	OfferID string
	At      time.Time // reserved or sent
	State   TouchState
}

// Outcome is what the guardrails say of a touch, from mildest to strictest.
type Outcome string

// Verdict outcomes; the strictest finding wins.
const (
	Allow  Outcome = "allow"
	Defer  Outcome = "defer"
	Review Outcome = "review"
	Block  Outcome = "block"
)

// Finding is one rule's objection to a touch.
type Finding struct {
	Rule    string    `json:"rule"`
	Version string    `json:"version,omitempty"` // of the policy or rule catalogue
	Outcome Outcome   `json:"outcome"`
	Value   string    `json:"value"` // what was seen
	Limit   string    `json:"limit"` // what is allowed
	Until   time.Time `json:"until,omitzero"`
	Reason  string    `json:"reason"`
	Law     *Law      `json:"law,omitempty"` // the provision behind the finding, where there is one
}

// Law names a provision of the guardrails' catalogue of laws.
type Law struct {
	ID      string `json:"id"`   // "ca-casl-implied-purchase"
	Cite    string `json:"cite"` // "S.C. 2010, c. 23, s. 10(10)(a)"
	Version string `json:"version"`
}

// Verdict is the merged judgement of all rules on one touch.
type Verdict struct {
	Outcome  Outcome   `json:"outcome"`
	Until    time.Time `json:"until,omitzero"` // with Defer: the earliest instant all deferring rules allow
	Findings []Finding `json:"findings,omitempty"`
	Law      *Law      `json:"law,omitempty"` // the provision that permits writing to this customer at all; marketing only
}

// Reason is the sentence of the finding that decided, or "" when allowed.
func (v Verdict) Reason() string {
	for _, f := range v.Findings {
		if f.Outcome == v.Outcome {
			return f.Rule + ": " + f.Reason
		}
	}
	return ""
}
