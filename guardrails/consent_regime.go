package guardrails

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var consentRegimeRule = Rule{
	Name:   "consent-regime",
	Doc:    "Blocks marketing when the consent does not rest on what the law of the customer's country accepts, or rests on it no more: an opt-in, an opt-in in writing, a purchase or an inquiry, each for as long as the catalogue of laws says. Where the country is unknown, or is not in the catalogue, all its laws must accept the consent.",
	Source: "the catalogue of laws: CAN-SPAM, TCPA, CASL, ePrivacy Directive and GDPR, PECR, Spam Act",
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if p.exempt(t.Channel) {
			return nil
		}
		_, refused := permitted(t)
		if refused == nil {
			return nil
		}
		return []lifecycle.Finding{*refused}
	},
	Examples: []Example{
		{Name: "opted in", Want: lifecycle.Allow},
		{Name: "opted in, country unknown", Change: livesIn("", ""), Want: lifecycle.Allow},
		{Name: "opted in, country without rows", Change: livesIn("BR", ""), Want: lifecycle.Allow},
		{Name: "bought in the US", Change: restsOn(lifecycle.BasisPurchase, 900*24*time.Hour), Want: lifecycle.Allow},
		{Name: "bought too long ago for Canada", Change: func(t *Touch) {
			restsOn(lifecycle.BasisPurchase, 900*24*time.Hour)(t)
			livesIn("CA", "ON")(t)
		}, Want: lifecycle.Block},
		{Name: "bought too long ago for the strictest, country unknown", Change: func(t *Touch) {
			restsOn(lifecycle.BasisPurchase, 900*24*time.Hour)(t)
			livesIn("", "")(t)
		}, Want: lifecycle.Block},
		{Name: "implied without a date", Change: func(t *Touch) {
			restsOn(lifecycle.BasisPurchase, 0)(t)
			livesIn("CA", "ON")(t)
			c := t.Customer.Consents[t.Channel]
			c.At = time.Time{}
			t.Customer.Consents[t.Channel] = c
		}, Want: lifecycle.Block},
		{Name: "receipt", Change: func(t *Touch) {
			restsOn(lifecycle.BasisInquiry, 900*24*time.Hour)(t)
			livesIn("DE", "")(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
	},
}

// permitted asks the laws that bind the touch about its consent: by is the
// provision that accepts it, of the law that accepts the fewest bases; refused is
// the finding of the first law that does not. Both are nil where no law is about
// the basis, or there is no consent to ask about.
func permitted(t Touch) (by *Provision, refused *lifecycle.Finding) {
	consent := t.Customer.Consents[t.Channel]
	if consent.State != lifecycle.ConsentGranted || !t.marketing() {
		return nil, nil
	}
	all, fewest := laws().all, 0
	for i := 0; i < len(all); {
		j := i + 1 // rows of one jurisdiction stand together
		for j < len(all) && all[j].Jurisdiction == all[i].Jurisdiction {
			j++
		}
		accepts, finding, accepted := ask(all[i:j], t, consent)
		i = j
		switch {
		case finding != nil:
			return nil, finding
		case accepts != nil && (by == nil || accepted < fewest):
			by, fewest = accepts, accepted
		}
	}
	return by, nil
}

// ask asks the rows of one jurisdiction. accepted counts the bases that it accepts.
func ask(rows []Provision, t Touch, consent lifecycle.Consent) (accepts *Provision, refused *lifecycle.Finding, accepted int) {
	rests := consent.Rests()
	var first, late *Provision
	var bases []string
	for i := range rows {
		p := &rows[i]
		if len(p.Permits) == 0 || !p.binds(t) {
			continue
		}
		if first == nil {
			first = p
		}
		for _, b := range p.Permits {
			bases = append(bases, string(b))
		}
		switch {
		case accepts != nil || !slices.Contains(p.Permits, rests):
		case p.Within == 0 || !consent.At.IsZero() && !t.At.After(monthsAfter(consent.At, p.Within)):
			accepts = p
		default:
			late = p
		}
	}
	if accepts != nil || first == nil {
		return accepts, nil, len(bases)
	}
	f := &lifecycle.Finding{Outcome: lifecycle.Block, Value: string(rests), Limit: strings.Join(bases, ", "), Law: first.law(),
		Reason: fmt.Sprintf("a consent that rests on %s is not enough for %s in %s", basisWords[rests], t.Channel, first.Jurisdiction)}
	if late != nil {
		f.Law, f.Limit = late.law(), fmt.Sprintf("%d months", late.Within)
		f.Value = string(rests) + " without a date"
		if !consent.At.IsZero() {
			f.Value = string(rests) + " of " + consent.At.UTC().Format(time.DateOnly)
		}
		f.Reason = fmt.Sprintf("a consent that rests on %s has run out in %s; ask for an opt-in", basisWords[rests], late.Jurisdiction)
	}
	if country := t.Customer.Customer.Country; !laws().known[country] {
		f.Reason += " (the customer's country is unknown here, so every law of the catalogue must accept it)"
	}
	return nil, f, 0
}

var basisWords = map[lifecycle.Basis]string{
	lifecycle.BasisExpress: "an opt-in whose wording is not on file", lifecycle.BasisWritten: "an opt-in in writing",
	lifecycle.BasisPurchase: "a purchase", lifecycle.BasisInquiry: "an inquiry",
}

// monthsAfter is the same day and time n months later, the month's last day where
// there is no such day.
func monthsAfter(t time.Time, n int) time.Time {
	t = t.UTC()
	later := t.AddDate(0, n, 0)
	if later.Day() != t.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later
}

func livesIn(country, region string) func(*Touch) {
	return func(t *Touch) { t.Customer.Customer.Country, t.Customer.Customer.Region = country, region }
}

func restsOn(basis lifecycle.Basis, age time.Duration) func(*Touch) {
	return func(t *Touch) {
		consents(lifecycle.Consent{Channel: t.Channel, State: lifecycle.ConsentGranted, Basis: basis, At: t.At.Add(-age)})(t)
	}
}
