package measure

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Blocks is into how many random groups customers fall, by the last bits of
// their ids. What one customer does stays within one block, so that block totals
// are independent where single touches are not.
const Blocks = 32

// Pair is what one block contributes to a ratio.
type Pair struct{ X, Y float64 }

// RatioInterval is the interval of sum X over sum Y, with blocks of customers as the
// units of observation, by the delta method:
//
//	R ± t(G-1) sqrt(G/(G-1) Σ (x - R y)²) / Σ y
//
// (the linearisation estimator for clusters, W. G. Cochran, Sampling Techniques,
// 3rd edition, 1977, section 6.3, with random groups as clusters as in K. M. Wolter,
// Introduction to Variance Estimation, chapter 2). However often one customer is
// touched or orders, it is one contribution. ok is false when fewer than
// two blocks have a denominator.
func RatioInterval(blocks []Pair, level float64) (i Interval, ok bool) {
	var x, y float64
	used := 0
	for _, b := range blocks {
		x, y = x+b.X, y+b.Y
		if b.Y != 0 {
			used++
		}
	}
	if used < 2 || y == 0 {
		return Interval{}, false
	}
	r, squares := x/y, 0.0
	for _, b := range blocks {
		e := b.X - r*b.Y
		squares += e * e
	}
	n := float64(len(blocks))
	half := studentQuantile(n-1, 1-(1-level)/2) * math.Sqrt(n/(n-1)*squares) / math.Abs(y)
	return Interval{Estimate: r, Low: r - half, High: r + half, Level: level}, true
}

// MeanInterval is the t interval of the mean of independent observations. ok is
// false below two.
func (s Sample) MeanInterval(level float64) (i Interval, ok bool) {
	if s.N < 2 {
		return Interval{}, false
	}
	half := studentQuantile(float64(s.N-1), 1-(1-level)/2) * math.Sqrt(s.Variance()/float64(s.N))
	return Interval{Estimate: s.Mean(), Low: s.Mean() - half, High: s.Mean() + half, Level: level}, true
}

// studentQuantile is the quantile of Student's t distribution.
func studentQuantile(df, p float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}
