package agents

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"touchstone/internal/lifecycle"
)

// fatigueWindow is how far back a touch still wears the customer's attention.
const fatigueWindow = 7 * 24 * time.Hour

// fatigue is the price of one more touch: nothing after a quiet week, the
// brand's fatigue price when there was one marketing touch in the last 7 days,
// doubling with each further one.
func fatigue(s Situation) float64 {
	n := 0
	for _, t := range s.Recent {
		marketing := t.Class != lifecycle.Transactional && t.Class != lifecycle.Reply
		if marketing && t.State.HoldsSlot() && t.At.After(s.Now.Add(-fatigueWindow)) && !t.At.After(s.Now) {
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return float64(s.Brand.Costs.Fatigue.Amount) * math.Exp2(float64(min(n-1, 20)))
}

// orderValue is the expected order in minor units: the cart when there is one,
// else the customer's average order, with the brand's expected order counting
// as one more order of theirs.
func orderValue(s Situation) float64 {
	if s.CartValue.Amount > 0 {
		return float64(s.CartValue.Amount)
	}
	o := s.Profile.Orders
	revenue, count := max(o.Revenue.Amount, 0), max(o.Count, 0)
	return float64(revenue+s.Brand.Priors.OrderValue.Amount) / float64(count+1)
}

// valuer values candidates of one situation.
type valuer struct {
	s       Situation
	order   lifecycle.Money // expected order
	fatigue float64
}

func newValuer(s Situation) valuer {
	order := lifecycle.Money{Amount: int64(math.Round(orderValue(s))), Currency: s.Brand.Currency}
	return valuer{s: s, order: order, fatigue: fatigue(s)}
}

// value is what a candidate is expected to bring, in minor units.
//
//	expected = lift × order × margin − message − (base + lift) × offer − fatigue
//
// The offer is paid by everybody who buys with it, also by those who would
// have bought anyway, hence base + lift. Prior lift of an offer: the channel's
// plus OfferLift for each 10 % of the order given away.
func (v valuer) value(c lifecycle.Candidate, offer *lifecycle.Offer) lifecycle.Valuation {
	b := v.s.Brand
	prior, redeemed := b.Priors.Lift[c.Channel], 0.0
	if offer != nil {
		redeemed = float64(offer.Cost(v.order).Amount)
		if v.order.Amount > 0 {
			prior += b.Priors.OfferLift * redeemed / float64(v.order.Amount) / 0.10
		}
	}
	r := v.s.Evidence.estimate(string(v.s.Stage), v.s.Journey, c.Channel, c.OfferID, b.Priors, prior)
	out := lifecycle.Valuation{
		Candidate:    c,
		Lift:         r.lift,
		OrderValue:   float64(v.order.Amount) * b.Costs.Margin,
		MessageCost:  float64(b.Costs.PerTouch[c.Channel].Amount),
		OfferCost:    (r.base + r.lift) * redeemed,
		FatiguePrice: v.fatigue,
	}
	out.ExpectedValue = out.Lift*out.OrderValue - out.MessageCost - out.OfferCost - out.FatiguePrice
	return out
}

// candidates values everything the situation allows that has approved copy,
// best first. Ties go to the cheaper offer, then to the order of channels,
// offers and slots, so that equal situations always give equal decisions.
func (v valuer) candidates() []lifecycle.Valuation {
	var out []lifecycle.Valuation
	for _, channel := range v.s.Channels {
		for _, offer := range v.offers() {
			id := ""
			if offer != nil {
				id = offer.ID
			}
			for slot, variants := range v.slots(channel, id) {
				c := lifecycle.Candidate{Channel: channel, OfferID: id, Slot: slot,
					CreativeID: variant(v.s.Profile.Customer.ID, slot, variants)}
				out = append(out, v.value(c, offer))
			}
		}
	}
	slices.SortFunc(out, compare)
	return slices.CompactFunc(out, func(a, b lifecycle.Valuation) bool { return a.Candidate == b.Candidate })
}

// offers lists what may be given: nil stands for no offer.
func (v valuer) offers() []*lifecycle.Offer {
	var out []*lifecycle.Offer
	if v.s.OfferNone {
		out = append(out, nil)
	}
	for i := range v.s.Offers {
		out = append(out, &v.s.Offers[i])
	}
	return out
}

// slots groups the approved copy for a channel and offer by slot.
func (v valuer) slots(channel lifecycle.Channel, offer string) map[string][]lifecycle.CreativeID {
	out := map[string][]lifecycle.CreativeID{}
	for _, c := range v.s.Creatives {
		if c.Status == lifecycle.CreativeApproved && c.Channel == channel && c.OfferID == offer {
			out[c.Slot] = append(out[c.Slot], c.ID)
		}
	}
	return out
}

func compare(a, b lifecycle.Valuation) int {
	return cmp.Or(
		cmp.Compare(b.ExpectedValue, a.ExpectedValue),
		cmp.Compare(a.OfferCost, b.OfferCost),
		cmp.Compare(slices.Index(lifecycle.Channels, a.Candidate.Channel), slices.Index(lifecycle.Channels, b.Candidate.Channel)),
		cmp.Compare(a.Candidate.OfferID, b.Candidate.OfferID),
		cmp.Compare(a.Candidate.Slot, b.Candidate.Slot),
		cmp.Compare(a.Candidate.CreativeID, b.Candidate.CreativeID),
	)
}

// variant gives a customer one of a slot's variants, always the same one, and
// each variant to an equal share of customers: highest hash of customer, slot
// and variant wins (rendezvous hashing), so that retiring a variant moves only
// its own customers.
func variant(customer lifecycle.CustomerID, slot string, variants []lifecycle.CreativeID) lifecycle.CreativeID {
	var best lifecycle.CreativeID
	var top uint64
	for _, id := range variants {
		sum := sha256.Sum256([]byte(string(customer) + "\x00" + slot + "\x00" + string(id)))
		h := binary.BigEndian.Uint64(sum[:8])
		if best == "" || h > top || h == top && id < best {
			best, top = id, h
		}
	}
	return best
}
