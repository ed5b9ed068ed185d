package watch

import (
	"fmt"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Rule names what a violation broke.
type Rule string

// The rules that are checked on every touch soon after it went out. Findings of
// the ledger's verification have RuleLedger and the verifier's own name.
const (
	RuleConsent    Rule = "consent"     // marketing without consent, or after we knew that it was withdrawn
	RuleSuppressed Rule = "suppression" // marketing to an address we knew to be suppressed
	RuleQuietHours Rule = "quiet-hours" // marketing outside the hours of policy and law
	RuleCap        Rule = "frequency-cap"
	RuleHoldout    Rule = "holdout"    // marketing to somebody held out
	RuleUnapproved Rule = "unapproved" // copy that nobody approved
	RuleSentTwice  Rule = "sent-once"
	RuleLedger     Rule = "ledger"
)

// Violation is a touch that should not have gone out.
type Violation struct {
	TouchID lifecycle.TouchID `json:"touch_id"`
	Rule    Rule              `json:"rule"`
	At      time.Time         `json:"at"`       // when it went out
	FoundAt time.Time         `json:"found_at"` // business time
	Detail  string            `json:"detail"`
}

// Violated describes violations as conditions, one per rule, in the order in
// which the rules first appear.
func Violated(violations []Violation) []Condition {
	var order []Rule
	by := map[Rule][]Violation{}
	for _, v := range violations {
		if len(by[v.Rule]) == 0 {
			order = append(order, v.Rule)
		}
		by[v.Rule] = append(by[v.Rule], v)
	}
	var found []Condition
	for _, rule := range order {
		first, n, allowed := by[rule][0], float64(len(by[rule])), 0.0
		found = append(found, Condition{
			Key: "compliance/" + string(rule), Kind: KindCompliance, Severity: Critical,
			Title:  fmt.Sprintf("compliance violation: %s", rule),
			Detail: fmt.Sprintf("%d since sending was last resumed, for example touch %s: %s", len(by[rule]), first.TouchID, first.Detail),
			Metric: "compliance_violations", Value: &n, Limit: &allowed,
		})
	}
	return found
}

// FromLedger turns what the ledger's verification found into violations.
func FromLedger(report ledger.LedgerReport, at time.Time) []Violation {
	var violations []Violation
	for _, p := range report.Problems {
		if p.TouchID == "" {
			continue
		}
		violations = append(violations, Violation{TouchID: p.TouchID, Rule: RuleLedger + "/" + Rule(p.Rule), At: at, FoundAt: at, Detail: p.Detail})
	}
	return violations
}

// Inspection asks for the violations among touches that went out since an
// instant. Instants are business time.
type Inspection struct {
	Since time.Time
	// Horizon is what the inspection before returned: only touches that were
	// settled after it are inspected. 0 means all.
	Horizon int64
	Now     time.Time
	Exempt  []lifecycle.Channel // channels that need no consent
	// Grace is how long after an opt-out was stored a touch may still go out: one
	// that was under way cannot be called back.
	Grace time.Duration
	Scale clock.Scale // opt-outs are learnt in real time
}

// SentWhen counts the marketing touches that went out in one minute to customers
// of one place.
type SentWhen struct {
	Channel  lifecycle.Channel
	Country  string
	Region   string
	TimeZone string
	Minute   time.Time
	TouchID  lifecycle.TouchID // one of them
	Touches  int
}
