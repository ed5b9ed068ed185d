package plan

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/experiment/estimate"
)

// Metric is what a plan needs to know of a metric.
type Metric struct {
	Name     string        `json:"name"`
	Kind     estimate.Kind `json:"kind"`
	Baseline float64       `json:"baseline"` // the control's rate or mean
	SD       float64       `json:"sd,omitzero"`
	// Correlation is that of the outcome with a value known before assignment: 0
	// without one.
	Correlation float64 `json:"correlation,omitzero"`
}

// variance is that of one unit at a rate or mean.
func (m Metric) variance(at float64) float64 {
	left := 1 - m.Correlation*m.Correlation
	if m.Kind == estimate.Proportion {
		return at * (1 - at) * left
	}
	return m.SD * m.SD * left
}

// Size is how many units the control needs, k times as many being in the
// challenger, to find a relative lift with the power at the two-sided level alpha and
// one look. For proportions
//
//	n₁ = [z(1-α/2)√(p̄(1-p̄)(1+1/k)) + z(power)√(p₁(1-p₁)+p₂(1-p₂)/k)]²/(p₂-p₁)²,  p̄ = (p₁+kp₂)/(1+k)
//
// (J. L. Fleiss, Statistical Methods for Rates and Proportions, 2nd edition, 1981,
// section 3.4), for means (z+z)²(s²+s²/k)/d². It is not rounded.
func (m Metric) Size(lift, k, alpha, power float64) float64 {
	p1 := m.Baseline
	p2 := p1 * (1 + lift)
	d, za, zb := math.Abs(p2-p1), quantile(1-alpha/2), quantile(power)
	none, some := m.spread(p1, p2, k)
	root := (za*none + zb*some) / d
	return root * root
}

// Power is the probability of finding a relative lift with n units in the
// control and k times as many in the challenger, one look, either direction:
// Φ((|d|-z s₀)/s₁) + Φ((-|d|-z s₀)/s₁).
func (m Metric) Power(lift, n, k, alpha float64) float64 {
	p1 := m.Baseline
	p2 := p1 * (1 + lift)
	d, z := math.Abs(p2-p1), quantile(1-alpha/2)
	none, some := m.spread(p1, p2, k)
	s0, s1 := none/math.Sqrt(n), some/math.Sqrt(n)
	return distuv.UnitNormal.CDF((d-z*s0)/s1) + distuv.UnitNormal.CDF((-d-z*s0)/s1)
}

// spread is √n₁ times the standard error of the difference, if there is none
// and if there is one.
func (m Metric) spread(p1, p2, k float64) (none, some float64) {
	pooled := (p1 + k*p2) / (1 + k)
	return math.Sqrt(m.variance(pooled) * (1 + 1/k)), math.Sqrt(m.variance(p1) + m.variance(p2)/k)
}

// Detectable is the smallest lift found with the power by n units in the
// control; +Inf when no lift up to a hundredfold, or none below certainty, is.
func (m Metric) Detectable(n, k, alpha, power float64) float64 {
	high := 100.0
	if m.Kind == estimate.Proportion {
		high = min(high, 1/m.Baseline-1)
	}
	return bisect(1e-9, high, func(lift float64) bool { return m.Size(lift, k, alpha, power) <= n })
}

// bisect is the smallest value in [low, high] for which enough holds, given that
// it holds from some value on; +Inf when it does not hold at high.
func bisect(low, high float64, enough func(float64) bool) float64 {
	if !enough(high) {
		return math.Inf(1)
	}
	for range 200 {
		mid := (low + high) / 2
		if enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

func quantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }
