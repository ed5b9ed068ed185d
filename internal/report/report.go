package report

import (
	"encoding/json"
	"io"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// Report is everything that is told about a period. Its JSON form is stable:
// names are added, never changed. Amounts of money are in minor units with their
// currency; estimates and intervals of money are in major units.
type Report struct {
	Brand      string      `json:"brand"`
	Currency   string      `json:"currency"`
	From       time.Time   `json:"from"` // business time, half-open
	To         time.Time   `json:"to"`
	Clock      string      `json:"clock,omitempty"` // how fast business time passed; empty = real time
	Simulated  bool        `json:"simulated"`       // the sandbox answered in place of customers
	Windows    Windows     `json:"windows"`
	RpMT       RpMT        `json:"rpmt"`
	Customers  Customers   `json:"customers"`
	Orders     Orders      `json:"orders"`
	Weeks      []Week      `json:"weeks"`
	Journeys   []Trial     `json:"journeys"`
	Campaigns  []Trial     `json:"campaigns,omitempty"`
	Credits    []Credits   `json:"credits"`
	Touches    []Channel   `json:"touches"`
	NotSent    []NotSent   `json:"not_sent"`
	Guardrails []Rule      `json:"guardrails"`
	Responses  Responses   `json:"responses"`
	Reviews    Reviews     `json:"reviews"`
	Copy       Copy        `json:"copy"`
	Proof      Proof       `json:"proof"`
	Rollouts   []Programme `json:"rollouts,omitempty"` // see AddEvents
	Alerts     []Alert     `json:"alerts,omitempty"`
	Notes      []string    `json:"notes"` // how the figures were made
}

// Windows are the lengths of time behind the figures, as people write them.
type Windows struct {
	Attribution string `json:"attribution"` // from a touch to an order credited to it
	Outcome     string `json:"outcome"`     // from entry to what is compared, where a journey names no goal
}

// RpMT is revenue per marketing touch, the key figure.
type RpMT struct {
	Goals       measure.Goals `json:"goals"`
	Attributed  *float64      `json:"attributed"` // major units per touch; null without touches
	Judgement   string        `json:"judgement,omitempty"`
	Touches     int           `json:"touches"`
	Revenue     Money         `json:"revenue"` // attributed
	Incremental measure.Lift  `json:"incremental"`
	Increment   string        `json:"increment_judgement,omitempty"`
	Treated     Side          `json:"treated"`
	HeldOut     Side          `json:"held_out"`
	Cost        Money         `json:"sending_cost"`
}

// Side is one side of a comparison.
type Side struct {
	Customers  int              `json:"customers"`
	Buyers     int              `json:"buyers"` // with at least one order
	Revenue    Money            `json:"revenue"`
	Touches    int              `json:"touches"`
	Conversion measure.Interval `json:"conversion"` // Wilson
}

// Customers counts people.
type Customers struct {
	Known   int `json:"known"`
	Entered int `json:"entered"` // with a run that entered in the period
}

// Orders sums what customers bought in the period, whether touched or not.
type Orders struct {
	Count           int   `json:"count"`
	Refunds         int   `json:"refunds"`
	Revenue         Money `json:"revenue"` // net of refunds
	OtherCurrencies int   `json:"other_currencies"`
}

// Week is one week of the period, counted from its beginning.
type Week struct {
	Number     int       `json:"number"` // from 1
	Start      time.Time `json:"start"`
	Touches    int       `json:"touches"`
	Attributed Money     `json:"attributed"`
}

// Trial is a journey or campaign as the experiment that it is.
type Trial struct {
	Name    string             `json:"name"`
	Window  string             `json:"window"`
	Entered int                `json:"entered"`  // runs of the period that are treated
	HeldOut int                `json:"held_out"` // runs that receive nothing, by either draw
	Runs    map[ledger.Arm]int `json:"runs"`
	Open    int                `json:"open"`              // customers whose window is still open, left out
	Control ledger.Arm         `json:"control,omitempty"` // whom the treated are compared with
	Treated Side               `json:"treated"`
	Held    Side               `json:"control_side"`
	Lift    measure.Lift       `json:"lift"`
	Credit  CreditLine         `json:"credit"`
}

// Credits is the last-touch credit by one dimension; its lines add up to
// RpMT.Touches and RpMT.Revenue.
type Credits struct {
	By    string       `json:"by"`
	Lines []CreditLine `json:"lines"`
}

// CreditLine is the last-touch credit of one value of a dimension.
type CreditLine struct {
	Name     string   `json:"name"`
	Touches  int      `json:"touches"`
	Orders   int      `json:"orders"`
	Revenue  Money    `json:"revenue"`
	Cost     Money    `json:"sending_cost"`
	PerTouch *float64 `json:"per_touch"` // major units; null without touches
}

// Channel counts a channel's touches by state, all message classes together.
type Channel struct {
	Channel lifecycle.Channel            `json:"channel"`
	Sent    int                          `json:"sent"`
	Other   int                          `json:"not_sent"`
	States  map[lifecycle.TouchState]int `json:"states"`
}

// NotSent counts touches not sent by state and reason.
type NotSent = measure.NotSent

// Rule counts the objections of one guardrail. All rules of the catalogue are
// listed, those that never objected too.
type Rule struct {
	Rule    string `json:"rule"`
	Blocks  int    `json:"blocks"`
	Defers  int    `json:"defers"`
	Reviews int    `json:"reviews"`
}

// Rate is a share with its Wilson interval.
type Rate struct {
	Hits int              `json:"hits"`
	Of   int              `json:"of"`
	Rate measure.Interval `json:"rate"`
}

// Responses is what became of the touches sent in the period, by its end.
type Responses struct {
	Sent           int                  `json:"sent"`
	Delivered      Rate                 `json:"delivered"`  // of sent
	Bounced        Rate                 `json:"bounced"`    // of sent
	Opened         Rate                 `json:"opened"`     // by people, of delivered
	Clicked        Rate                 `json:"clicked"`    // by people, of delivered
	Complained     Rate                 `json:"complained"` // of delivered
	MachineOpened  int                  `json:"machine_opened"`
	MachineClicked int                  `json:"machine_clicked"`
	Unsubscribed   int                  `json:"unsubscribed"` // consents withdrawn, erasures not counted
	Withdrawals    []measure.Withdrawal `json:"withdrawals,omitempty"`
}

// Reviews is how people kept up. Times are wall-clock times.
type Reviews struct {
	Opened        int            `json:"opened"`
	Approved      int            `json:"approved"`
	Rejected      int            `json:"rejected"`
	Expired       int            `json:"expired"`
	Awaiting      int            `json:"awaiting"`
	DecidedBy     []Decider      `json:"decided_by,omitempty"`
	MedianSeconds float64        `json:"median_seconds"`
	P95Seconds    float64        `json:"p95_seconds"`
	InTime        Rate           `json:"in_time"` // decided within the SLA, of approved, rejected and expired
	Kinds         map[string]int `json:"kinds,omitempty"`
}

// Decider is somebody who decided reviews.
type Decider struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Copy is what was written and what the model charged for it.
type Copy struct {
	Creatives int            `json:"creatives"`
	Sources   map[string]int `json:"sources,omitempty"`
	Cost      []Money        `json:"cost"` // one amount per currency
}

// Proof is what the verifications found; nil where one was not run.
type Proof struct {
	Ledger *ledger.LedgerReport `json:"ledger,omitempty"`
	Audit  *ledger.VerifyReport `json:"audit,omitempty"`
}

// Money is an amount of one currency.
type Money = lifecycle.Money

// JSON writes the report as indented JSON.
func (r *Report) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// ruleNames are the guardrails in the order in which people read them.
func ruleNames() []string {
	rules := guardrails.Rules()
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.Name
	}
	return names
}
