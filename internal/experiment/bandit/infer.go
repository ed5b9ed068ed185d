package bandit

import (
	"math"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/measure"
)

// Batch is one period of a bandit: the shares with which its units were drawn and
// what became of them, per arm.
type Batch struct {
	Shares []float64 // stored when the units were drawn
	Arms   []estimate.Sums
}

// Means are the arms' mean rewards with intervals, from data whose shares
// followed earlier outcomes. Plain means are biased there: an unlucky arm is sent no
// more and never recovers. Each batch is scored by augmented inverse propensity
// weights, m̂ + 1{arm}(y - m̂)/e, with m̂ from the batches before, and batches are weighted by √e
// of the arm, which steadies the variance (V. Hadad, D. A. Hirshberg, R. Zhan, S.
// Wager and S. Athey, PNAS 118, 2021, arXiv:1911.02768). An arm with no share in
// any batch has no answer: ok is false.
func Means(batches []Batch, level float64) (intervals []measure.Interval, ok bool) {
	if len(batches) == 0 {
		return nil, false
	}
	for arm := range batches[0].Shares {
		i, found := meanOf(batches, arm, level)
		if !found {
			return nil, false
		}
		intervals = append(intervals, i)
	}
	return intervals, true
}

// scored is what a batch adds for one arm: units, weight, and the sums of the
// scores and of their squares.
type scored struct{ n, weight, sum, squares float64 }

// score sums Γ = m + 1{arm}(y - m)/e over a batch.
func score(b Batch, arm int, m float64) scored {
	e, s := b.Shares[arm], b.Arms[arm]
	total := 0.0
	for _, a := range b.Arms {
		total += float64(a.N)
	}
	n := float64(s.N)
	off := s.Y - n*m                 // Σ(y-m)
	square := s.YY - 2*m*s.Y + n*m*m // Σ(y-m)²
	return scored{n: total, weight: math.Sqrt(e), sum: total*m + off/e, squares: total*m*m + 2*m*off/e + square/(e*e)}
}

func meanOf(batches []Batch, arm int, level float64) (measure.Interval, bool) {
	var seen estimate.Sums
	var scores []scored
	weights, estimated := 0.0, 0.0
	for _, b := range batches {
		if b.Shares[arm] > 0 {
			s := score(b, arm, seen.Sample().Mean())
			scores = append(scores, s)
			weights, estimated = weights+s.weight*s.n, estimated+s.weight*s.sum
		}
		seen = seen.Add(b.Arms[arm])
	}
	if weights == 0 || seen.N < 2 {
		return measure.Interval{}, false
	}
	q, variance := estimated/weights, 0.0
	for _, s := range scores {
		variance += s.weight * s.weight * (s.squares - 2*q*s.sum + s.n*q*q)
	}
	half := normal(level) * math.Sqrt(variance) / weights
	return measure.Interval{Estimate: q, Low: q - half, High: q + half, Level: level}, true
}

// normal is the two-sided quantile of a level.
func normal(level float64) float64 { return math.Sqrt2 * math.Erfinv(level) }
