package proof

import (
	"math"
	"math/rand/v2"
	"slices"

	"touchstone/internal/experiment/bandit"
	"touchstone/internal/experiment/estimate"
)

// creativeTest is one test of the Upworthy research archive.
type creativeTest struct {
	fold int // of five, by story
	arms []estimate.Sums
}

const (
	folds          = 5
	replayBatches  = 50
	mostImpression = 1 << 30
	replays        = 3 // of each test, because one replay of all has an error of a point
)

// creativeTests reads the tests with sound randomisation, at least two arms and a
// click, in the order of the file.
func creativeTests(t *table) ([]creativeTest, error) {
	columns := map[string][]float64{}
	for _, c := range []string{"randomization_risk", "impressions", "clicks"} {
		values, err := t.numbers(c)
		if err != nil {
			return nil, err
		}
		columns[c] = values
	}
	ids, err := t.texts("clickability_test_id")
	if err != nil {
		return nil, err
	}
	stories, err := t.texts("story")
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	var tests []creativeTest
	for i, id := range ids {
		n := columns["impressions"][i]
		if columns["randomization_risk"][i] != 0 || !(n > 0 && n < mostImpression) {
			continue
		}
		k, known := at[id]
		if !known {
			k = len(tests)
			at[id] = k
			tests = append(tests, creativeTest{fold: fold(stories[i])})
		}
		tests[k].arms = append(tests[k].arms, estimate.Hits(int(columns["clicks"][i]), int(n)))
	}
	return slices.DeleteFunc(tests, func(c creativeTest) bool { return len(c.arms) < 2 || c.all().Y == 0 }), nil
}

// fold spreads stories over the folds by their id (FNV-1a).
func fold(story string) int {
	h := uint64(14695981039346656037)
	for _, b := range []byte(story) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return int(h >> 32 % folds)
}

func (c creativeTest) all() (s estimate.Sums) {
	for _, a := range c.arms {
		s = s.Add(a)
	}
	return s
}

// spread is the relative standard deviation of true rates within tests, by the
// method of moments over all tests: Σ(Q - degrees)/Σ(weights r²).
func spread(tests []creativeTest) float64 {
	excess, weight := 0.0, 0.0
	for _, c := range tests {
		rate := c.all().Sample().Mean()
		w, ww, q := 0.0, 0.0, 0.0
		for _, a := range c.arms {
			p := float64(a.N) / (rate * (1 - rate)) // precision
			d := a.Sample().Mean() - rate
			q, w, ww = q+d*d*p, w+p, ww+p*p
		}
		excess += q - float64(len(c.arms)-1)
		weight += (w - ww/w) * rate * rate
	}
	return math.Sqrt(max(excess, 0) / weight)
}

// rates are a test's rates, shrunk to its mean: replaying at observed rates would
// take the luck of the winners for truth.
func (c creativeTest) rates(spread float64) []float64 {
	mean := c.all().Sample().Mean()
	between := spread * spread * mean * mean
	rates := make([]float64, len(c.arms))
	for i, a := range c.arms {
		rates[i] = mean + (a.Sample().Mean()-mean)*between/(between+mean*(1-mean)/float64(a.N))
	}
	return rates
}

// replay is what a policy's clicks are expected to be on one test, with those of an
// even split and of always sending the best.
type replay struct{ sent, even, best float64 }

func (c creativeTest) replay(rates []float64, policy bandit.Policy, source *rand.Rand) (out replay) {
	total, left := c.all().N, c.all().N
	sums := make([]estimate.Sums, len(rates))
	for b := range replayBatches {
		n := total / replayBatches
		if b == replayBatches-1 {
			n = left
		}
		left -= n
		state := bandit.State{Used: float64(b) / replayBatches}
		if b > 0 {
			state.Periods = [][]estimate.Sums{sums}
		}
		for i, k := range multinomial(source, n, policy.Shares(state)) {
			sums[i] = sums[i].Add(estimate.Hits(binomial(source, k, rates[i]), k))
			out.sent += float64(k) * rates[i]
		}
	}
	out.even, out.best = float64(total)*mean(rates), float64(total)*slices.Max(rates)
	return out
}

// gain is the share of the possible clicks over an even split, in some of the tests.
func gain(all []replay, in func(i int) bool) float64 {
	var sum replay
	for i, p := range all {
		if in(i) {
			sum.sent, sum.even, sum.best = sum.sent+p.sent, sum.even+p.even, sum.best+p.best
		}
	}
	return (sum.sent - sum.even) / (sum.best - sum.even)
}

// upworthy replays creative tests in 50 batches and chooses the shape of the
// policy by cross-validation: for each fold of stories the one that was best on the
// other four.
func (r *run) upworthy(t *table) error {
	tests, err := creativeTests(t)
	if err != nil {
		return err
	}
	apart := spread(tests)
	replayed := func(times int, policy func(arms int) bandit.Policy) []replay {
		out := make([]replay, len(tests))
		r.each(len(tests), 60, func(i int, source *rand.Rand) {
			for range times {
				p := tests[i].replay(tests[i].rates(apart), policy(len(tests[i].arms)), source)
				out[i].sent, out[i].even, out[i].best = out[i].sent+p.sent, out[i].even+p.even, out[i].best+p.best
			}
		})
		return out
	}
	everywhere := func(int) bool { return true }
	r.beside("upworthy", "tests replayed", float64(len(tests)), "tests")
	flat := replayed(1, func(arms int) bandit.Policy { return bandit.FlatThompson{Arms: arms} })
	r.beside("upworthy", "possible gain by Thompson with a flat prior", gain(flat, everywhere), "share")
	leader := replayed(replays, func(arms int) bandit.Policy { return bandit.Leader{Arms: arms, Test: 0.1} })
	r.beside("upworthy", "by testing a tenth and sending the leader", gain(leader, everywhere), "share")
	shapes := []struct{ start, growth float64 }{{1, 0}, {3, 0}, {2, 7}, {4, 8}}
	var candidates [][]replay
	for _, shape := range shapes {
		candidates = append(candidates, replayed(replays, func(arms int) bandit.Policy {
			return bandit.Horizon{Arms: arms, Spread: bandit.DefaultSpread, Start: shape.start, Growth: shape.growth}
		}))
	}
	r.beside("upworthy", "by Thompson with the prior that arms are alike", gain(candidates[0], everywhere), "share")
	chosen, shipped := make([]replay, len(tests)), 0
	for f := range folds {
		best, top := 0, math.Inf(-1)
		for k, c := range candidates {
			if g := gain(c, func(i int) bool { return tests[i].fold != f }); g > top {
				best, top = k, g
			}
		}
		for i := range tests {
			if tests[i].fold == f {
				chosen[i] = candidates[best][i]
			}
		}
		if d := bandit.DefaultHorizon(2); shapes[best].start == d.Start && shapes[best].growth == d.Growth {
			shipped++
		}
	}
	g := gain(chosen, everywhere)
	r.line("upworthy", "by the shipped policy, chosen by cross-validation", g, "share", "at least 0.58", g >= 0.58)
	r.line("upworthy", "folds that choose the shipped numbers", float64(shipped), "of 5", "at least 3", shipped >= 3)
	return nil
}
