package lifecycle

import (
	"math"
	"time"
)

// AffinityHalfLife is how long a sign of interest takes to lose half its weight.
const AffinityHalfLife = 30 * 24 * time.Hour

// affinityEpoch is the instant as of which weights are kept, so that they can be
// added up in any order.
var affinityEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Affinities are what a customer is interested in: weights by category or product
// id, as if all signals were of the beginning of 2020. A view of a product or
// category weighs 1 (a list 0.5), a wish 2, something put into the cart 3, a
// purchase 5.
type Affinities map[string]float64

// AffinityLeft is what is left at an instant of a weight of 1 in Affinities.
func AffinityLeft(at time.Time) float64 {
	return math.Exp2(-float64(at.Sub(affinityEpoch)) / float64(AffinityHalfLife))
}

// Cart is what lies in a customer's cart.
type Cart struct {
	Items     int     // pieces; 0 = empty
	Value     float64 // in major units of the shop's currency
	ChangedAt time.Time
}
