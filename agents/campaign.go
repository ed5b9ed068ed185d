package agents

import (
	"fmt"

	"touchstone/internal/lifecycle"
)

// version goes into every decision; raise it with any change of formulas.
const version = "1"

const campaignName = "campaign"

// Campaign is the Campaign Orchestration Agent: it picks the channel, offer
// and copy of the highest expected incremental value, or nothing when no
// candidate has any.
type Campaign struct{}

// Name is the name journeys use.
func (Campaign) Name() string { return campaignName }

// Decide picks the best candidate.
func (Campaign) Decide(s Situation) lifecycle.Decision {
	v := newValuer(s)
	all := v.candidates()
	if len(all) == 0 {
		return v.decision(campaignName, lifecycle.Valuation{}, nil, []string{noCandidate(s)})
	}
	best := all[0]
	if best.ExpectedValue <= 0 {
		if d, ok := v.explore(campaignName, all); ok {
			return d
		}
		return v.decision(campaignName, lifecycle.Valuation{}, all, []string{"nothing pays: the best was " + v.explain(best)})
	}
	reasons := []string{v.explain(best)}
	if plain, ok := sameChannelWithout(all, best); ok {
		if best.Candidate.OfferID != "" {
			reasons = append(reasons, v.against(best, plain))
		} else {
			reasons = append(reasons, fmt.Sprintf("an offer does not pay: %s", v.against(plain, best)))
		}
	}
	if len(all) > 1 {
		reasons = append(reasons, "next best: "+v.explain(all[1]))
	}
	return v.decision(campaignName, best, all, reasons)
}

// sameChannelWithout finds the candidate to compare an offer with: no offer
// when the best has one, the best offer when it has none.
func sameChannelWithout(all []lifecycle.Valuation, best lifecycle.Valuation) (lifecycle.Valuation, bool) {
	for _, c := range all {
		if c.Candidate.Channel == best.Candidate.Channel && (c.Candidate.OfferID == "") != (best.Candidate.OfferID == "") {
			return c, true
		}
	}
	return lifecycle.Valuation{}, false
}
