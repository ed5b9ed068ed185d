package plan_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/lifecycle"
)

func rate(baseline float64) plan.Metric {
	return plan.Metric{Name: "conversion", Kind: estimate.Proportion, Baseline: baseline}
}

func make1(t *testing.T, r plan.Request) plan.Plan {
	t.Helper()
	p, err := plan.Make(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Samples per arm for 15 % lift, two-sided 0.05, power 0.8, by the formula of R's
// power.prop.test (Fleiss without continuity correction). The measurement plan's 1,500
// is none of them.
func TestSizesPerArm(t *testing.T) {
	t.Parallel()
	for baseline, want := range map[float64]int{0.005: 149194, 0.01: 74193, 0.025: 29193, 0.05: 14193, 0.10: 6693, 0.20: 2943, 0.30: 1693, 0.40: 1068} {
		if got := make1(t, plan.Request{Metric: rate(baseline), Lift: 0.15}).OneLook; got != want {
			t.Errorf("baseline %v: %d, want %d", baseline, got, want)
		}
	}
	for lift, want := range map[float64]int{0.05: 250846, 0.10: 64199, 0.20: 16792, 0.30: 7792, 0.50: 3041} {
		if got := make1(t, plan.Request{Metric: rate(0.025), Lift: lift}).OneLook; got != want {
			t.Errorf("lift %v: %d, want %d", lift, got, want)
		}
	}
}

// The power of 1,500 and 1,000 per arm by adding up binomial probabilities (scipy
// 1.10.1: 0.0981 and 0.0819), which the formula gives as 0.097 and 0.081.
func TestPowerAgreesWithEnumeration(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]float64{1500: 0.09805840009639287, 1000: 0.08194113545151434} {
		if got := enumerated(int(n)); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: enumerated %v, scipy has %v", n, got, want)
		}
		if got := rate(0.025).Power(0.15, n, 1, 0.05); math.Abs(got-want) > 0.0015 {
			t.Errorf("%v: formula %v, exact %v", n, got, want)
		}
	}
	if got := rate(0.025).Detectable(1500, 1, 0.05, 0.8); math.Abs(got-0.74) > 0.005 {
		t.Errorf("1,500 per arm find a lift of %v", got)
	}
}

func enumerated(n int) (power float64) {
	a, b := distuv.Binomial{N: float64(n), P: 0.025}, distuv.Binomial{N: float64(n), P: 0.02875}
	for x := range 200 {
		for y := range 200 {
			pooled := float64(x+y) / float64(2*n)
			se := math.Sqrt(pooled * (1 - pooled) * 2 / float64(n))
			if se > 0 && math.Abs(float64(y-x))/float64(n)/se >= 1.959963984540054 {
				power += a.Prob(float64(x)) * b.Prob(float64(y))
			}
		}
	}
	return power
}

// 30/35/35 with one look: each challenger at 0.05 needs 90,546 in all, with both
// covered (Dunnett) 107,280, with 28 daily looks 112,550; a control of √2:1:1 fewer.
func TestTwoChallengers(t *testing.T) {
	t.Parallel()
	r := plan.Request{Metric: rate(0.025), Lift: 0.15, Control: 0.30, Challengers: []float64{0.35, 0.35}, Looks: plan.Once}
	p := make1(t, r)
	if math.Abs(float64(p.Total)-107280) > 5 || math.Abs(p.Critical-2.2075) > 5e-5 {
		t.Errorf("one look: %d in all at z %v", p.Total, p.Critical)
	}
	if got := 27164.0; math.Abs(math.Ceil(r.Metric.Size(0.15, 35.0/30, 0.05, 0.8))-got) > 0 {
		t.Errorf("control at 0.05: %v", r.Metric.Size(0.15, 35.0/30, 0.05, 0.8))
	}
	r.Looks = plan.Daily
	if daily := make1(t, r); daily.Total < 111000 || daily.Total > 112550 || daily.Expected > 0.80*float64(daily.Total) {
		t.Errorf("daily looks: %d in all, mean %v", daily.Total, daily.Expected)
	}
	if math.Abs(p.Suggested-0.4142) > 1e-4 {
		t.Errorf("suggested control %v", p.Suggested)
	}
}

func TestMeansAndCuped(t *testing.T) {
	t.Parallel()
	// Jacob Cohen's n = 2 (z+z)² s²/d² per arm, rounded up.
	m := plan.Metric{Kind: estimate.Mean, Baseline: 10, SD: 40}
	want := 2 * math.Pow(1.959963984540054+0.8416212335729143, 2) * 1600 / 4
	if got := m.Size(0.2, 1, 0.05, 0.8); math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, want %v", got, want)
	}
	m.Correlation = 0.6
	if got := m.Size(0.2, 1, 0.05, 0.8); math.Abs(got-want*0.64) > 1e-6 {
		t.Errorf("with a correlation of 0.6: %v, want 64 %% of %v", got, want)
	}
}

func TestFloorsAndWholeWeeks(t *testing.T) {
	t.Parallel()
	p := make1(t, plan.Request{Metric: rate(0.30), Lift: 1, PerDay: 5000})
	if p.Units[0] != 1000 || p.Units[1] != 1000 || p.Days != 7 || p.Cadence != plan.EveryWeek || !p.Feasible {
		t.Errorf("a bold change of a frequent rate: %d, %d, %d days, %s", p.Units[0], p.Units[1], p.Days, p.Cadence)
	}
	source := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		p := make1(t, plan.Request{
			Metric: rate(0.005 + 0.4*source.Float64()), Lift: 0.03 + source.Float64(), PerDay: math.Exp(12 * source.Float64()), Looks: plan.Weekly,
		})
		if p.Days%7 != 0 || p.Days < 7 || p.Units[0] < 1000 || float64(p.Days)*p.PerDay < float64(p.Total)-p.PerDay || p.Inflation > 1.06 {
			t.Fatalf("%+v", p)
		}
		if p.Feasible != (p.Days <= 28) || p.Feasible != (len(p.Offers) == 0) {
			t.Fatalf("%d days, feasible %v, %d offers", p.Days, p.Feasible, len(p.Offers))
		}
	}
}

func TestRefusalOffersEverythingWithNumbers(t *testing.T) {
	t.Parallel()
	p := make1(t, plan.Request{Metric: rate(0.025), Lift: 0.15, Control: 0.30, Challengers: []float64{0.35, 0.35}, PerDay: 1000,
		Window: 7 * 24 * time.Hour, Alternative: []plan.Metric{{Name: "click", Kind: estimate.Proportion, Baseline: 0.10}}})
	if p.Feasible || p.Cadence != plan.Pooled || !strings.Contains(p.Why, "28000") {
		t.Fatalf("feasible %v, %s: %s", p.Feasible, p.Cadence, p.Why)
	}
	if p.Ends != time.Duration(p.Days+7)*24*time.Hour {
		t.Errorf("the last outcome after %v of %d days", p.Ends, p.Days)
	}
	kinds := map[plan.OfferKind]plan.Offer{}
	for _, o := range p.Offers {
		kinds[o.Kind] = o
		if o.What == "" || o.Value <= 0 {
			t.Errorf("%s: %+v", o.Kind, o)
		}
	}
	for _, k := range []plan.OfferKind{plan.OtherMetric, plan.BolderChange, plan.Adjustment, plan.FewerChallengers, plan.PoolTraffic, plan.LongerRun, plan.Bandit} {
		if _, offered := kinds[k]; !offered {
			t.Errorf("no offer of %s", k)
		}
	}
	// What is offered must hold when it is planned.
	bolder := p.Request
	bolder.Lift, bolder.Alternative = kinds[plan.BolderChange].Value*1.01, nil
	if again := make1(t, bolder); !again.Feasible {
		t.Errorf("the bolder change of %v needs %d days", bolder.Lift, again.Days)
	}
	pooled := p.Request
	pooled.PerDay *= kinds[plan.PoolTraffic].Value * 1.01
	if again := make1(t, pooled); !again.Feasible {
		t.Errorf("%.0f a day need %d days", pooled.PerDay, again.Days)
	}
	adjusted := p.Request
	adjusted.Metric.Correlation = kinds[plan.Adjustment].Value + 0.005
	if again := make1(t, adjusted); !again.Feasible {
		t.Errorf("a correlation of %v needs %d days", adjusted.Metric.Correlation, again.Days)
	}
}

func TestBadRequestsSayWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r    plan.Request
		word string
	}{
		{plan.Request{Lift: 0.1}, "baseline"},
		{plan.Request{Metric: rate(2.5), Lift: 0.1}, "0.025"},
		{plan.Request{Metric: rate(0.025)}, "lift"},
		{plan.Request{Metric: rate(0.6), Lift: 0.9}, "above 1"},
		{plan.Request{Metric: plan.Metric{Kind: estimate.Mean, Baseline: 1}, Lift: 0.1}, "standard deviation"},
		{plan.Request{Metric: rate(0.025), Lift: 0.1, Control: 0.5, Challengers: []float64{0.6}}, "add up"},
		{plan.Request{Metric: rate(0.025), Lift: 0.1, PerDay: -1}, "a day"},
		{plan.Request{Metric: rate(0.025), Lift: 0.1, Longest: 3}, "longest"},
		{plan.Request{Metric: rate(0.025), Lift: math.NaN()}, "lift"},
		{plan.Request{Metric: rate(0.025), Lift: 0.1, Power: 0.2}, "power"},
	} {
		_, err := plan.Make(c.r)
		if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%+v: %v, want a word on %q", c.r, err, c.word)
		}
	}
}
