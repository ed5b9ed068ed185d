package lifecycle

// Candidate is one thing an agent could do for a customer at a step. The zero
// Channel is the choice to do nothing.
type Candidate struct {
	Channel    Channel    `json:"channel,omitempty"`
	OfferID    string     `json:"offer,omitempty"`
	Slot       string     `json:"slot,omitempty"`
	CreativeID CreativeID `json:"creative,omitempty"`
}

// Nothing reports whether the candidate is the choice not to touch.
func (c Candidate) Nothing() bool { return c.Channel == "" }

// Valuation is a candidate with its expected value, part by part, in minor
// units of the brand's currency.
type Valuation struct {
	Candidate     Candidate `json:"candidate"`
	Lift          float64   `json:"lift"`           // expected additional conversions per touch, in [-1,1]
	OrderValue    float64   `json:"order_value"`    // expected contribution of one conversion, before the offer
	MessageCost   float64   `json:"message_cost"`   // per touch
	OfferCost     float64   `json:"offer_cost"`     // per touch: also paid to those who would have bought anyway
	FatiguePrice  float64   `json:"fatigue_price"`  // price of using up attention
	ExpectedValue float64   `json:"expected_value"` // Lift*OrderValue - costs
}

// Decision is an agent's choice with everything needed to explain it.
type Decision struct {
	Agent     string      `json:"agent"`
	Version   string      `json:"version"`
	Chosen    Valuation   `json:"chosen"`
	Rejected  []Valuation `json:"rejected,omitempty"` // alternatives, best first
	Reasons   []string    `json:"reasons"`
	Evidence  string      `json:"evidence"` // where the response rate came from, with counts
	Exploring bool        `json:"exploring,omitempty"`
}
