package measure_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"touchstone/internal/measure"
)

// Student's sleep data (Biometrika 6, 1908), as published with R: t.test(extra ~
// group, data = sleep) prints t = -1.8608, df = 17.776 and the 95 percent
// confidence interval -3.3654832 0.2054832.
func TestWelchReproducesRsSleepExample(t *testing.T) {
	t.Parallel()
	first := measure.SampleOf(0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
	second := measure.SampleOf(1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
	i, ok := measure.Welch(first, second, 0.95)
	if !ok || !near(i.Estimate, 0.75-2.33, 1e-12) || math.Abs(i.Low+3.3654832) > 5e-8 || math.Abs(i.High-0.2054832) > 5e-8 {
		t.Errorf("interval %+v, want -1.58 with -3.3654832 to 0.2054832", i)
	}
	if !i.SpansZero() {
		t.Error("the interval contains zero")
	}
}

// Equal sizes and variances: Welch is Student's two-sample interval with 2n-2
// degrees of freedom, written out here.
func TestWelchEqualsStudentsFormulaForEqualSpread(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := amounts.Draw(t, "values")
		shift := float64(rapid.Int64Range(-100_000, 100_000).Draw(t, "shift"))
		shifted := make([]float64, len(values))
		for i, v := range values {
			shifted[i] = v + shift
		}
		a, b := measure.SampleOf(shifted...), measure.SampleOf(values...)
		n := float64(len(values))
		half := distuv.StudentsT{Sigma: 1, Nu: 2*n - 2}.Quantile(0.975) * math.Sqrt(2*b.Variance()/n)
		i, ok := measure.Welch(a, b, 0.95)
		if !ok || !near(i.Estimate, shift, 1e-6) || !near(i.High-i.Low, 2*half, 1e-5) {
			t.Fatalf("interval %+v, want %v ± %v", i, shift, half)
		}
	})
}

func TestWelchMirrors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := measure.SampleOf(amounts.Draw(t, "a")...), measure.SampleOf(amounts.Draw(t, "b")...)
		there, _ := measure.Welch(a, b, 0.95)
		back, _ := measure.Welch(b, a, 0.95)
		if back := back.Times(-1); !near(there.Low, back.Low, 1e-9) || !near(there.High, back.High, 1e-9) {
			t.Fatalf("%+v is not the mirror of %+v", there, back)
		}
		if wide, _ := measure.Welch(a, b, 0.99); wide.Low > there.Low || wide.High < there.High {
			t.Fatalf("the 99%% interval %+v does not contain the 95%% interval %+v", wide, there)
		}
	})
}

func TestWelchNeedsTwoOfEach(t *testing.T) {
	t.Parallel()
	if _, ok := measure.Welch(measure.SampleOf(1), measure.SampleOf(1, 2), 0.95); ok {
		t.Error("one observation gave an interval")
	}
	if i, ok := measure.Welch(measure.SampleOf(3, 3), measure.SampleOf(1, 1), 0.95); !ok || i.Low != 2 || i.High != 2 {
		t.Errorf("constants: %+v, %v, want exactly 2", i, ok)
	}
}

// shoppers draws revenue per customer as shops see it: mostly nothing, the rest
// log-normal.
func shoppers(r *rand.Rand, n int, buys, median float64) (s measure.Sample, bought int) {
	for range n {
		v := 0.0
		if r.Float64() < buys {
			v = math.Round(median * math.Exp(0.7*r.NormFloat64()))
			bought++
		}
		s = s.Add(measure.SampleOf(v))
	}
	return s, bought
}

// A/A: both arms come from the same customers, so the difference is zero. 1,000
// seeded draws; the 95 % interval must hold it in 93 to 97 % of them, also where
// one arm is ten times the other, as holdouts are.
func TestWelchCoversZeroInAATests(t *testing.T) {
	t.Parallel()
	for name, size := range map[string][2]int{"equal arms": {500, 500}, "a tenth held out": {3000, 300}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2026, 11))
			const draws = 1000
			covered := 0
			for range draws {
				treated, _ := shoppers(r, size[0], 0.3, 6000)
				held, _ := shoppers(r, size[1], 0.3, 6000)
				if i, ok := measure.Welch(treated, held, 0.95); ok && i.SpansZero() {
					covered++
				}
			}
			if covered < 930 || covered > 970 {
				t.Errorf("%d of %d intervals contain zero, want 930 to 970", covered, draws)
			}
		})
	}
}

// A true difference is covered as often, and found when it is large.
func TestWelchCoversTheTruth(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	mean := math.Exp(0.7 * 0.7 / 2)
	truth := 6000*mean*0.36 - 6000*mean*0.30
	const draws = 1000
	covered, found := 0, 0
	for range draws {
		treated, _ := shoppers(r, 3000, 0.36, 6000)
		held, _ := shoppers(r, 1000, 0.30, 6000)
		i, _ := measure.Welch(treated, held, 0.95)
		if i.Low <= truth && truth <= i.High {
			covered++
		}
		if i.Low > 0 {
			found++
		}
	}
	if covered < 930 || covered > 970 {
		t.Errorf("%d of %d intervals contain the true difference, want 930 to 970", covered, draws)
	}
	if found < draws/2 {
		t.Errorf("a true gain of a fifth was found in %d of %d draws", found, draws)
	}
}
