package ledger

import (
	"time"

	"touchstone/internal/lifecycle"
)

// Plan is what preparing one run's step came to: a touch with its decision and
// verdict, to be stored with the run's progress in one transaction.
type Plan struct {
	Touch    lifecycle.Touch
	Decision lifecycle.Decision
	Verdict  lifecycle.Verdict
	Group    string // response group of the customer, for the evidence cells
	Progress Progress
	At       time.Time
}

// CapWindow is one frequency cap as it applies to one touch: count the
// customer's slot-holding marketing touches on Channel with Tag (empty = any)
// reserved after Since; the count must be below Limit.
type CapWindow struct {
	Cap     string            `json:"cap"`
	Channel lifecycle.Channel `json:"channel,omitempty"`
	Tag     string            `json:"tag,omitempty"`
	Since   time.Time         `json:"since"`
	Limit   int               `json:"limit"`
}

// Reservation asks for a touch's place in the ledger, its cap slots, and leave
// to send it.
type Reservation struct {
	Touch   lifecycle.Touch // stored as planned first when it is not there yet
	Group   string          // response group of the customer, of a touch that is not there yet
	At      time.Time
	Caps    []CapWindow // empty for transactional touches
	Records []Record    // of the decision, appended when it is Granted or CapFull
}

// ReservationResult says how a reservation ended.
type ReservationResult string

// Reservation results.
const (
	// Granted: the touch is reserved and marked as being sent: call the provider,
	// once.
	Granted ReservationResult = "granted"
	// CapFull: another touch took the last slot; Reserved.Cap says of which cap.
	CapFull ReservationResult = "cap_full"
	// InFlight: an earlier attempt may have called the provider. Never call
	// again: settle as unconfirmed.
	InFlight ReservationResult = "in_flight"
	// Closed: the touch has been settled, blocked or rejected; Reserved.State says how.
	Closed ReservationResult = "closed"
)

// Reserved is the answer to one Reservation.
type Reserved struct {
	TouchID lifecycle.TouchID
	Result  ReservationResult
	State   lifecycle.TouchState
	Cap     string // with CapFull
}

// Settlement records what became of a touch after Reserve.
type Settlement struct {
	TouchID    lifecycle.TouchID
	State      lifecycle.TouchState // accepted, refused, unconfirmed, or an open state that gives the slot back
	At         time.Time
	ProviderID string
	Cost       lifecycle.Money
	Reason     string
	NotBefore  time.Time // with TouchDeferred
}

// OutcomeKind is what a provider reported about a touch.
type OutcomeKind string

// Outcome kinds.
const (
	OutcomeProcessed   OutcomeKind = "processed"
	OutcomeDelivered   OutcomeKind = "delivered"
	OutcomeDeferred    OutcomeKind = "deferred"
	OutcomeBounced     OutcomeKind = "bounced" // hard: suppresses the address
	OutcomeBlocked     OutcomeKind = "blocked" // soft bounce
	OutcomeDropped     OutcomeKind = "dropped"
	OutcomeOpened      OutcomeKind = "opened"
	OutcomeClicked     OutcomeKind = "clicked"
	OutcomeComplained  OutcomeKind = "complained"
	OutcomeUnsubscribe OutcomeKind = "unsubscribed"
)

// Outcome is one provider event, deduplicated by Key.
type Outcome struct {
	Key      string
	TouchID  lifecycle.TouchID // empty when the provider did not echo it
	Provider string            // provider message id, fallback for TouchID
	Kind     OutcomeKind
	Machine  bool // a mail proxy or scanner, not a person
	At       time.Time
	Detail   string
	Suppress bool // the address must not be written to again
}

// Record is one entry of the decision log. Body is JSON without personal data.
type Record struct {
	At         time.Time
	Kind       string // "touch.planned", "review.decided", "control.changed" ...
	Actor      string
	CustomerID lifecycle.CustomerID
	RunID      lifecycle.RunID
	TouchID    lifecycle.TouchID
	Subject    string
	Body       []byte
}
