package agents

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"touchstone/internal/lifecycle"
)

// exploreShare is the share of situations in which nothing seems to pay and the
// agent touches all the same. Without it an unlucky start would never be
// corrected: no touches, no evidence.
const exploreShare = 0.1

// explore returns a touch that seems not to pay, to keep the rates honest: in
// one situation in ten, drawn by hash of customer, journey and step so that
// every attempt draws alike; only where the observed rates, not the prices,
// speak against it, and where it costs no offer and tires nobody.
func (v valuer) explore(agent string, all []lifecycle.Valuation) (lifecycle.Decision, bool) {
	s := v.s
	sum := sha256.Sum256([]byte("explore\x00" + string(s.Profile.Customer.ID) + "\x00" + s.Journey + "\x00" + s.Step))
	draw := float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
	i := slices.IndexFunc(all, func(c lifecycle.Valuation) bool { return c.Lift <= 0 && c.OfferCost == 0 && c.FatiguePrice == 0 })
	if draw >= exploreShare || i < 0 {
		return lifecycle.Decision{}, false
	}
	d := v.decision(agent, all[i], all, []string{"nothing seems to pay, but one situation in ten is tried to keep the rates honest: " + v.explain(all[i])})
	d.Exploring = true
	return d, true
}
