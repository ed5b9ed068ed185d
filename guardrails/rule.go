package guardrails

import (
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Rule is one guardrail.
type Rule struct {
	Name   string
	Doc    string // what it asks and what happens otherwise, for people
	Source string // the law, standard or practice behind it
	Stages []Stage
	// Content rules look at the copy, the offer and the brand only, so that the
	// verdict on identical messages is identical.
	Content bool
	// Timed rules depend on the instant and are asked again wherever a deferral lands.
	Timed bool
	// Check returns the objections, none when there are any. Rule and Version of
	// the findings are filled in by Judge. An Allow finding is a note.
	Check    func(t Touch, p *Policy, b *brand.Brand) []lifecycle.Finding
	Examples []Example
}

// Example is a touch the rule must judge as Want. It starts from a touch that
// every rule allows.
type Example struct {
	Name   string
	Change func(*Touch)
	Policy func(*Policy) // nil = the default policy
	Want   lifecycle.Outcome
}

func (r Rule) runs(s Stage) bool {
	if s == "" || len(r.Stages) == 0 {
		return true
	}
	for _, x := range r.Stages {
		if x == s {
			return true
		}
	}
	return false
}

// catalogue is the order in which people read findings: may we write at all,
// may we write now, is what we write right.
var catalogue = []Rule{
	suppressionRule, consentRule, consentAgeRule, consentRegimeRule, topicRule, exitRule, pauseRule,
	frequencyCapRule, quietHoursRule, sendWindowRule, duplicatesRule,
	requiredElementsRule, oneClickRule, mergeFieldsRule, claimsRule, linksRule,
	spamScoreRule, toneRule, lengthRule, reviewRequiredRule,
}

// Rules returns every rule in catalogue order.
func Rules() []Rule { return append([]Rule(nil), catalogue...) }

// one makes the findings of a rule with a single objection.
func one(outcome lifecycle.Outcome, value, limit, reason string) []lifecycle.Finding {
	return []lifecycle.Finding{{Outcome: outcome, Value: value, Limit: limit, Reason: reason}}
}
