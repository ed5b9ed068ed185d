package estimate

import (
	"math"
	"slices"

	"touchstone/internal/measure"
)

// Sums are the sufficient statistics of a metric over the units of one arm: of
// an outcome y, and of a second value x per unit, which is the covariate of an adjusted
// mean or the denominator of a ratio. They are a value: Add returns a new one.
type Sums struct {
	N  int     `json:"n"`
	Y  float64 `json:"y"`
	YY float64 `json:"yy"` // Σy²; for a proportion the same as Σy
	X  float64 `json:"x,omitzero"`
	XX float64 `json:"xx,omitzero"`
	XY float64 `json:"xy,omitzero"`
}

// Hits are the sums of a proportion: hits of n units did it.
func Hits(hits, n int) Sums { return Sums{N: n, Y: float64(hits), YY: float64(hits)} }

// Of sums outcomes; x may be nil.
func Of(y, x []float64) Sums {
	s := Sums{N: len(y)}
	for i, v := range y {
		s.Y += v
		s.YY += v * v
		if x != nil {
			s.X += x[i]
			s.XX += x[i] * x[i]
			s.XY += x[i] * v
		}
	}
	return s
}

// Add returns the sums of both sets of units together.
func (s Sums) Add(o Sums) Sums {
	return Sums{N: s.N + o.N, Y: s.Y + o.Y, YY: s.YY + o.YY, X: s.X + o.X, XX: s.XX + o.XX, XY: s.XY + o.XY}
}

// Sample is y alone.
func (s Sums) Sample() measure.Sample {
	return measure.Sample{N: s.N, Sum: s.Y, SumSquares: s.YY}
}

// Proportion reads y as the number of hits.
func (s Sums) Proportion() measure.Proportion {
	return measure.Proportion{N: s.N, Hits: int(math.Round(s.Y))}
}

// covariate is x alone.
func (s Sums) covariate() measure.Sample {
	return measure.Sample{N: s.N, Sum: s.X, SumSquares: s.XX}
}

// covariance of x and y, unbiased; 0 below two units.
func (s Sums) covariance() float64 {
	if s.N < 2 {
		return 0
	}
	n := float64(s.N)
	return (s.XY - s.X*s.Y/n) / (n - 1)
}

// Cap is the value that a share of the history does not exceed (nearest rank): a
// cap for Winsorise, fixed before a test from what customers spent before. It is 0
// for an empty history.
func Cap(history []float64, share float64) float64 {
	if len(history) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(history))
	return sorted[max(int(math.Ceil(share*float64(len(sorted))))-1, 0)]
}

// Winsorise counts a value above the cap as the cap, so that one huge order
// does not decide a test; without a cap (0) it changes nothing. The cap must be
// fixed before the first outcome is seen.
func Winsorise(value, cap float64) float64 {
	if cap <= 0 {
		return value
	}
	return min(value, cap)
}
