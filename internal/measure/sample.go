package measure

// Sample is what a mean and its interval need to know about a set of
// observations. It is a value: Add returns a new one, so parts counted in
// different places may be added up in any order.
type Sample struct {
	N          int     `json:"n"`
	Sum        float64 `json:"sum"`
	SumSquares float64 `json:"sum_squares"`
}

// SampleOf sums observations.
func SampleOf(values ...float64) Sample {
	s := Sample{N: len(values)}
	for _, v := range values {
		s.Sum += v
		s.SumSquares += v * v
	}
	return s
}

// Add returns the sample of both sets together.
func (s Sample) Add(other Sample) Sample {
	return Sample{N: s.N + other.N, Sum: s.Sum + other.Sum, SumSquares: s.SumSquares + other.SumSquares}
}

// Mean is the arithmetic mean, 0 of an empty sample.
func (s Sample) Mean() float64 {
	if s.N == 0 {
		return 0
	}
	return s.Sum / float64(s.N)
}

// Variance is the unbiased sample variance (divided by N-1), 0 below two
// observations. Rounding never makes it negative.
func (s Sample) Variance() float64 {
	if s.N < 2 {
		return 0
	}
	n := float64(s.N)
	return max((s.SumSquares-s.Sum*s.Sum/n)/(n-1), 0)
}
