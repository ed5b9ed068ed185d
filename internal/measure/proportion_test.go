package measure_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/measure"
)

// R. G. Newcombe, Interval estimation for the difference between independent
// proportions, Statistics in Medicine 17 (1998), table II, method 10.
func TestNewcombeReproducesThePaper(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b      measure.Proportion
		low, high float64
	}{
		{measure.Proportion{N: 70, Hits: 56}, measure.Proportion{N: 80, Hits: 48}, 0.0524, 0.3339},
		{measure.Proportion{N: 10, Hits: 9}, measure.Proportion{N: 10, Hits: 3}, 0.1705, 0.8090},
		{measure.Proportion{N: 56, Hits: 5}, measure.Proportion{N: 29, Hits: 0}, -0.0381, 0.1926},
		{measure.Proportion{N: 10, Hits: 10}, measure.Proportion{N: 20, Hits: 0}, 0.6791, 1.0000},
	} {
		i, ok := measure.Newcombe(c.a, c.b, 0.95)
		if !ok || math.Abs(i.Low-c.low) > 5e-5 || math.Abs(i.High-c.high) > 5e-5 {
			t.Errorf("%+v - %+v: %.4f to %.4f, want %.4f to %.4f", c.a, c.b, i.Low, i.High, c.low, c.high)
		}
	}
}

func TestWilsonSolvesTheScoreEquation(t *testing.T) {
	t.Parallel()
	const z = 1.959963984540054
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5000).Draw(t, "n")
		p := measure.Proportion{N: n, Hits: rapid.IntRange(0, n).Draw(t, "hits")}
		i := p.Wilson(0.95)
		if i.Low < 0 || i.Low > i.Estimate || i.High < i.Estimate || i.High > 1 {
			t.Fatalf("%+v has interval %+v", p, i)
		}
		// A bound is a rate from which the observed one is z standard errors away.
		for _, bound := range []float64{i.Low, i.High} {
			if bound < 1e-12 || bound > 1-1e-12 {
				continue
			}
			if gap := math.Abs(p.Rate() - bound); math.Abs(gap-z*math.Sqrt(bound*(1-bound)/float64(n))) > 1e-7 {
				t.Fatalf("%+v: bound %v does not solve the score equation", p, bound)
			}
		}
	})
}

func TestNewcombeCoversZeroInAATests(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 14))
	binomial := func(n int, p float64) measure.Proportion {
		out := measure.Proportion{N: n}
		for range n {
			if r.Float64() < p {
				out.Hits++
			}
		}
		return out
	}
	covered := 0
	for range 1000 {
		if i, ok := measure.Newcombe(binomial(1500, 0.12), binomial(300, 0.12), 0.95); ok && i.SpansZero() {
			covered++
		}
	}
	if covered < 930 || covered > 970 {
		t.Errorf("%d of 1000 intervals contain zero, want 930 to 970", covered)
	}
}

func TestProportionOfNothing(t *testing.T) {
	t.Parallel()
	if i := (measure.Proportion{}).Wilson(0.95); i.Estimate != 0 || i.Low != 0 || i.High != 1 {
		t.Errorf("nothing is known of none, but the interval is %+v", i)
	}
	if _, ok := measure.Newcombe(measure.Proportion{}, measure.Proportion{N: 1}, 0.95); ok {
		t.Error("an empty group gave an interval")
	}
}
