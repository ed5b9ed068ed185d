package guardrails

import (
	"fmt"
	"hash/fnv"
	"math"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var reviewRequiredRule = Rule{
	Name:   "review-required",
	Doc:    "Asks a person to look at the touch when the step says so, when it carries a tag the policy names, or when it falls into the policy's share of marketing touches. The draw is by hash, so that the same touch is always drawn alike.",
	Source: "policy",
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if t.RequireReview {
			return one(lifecycle.Review, "step "+t.Step, "approved by a person", "the step asks for a person on each touch")
		}
		if !t.marketing() {
			return nil
		}
		for _, tag := range p.Review.Tags {
			if t.hasTag(tag) {
				return one(lifecycle.Review, "tag "+tag, "approved by a person", "the policy asks for a person on every touch tagged "+tag)
			}
		}
		if draw(t) < p.Review.Share {
			return one(lifecycle.Review, "drawn", fmt.Sprintf("%.0f%% of touches", 100*p.Review.Share), "the touch is in the share of touches that a person looks at")
		}
		return nil
	},
	Examples: []Example{
		{Name: "nobody asks", Want: lifecycle.Allow},
		{Name: "the step asks", Change: func(t *Touch) { t.RequireReview = true }, Want: lifecycle.Review},
		{Name: "every touch", Policy: func(p *Policy) { p.Review.Share = 1 }, Want: lifecycle.Review},
		{Name: "a named tag", Change: func(t *Touch) { t.Tags = []string{"sensitive"} }, Policy: func(p *Policy) { p.Review.Tags = []string{"sensitive"} }, Want: lifecycle.Review},
		{Name: "another tag", Change: func(t *Touch) { t.Tags = []string{"promotion"} }, Policy: func(p *Policy) { p.Review.Tags = []string{"sensitive"} }, Want: lifecycle.Allow},
		{Name: "receipt", Change: func(t *Touch) { t.Class = lifecycle.Transactional }, Policy: func(p *Policy) { p.Review.Share = 1 }, Want: lifecycle.Allow},
	},
}

// draw is the touch's place in [0,1), from its id or, before it has one, from
// who gets what where.
func draw(t Touch) float64 {
	h := fnv.New64a()
	id := string(t.Message.TouchID)
	if id == "" {
		id = string(t.Customer.Customer.ID) + "/" + t.Journey + "/" + t.Campaign + "/" + t.Step + "/" + t.Creative.Slot
	}
	h.Write([]byte(id)) // a hash never fails to take bytes
	x := h.Sum64()
	x ^= x >> 33 // FNV mixes short inputs badly into the high bits
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / math.Exp2(53)
}
