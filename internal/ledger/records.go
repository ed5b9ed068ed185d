package ledger

import (
	"time"

	"touchstone/internal/lifecycle"
)

// JourneyRow is one stored version of a journey definition.
type JourneyRow struct {
	Name       string
	Version    int
	Source     []byte // the YAML as applied
	Hash       string
	Listens    []string // event names that may move a run
	EntryEvent string   // empty when it is entered by segment
	AppliedAt  time.Time
	AppliedBy  string
}

// ConsentRow is a consent of the customer with this external id.
type ConsentRow struct {
	ExternalID string
	lifecycle.Consent
	// Live: said just now, not read from a file. A pending one asks the customer to
	// confirm.
	Live bool
}

// Act reports whether the customer did something for it just now, with the wording
// on file. That lifts an earlier unsubscribe or erasure; a trait that a shop merely
// repeats does not.
func (c ConsentRow) Act() bool {
	return c.Live && c.Wording != "" && c.State != lifecycle.ConsentWithdrawn
}

// OrderRow is an order as the source reported it.
type OrderRow struct {
	lifecycle.Order
	Coupon     string
	ReceivedAt time.Time
}

// OutboxEvent is an event that waits to be routed to journeys.
type OutboxEvent struct {
	ID       int64
	Event    lifecycle.Event
	Attempts int // failed attempts so far
}

// Moment is one entry of a customer's timeline.
type Moment struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // event, order, run, decision, review, touch, outcome, consent, suppression
	Title  string    `json:"title"`
	Detail string    `json:"detail,omitempty"`
	Ref    string    `json:"ref,omitempty"` // id of the row behind it
}

// VerifyReport says whether the decision log's hash chain is whole.
type VerifyReport struct {
	Entries  int    `json:"entries"`
	OK       bool   `json:"ok"`
	BrokenAt int64  `json:"broken_at,omitempty"` // sequence number of the first bad entry
	Why      string `json:"why,omitempty"`
}

// Problem is one violation found in the ledger.
type Problem struct {
	Rule    string            `json:"rule"`
	TouchID lifecycle.TouchID `json:"touch_id,omitempty"`
	RunID   lifecycle.RunID   `json:"run_id,omitempty"`
	Detail  string            `json:"detail"`
}

// LedgerReport is the proof that no touch went out twice and no cap was exceeded.
type LedgerReport struct {
	OK       bool                         `json:"ok"`
	Touches  int                          `json:"touches"`
	ByState  map[lifecycle.TouchState]int `json:"by_state"`
	Caps     int                          `json:"caps"`    // cap windows recomputed
	Foreign  int                          `json:"foreign"` // provider events that belong to no touch of ours
	Problems []Problem                    `json:"problems,omitempty"`
	Omitted  int                          `json:"omitted,omitempty"` // problems beyond those listed
}

// CampaignRow is a campaign as it was asked for, and how far it is.
type CampaignRow struct {
	Name      string
	Journey   string
	Version   int
	Segment   string
	Ramp      float64 // share of the cohort, in (0,1]
	Holdout   float64 // in [0,1)
	PerMinute int     // send rate; 0 = no limit
	Every     time.Duration
	Standing  bool // scans its segment again and again
	Status    string
	CreatedAt time.Time
	CreatedBy string
	StartedAt time.Time
	EndedAt   time.Time
}

// ImportProgress is how far an import of one source came.
type ImportProgress struct {
	SourceHash string
	Kind       string // customers, events, orders
	Lines      int64
	Accepted   int64
	Rejected   int64
	Done       bool
	UpdatedAt  time.Time
}
