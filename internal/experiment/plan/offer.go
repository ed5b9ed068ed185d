package plan

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/experiment/estimate"
)

// Offer is something to do instead of a test that cannot end in time.
type Offer struct {
	Kind  OfferKind `json:"kind"`
	What  string    `json:"what"`            // in words, with the numbers
	Value float64   `json:"value,omitzero"`  // the number that matters, in the kind's unit
	Total int       `json:"total,omitzero"`  // units needed in all
	Days  int       `json:"days,omitzero"`   // at the present traffic
	Fits  bool      `json:"fits"`            // within the longest duration allowed
	Name  string    `json:"metric,omitzero"` // of another metric
}

// OfferKind names an offer.
type OfferKind string

// Kinds of offers, with the unit of Value.
const (
	OtherMetric       OfferKind = "metric"      // baseline rate
	BolderChange      OfferKind = "lift"        // relative lift
	Adjustment        OfferKind = "cuped"       // correlation
	FewerChallengers  OfferKind = "challengers" // number
	PoolTraffic       OfferKind = "pool"        // factor of traffic
	LongerRun         OfferKind = "longer"      // days
	Bandit            OfferKind = "bandit"      // share of the possible gain over an even split
	fewestDaysToTrust           = 90            // a run longer than this compares seasons, not arms
)

// refuse says why and what else there is, with numbers.
func (p *Plan) refuse(available float64) {
	p.Why = fmt.Sprintf("%d units are needed to find a lift of %s with power %s; %.0f a day for %d days are %.0f, with which the power is %s",
		p.Total, percent(p.Lift), percent(p.Power), p.PerDay, p.Longest, available, percent(p.Achieved))
	if p.Detectable > 0 {
		p.Why += fmt.Sprintf(" and the smallest lift found is %s", percent(p.Detectable))
	}
	ratio := float64(p.Total) / available
	p.Offers = append(p.Offers, p.otherMetrics(available)...)
	if p.Detectable > 0 {
		p.offer(Offer{Kind: BolderChange, Value: p.Detectable, Total: int(available), Days: p.Longest, Fits: true,
			What: fmt.Sprintf("test a bolder change: a lift of %s is found in %d days", percent(p.Detectable), p.Longest)})
	}
	p.cuped(ratio)
	p.fewer()
	p.offer(Offer{Kind: PoolTraffic, Value: ratio, Total: p.Total, Days: p.Longest, Fits: true,
		What: fmt.Sprintf("pool segments or campaigns: %.1f times the traffic, %.0f units a day, is enough", ratio, float64(p.Total)/float64(p.Longest))})
	longer := fmt.Sprintf("run %d days instead of %d", p.Days, p.Longest)
	if p.Days > fewestDaysToTrust {
		longer += "; over so long a time customers, seasons and cookies change: better not"
	}
	p.offer(Offer{Kind: LongerRun, Value: float64(p.Days), Total: p.Total, Days: p.Days, What: longer})
	p.bandit(available)
}

func (p *Plan) offer(o Offer) { p.Offers = append(p.Offers, o) }

// otherMetrics are the given ones that need fewer units, or the rate that one
// would have to have.
func (p *Plan) otherMetrics(available float64) []Offer {
	var offers []Offer
	for _, m := range p.Alternative {
		r := p.Request
		r.Metric, r.Alternative, r.PerDay = m, nil, 0
		other, err := Make(r)
		if err != nil || other.Total >= p.Total {
			continue
		}
		other.PerDay = p.PerDay
		days := other.days()
		offers = append(offers, Offer{Kind: OtherMetric, Name: m.Name, Value: m.Baseline, Total: other.Total, Days: days, Fits: days <= p.Longest,
			What: fmt.Sprintf("decide by %s (%s): %d units, %d days; see that it moves with what you want", m.Name, percent(m.Baseline), other.Total, days)})
	}
	if len(offers) > 0 || p.Metric.Kind != estimate.Proportion {
		return offers
	}
	rate := bisect(p.Metric.Baseline, 0.999/(1+p.Lift), func(b float64) bool {
		m := Metric{Kind: estimate.Proportion, Baseline: b, Correlation: p.Metric.Correlation}
		return m.Size(p.Lift, p.weakest(), p.PerComparison, p.Power)*p.Inflation/p.Control <= available
	})
	if math.IsInf(rate, 1) {
		return nil
	}
	return []Offer{{Kind: OtherMetric, Value: rate, Total: int(available), Days: p.Longest, Fits: true,
		What: fmt.Sprintf("decide by a more frequent metric, such as clicks: one with a rate of %s or more is enough", percent(rate))}}
}

// cuped says which correlation with the past would make the test fit.
func (p *Plan) cuped(ratio float64) {
	have := p.Metric.Correlation
	left := (1 - have*have) / ratio
	needed := math.Sqrt(1 - left)
	fits := needed <= 0.9
	what := fmt.Sprintf("adjust by what customers did before (CUPED): a correlation of %.2f with the outcome makes it fit; measure it on past data", needed)
	if !fits {
		what = fmt.Sprintf("adjusting by what customers did before (CUPED) would need a correlation of %.3f: not to be had; 0.5 saves a quarter of the units", needed)
	}
	p.offer(Offer{Kind: Adjustment, Value: needed, Total: int(float64(p.Total) / ratio), Days: p.Longest, Fits: fits, What: what})
}

// fewer plans the same test with one challenger less, and so on.
func (p *Plan) fewer() {
	for m := len(p.Challengers) - 1; m >= 1; m-- {
		r := p.Request
		control := math.Sqrt(float64(m)) / (math.Sqrt(float64(m)) + float64(m))
		r.Control, r.Challengers, r.Alternative, r.PerDay = control, make([]float64, m), nil, 0
		for i := range r.Challengers {
			r.Challengers[i] = (1 - control) / float64(m)
		}
		fewer, err := Make(r)
		if err != nil {
			continue
		}
		fewer.PerDay = p.PerDay
		days := fewer.days()
		p.offer(Offer{Kind: FewerChallengers, Value: float64(m), Total: fewer.Total, Days: days, Fits: days <= p.Longest,
			What: fmt.Sprintf("test %d instead of %d challengers, %s in the control: %d units, %d days", m, len(p.Challengers), percent(control), fewer.Total, days)})
	}
}

// bandit says what sending the leader of a short test gains without proving
// anything, when one challenger has the lift and all other arms are as the control.
func (p *Plan) bandit(available float64) {
	arms := len(p.Challengers) + 1
	var share, found, best float64
	for _, s := range []float64{0.05, 0.1, 0.2, 0.3, 0.5} {
		chance := p.finds(available * s / float64(arms))
		// Against an even split, in units of the lift: while testing nothing is gained.
		gain := (1 - s) * (chance - 1/float64(arms)) / (1 - 1/float64(arms))
		if gain > best {
			share, found, best = s, chance, gain
		}
	}
	extra := best * available * (1 - 1/float64(arms)) * p.Metric.Baseline * p.Lift
	unit := "conversions"
	if p.Metric.Kind != estimate.Proportion {
		unit = p.Metric.Name
	}
	p.offer(Offer{Kind: Bandit, Value: best, Total: int(available), Days: p.Longest, Fits: true,
		What: fmt.Sprintf("run it as a bandit: test %s of the units, then send the leader, which is the best with %s; about %.0f %s more than an even split, and no significance",
			percent(share), percent(found), extra, unit)})
}

// finds is the probability that the best of the arms leads after n units each.
func (p *Plan) finds(n float64) float64 {
	d := p.Metric.Baseline * p.Lift / math.Sqrt(p.Metric.variance(p.Metric.Baseline)/n)
	return quad.Fixed(func(u float64) float64 {
		return distuv.UnitNormal.Prob(u) * math.Pow(distuv.UnitNormal.CDF(u+d), float64(len(p.Challengers)))
	}, -9, 9, 128, quad.Legendre{}, 0)
}

// percent shows a share with two or three digits.
func percent(share float64) string { return fmt.Sprintf("%.3g%%", share*100) }
