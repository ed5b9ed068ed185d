package measure

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Mean is the interval of a mean by Student's t:
//
//	m ± t(n-1) sqrt(v/n)
//
// (Student, Biometrika 6, 1908.) ok is false below two observations.
func Mean(s Sample, level float64) (i Interval, ok bool) {
	if s.N < 2 {
		return Interval{}, false
	}
	n := float64(s.N)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(1 - (1-level)/2)
	half := t * math.Sqrt(s.Variance()/n)
	return Interval{Estimate: s.Mean(), Low: s.Mean() - half, High: s.Mean() + half, Level: level}, true
}
