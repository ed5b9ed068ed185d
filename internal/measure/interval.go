package measure

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Level is the confidence level of every interval that is shown.
const Level = 0.95

// Interval is an estimate with its confidence interval. Unit is whatever the
// estimate is in.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Level    float64 `json:"level"`
}

// Times scales the estimate and its bounds by a known number. A negative factor
// swaps the bounds.
func (i Interval) Times(factor float64) Interval {
	low, high := i.Low*factor, i.High*factor
	return Interval{Estimate: i.Estimate * factor, Low: min(low, high), High: max(low, high), Level: i.Level}
}

// SpansZero reports whether zero lies in the interval, bounds included.
func (i Interval) SpansZero() bool { return i.Low <= 0 && i.High >= 0 }

// Mean is an estimated mean of independent observations.
type Mean struct {
	N        int     `json:"n"`
	Value    float64 `json:"value"`
	Variance float64 `json:"variance"` // of the mean: its squared standard error
}

// AsMean is the sample's mean with its squared standard error.
func (s Sample) AsMean() Mean {
	if s.N == 0 {
		return Mean{}
	}
	return Mean{N: s.N, Value: s.Mean(), Variance: s.Variance() / float64(s.N)}
}

// Welch is the interval of the difference between two means, treated minus
// held, without assuming equal variances:
//
//	d ± t(df) sqrt(v1/n1 + v2/n2)
//	df = (v1/n1 + v2/n2)² / ((v1/n1)²/(n1-1) + (v2/n2)²/(n2-1))
//
// (B. L. Welch, Biometrika 34, 1947; Satterthwaite's degrees of freedom.) ok is
// false when a sample has fewer than two observations. Where nothing varies at
// all, the interval has no width.
func Welch(treated, held Sample, level float64) (i Interval, ok bool) {
	return WelchOf(treated.AsMean(), held.AsMean(), level)
}

// WelchOf is Welch for means whose variances come from elsewhere: from a
// linearisation or an adjustment.
func WelchOf(treated, held Mean, level float64) (i Interval, ok bool) {
	if treated.N < 2 || held.N < 2 {
		return Interval{}, false
	}
	difference := treated.Value - held.Value
	a, b := treated.Variance, held.Variance
	if a+b == 0 {
		return Interval{Estimate: difference, Low: difference, High: difference, Level: level}, true
	}
	half := studentQuantile(WelchDegrees(treated, held), 1-(1-level)/2) * math.Sqrt(a+b)
	return Interval{Estimate: difference, Low: difference - half, High: difference + half, Level: level}, true
}

// WelchDegrees are Satterthwaite's degrees of freedom of the difference between
// two means of which at least one varies.
func WelchDegrees(treated, held Mean) float64 {
	a, b := treated.Variance, held.Variance
	return (a + b) * (a + b) / (a*a/float64(treated.N-1) + b*b/float64(held.N-1))
}

// normalQuantile is the standard normal quantile.
func normalQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }
