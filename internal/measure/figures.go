package measure

import (
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Query asks a store for the sums of one period. All but the reviews are cut by
// business time.
type Query struct {
	From, To         time.Time // half-open, business time
	RealFrom, RealTo time.Time // the same period on the wall, for reviews
	Attribution      time.Duration
	Window           time.Duration            // outcome window of a comparison
	Windows          map[string]time.Duration // of a journey, where it differs
	Currency         string                   // ISO 4217; orders in others are only counted
}

// Week is the length of Cell.Week.
const Week = 7 * 24 * time.Hour

// Figures are the sums behind a report. A store reads all of them from one
// snapshot. Money is in minor units of the query's currency.
type Figures struct {
	Customers int // known and not erased
	Entered   int // customers with a run that entered in the period

	Orders      int   // in the period, refunds not counted
	Refunds     int   // orders with a negative total
	Revenue     int64 // net of refunds
	OtherOrders int   // in other currencies, left out of all money
	Touches     []TouchCount
	NotSent     []NotSent
	Cells       []Cell

	// Programme is the comparison behind the key figure. The unit is a customer
	// who has ever entered a journey; the arm is that of the customer's very first
	// run, before which nothing was ever sent, so that entering does not depend on
	// it; the outcome is revenue from then, or from the beginning of the period if
	// that is later, until its end. Customers who are held out of single journeys
	// only count as treated: that is how the programme is run.
	Programme Comparison

	Trials      []Trial
	Rules       []RuleCount
	Responses   Responses
	Withdrawals []Withdrawal
	Reviews     []ReviewCount
	ReviewTimes ReviewTimes
	Copy        []CopyCount
}

// TouchCount counts touches of one channel, class and state. A touch that was
// sent belongs to the period in which it was, any other to the one in which it
// was planned.
type TouchCount struct {
	Channel lifecycle.Channel      `json:"channel"`
	Class   lifecycle.MessageClass `json:"class"`
	State   lifecycle.TouchState   `json:"state"`
	Count   int                    `json:"count"`
}

// NotSent counts touches that have not been sent, by state and the first words
// of their reason.
type NotSent struct {
	State  lifecycle.TouchState `json:"state"`
	Reason string               `json:"reason"`
	Count  int                  `json:"count"`
}

// Scope says what a trial is about.
type Scope string

// Scopes of trials.
const (
	JourneyTrial  Scope = "journey"
	CampaignTrial Scope = "campaign"
)

// Trial is the comparison that a journey or campaign is. A customer counts once,
// from the first run there ever was of it, if that run entered in the period and
// its outcome window had closed by the period's end: later runs may depend on
// what the first one did, and open windows would not be equally long.
type Trial struct {
	Scope   Scope
	Name    string
	Journey string             // the journey itself, or the campaign's
	Runs    map[ledger.Arm]int // runs that entered in the period
	Open    int                // customers left out because their window is open
	Arms    map[ledger.Arm]Arm
}

// Comparison sets the treated against the trial's control: customers of its own
// holdout, who receive everything but this. Where it holds out nobody itself, the
// control is the brand's holdout, who receive nothing from any journey, and the
// difference then contains what other journeys did.
func (t Trial) Comparison() (c Comparison, control ledger.Arm) {
	control = ledger.Holdout
	if t.Arms[control].Revenue.N == 0 && t.Arms[ledger.GlobalHoldout].Revenue.N > 0 {
		control = ledger.GlobalHoldout
	}
	return Comparison{Treated: t.Arms[ledger.Treated], Held: t.Arms[control]}, control
}

// RuleCount counts a guardrail's objections with one outcome.
type RuleCount struct {
	Rule     string            `json:"rule"`
	Outcome  lifecycle.Outcome `json:"outcome"`
	Findings int               `json:"findings"` // times it objected
	Touches  int               `json:"touches"`  // to so many touches
}

// Responses counts touches sent in the period that were opened or clicked by its
// end. A machine is a mail proxy or scanner; what people did is counted only for
// touches that were delivered in the end.
type Responses struct {
	Opened, Clicked               int
	MachineOpened, MachineClicked int
}

// Withdrawal counts consents withdrawn, by channel and where.
type Withdrawal struct {
	Channel lifecycle.Channel `json:"channel"`
	Source  string            `json:"source"`
	Count   int               `json:"count"`
}

// ReviewCount counts reviews by kind, status and who decided.
type ReviewCount struct {
	Kind      lifecycle.ReviewKind   `json:"kind"`
	Status    lifecycle.ReviewStatus `json:"status"`
	DecidedBy string                 `json:"decided_by,omitempty"`
	Count     int                    `json:"count"`
	InTime    int                    `json:"in_time"` // decided by a person before they were due
}

// ReviewTimes are wall-clock times from opening to a person's decision.
type ReviewTimes struct {
	Decided int           `json:"decided"`
	Median  time.Duration `json:"median"`
	P95     time.Duration `json:"p95"`
}

// CopyCount counts creatives by source and what generating them cost.
type CopyCount struct {
	Source   lifecycle.CreativeSource `json:"source"`
	Status   lifecycle.CreativeStatus `json:"status"`
	Count    int                      `json:"count"`
	Cost     int64                    `json:"cost"` // minor units of Currency
	Currency string                   `json:"currency,omitempty"`
}
