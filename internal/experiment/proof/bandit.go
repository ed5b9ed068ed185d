package proof

import (
	"math"
	"math/rand/v2"

	"touchstone/internal/experiment"
	"touchstone/internal/experiment/bandit"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/measure"
)

// season is one simulated bandit: 100 batches of 1,000 units over three arms.
type season struct {
	policy bandit.Policy
	delay  int     // batches until outcomes are complete
	swing  float64 // relative size of the weekly season
}

var banditRates = []float64{0.025, 0.02875, 0.0225}

const (
	banditBatches = 100
	banditUnits   = 1000
	banditRuns    = 1500
)

// play runs a season. Regret is in conversions against always sending the best;
// the batches hold what inference needs.
func (s season) play(source *rand.Rand) (regret float64, batches []bandit.Batch) {
	var periods [][]estimate.Sums
	for b := range banditBatches {
		closed := periods[:max(len(periods)-s.delay, 0)]
		shares := s.policy.Shares(bandit.State{Periods: closed, Used: float64(b) / banditBatches})
		season := 1 + s.swing*math.Sin(2*math.Pi*float64(b)/7)
		arms := make([]estimate.Sums, len(banditRates))
		for i, n := range multinomial(source, banditUnits, shares) {
			arms[i] = estimate.Hits(binomial(source, n, banditRates[i]*season), n)
			regret += float64(n) * (banditRates[1] - banditRates[i]) * season
		}
		periods = append(periods, arms)
		batches = append(batches, bandit.Batch{Shares: shares, Arms: arms})
	}
	return regret, batches
}

func (r *run) bandit() error {
	const floor, warm = experiment.DefaultFloor, experiment.DefaultWarmUp
	shipped := bandit.Guard{Policy: bandit.DefaultHorizon(3), Floor: floor, WarmUp: warm}
	regret := func(s season, salt uint64) (float64, [][]bandit.Batch) {
		lost, all := make([]float64, banditRuns), make([][]bandit.Batch, banditRuns)
		r.each(banditRuns, salt, func(i int, source *rand.Rand) { lost[i], all[i] = s.play(source) })
		return mean(lost), all
	}
	even, _ := regret(season{policy: bandit.Even{Arms: 3}}, 40)
	r.beside("bandit", "regret of an even split, of 2,875", even, "conversions")
	thompson, _ := regret(season{policy: bandit.Guard{Policy: bandit.Thompson(3), Floor: floor, WarmUp: warm}}, 40)
	r.beside("bandit", "regret of Thompson with a floor of 2 %", thompson, "conversions")
	ours, plain := regret(season{policy: shipped}, 40)
	r.line("bandit", "regret of the shipped policy", ours, "conversions", "at most 75", ours <= 75)
	hard, batches := regret(season{policy: shipped, delay: 7, swing: 0.3}, 41)
	r.line("bandit", "the same with weekly season and outcomes 7 batches late", hard, "conversions", "at most 150", hard <= 150)
	cover, aipw, naive := coverage(plain)
	r.line("bandit", "95 % intervals afterwards that cover", cover, "share", "0.94 to 0.96", cover >= 0.94 && cover <= 0.96)
	r.beside("bandit", "error of the worst arm's mean by AIPW", aipw, "rate")
	r.beside("bandit", "error of the worst arm's plain mean", naive, "rate")
	hardCover, _, _ := coverage(batches)
	r.beside("bandit", "cover of the season's mean rate, season and delay", hardCover, "share")
	return nil
}

// coverage is how many intervals of all arms hold the truth, and the bias of the
// worst arm's mean, by AIPW and plainly.
func coverage(all [][]bandit.Batch) (cover, aipw, naive float64) {
	hits, n := 0, 0
	for _, batches := range all {
		intervals, ok := bandit.Means(batches, measure.Level)
		if !ok {
			n += len(banditRates)
			continue
		}
		for i, interval := range intervals {
			n++
			if interval.Low <= banditRates[i] && banditRates[i] <= interval.High {
				hits++
			}
		}
		var worst estimate.Sums
		for _, b := range batches {
			worst = worst.Add(b.Arms[2])
		}
		aipw += (intervals[2].Estimate - banditRates[2]) / float64(len(all))
		naive += (worst.Sample().Mean() - banditRates[2]) / float64(len(all))
	}
	return float64(hits) / float64(n), aipw, naive
}
