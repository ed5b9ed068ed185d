package guardrails

import (
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var consentRule = Rule{
	Name:   "consent",
	Doc:    "Blocks marketing on a channel the customer has not agreed to. Consent to one channel is not consent to another, and one that waits for its confirmation (double opt-in) is none yet; channels the policy exempts are not asked about.",
	Source: "GDPR Art. 7; Directive 2002/58 Art. 13; 47 CFR 64.1200(a)(2)",
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if !t.marketing() || p.exempt(t.Channel) {
			return nil
		}
		state := t.Customer.Consents[t.Channel].State
		if state == lifecycle.ConsentGranted {
			return nil
		}
		if state == "" {
			state = lifecycle.ConsentUnknown
		}
		if state == lifecycle.ConsentPending {
			return one(lifecycle.Block, string(state), string(lifecycle.ConsentGranted), "the consent for marketing by "+string(t.Channel)+" is not confirmed yet")
		}
		return one(lifecycle.Block, string(state), string(lifecycle.ConsentGranted), "there is no consent for marketing by "+string(t.Channel))
	},
	Examples: []Example{
		{Name: "granted", Want: lifecycle.Allow},
		{Name: "withdrawn", Change: consents(lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn}), Want: lifecycle.Block},
		{Name: "not confirmed yet", Change: consents(lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentPending}), Want: lifecycle.Block},
		{Name: "never asked", Change: func(t *Touch) { t.Customer.Consents = nil }, Want: lifecycle.Block},
		{Name: "granted for another channel only", Change: consents(lifecycle.Consent{Channel: lifecycle.SMS, State: lifecycle.ConsentGranted}), Want: lifecycle.Block},
		{Name: "receipt without consent", Change: func(t *Touch) { t.Customer.Consents, t.Class = nil, lifecycle.Transactional }, Want: lifecycle.Allow},
		{Name: "unknown class counts as marketing", Change: func(t *Touch) { t.Customer.Consents, t.Class = nil, "newsletter" }, Want: lifecycle.Block},
		{Name: "slot on the shop's own page", Change: func(t *Touch) { t.Customer.Consents, t.Channel = nil, lifecycle.Web }, Want: lifecycle.Allow},
	},
}

func (p *Policy) exempt(c lifecycle.Channel) bool {
	for _, x := range p.Consent.Exempt {
		if x == c {
			return true
		}
	}
	return false
}

func consents(list ...lifecycle.Consent) func(*Touch) {
	return func(t *Touch) {
		t.Customer.Consents = map[lifecycle.Channel]lifecycle.Consent{}
		for _, c := range list {
			t.Customer.Consents[c.Channel] = c
		}
	}
}
