package measure_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/measure"
)

func TestRatioOfAConstantHasNoWidth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := float64(rapid.IntRange(-50, 500).Draw(t, "per touch")) / 8
		pairs := make([]measure.Pair, measure.Blocks)
		for i := range pairs {
			pairs[i].Y = float64(rapid.IntRange(1, 1000).Draw(t, "touches"))
			pairs[i].X = r * pairs[i].Y
		}
		i, ok := measure.RatioInterval(pairs, 0.95)
		if !ok || !near(i.Estimate, r, 1e-9) || i.High-i.Low > 1e-9*max(1, math.Abs(r)) {
			t.Fatalf("%+v, want %v exactly", i, r)
		}
	})
}

func TestRatioDoesNotDependOnUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pairs, scaled := make([]measure.Pair, measure.Blocks), make([]measure.Pair, measure.Blocks)
		for i := range pairs {
			pairs[i] = measure.Pair{X: float64(rapid.IntRange(-100, 10_000).Draw(t, "x")), Y: float64(rapid.IntRange(1, 500).Draw(t, "y"))}
			scaled[i] = measure.Pair{X: pairs[i].X / 100, Y: pairs[i].Y}
		}
		a, _ := measure.RatioInterval(pairs, 0.95)
		b, _ := measure.RatioInterval(scaled, 0.95)
		a = a.Times(0.01)
		if !near(a.Estimate, b.Estimate, 1e-9) || !near(a.Low, b.Low, 1e-9) || !near(a.High, b.High, 1e-9) {
			t.Fatalf("%+v in cents, %+v in units", a, b)
		}
	})
}

func TestRatioOfLittle(t *testing.T) {
	t.Parallel()
	for name, pairs := range map[string][]measure.Pair{
		"nothing":        nil,
		"empty blocks":   make([]measure.Pair, measure.Blocks),
		"one block":      append(make([]measure.Pair, 31), measure.Pair{X: 5, Y: 9}),
		"cancelling out": {{X: 1, Y: 2}, {X: 1, Y: -2}},
	} {
		if i, ok := measure.RatioInterval(pairs, 0.95); ok {
			t.Errorf("%s gave %+v", name, i)
		}
	}
}

// Customers differ in how much they buy and get different numbers of touches.
// Intervals that took touches as independent would cover the truth far too rarely.
func TestRatioCoversTheTruth(t *testing.T) {
	t.Parallel()
	const customers, perTouch, draws = 1500, 0.45, 1000
	r := rand.New(rand.NewPCG(8, 9))
	covered, naive := 0, 0
	for range draws {
		pairs := make([]measure.Pair, measure.Blocks)
		var all measure.Sample
		for range customers {
			touches, wealth, block := 1+r.IntN(60), r.ExpFloat64(), r.IntN(measure.Blocks)
			for range touches {
				revenue := 0.0
				if r.Float64() < 0.03 {
					revenue = wealth * perTouch / 0.03
				}
				pairs[block].X, pairs[block].Y = pairs[block].X+revenue, pairs[block].Y+1
				all = all.Add(measure.SampleOf(revenue))
			}
		}
		if i, ok := measure.RatioInterval(pairs, 0.95); ok && i.Low <= perTouch && perTouch <= i.High {
			covered++
		}
		if i, ok := all.MeanInterval(0.95); ok && i.Low <= perTouch && perTouch <= i.High {
			naive++
		}
	}
	if covered < 930 || covered > 970 {
		t.Errorf("%d of %d intervals cover the truth, want 930 to 970", covered, draws)
	}
	if naive > 900 {
		t.Errorf("intervals over touches cover it %d times: blocks would not be needed", naive)
	}
}

func TestMeanInterval(t *testing.T) {
	t.Parallel()
	// W. S. Gosset's sleep data, differences of the two drugs: mean 1.58, sd 1.23, t(9) = 2.262.
	i, ok := measure.SampleOf(1.2, 2.4, 1.3, 1.3, 0, 1.0, 1.8, 0.8, 4.6, 1.4).MeanInterval(0.95)
	if !ok || math.Abs(i.Estimate-1.58) > 1e-9 || math.Abs(i.Low-0.70) > 5e-3 || math.Abs(i.High-2.46) > 5e-3 {
		t.Errorf("%+v, want 1.58 from 0.70 to 2.46", i)
	}
	if _, ok := measure.SampleOf(1).MeanInterval(0.95); ok {
		t.Error("one observation gave an interval")
	}
}
