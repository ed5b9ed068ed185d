package sequential_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/experiment/sequential"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.10g, want %.10g within %g", what, got, want, tolerance)
	}
}

func planned(t *testing.T, at []float64, spend sequential.Spending) *sequential.Bounds {
	t.Helper()
	b, err := sequential.Plan(at, spend)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Critical values of the O'Brien-Fleming spending function at 0.05 two-sided: five
// looks as published with the R package ldbounds (and gsDesign's sfLDOF at 0.025), to four
// decimals; three and uneven looks as roots of multivariate normal rectangle
// probabilities by scipy 1.10.1 (A. Genz's algorithm).
func TestBoundsAgreeWithIndependentPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at, want  []float64
		tolerance float64
	}{
		{sequential.Evenly(5), []float64{4.8769, 3.3569, 2.6803, 2.2898, 2.0310}, 2e-4},
		{sequential.Evenly(3), []float64{3.7103028732625263, 2.5114274812701662, 1.9930474614694524}, 1e-6},
		{[]float64{0.3, 0.45, 1}, []float64{3.9285725426266183, 3.148975886782954, 1.964792314700437}, 1e-6},
	} {
		b := planned(t, c.at, sequential.OBrienFleming(0.05))
		for k, want := range c.want {
			near(t, "critical value", b.Critical[k], want, c.tolerance)
		}
	}
}

// Constants of Jennison and Turnbull, Group Sequential Methods (2000), tables 2.1
// and 2.3: Pocock 2.413 (5 looks) and 2.555 (10), O'Brien-Fleming 2.040 √(5/k) and 2.087
// √(10/k), all at 0.05; and Armitage, McPherson and Rowe (1969), table 2: repeated looks
// at 1.96 cross with 0.142 (5) and 0.193 (10).
func TestKnownBoundariesSpendTheirError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		looks    int
		critical func(k int) float64
		want     float64
	}{
		{"Pocock 5", 5, func(int) float64 { return 2.413 }, 0.05},
		{"Pocock 10", 10, func(int) float64 { return 2.555 }, 0.05},
		{"O'Brien-Fleming 5", 5, func(k int) float64 { return 2.040 * math.Sqrt(5/float64(k)) }, 0.05},
		{"O'Brien-Fleming 10", 10, func(k int) float64 { return 2.087 * math.Sqrt(10/float64(k)) }, 0.05},
		{"1.96 five times", 5, func(int) float64 { return 1.96 }, 0.142},
		{"1.96 ten times", 10, func(int) float64 { return 1.96 }, 0.193},
	} {
		b := &sequential.Bounds{}
		for k, at := range sequential.Evenly(c.looks) {
			if err := b.AddCritical(at, c.critical(k+1)); err != nil {
				t.Fatal(err)
			}
		}
		near(t, c.name, b.Spent[c.looks-1], c.want, 5e-4)
	}
}

// Power at drift 2.8 of the uneven looks, by scipy's multivariate normal; the
// inflation factors are those of the literature for O'Brien-Fleming spending.
func TestPowerAndInflation(t *testing.T) {
	t.Parallel()
	near(t, "power", planned(t, []float64{0.3, 0.45, 1}, sequential.OBrienFleming(0.05)).Power(2.8), 0.7987154268636403, 1e-7)
	for looks, want := range map[int]float64{5: 1.025, 14: 1.042, 28: 1.049} {
		near(t, "inflation", planned(t, sequential.Evenly(looks), sequential.OBrienFleming(0.05)).Inflation(0.8), want, 6e-4)
	}
	near(t, "Pocock, 28 looks", planned(t, sequential.Evenly(28), sequential.Pocock(0.05)).Inflation(0.8), 1.27, 5e-3)
}

// The median-unbiased estimate with two looks, by root finding on bivariate
// normal probabilities in scipy 1.10.1.
func TestAdjustedAgreesWithBivariateNormal(t *testing.T) {
	t.Parallel()
	b := planned(t, []float64{0.5, 1}, sequential.OBrienFleming(0.05))
	late := b.Adjusted(1, 2.3, 0.95)
	near(t, "median", late.Estimate, 2.289649620779494, 1e-6)
	near(t, "low", late.Low, 0.3177925516903157, 1e-6)
	near(t, "high", late.High, 4.253548861378609, 1e-6)
	early := b.Adjusted(0, 3.2, 0.95)
	near(t, "stopped at once", early.Estimate, 3.2/math.Sqrt(0.5), 1e-6)
	down := b.Adjusted(1, -2.3, 0.95)
	near(t, "mirrored", down.Estimate, -late.Estimate, 1e-6)
	near(t, "mirrored bound", down.Low, -late.High, 1e-6)
}

// Simulated paths: the plain estimate of tests that stopped is too high, the adjusted
// one is above the truth in half of them.
func TestAdjustedIsMedianUnbiased(t *testing.T) {
	t.Parallel()
	b := planned(t, sequential.Evenly(5), sequential.OBrienFleming(0.05))
	source := rand.New(rand.NewPCG(3, 3))
	const drift, runs = 2.8, 1500
	above, plain := 0, 0
	for range runs {
		w := 0.0
		for k := range 5 {
			w += drift*0.2 + math.Sqrt(0.2)*source.NormFloat64()
			if z := w / math.Sqrt(b.Information[k]); math.Abs(z) >= b.Critical[k] || k == 4 {
				if b.Adjusted(k, z, 0.95).Estimate > drift {
					above++
				}
				if w/b.Information[k] > drift {
					plain++
				}
				break
			}
		}
	}
	if math.Abs(float64(above)/runs-0.5) > 0.04 || float64(plain)/runs < 0.53 {
		t.Errorf("%d of %d adjusted and %d plain estimates are too high", above, runs, plain)
	}
}

func TestBoundsSpendNoMoreThanAllowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at, information := []float64{}, 0.0
		for range rapid.IntRange(1, 8).Draw(t, "looks") {
			information += rapid.Float64Range(0.001, 0.4).Draw(t, "step")
			at = append(at, information)
		}
		b, err := sequential.Plan(at, sequential.OBrienFleming(0.05))
		if err != nil {
			t.Fatal(err)
		}
		up, down := b.Crossing(0)
		total := 0.0
		for k := range up {
			total += up[k] + down[k]
		}
		if total > 0.05+1e-9 || math.Abs(total-b.Spent[len(b.Spent)-1]) > 1e-7 {
			t.Fatalf("looks %v spend %v, recorded %v", at, total, b.Spent)
		}
	})
}

func TestLooksMustAddInformation(t *testing.T) {
	t.Parallel()
	b := &sequential.Bounds{}
	if _, err := b.Add(0, 0.01); err == nil {
		t.Error("a look without information was taken")
	}
	if _, err := b.Add(0.5, 0.01); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(0.5, 0.02); err == nil {
		t.Error("a look that adds nothing was taken")
	}
	if _, err := sequential.Plan(nil, sequential.OBrienFleming(0.05)); err == nil {
		t.Error("a test without looks was planned")
	}
}

// GrowthBook's gbstats (tests/frequentist/test_tests.py, SequentialTTest): estimate
// 0.50336 with standard deviation 0.33341 of 6,461 users, tuned at 1,000, gives
// -0.55844 to 1.56516. The e-value is the normal mixture integral by scipy's quad.
func TestSequenceAgreesWithGbstatsAndTheMixture(t *testing.T) {
	t.Parallel()
	i := sequential.Sequence{Alpha: 0.05, Planned: 1000}.Around(0.50336, 0.33341, 6461)
	near(t, "low", i.Low, -0.55844, 5e-5)
	near(t, "high", i.High, 1.56516, 5e-5)
	near(t, "e-value", sequential.Sequence{Alpha: 0.05, Planned: 58386}.LogE(0.004, 0.0016, 20000), 1.6279483654823983, 1e-9)
}

func TestSequenceExcludesZeroExactlyAtItsEValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := sequential.Sequence{Alpha: rapid.Float64Range(0.001, 0.2).Draw(t, "alpha"), Planned: rapid.Float64Range(100, 1e6).Draw(t, "planned")}
		estimate, se, n := rapid.Float64Range(-1, 1).Draw(t, "estimate"), rapid.Float64Range(1e-3, 1).Draw(t, "se"), rapid.Float64Range(10, 1e6).Draw(t, "n")
		e := s.LogE(estimate, se, n) + math.Log(s.Alpha)
		if math.Abs(e) > 1e-9 && s.Around(estimate, se, n).SpansZero() != (e < 0) {
			t.Fatalf("log e over the limit by %v, interval %+v", e, s.Around(estimate, se, n))
		}
	})
}

// Chi-squared by scipy.stats.chisquare; the e-value as the ratio of beta-binomial
// and binomial probabilities, scipy.stats.betabinom and binom, mixed 0.95 to 0.05.
func TestSampleRatioAgreesWithScipy(t *testing.T) {
	t.Parallel()
	statistic, degrees, p := sequential.ChiSquare([]int{44700, 45489}, []float64{0.5, 0.5})
	near(t, "statistic", statistic, 6.9024049496058275, 1e-9)
	near(t, "p", p, 0.008607987810836262, 1e-11)
	if degrees != 1 {
		t.Errorf("%d degrees of freedom", degrees)
	}
	near(t, "log e", sequential.LogRatioE([]int{5200, 4800}, []float64{0.5, 0.5}), 4.159568971217274, 1e-9)
	if _, _, p := sequential.ChiSquare([]int{10, 5}, []float64{1, 0}); p != 0 {
		t.Errorf("units in an arm without weight have p %v", p)
	}
	if e := sequential.LogRatioE([]int{10, 5}, []float64{1, 0}); !math.IsInf(e, 1) {
		t.Errorf("units in an arm without weight have log e %v", e)
	}
	if _, _, p := sequential.ChiSquare([]int{0, 0}, []float64{1, 1}); p != 1 || math.Abs(sequential.LogRatioE([]int{0, 0}, []float64{1, 1})) > 1e-12 {
		t.Error("nobody assigned is no fault")
	}
}
