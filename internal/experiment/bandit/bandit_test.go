package bandit_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/experiment/bandit"
	"touchstone/internal/experiment/estimate"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.9g, want %.9g within %g", what, got, want, tolerance)
	}
}

func one(arms ...estimate.Sums) [][]estimate.Sums { return [][]estimate.Sums{arms} }

// scipy 1.10.1: quad over beta densities and distribution functions.
func TestBestOfRatesAgreesWithScipy(t *testing.T) {
	t.Parallel()
	p := bandit.BestOfRates([]estimate.Sums{estimate.Hits(30, 1500), estimate.Hits(35, 1500), estimate.Hits(27, 1500)})
	for i, want := range []float64{0.2324788321399915, 0.6640722466450594, 0.10344892120430087} {
		near(t, "P(best)", p[i], want, 1e-4)
	}
}

// Of two normal beliefs P(best) is Φ(difference / √(sum of variances)).
func TestBestOfTwoNormals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := bandit.Belief{Mean: rapid.Float64Range(-1, 1).Draw(t, "a"), SD: rapid.Float64Range(0.4, 1).Draw(t, "sa")}
		b := bandit.Belief{Mean: rapid.Float64Range(-1, 1).Draw(t, "b"), SD: rapid.Float64Range(0.4, 1).Draw(t, "sb")}
		want := math.Erfc(-(a.Mean-b.Mean)/math.Hypot(a.SD, b.SD)/math.Sqrt2) / 2
		if got := bandit.Best([]bandit.Belief{a, b})[0]; math.Abs(got-want) > 1e-3 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// With arms that may be far apart a priori and periods that differ much, effects
// are those of weighted least squares on period and arm: statsmodels 0.13.5, WLS.
func TestBeliefsAreTheTwoWayLayout(t *testing.T) {
	t.Parallel()
	n := [][]int{{100, 50, 20}, {30, 200, 40}, {60, 60, 300}}
	hits := [][]int{{40, 25, 4}, {6, 50, 6}, {33, 30, 120}}
	var periods [][]estimate.Sums
	for p := range n {
		period := []estimate.Sums{}
		for i := range n[p] {
			period = append(period, estimate.Hits(100*hits[p][i], 100*n[p][i]))
		}
		periods = append(periods, period)
	}
	b, known := bandit.Beliefs(periods, 1e4)
	if !known {
		t.Fatal("nothing known")
	}
	near(t, "second over first", b[1].Mean-b[0].Mean, 0.02517174, 1e-3)
	near(t, "third over first", b[2].Mean-b[0].Mean, -0.1167416, 1e-3)
}

// A season must not praise the arm that was sent in it: both arms are equal, and the
// second got nearly everything in the good period.
func TestBeliefsDoNotTakeASeasonForAnArm(t *testing.T) {
	t.Parallel()
	periods := [][]estimate.Sums{{estimate.Hits(180, 9000), estimate.Hits(20, 1000)}, {estimate.Hits(60, 1000), estimate.Hits(540, 9000)}}
	b, _ := bandit.Beliefs(periods, 0.2)
	if p := bandit.Best(b); p[0] < 0.35 || p[0] > 0.65 {
		t.Errorf("compared within periods: %v", p)
	}
	pooled, _ := bandit.Beliefs(one(estimate.Hits(240, 10000), estimate.Hits(560, 10000)), 0.2)
	if p := bandit.Best(pooled); p[1] < 0.99 {
		t.Errorf("thrown together the season is no trap: %v", p)
	}
}

// Where periods do not differ, giving them apart loses nothing.
func TestBeliefsPoolPeriodsThatAreAlike(t *testing.T) {
	t.Parallel()
	apart := [][]estimate.Sums{{estimate.Hits(25, 1000), estimate.Hits(3, 100)}, {estimate.Hits(3, 100), estimate.Hits(30, 1000)}}
	a, _ := bandit.Beliefs(apart, 0.2)
	b, _ := bandit.Beliefs(one(estimate.Hits(28, 1100), estimate.Hits(33, 1100)), 0.2)
	near(t, "mean", a[1].Mean-a[0].Mean, b[1].Mean-b[0].Mean, 3e-4)
	near(t, "spread", a[0].SD, b[0].SD, 3e-4)
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	clear := one(estimate.Hits(20, 1000), estimate.Hits(60, 1000), estimate.Hits(20, 1000))
	for name, p := range map[string]bandit.Policy{"horizon": bandit.DefaultHorizon(3), "thompson": bandit.Thompson(3), "flat": bandit.FlatThompson{Arms: 3}, "leader": bandit.Leader{Arms: 3, Test: 0.1}} {
		if s := p.Shares(bandit.State{}); s[0] != s[1] || math.Abs(s[0]+s[1]+s[2]-1) > 1e-9 {
			t.Errorf("%s knows nothing and divides %v", name, s)
		}
		if s := p.Shares(bandit.State{Periods: clear, Used: 0.5}); s[1] < 0.95 {
			t.Errorf("%s sees a clear leader and divides %v", name, s)
		}
	}
	close := one(estimate.Hits(50, 2000), estimate.Hits(56, 2000))
	early, late := bandit.DefaultHorizon(2).Shares(bandit.State{Periods: close, Used: 0.05}), bandit.DefaultHorizon(2).Shares(bandit.State{Periods: close, Used: 0.95})
	if !(early[1] > 0.5 && late[1] > early[1]) {
		t.Errorf("near the end the leader gets more: %v, then %v", early, late)
	}
	g := bandit.Guard{Policy: bandit.DefaultHorizon(3), Floor: 0.02, WarmUp: 100}
	if s := g.Shares(bandit.State{Periods: clear, Used: 0.9}); s[0] < 0.02-1e-12 || s[2] < 0.02-1e-12 || math.Abs(s[0]+s[1]+s[2]-1) > 1e-9 {
		t.Errorf("floor: %v", s)
	}
	if s := g.Shares(bandit.State{Periods: one(estimate.Hits(9, 99), estimate.Hits(0, 1000), estimate.Hits(0, 1000))}); s[0] != s[1] {
		t.Errorf("warm-up: %v", s)
	}
	if s := g.Shares(bandit.State{Periods: one(estimate.Hits(0, 1000), estimate.Hits(0, 1000), estimate.Hits(0, 1000))}); s[0] != s[1] {
		t.Errorf("no reward at all: %v", s)
	}
}

// The chance that the leader is within 1 % of the best, by drawing from the beliefs.
func TestSettledAgreesWithDraws(t *testing.T) {
	t.Parallel()
	beliefs := []bandit.Belief{{Mean: 0.0295, SD: 0.0006}, {Mean: 0.0305, SD: 0.0005}, {Mean: 0.028, SD: 0.001}}
	source := rand.New(rand.NewPCG(4, 4))
	const draws = 200_000
	within := 0
	for range draws {
		x := [3]float64{}
		for i, b := range beliefs {
			x[i] = b.Mean + b.SD*source.NormFloat64()
		}
		if max(x[0], x[2]) <= x[1]*1.01 {
			within++
		}
	}
	leader, p := bandit.Settled(beliefs, 0.01)
	if leader != 1 {
		t.Errorf("leader %d", leader)
	}
	near(t, "settled", p, float64(within)/draws, 0.004)
}

// AIPW from sums is AIPW from single units, written out here as in Hadad et al.
// (2021), equations 5 and 8.
func TestMeansAgreeWithSingleUnits(t *testing.T) {
	t.Parallel()
	source := rand.New(rand.NewPCG(5, 5))
	shares := [][]float64{{0.5, 0.5}, {0.3, 0.7}, {0.1, 0.9}, {0.2, 0.8}}
	type unit struct {
		arm int
		y   float64
	}
	var batches []bandit.Batch
	var units [][]unit
	for _, s := range shares {
		batch, rows := bandit.Batch{Shares: s, Arms: make([]estimate.Sums, 2)}, []unit{}
		for range 60 {
			u := unit{y: source.NormFloat64() + 2}
			if source.Float64() >= s[0] {
				u.arm = 1
			}
			rows = append(rows, u)
			batch.Arms[u.arm] = batch.Arms[u.arm].Add(estimate.Of([]float64{u.y}, nil))
		}
		batches, units = append(batches, batch), append(units, rows)
	}
	got, ok := bandit.Means(batches, 0.95)
	if !ok {
		t.Fatal("no means")
	}
	for arm := range 2 {
		var sum, n, top, bottom float64
		var gammas, weights []float64
		for b, rows := range units {
			m := 0.0
			if n > 0 {
				m = sum / n
			}
			h := math.Sqrt(shares[b][arm])
			for _, u := range rows {
				gamma := m
				if u.arm == arm {
					gamma += (u.y - m) / shares[b][arm]
				}
				gammas, weights = append(gammas, gamma), append(weights, h)
				top, bottom = top+h*gamma, bottom+h
			}
			for _, u := range rows {
				if u.arm == arm {
					sum, n = sum+u.y, n+1
				}
			}
		}
		q, v := top/bottom, 0.0
		for i, g := range gammas {
			v += weights[i] * weights[i] * (g - q) * (g - q)
		}
		near(t, "mean", got[arm].Estimate, q, 1e-10)
		near(t, "high", got[arm].High, q+1.959963984540054*math.Sqrt(v)/bottom, 1e-9)
	}
	batches[0].Shares, batches[1].Shares, batches[2].Shares, batches[3].Shares = []float64{0, 1}, []float64{0, 1}, []float64{0, 1}, []float64{0, 1}
	if _, ok := bandit.Means(batches, 0.95); ok {
		t.Error("an arm that was never drawn has a mean")
	}
}

// Where segments agree, a small one follows the others; where they differ, a large one
// goes its own way.
func TestContextualShrinks(t *testing.T) {
	t.Parallel()
	alike := [][]estimate.Sums{
		{estimate.Hits(200, 10000), estimate.Hits(300, 10000)}, {estimate.Hits(400, 10000), estimate.Hits(500, 10000)}, {estimate.Hits(3, 100), estimate.Hits(1, 100)}}
	b, known := bandit.Contextual(alike, 0.2)
	if !known {
		t.Fatal("nothing known")
	}
	if p := bandit.Best(b[2]); p[1] < 0.9 {
		t.Errorf("a small segment does not follow the others: %v", p)
	}
	apart := [][]estimate.Sums{{estimate.Hits(200, 10000), estimate.Hits(400, 10000)}, {estimate.Hits(400, 10000), estimate.Hits(200, 10000)}}
	b, _ = bandit.Contextual(apart, 0.2)
	if first, second := bandit.Best(b[0]), bandit.Best(b[1]); first[1] < 0.95 || second[0] < 0.95 {
		t.Errorf("segments that differ: %v, %v", first, second)
	}
	if _, known := bandit.Contextual(nil, 0.2); known {
		t.Error("nothing is known of no segments")
	}
}
