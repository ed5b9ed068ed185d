package agents

import (
	"fmt"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// rates are the conversion probabilities an agent believes in.
type rates struct {
	base float64 // without a touch
	lift float64 // added by the touch, in [-base, 1-base]
}

// estimate shrinks what was observed towards what is known more broadly:
// customer group → journey → brand → prior of the brand file.
//
// Base rate, from the held-out: Beta-Binomial with the broader level as prior
// mean and the brand's strength k as prior size,
//
//	base = (conversions + k × broader) / (n + k)
//
// Lift, from the difference of touched and held-out at the same level: the
// normal counterpart, where a difference of two rates from n_t and n_h
// customers carries the information of m = n_t × n_h / (n_t + n_h) pairs,
//
//	lift = (m × (rate_t − rate_h) + k × broader) / (m + k)
//
// so that without held-out customers (m = 0) touched ones prove nothing about
// lift and the prior stands. Lift is kept apart per channel and offer at every
// level. Each level counts only what the narrower one does not, so that no
// customer is counted twice.
//
// Source: shrinkage of rates and of normal means, Gelman et al., Bayesian Data
// Analysis, 3rd ed., sections 2.4 and 5.4; the variance of a difference of two
// independent means gives m. The levels' k is configured rather than fitted:
// few journeys are too few to estimate a variance between them.
//
// The held-out are counted in the window each touch would have had, and only
// while they had not ordered by then: see Cell. Offers are not drawn at random,
// so the differences between them are what the customers they were chosen for
// did, not proof of what the offer does; experiments are for that.
func (e Evidence) estimate(group, journey string, c lifecycle.Channel, offer string, p brand.Priors, prior float64) rates {
	k := max(p.Strength, 1)
	r := rates{base: p.BaseRate, lift: prior}
	for _, l := range e.levels(group, journey, c, offer) {
		if l.held.n > 0 {
			r.base = (float64(l.held.conversions) + k*r.base) / (float64(l.held.n) + k)
		}
		if l.held.n > 0 && l.touched.n > 0 {
			m := float64(l.touched.n) * float64(l.held.n) / float64(l.touched.n+l.held.n)
			r.lift = (m*(l.touched.rate()-l.held.rate()) + k*r.lift) / (m + k)
		}
	}
	r.base = min(max(r.base, 0), 1)
	r.lift = min(max(r.lift, -r.base), 1-r.base)
	return r
}

// level is the evidence of one level, without what the narrower level holds.
type level struct {
	name          string
	touched, held counts
}

// levels returns brand, journey and group, broadest first.
func (e Evidence) levels(group, journey string, c lifecycle.Channel, offer string) [3]level {
	at := func(group, journey string) (touched, held counts) {
		return e.touched[arm{group, journey, c, offer}], e.held[arm{group: group, journey: journey}]
	}
	bt, bh := at("", "")
	jt, jh := at("", journey)
	gt, gh := at(group, journey)
	return [3]level{
		{"brand", bt.minus(jt), bh.minus(jh)},
		{"journey", jt.minus(gt), jh.minus(gh)},
		{"group", gt, gh},
	}
}

// describe says where a rate came from, with counts.
func (e Evidence) describe(s Situation, c lifecycle.Channel, offer string) string {
	l := e.levels(string(s.Stage), s.Journey, c, offer)
	show := func(l level) string {
		return fmt.Sprintf("%d/%d touched and %d/%d held out converted", l.touched.conversions, l.touched.n, l.held.conversions, l.held.n)
	}
	return fmt.Sprintf("%s in %s: %s; rest of %s: %s; rest of the brand: %s; prior worth %.0f customers",
		s.Stage, s.Journey, show(l[2]), s.Journey, show(l[1]), show(l[0]), max(s.Brand.Priors.Strength, 1))
}
