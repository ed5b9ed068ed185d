package anomaly

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// median of a few values, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// window keeps the last values in order of size, so that the median and the
// spread of a month cost no sorting per hour.
type window struct {
	size   int
	queue  []float64 // in order of arrival
	sorted []float64
}

func (w *window) push(v float64) {
	if len(w.queue) == w.size {
		i, _ := slices.BinarySearch(w.sorted, w.queue[0])
		w.sorted = slices.Delete(w.sorted, i, i+1)
		w.queue = w.queue[1:]
	}
	w.queue = append(w.queue, v)
	i, _ := slices.BinarySearch(w.sorted, v)
	w.sorted = slices.Insert(w.sorted, i, v)
}

func (w *window) median() float64 {
	n := len(w.sorted)
	return (w.sorted[(n-1)/2] + w.sorted[n/2]) / 2
}

// consistent makes the median absolute deviation of normal values their
// standard deviation: 1/Φ⁻¹(3/4).
const consistent = 1.4826

// spread is the standard deviation estimated from the median absolute deviation.
func (w *window) spread(around float64) float64 {
	// Distances grow to both sides of the median: merge them until the middle.
	s := w.sorted
	right, _ := slices.BinarySearch(s, around)
	left, n := right-1, len(s)
	var last, before float64
	for range n/2 + 1 {
		before = last
		if left < 0 || right < n && s[right]-around <= around-s[left] {
			last = s[right] - around
			right++
		} else {
			last = around - s[left]
			left--
		}
	}
	if n%2 == 1 {
		return consistent * last
	}
	return consistent * (last + before) / 2
}

// lowTail is the probability of at most x events in this hour when the same rate
// holds as in the hours before: given x+before events in all, each falls into
// this hour with probability share (the conditional test of two Poisson rates:
// Przyborowski and Wilenski, Biometrika 31, 1940).
func lowTail(x, before, share float64) float64 { return binomialCDF(x, x+before, share) }

// highTail is the probability of at least x events.
func highTail(x, before, share float64) float64 {
	if x <= 0 {
		return 1
	}
	return 1 - binomialCDF(x-1, x+before, share)
}

// binomialCDF is P(X <= k) for X binomial in n trials.
func binomialCDF(k, n, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	return mathext.RegIncBeta(n-k, k+1, 1-p)
}

// quantile is the standard normal quantile, bounded where the tail underflows.
func quantile(p float64) float64 {
	const far = 12
	return min(max(distuv.UnitNormal.Quantile(min(max(p, 0), 1)), -far), far)
}

func normalTail(z float64) float64 { return distuv.UnitNormal.CDF(z) }

// finite bounds a score whose spread is nothing.
func finite(z float64) float64 {
	const far = 12
	if math.IsNaN(z) {
		return 0
	}
	return min(max(z, -far), far)
}
