package measure_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/measure"
)

// near compares to a relative tolerance, absolute below one.
func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

var amounts = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
	return float64(rapid.Int64Range(-50_000, 500_000).Draw(t, "minor units"))
}), 2, 60)

func TestSampleAgreesWithTwoPassFormulas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := amounts.Draw(t, "values")
		s := measure.SampleOf(values...)
		mean := 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		variance := 0.0
		for _, v := range values {
			variance += (v - mean) * (v - mean) / float64(len(values)-1)
		}
		if !near(s.Mean(), mean, 1e-9) || !near(s.Variance(), variance, 1e-6) {
			t.Fatalf("mean %v and variance %v, want %v and %v", s.Mean(), s.Variance(), mean, variance)
		}
	})
}

func TestSampleAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := amounts.Draw(t, "values")
		cut := rapid.IntRange(0, len(values)).Draw(t, "cut")
		parts := measure.SampleOf(values[cut:]...).Add(measure.SampleOf(values[:cut]...))
		if whole := measure.SampleOf(values...); parts != whole {
			t.Fatalf("parts add up to %+v, the whole is %+v", parts, whole) // integers below 2^53: exact
		}
	})
}

func TestSampleOfLittle(t *testing.T) {
	t.Parallel()
	if s := measure.SampleOf(); s.Mean() != 0 || s.Variance() != 0 {
		t.Errorf("an empty sample has mean %v and variance %v", s.Mean(), s.Variance())
	}
	if s := measure.SampleOf(0.1, 0.1, 0.1); s.Variance() < 0 || s.Variance() > 1e-15 {
		t.Errorf("a constant has variance %v", s.Variance())
	}
}
