package segment

import (
	"math"

	"touchstone/internal/lifecycle"
)

// affinityOf is affinity.NAME: how much a customer is interested in a category or
// a product by now, to six decimals; 0 for none. Stored weights are as if at one
// instant (lifecycle.Affinities); what is left of them by now is the same for
// every customer.
type affinityOf struct{ name string }

const affinityDecimals = 1e6

func (n affinityOf) value(m *moment) (float64, bool) {
	left := m.Profile.Affinities[n.name] * lifecycle.AffinityLeft(m.Now)
	return math.RoundToEven(left*affinityDecimals) / affinityDecimals, true
}

func (n affinityOf) sql(q *query) string {
	return "coalesce((SELECT round(a.weight * " + q.arg(lifecycle.AffinityLeft(q.now), "float8") +
		" * 1e6::float8) / 1e6::float8 FROM customer_affinities a WHERE a.customer_id = c.id AND a.name = " + q.arg(n.name, "text") + "), 0::float8)"
}

func (n affinityOf) bounds() (float64, float64) { return 1e18, 1e-22 }
