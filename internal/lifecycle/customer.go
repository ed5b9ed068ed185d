package lifecycle

import (
	"math"
	"time"
)

// Customer is a person the brand may write to.
type Customer struct {
	ID         CustomerID
	ExternalID string // the brand's own id, unique
	Email      string
	Phone      string // E.164
	FirstName  string
	LastName   string
	Locale     string // BCP 47
	Country    string // ISO 3166-1 alpha-2
	Region     string // state or province code
	PostalCode string
	TimeZone   string // IANA name; empty = unknown, the strictest window applies
	Attributes map[string]any
	CreatedAt  time.Time // sign-up instant as the brand knows it
	ErasedAt   time.Time // zero unless the customer asked to be erased
}

// OrderStats sums a customer's orders in the brand's currency.
type OrderStats struct {
	Count    int   // orders, refunds not counted
	Revenue  Money // net of refunds
	FirstAt  time.Time
	LastAt   time.Time // zero when Count is 0
	LastItem string    // a product name of the last order, for copy
}

// EngagementHalfLife is how long an engagement signal takes to lose half its weight.
const EngagementHalfLife = 30 * 24 * time.Hour

// Engagement is an exponentially decayed sum of signals: a click weighs 1, a
// human open 0.3, an order 1.5. Machine opens and bot clicks are left out.
type Engagement struct {
	Weight      float64   // the sum as it stood at At
	At          time.Time // instant of the last signal
	LastOpenAt  time.Time
	LastClickAt time.Time
}

// Score is 1 - exp(-w) in [0,1), where w is the weight decayed to now with
// EngagementHalfLife. A customer without signals scores 0.
func (e Engagement) Score(now time.Time) float64 {
	if e.Weight <= 0 {
		return 0
	}
	age := max(now.Sub(e.At), 0)
	return 1 - math.Exp(-e.Weight*math.Exp2(-float64(age)/float64(EngagementHalfLife)))
}

// TouchStats sums the marketing touches a customer received.
type TouchStats struct {
	Count  int
	LastAt time.Time
}

// Stage is the place of a customer in the lifecycle.
type Stage string

// Lifecycle stages.
const (
	Prospect Stage = "prospect" // never bought
	New      Stage = "new"      // one order, recently
	Active   Stage = "active"
	Loyal    Stage = "loyal"
	AtRisk   Stage = "at_risk"
	Lapsed   Stage = "lapsed"
)

// Stages lists the stages from first contact to lapse.
var Stages = []Stage{Prospect, New, Active, Loyal, AtRisk, Lapsed}

// StageThresholds are the brand's numbers behind Profile.Stage.
type StageThresholds struct {
	AtRiskAfter time.Duration // no order for this long: at risk
	LapsedAfter time.Duration // no order for this long: lapsed
	LoyalOrders int           // this many orders: loyal while neither of the above
}

// DefaultStageThresholds suit a shop whose customers buy every month or two.
func DefaultStageThresholds() StageThresholds {
	return StageThresholds{AtRiskAfter: 45 * 24 * time.Hour, LapsedAfter: 90 * 24 * time.Hour, LoyalOrders: 4}
}

// Profile is everything a segment, an agent or a guardrail may ask about one
// customer at one instant. In-memory twin of the SQL customer model.
type Profile struct {
	Customer   Customer
	Consents   map[Channel]Consent
	Wishes     Wishes
	Orders     OrderStats
	Engagement Engagement
	Touches    TouchStats
	Cart       Cart
	Affinities Affinities
}

// Stage places the customer at instant now. An order exactly AtRiskAfter old
// is not yet at risk; the same holds for LapsedAfter.
func (p Profile) Stage(now time.Time, t StageThresholds) Stage {
	if p.Orders.Count == 0 {
		return Prospect
	}
	switch idle := now.Sub(p.Orders.LastAt); {
	case idle > t.LapsedAfter:
		return Lapsed
	case idle > t.AtRiskAfter:
		return AtRisk
	case p.Orders.Count >= t.LoyalOrders:
		return Loyal
	case p.Orders.Count == 1:
		return New
	}
	return Active
}

// Event is something a customer did, named after the Segment e-commerce and
// e-mail specifications ("Order Completed", "Checkout Started").
type Event struct {
	ID         EventID
	CustomerID CustomerID
	MessageID  string // the source's deduplication key
	Name       string
	At         time.Time // when it happened
	ReceivedAt time.Time
	Source     string
	Properties map[string]any
}

// Order is money that changed hands; refunds are orders with a negative total.
type Order struct {
	ExternalID string
	CustomerID CustomerID
	At         time.Time
	Total      Money
	Items      int
	FirstItem  string // name of one product, for copy
}
