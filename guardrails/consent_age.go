package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

var consentAgeRule = Rule{
	Name:   "consent-age",
	Doc:    "Blocks marketing when the consent is older than the policy allows for the channel, or has no date. Exactly the maximum age is still good.",
	Source: "GDPR Art. 7(1): consent must be provable; CASL: implied consent ends 2 years after a purchase",
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		limit, limited := p.Consent.MaxAge[t.Channel]
		consent := t.Customer.Consents[t.Channel]
		if !limited || !t.marketing() || p.exempt(t.Channel) || consent.State != lifecycle.ConsentGranted {
			return nil
		}
		if consent.At.IsZero() {
			return one(lifecycle.Block, "no date", clock.FormatDuration(limit), "nobody knows when the consent for "+string(t.Channel)+" was given; ask again")
		}
		if age := t.At.Sub(consent.At); age > limit {
			return one(lifecycle.Block, clock.FormatDuration(age.Truncate(24*time.Hour)), clock.FormatDuration(limit), "the consent for "+string(t.Channel)+" is too old; ask again")
		}
		return nil
	},
	Examples: []Example{
		{Name: "given this year", Want: lifecycle.Allow},
		{Name: "given exactly the maximum ago", Change: consentAged(730 * 24 * time.Hour), Want: lifecycle.Allow},
		{Name: "one second older", Change: consentAged(730*24*time.Hour + time.Second), Want: lifecycle.Block},
		{Name: "no date", Change: consents(lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted}), Want: lifecycle.Block},
		{Name: "no maximum", Change: consentAged(9000 * 24 * time.Hour), Policy: func(p *Policy) { delete(p.Consent.MaxAge, lifecycle.Email) }, Want: lifecycle.Allow},
		{Name: "receipt", Change: func(t *Touch) {
			consentAged(9000 * 24 * time.Hour)(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
	},
}

func consentAged(age time.Duration) func(*Touch) {
	return func(t *Touch) {
		consents(lifecycle.Consent{Channel: t.Channel, State: lifecycle.ConsentGranted, At: t.At.Add(-age)})(t)
	}
}
