package agents

import (
	"fmt"
	"math"
	"slices"

	"touchstone/internal/lifecycle"
)

// price writes a fraction of minor units as an amount: "0.21 USD", with more
// digits when it would otherwise read as zero.
func price(minor float64, currency string) string {
	major, digits := minor, lifecycle.MinorDigits(currency)
	for range digits {
		major /= 10
	}
	if major != 0 && math.Abs(major) < 0.5*math.Pow10(-digits)*10 {
		digits += 2
	}
	return fmt.Sprintf("%.*f %s", digits, major, currency)
}

func points(p float64) string { return fmt.Sprintf("%.2f points", p*100) }

// name says what a candidate is: "email with free shipping".
func (v valuer) name(c lifecycle.Candidate) string {
	if c.Nothing() {
		return "nothing"
	}
	if c.OfferID == "" {
		return string(c.Channel) + " without an offer"
	}
	return string(c.Channel) + " with " + v.offerName(c.OfferID)
}

func (v valuer) offerName(id string) string {
	for _, o := range v.s.Offers {
		if o.ID == id && o.Label != "" {
			return o.Label
		}
	}
	return id
}

// explain says what a candidate is worth, part by part.
func (v valuer) explain(c lifecycle.Valuation) string {
	cur := v.s.Brand.Currency
	return fmt.Sprintf("%s adds %s of conversion, worth %s; message %s, offer %s, fatigue %s: expected %s",
		v.name(c.Candidate), points(c.Lift), price(c.Lift*c.OrderValue, cur),
		price(c.MessageCost, cur), price(c.OfferCost, cur), price(c.FatiguePrice, cur), price(c.ExpectedValue, cur))
}

// against says what the larger offer changes against the smaller one.
func (v valuer) against(larger, smaller lifecycle.Valuation) string {
	cur := v.s.Brand.Currency
	than := "no offer"
	if smaller.Candidate.OfferID != "" {
		than = v.offerName(smaller.Candidate.OfferID)
	}
	return fmt.Sprintf("%s against %s adds %s of conversion, worth %s, costs %s more",
		v.offerName(larger.Candidate.OfferID), than, points(larger.Lift-smaller.Lift),
		price(larger.Lift*larger.OrderValue-smaller.Lift*smaller.OrderValue, cur), price(larger.OfferCost-smaller.OfferCost, cur))
}

// noCandidate says why there was nothing to choose from.
func noCandidate(s Situation) string {
	switch {
	case len(s.Channels) == 0:
		return "no channel of this step reaches the customer"
	case len(s.Offers) == 0 && !s.OfferNone:
		return "the step allows neither an offer nor a touch without one"
	}
	return "no approved copy for any channel and offer of this step"
}

// decision puts the chosen valuation and the others into a decision. chosen
// may be the zero Valuation, nothing.
func (v valuer) decision(agent string, chosen lifecycle.Valuation, all []lifecycle.Valuation, reasons []string) lifecycle.Decision {
	d := lifecycle.Decision{Agent: agent, Version: version, Chosen: chosen, Reasons: reasons}
	for _, c := range all {
		if c.Candidate != chosen.Candidate {
			d.Rejected = append(d.Rejected, c)
		}
	}
	if !chosen.Candidate.Nothing() {
		// Nothing is worth nothing; it stands where it ranks.
		d.Rejected = append(d.Rejected, lifecycle.Valuation{})
		d.Evidence = v.s.Evidence.describe(v.s, chosen.Candidate.Channel, chosen.Candidate.OfferID)
	} else if len(all) > 0 {
		d.Evidence = v.s.Evidence.describe(v.s, all[0].Candidate.Channel, all[0].Candidate.OfferID)
	}
	slices.SortStableFunc(d.Rejected, compare)
	return d
}
