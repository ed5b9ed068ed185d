package estimate_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/measure"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.12g, want %.12g within %g", what, got, want, tolerance)
	}
}

func compare(t *testing.T, kind estimate.Kind, challenger, control estimate.Sums) estimate.Effect {
	t.Helper()
	e, ok := estimate.Compare(kind, challenger, control)
	if !ok {
		t.Fatal("not compared")
	}
	return e
}

// statsmodels 0.13.5: proportions_ztest([530, 450], [12000, 11500]) and
// confint_proportions_2indep(..., method="newcomb").
func TestProportionsAgreeWithStatsmodels(t *testing.T) {
	t.Parallel()
	e := compare(t, estimate.Proportion, estimate.Hits(530, 12000), estimate.Hits(450, 11500))
	near(t, "z", e.Z(), 1.9305540342369776, 1e-9)
	near(t, "p", e.P(), 0.05353822691784874, 1e-9)
	i := e.Interval(0.95)
	near(t, "low", i.Low, -7.979780260203122e-05, 1e-12)
	near(t, "high", i.High, 0.010148652087519291, 1e-12)
}

// scipy 1.10.1: ttest_ind(a, b, equal_var=False).statistic.
func TestMeansAgreeWithScipy(t *testing.T) {
	t.Parallel()
	a := estimate.Of([]float64{12.1, 0, 3.3, 8.8, 0, 0, 21.5, 4.4}, nil)
	b := estimate.Of([]float64{1.5, 0, 0, 7.2, 2.2, 0}, nil)
	e := compare(t, estimate.Mean, a, b)
	near(t, "t", e.Z(), 1.525487943406363, 1e-12)
	welch, _ := measure.Welch(a.Sample(), b.Sample(), 0.95)
	if i := e.Interval(0.95); i != welch {
		t.Errorf("interval %+v, Welch's is %+v", i, welch)
	}
}

// GrowthBook's gbstats, test_tests.py, SequentialTTest: the lift of these two samples is
// 0.50336 with standard deviation 0.33341.
func TestLiftAgreesWithGbstats(t *testing.T) {
	t.Parallel()
	e := compare(t, estimate.Mean, estimate.Sums{N: 3461, Y: 2422.7, YY: 134698.29}, estimate.Sums{N: 3000, Y: 1396.87, YY: 52377.9767})
	lift, ok := e.Lift(0.95)
	if !ok {
		t.Fatal("no lift")
	}
	near(t, "lift", lift.Estimate, 0.50336, 5e-6)
	near(t, "its error", e.LiftSE(), 0.33341, 5e-6)
}

// Near zero the bounds are those of Fieller's theorem: the ratios r at which m2 - r m1
// is exactly t standard errors from zero.
func TestLiftNearZeroSolvesFieller(t *testing.T) {
	t.Parallel()
	e := estimate.Effect{Control: measure.Mean{N: 30, Value: 2, Variance: 0.36}, Challenger: measure.Mean{N: 40, Value: 2.6, Variance: 0.25}}
	lift, ok := e.Lift(0.95)
	if !ok {
		t.Fatal("no lift")
	}
	tq := distuv.StudentsT{Sigma: 1, Nu: measure.WelchDegrees(e.Challenger, e.Control)}.Quantile(0.975)
	for _, r := range []float64{lift.Low + 1, lift.High + 1} {
		near(t, "distance", math.Abs(2.6-r*2)/math.Sqrt(0.25+r*r*0.36), tq, 1e-9)
	}
	e.Control.Variance = 4
	if _, ok := e.Lift(0.95); ok {
		t.Error("a control that may be zero has a lift")
	}
}

// With θ pooled within the arms the adjusted difference is the arm's coefficient of an
// analysis of covariance: statsmodels 0.13.5, OLS of y on arm and x.
func TestAdjustedMeanIsAncova(t *testing.T) {
	t.Parallel()
	y := []float64{3.1, 4.0, 2.2, 5.9, 4.4, 6.1, 3.0, 5.2, 7.1, 6.0}
	x := []float64{1, 2, 1.5, 3, 2.2, 2.9, 1.1, 2, 3.4, 2.6}
	e := compare(t, estimate.Mean, estimate.Of(y[5:], x[5:]), estimate.Of(y[:5], x[:5]))
	near(t, "difference", e.Difference, 0.784323725055, 1e-9)
	if e.Correlation < 0.8 {
		t.Errorf("correlation %v", e.Correlation)
	}
}

// The delta method's variance of a ratio is the mean square of the linearised
// residuals (y - R x)/x̄ (Cochran, Sampling Techniques, 3rd edition, 1977, section
// 2.9), here over single units.
func TestRatioIsTheLinearisation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 30).Draw(t, "n")
		y, x := make([]float64, n), make([]float64, n)
		sx, sy := 0.0, 0.0
		for i := range n {
			x[i], y[i] = float64(rapid.IntRange(1, 9).Draw(t, "x")), float64(rapid.IntRange(0, 50).Draw(t, "y"))
			sx, sy = sx+x[i], sy+y[i]
		}
		s := estimate.Of(y, x)
		e, ok := estimate.Compare(estimate.Ratio, s, s)
		if !ok {
			t.Fatal("not compared")
		}
		ss, r := 0.0, sy/sx
		for i := range n {
			ss += (y[i] - r*x[i]) * (y[i] - r*x[i])
		}
		want := ss / float64(n-1) / float64(n) / (sx / float64(n) * sx / float64(n))
		if math.Abs(e.Control.Variance-want) > 1e-9*(1+want) {
			t.Fatalf("variance %v, want %v", e.Control.Variance, want)
		}
	})
}

func TestSumsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.IntRange(-1000, 1000), 4, 40).Draw(t, "values")
		y, x := []float64{}, []float64{}
		for i, v := range values {
			y, x = append(y, float64(v)), append(x, float64(i%7))
		}
		k := rapid.IntRange(0, len(y)).Draw(t, "cut")
		if whole, parts := estimate.Of(y, x), estimate.Of(y[:k], x[:k]).Add(estimate.Of(y[k:], x[k:])); whole != parts {
			t.Fatalf("%+v, in parts %+v", whole, parts)
		}
	})
}

// In both phases the challenger is better by a point, but it got most of its units in
// the bad one: thrown together it looks worse (Simpson's paradox).
func TestPhasesAreComparedWithin(t *testing.T) {
	t.Parallel()
	good := compare(t, estimate.Proportion, estimate.Hits(110, 1000), estimate.Hits(900, 9000))
	bad := compare(t, estimate.Proportion, estimate.Hits(270, 9000), estimate.Hits(20, 1000))
	e := estimate.Combine([]estimate.Effect{good, bad})
	near(t, "difference", e.Difference, 0.01, 1e-12)
	if together := compare(t, estimate.Proportion, estimate.Hits(380, 10000), estimate.Hits(920, 10000)); together.Difference >= 0 {
		t.Error("the example is no paradox")
	}
	near(t, "error", e.SE, math.Sqrt(good.SE*good.SE+bad.SE*bad.SE)/2, 1e-12)
}

// Thirteen trials of BCG vaccine (Colditz et al., JAMA 271, 1994), log risk ratios:
// statsmodels 0.13.5 combine_effects(method_re="chi2") and R's metafor (DL) give τ² =
// 0.3088 and a mean of -0.7141.
func TestPriorIsDerSimonianAndLaird(t *testing.T) {
	t.Parallel()
	lifts := []float64{-0.8893113339, -1.5853886572, -1.3480731483, -1.44155119, -0.2175473222, -0.7861155858, -1.6208982236, 0.0119523335, -0.4694176487, -1.3713448035, -0.3393588283, 0.4459134006, -0.0173139482}
	errors := []float64{0.5706003549, 0.4411135017, 0.6444904696, 0.1414568199, 0.2262966464, 0.0831000509, 0.4722470197, 0.062941078, 0.2375588568, 0.2702310005, 0.1114101161, 0.729729981, 0.2672165034}
	var findings []estimate.Finding
	for i := range lifts {
		findings = append(findings, estimate.Finding{Lift: lifts[i], SE: errors[i]})
	}
	p := estimate.FitPrior(findings)
	near(t, "τ²", p.SD*p.SD, 0.30876026286237634, 1e-8)
	near(t, "mean", p.Mean, -0.7141172220732269, 1e-8)
	if few := estimate.FitPrior(findings[:5]); few != estimate.Assumed() {
		t.Errorf("five experiments give %+v", few)
	}
}

func TestShrinkTakesOutLuck(t *testing.T) {
	t.Parallel()
	// Equal variances: the posterior mean is half way (Gelman et al., Bayesian Data
	// Analysis, 3rd edition, equation 2.10).
	i := estimate.Prior{Mean: 0, SD: 0.1}.Shrink(0.3, 0.1, 0.95)
	near(t, "posterior", i.Estimate, 0.15, 1e-12)
	near(t, "half width", i.High-i.Estimate, 1.959963984540054*0.1/math.Sqrt2, 1e-12)
}

func TestCapsAreFixedFromHistory(t *testing.T) {
	t.Parallel()
	if c := estimate.Cap([]float64{5, 1, 100, 3, 2, 4, 6, 7, 8, 9}, 0.9); c != 9 {
		t.Errorf("cap %v", c)
	}
	if estimate.Winsorise(100, 9) != 9 || estimate.Winsorise(3, 9) != 3 || estimate.Winsorise(100, 0) != 100 || estimate.Cap(nil, 0.9) != 0 {
		t.Error("winsorising")
	}
}
