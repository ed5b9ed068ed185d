package measure

import "math"

// Proportion counts how many of N did something.
type Proportion struct {
	N    int `json:"n"`
	Hits int `json:"hits"`
}

// Rate is Hits/N, 0 of none.
func (p Proportion) Rate() float64 {
	if p.N == 0 {
		return 0
	}
	return float64(p.Hits) / float64(p.N)
}

// Wilson is the score interval of the rate (E. B. Wilson, JASA 22, 1927). Of
// none it is [0,1].
func (p Proportion) Wilson(level float64) Interval {
	if p.N == 0 {
		return Interval{Low: 0, High: 1, Level: level}
	}
	z := normalQuantile(1 - (1-level)/2)
	n, rate := float64(p.N), p.Rate()
	centre := (rate + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(rate*(1-rate)/n+z*z/(4*n*n))
	// Rounding must not put the rate itself outside, as it could at 0 and 1.
	return Interval{Estimate: rate, Low: max(min(centre-half, rate), 0), High: min(max(centre+half, rate), 1), Level: level}
}

// Newcombe is the hybrid score interval of the difference between two rates,
// treated minus held: method 10 of R. G. Newcombe, Statistics in Medicine 17,
// 1998, 873-890. ok is false when either group is empty.
func Newcombe(treated, held Proportion, level float64) (i Interval, ok bool) {
	if treated.N == 0 || held.N == 0 {
		return Interval{}, false
	}
	a, b := treated.Wilson(level), held.Wilson(level)
	difference := a.Estimate - b.Estimate
	return Interval{
		Estimate: difference,
		Low:      difference - math.Hypot(a.Estimate-a.Low, b.High-b.Estimate),
		High:     difference + math.Hypot(a.High-a.Estimate, b.Estimate-b.Low),
		Level:    level,
	}, true
}
