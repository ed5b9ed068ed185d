package sequential

import (
	"math"

	"touchstone/internal/measure"
)

// Sequence is an asymptotic confidence sequence: an interval that covers the
// truth at every moment at once with probability 1-Alpha, however often somebody
// looks (I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas,
// arXiv:2103.06476, theorem 2.2). It is narrowest near Planned observations. It is
// asymptotic: do not read it below some twenty conversions per arm.
type Sequence struct {
	Alpha   float64 // in (0,1)
	Planned float64 // observations in all arms compared, at which it is tuned
}

// StartConversions is the least number of conversions per arm from which a
// sequence is read.
const StartConversions = 20

// tuning is ρ², chosen so that the width is least at the planned number.
func (s Sequence) tuning() float64 {
	l := -2 * math.Log(s.Alpha)
	return (l + math.Log(1+l)) / s.Planned
}

// Around is the interval around an estimate with its standard error after n
// observations in all:
//
//	± se √n √(2(nρ²+1)/(nρ)² ln(√(nρ²+1)/α))
func (s Sequence) Around(estimate, se, n float64) measure.Interval {
	r := s.tuning()
	m := n*r + 1
	half := se * math.Sqrt(n) * math.Sqrt(2*m/(n*n*r)*math.Log(math.Sqrt(m)/s.Alpha))
	return measure.Interval{Estimate: estimate, Low: estimate - half, High: estimate + half, Level: 1 - s.Alpha}
}

// LogE is the logarithm of the e-value against no effect: at no effect, the
// probability that e ever reaches 1/a is at most a (Ville's inequality), so 1/e at
// its highest is a p-value that may be read at any time. It reaches 1/Alpha exactly
// when the interval around the estimate leaves zero.
func (s Sequence) LogE(estimate, se, n float64) float64 {
	if se == 0 || n == 0 {
		return 0
	}
	r := s.tuning()
	score := estimate * estimate * n / (se * se)
	return r*score/(2*(n*r+1)) - math.Log(n*r+1)/2
}
