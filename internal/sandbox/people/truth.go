package people

import "touchstone/internal/lifecycle"

// Truth is what messages really did to the people of one kind: the number that
// a measurement tries to find.
type Truth struct {
	Kind            Kind
	Messages        int     // delivered
	ExpectedOrders  float64 // sum of Chance.Order over the messages
	ExpectedRevenue float64 // in major units, net of discounts
	Orders          int     // orders that messages caused (some may still be to come)
	Revenue         float64 // their value net of discounts, major units
}

// PerMessage is the true incremental revenue per message, in major units.
func (t Truth) PerMessage() float64 {
	if t.Messages == 0 {
		return 0
	}
	return t.ExpectedRevenue / float64(t.Messages)
}

func (t *Truth) book(p *Person, in Situation, offer lifecycle.Offer, r Reply, a act, cart act) {
	c := p.Respond(in)
	t.Messages++
	t.ExpectedOrders += c.Order
	value := p.MeanOrder()
	if in.Cart {
		value = float64(cart.value) / 100
	}
	share := 0.0
	if offer.Code != "" {
		share = given(offer, int64(100*value))
	}
	t.ExpectedRevenue += c.Order * value * (1 - share)
	if r.Order {
		t.Orders++
		t.Revenue += float64(a.value-a.off) / 100
	}
}

// Truth returns the sums per kind, in the order of Kinds.
func (p *Population) Truth() []Truth {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Truth, 0, len(Kinds))
	for _, k := range Kinds {
		out = append(out, *p.truth[k])
	}
	return out
}
