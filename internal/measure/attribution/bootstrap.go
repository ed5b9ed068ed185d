package attribution

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// resampler draws, for one customer, how often they occur in every bootstrap
// sample: independent Poisson(1) counts, which is the bootstrap over customers
// for a stream whose length is not known (Hanley and MacGibbon, Computer Methods
// and Programs in Biomedicine 83, 2006). The draw depends on seed and customer
// only, so the same rows always give the same intervals, in any order.
type resampler struct {
	seed    uint64
	weights []float64
}

// poisson are the cumulative probabilities of a Poisson(1) count, as 32-bit
// thresholds; beyond the last the count is its index.
var poisson = func() [13]uint64 {
	var limits [13]uint64
	p, sum := math.Exp(-1), 0.0
	for k := range limits {
		sum += p
		limits[k] = uint64(sum * (1 << 32))
		p /= float64(k + 1)
	}
	return limits
}()

func (r *resampler) draw(customer lifecycle.CustomerID) []float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(customer)) // never fails
	source := rand.NewPCG(r.seed, h.Sum64())
	for b := 0; b < len(r.weights); b += 2 {
		bits := source.Uint64()
		r.weights[b] = count(bits >> 32)
		if b+1 < len(r.weights) {
			r.weights[b+1] = count(bits & (1<<32 - 1))
		}
	}
	return r.weights
}

func count(u uint64) float64 {
	for k, limit := range poisson {
		if u < limit {
			return float64(k)
		}
	}
	return float64(len(poisson))
}

// percentile is the interval between the percentiles of resampled values, around
// the estimate. Values that are not numbers (a ratio whose denominator was zero
// in a resample) are left out; ok is false when a tenth or more are.
func percentile(estimate float64, values []float64, level float64) (i measure.Interval, ok bool) {
	sorted := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 || 10*len(sorted) <= 9*len(values) {
		return measure.Interval{}, false
	}
	slices.Sort(sorted)
	tail := (1 - level) / 2
	return measure.Interval{Estimate: estimate, Level: level,
		Low: stat.Quantile(tail, stat.LinInterp, sorted, nil), High: stat.Quantile(1-tail, stat.LinInterp, sorted, nil)}, true
}
