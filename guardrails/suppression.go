package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var suppressionRule = Rule{
	Name:   "suppression",
	Doc:    "Blocks a touch to an erased customer or to an address on the suppression list. Somebody who only unsubscribed still gets receipts and replies.",
	Source: "15 USC 7704(a)(4); GDPR Art. 17 and 21(3)",
	Check: func(t Touch, _ *Policy, _ *brand.Brand) []lifecycle.Finding {
		if at := t.Customer.Customer.ErasedAt; !at.IsZero() {
			return one(lifecycle.Block, "erased "+at.Format(time.DateOnly), "not erased", "the customer asked to be erased; nothing is sent any more")
		}
		for _, s := range t.Suppressed {
			if s.Channel != "" && s.Channel != t.Channel || s.Reason == SuppressedUnsubscribe && !t.marketing() {
				continue
			}
			value := s.Reason
			if !s.At.IsZero() {
				value += " on " + s.At.Format(time.DateOnly)
			}
			return one(lifecycle.Block, value, "not suppressed", "the address is on the suppression list for "+string(t.Channel)+" ("+s.Reason+")")
		}
		return nil
	},
	Examples: []Example{
		{Name: "no entry", Want: lifecycle.Allow},
		{Name: "bounced before", Change: suppressed(lifecycle.Email, SuppressedBounce), Want: lifecycle.Block},
		{Name: "receipt to somebody erased", Change: func(t *Touch) {
			suppressed(lifecycle.Email, SuppressedErased)(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Block},
		{Name: "every channel", Change: suppressed("", SuppressedManual), Want: lifecycle.Block},
		{Name: "another channel", Change: suppressed(lifecycle.SMS, SuppressedUnsubscribe), Want: lifecycle.Allow},
		{Name: "receipt after unsubscribe", Change: func(t *Touch) {
			suppressed(lifecycle.Email, SuppressedUnsubscribe)(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
		{Name: "receipt to a bounced address", Change: func(t *Touch) {
			suppressed(lifecycle.Email, SuppressedBounce)(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Block},
		{Name: "erased", Change: func(t *Touch) { t.Customer.Customer.ErasedAt = t.At.Add(-time.Hour) }, Want: lifecycle.Block},
	},
}

func suppressed(c lifecycle.Channel, reason string) func(*Touch) {
	return func(t *Touch) {
		t.Suppressed = append(t.Suppressed, Suppression{Channel: c, Reason: reason, At: t.At.Add(-time.Hour)})
	}
}
