package proof

import (
	"fmt"
	"math"
	"math/rand/v2"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/sequential"
	"touchstone/internal/measure"
)

// cuped measures what adjusting by the past saves, and whether it stays honest.
func (r *run) cuped() error {
	const units = 400 // per arm
	for k, rho := range []float64{0.5, 0.8} {
		saved, covered := make([]float64, r.Runs), make([]bool, r.Runs)
		r.each(r.Runs, uint64(20+k), func(i int, source *rand.Rand) {
			draw := func(effect float64) (with, without estimate.Sums) {
				for range units {
					x := source.NormFloat64()
					y := effect + rho*x + math.Sqrt(1-rho*rho)*source.NormFloat64()
					with.N, with.Y, with.YY, with.X, with.XX, with.XY = with.N+1, with.Y+y, with.YY+y*y, with.X+x, with.XX+x*x, with.XY+x*y
				}
				return with, estimate.Sums{N: with.N, Y: with.Y, YY: with.YY}
			}
			a, plainA := draw(0)
			b, plainB := draw(0.1)
			adjusted, _ := estimate.Compare(estimate.Mean, b, a)
			plain, _ := estimate.Compare(estimate.Mean, plainB, plainA)
			saved[i] = adjusted.SE * adjusted.SE / (plain.SE * plain.SE)
			interval := adjusted.Interval(measure.Level)
			covered[i] = interval.Low <= 0.1 && interval.High >= 0.1
		})
		want := 1 - rho*rho
		off := math.Abs(mean(saved)/want - 1)
		r.line("cuped", fmt.Sprintf("variance off 1-ρ² at ρ = %.1f", rho), off, "relative", "at most 0.02", off <= 0.02)
		cover := share(covered)
		r.line("cuped", fmt.Sprintf("95 %% intervals that cover at ρ = %.1f", rho), cover, "share", "0.943 to 0.957", cover >= 0.943 && cover <= 0.957)
	}
	return nil
}

// srm measures the check of the sample ratio: hourly looks at the e-value, and one
// at the chi-squared test when the planned 100,000 units are in.
func (r *run) srm() error {
	const users, looks = 100_000, 28 * 24
	alarm := func(rate float64, runs int, salt uint64) float64 {
		out := make([]bool, runs)
		r.each(runs, salt, func(i int, source *rand.Rand) {
			counts := []int{0, 0}
			for k := range looks {
				n := users*(k+1)/looks - users*k/looks
				first := split(source, n, rate)
				counts[0], counts[1] = counts[0]+first, counts[1]+n-first
				if sequential.LogRatioE(counts, []float64{0.5, 0.5}) >= math.Log(sequential.Alarm) {
					out[i] = true
					return
				}
			}
			_, _, p := sequential.ChiSquare(counts, []float64{0.5, 0.5})
			out[i] = p < sequential.FullSample
		})
		return share(out)
	}
	found := alarm(0.51, max(r.Runs/4, 1), 30)
	r.line("srm", "51/49 instead of 50/50 found by 100,000 users", found, "share", "at least 0.99", found >= 0.99)
	wrong := alarm(0.50, r.Runs, 31)
	r.line("srm", "false alarm under hourly looks", wrong, "share", "at most 0.001", wrong <= 0.001)
	return nil
}

// split draws how many of n fall to one side, unit by unit: near one half jumping
// from hit to hit saves nothing.
func split(source *rand.Rand, n int, rate float64) (first int) {
	for range n {
		if source.Float64() < rate {
			first++
		}
	}
	return first
}
