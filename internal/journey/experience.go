package journey

import (
	"math"

	"touchstone/internal/lifecycle"
)

// Weights of the engagement signals, as documented at lifecycle.Engagement.
const (
	openWeight  = 0.3
	clickWeight = 1
	orderWeight = 1.5
)

// experience changes the customer as the event would.
func (sim *simulation) experience(ev lifecycle.Event) {
	p := &sim.profile
	switch ev.Name {
	case "Order Completed":
		p.Orders.Count++
		p.Orders.LastAt = sim.now
		if p.Orders.FirstAt.IsZero() {
			p.Orders.FirstAt = sim.now
		}
		for _, name := range []string{"total", "revenue", "value"} {
			if major, ok := ev.Properties[name].(float64); ok {
				p.Orders.Revenue.Amount += int64(math.Round(major * math.Pow10(lifecycle.MinorDigits(p.Orders.Revenue.Currency))))
				break
			}
		}
		sim.engage(orderWeight)
	case "Email Opened":
		p.Engagement.LastOpenAt = sim.now
		sim.engage(openWeight)
	case "Email Link Clicked":
		p.Engagement.LastClickAt = sim.now
		sim.engage(clickWeight)
	case "Unsubscribed":
		p.Consents[lifecycle.Email] = lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn, At: sim.now}
	}
}

func (sim *simulation) engage(weight float64) {
	e := &sim.profile.Engagement
	if !e.At.IsZero() {
		weight += e.Weight * math.Exp2(-float64(sim.now.Sub(e.At))/float64(lifecycle.EngagementHalfLife))
	}
	e.Weight, e.At = weight, sim.now
}
