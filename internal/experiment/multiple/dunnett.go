package multiple

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// Dunnett is the two-sided critical value with which challengers of the given
// sizes, each compared with the same control, find a difference where there is none
// with probability alpha in all: the c with
//
//	∫ φ(u) Πᵢ [Φ((λᵢu+c)/√(1-λᵢ²)) - Φ((λᵢu-c)/√(1-λᵢ²))] du = 1-α,  λᵢ² = nᵢ/(n₀+nᵢ)
//
// (C. W. Dunnett, JASA 50, 1955, 1096-1121, and Biometrics 20, 1964, 482-491, for
// many units per arm). Sizes may be shares. With one challenger it is the usual
// z(1-α/2).
func Dunnett(control float64, challengers []float64, alpha float64) float64 {
	low, high := 0.0, 10.0
	for range 100 {
		mid := (low + high) / 2
		if familywise(control, challengers, mid) > alpha {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// PerComparison is the two-sided level at which each challenger is to be compared
// with the control so that all comparisons together have level alpha.
func PerComparison(control float64, challengers []float64, alpha float64) float64 {
	if len(challengers) < 2 {
		return alpha
	}
	return math.Erfc(Dunnett(control, challengers, alpha) / math.Sqrt2)
}

// familywise is the probability that any |Zᵢ| exceeds c.
func familywise(control float64, challengers []float64, c float64) float64 {
	nodes, weights := grid()
	inside := 0.0
	for k, u := range nodes {
		p := weights[k]
		for _, n := range challengers {
			l := math.Sqrt(n / (control + n))
			s := math.Sqrt(1 - l*l)
			p *= distuv.UnitNormal.CDF((l*u+c)/s) - distuv.UnitNormal.CDF((l*u-c)/s)
		}
		inside += p
	}
	return 1 - inside
}

// grid are nodes with weights φ(u)du over nine standard deviations.
var grid = sync.OnceValues(func() (nodes, weights []float64) {
	nodes, weights = make([]float64, 128), make([]float64, 128)
	quad.Legendre{}.FixedLocations(nodes, weights, -9, 9)
	for i, u := range nodes {
		weights[i] *= math.Exp(-u*u/2) / math.Sqrt(2*math.Pi)
	}
	return nodes, weights
})
