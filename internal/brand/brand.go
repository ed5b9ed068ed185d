// Package brand is the brand file: who sends, how the brand speaks, what it may
// promise and what things cost. Level 1: imports lifecycle and clock only.
package brand

import (
	"touchstone/internal/lifecycle"
)

// Brand is the parsed and validated brand file.
type Brand struct {
	Name     string
	Currency string // ISO 4217; orders, revenue and costs are in it
	TimeZone string // IANA; reports are cut on its days
	Sender   Sender
	Voice    Voice
	Links    Links
	Stages   lifecycle.StageThresholds
	Costs    Costs
	Offers   []lifecycle.Offer // the catalogue, cheapest first
	Priors   Priors

	Windows   map[lifecycle.Channel]AttributionWindow // of attribution, per channel; others have the configured window from sending
	AgentTest AgentTest

	Topics      []Topic // in the order in which customers see them
	DoubleOptIn map[lifecycle.Channel]DoubleOptIn
	Preferences Preferences
}

// Sender is who the customer sees and the law asks for.
type Sender struct {
	Email         string // From address
	Name          string // display name
	ReplyTo       string
	PostalAddress string // CAN-SPAM 15 USC 7704(a)(5)(A)(iii)
	SMSName       string // brand name at the start of a text message
}

// Voice says how the brand speaks.
type Voice struct {
	Tone            string   // one paragraph for the copywriter
	Prefer          []string // words to use
	Avoid           []string // words never to use, matched whole and case-insensitively
	MaxExclamations int      // per message
	Facts           []string // claims the copy may make besides the offer
}

// Links lists where copy may lead.
type Links struct {
	Shop           string   // base URL of the shop
	AllowedDomains []string // hosts, subdomains included
}

// Costs are the brand's own numbers for valuing a touch.
type Costs struct {
	PerTouch map[lifecycle.Channel]lifecycle.Money // what one message costs
	Fatigue  lifecycle.Money                       // price of the first extra touch in a week; doubles per further touch
	Margin   float64                               // contribution margin of revenue at list prices, in [0,1]
	Monthly  lifecycle.Money                       // fixed cost of the programme in a month: licences, people, tools
}

// Priors start the response rates before there is evidence.
type Priors struct {
	BaseRate   float64                       // conversion probability per touch window without a touch, in [0,1]
	Lift       map[lifecycle.Channel]float64 // additional conversion probability per touch
	OfferLift  float64                       // additional lift per 10 % of order value given away
	Strength   float64                       // how many observations the prior is worth
	OrderValue lifecycle.Money               // expected order before there is history
}

// Offer returns the catalogue's offer with this id.
func (b *Brand) Offer(id string) (lifecycle.Offer, bool) {
	for _, o := range b.Offers {
		if o.ID == id {
			return o, true
		}
	}
	return lifecycle.Offer{}, false
}
