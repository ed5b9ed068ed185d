package agents

import (
	"cmp"
	"slices"

	"touchstone/internal/lifecycle"
)

const winbackName = "winback"

// Winback is the Abandoned Cart & Win-Back Agent. It climbs a ladder of
// offers, smallest cost first with "no offer" at the bottom: the run starts on
// the lowest rung that pays, each touch that did not convert allows one rung
// more, and a rung is only climbed when the larger offer brings more than the
// smaller one. Customers so never learn that waiting earns the best offer at
// once.
type Winback struct{}

// Name is the name journeys use.
func (Winback) Name() string { return winbackName }

// rung is one offer of the ladder with its best candidate.
type rung struct {
	cost int64 // when redeemed on the expected order
	best lifecycle.Valuation
}

// Decide picks the rung for the run's position.
func (Winback) Decide(s Situation) lifecycle.Decision {
	v := newValuer(s)
	all := v.candidates()
	if len(all) == 0 {
		return v.decision(winbackName, lifecycle.Valuation{}, nil, []string{noCandidate(s)})
	}
	ladder := v.ladder(all)
	start := slices.IndexFunc(ladder, func(r rung) bool { return r.best.ExpectedValue > 0 })
	if start < 0 {
		if d, ok := v.explore(winbackName, all); ok {
			return d
		}
		return v.decision(winbackName, lifecycle.Valuation{}, all, []string{"no offer pays: the best was " + v.explain(all[0])})
	}
	chosen := ladder[start].best
	reasons := []string{"smallest offer that pays: " + v.explain(chosen)}
	top := min(start+max(s.Position, 0), len(ladder)-1)
	for _, r := range ladder[start+1 : top+1] {
		if r.best.ExpectedValue <= chosen.ExpectedValue {
			reasons = append(reasons, "not worth climbing: "+v.against(r.best, chosen))
			continue
		}
		reasons = append(reasons, "climbed after an unconverted touch: "+v.against(r.best, chosen))
		chosen = r.best
	}
	if top < len(ladder)-1 {
		reasons = append(reasons, "kept for later touches: "+v.name(ladder[top+1].best.Candidate))
	}
	return v.decision(winbackName, chosen, all, reasons)
}

// ladder orders the offers by what they cost on the expected order, each with
// its best candidate. all is sorted best first.
func (v valuer) ladder(all []lifecycle.Valuation) []rung {
	var out []rung
	for _, offer := range v.offers() {
		r := rung{}
		id := ""
		if offer != nil {
			id, r.cost = offer.ID, offer.Cost(v.order).Amount
		}
		i := slices.IndexFunc(all, func(c lifecycle.Valuation) bool { return c.Candidate.OfferID == id })
		if i < 0 {
			continue
		}
		r.best = all[i]
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b rung) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.best.Candidate.OfferID, b.best.Candidate.OfferID))
	})
	return out
}
