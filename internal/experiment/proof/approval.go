package proof

import (
	"math"
	"math/rand/v2"
	"slices"

	"touchstone/internal/experiment/autonomy"
)

// item draws an item with its score and whether approving it would be wrong: one
// in eight is hard (wrong with up to one half), the others hardly ever wrong. The
// score is what a calibrated model says, a little blurred.
func item(source *rand.Rand) (score, risk float64) {
	if source.Float64() < 0.125 {
		risk = 0.5 * source.Float64()
	} else {
		risk = 0.003 * source.ExpFloat64()
	}
	risk = min(risk, 0.5)
	logit := math.Log((1-risk)/max(risk, 1e-9)) + 0.3*source.NormFloat64()
	return 1 / (1 + math.Exp(-logit)), risk
}

// approval measures the certificate over redraws of the past, and the alarm.
func (r *run) approval() error {
	const past, redraws, worldSize = 20_000, 1000, 2_000_000
	type truth struct{ score, risk float64 }
	world := make([]truth, worldSize)
	source := rand.New(rand.NewPCG(r.Seed, 50))
	for i := range world {
		world[i].score, world[i].risk = item(source)
	}
	slices.SortFunc(world, func(a, b truth) int {
		if a.score > b.score {
			return -1
		}
		return 1
	})
	wrong, oracle := make([]float64, worldSize+1), 0 // expected errors among the highest scores
	for i, w := range world {
		wrong[i+1] = wrong[i] + w.risk
		if wrong[i+1] <= 0.01*float64(i+1) {
			oracle = i + 1
		}
	}
	broken, coverage, valid := make([]bool, redraws), make([]float64, redraws), make([]bool, redraws)
	r.each(redraws, 51, func(i int, source *rand.Rand) {
		items := make([]autonomy.Judged, past)
		for k := range items {
			score, risk := item(source)
			items[k] = autonomy.Judged{Score: score, Wrong: source.Float64() < risk}
		}
		c := autonomy.Certify(items, autonomy.Grid(), autonomy.DefaultRule())
		if !c.Valid {
			return
		}
		n, _ := slices.BinarySearchFunc(world, c.Threshold, func(w truth, t float64) int {
			if w.score >= t {
				return -1
			}
			return 1
		})
		valid[i], broken[i], coverage[i] = true, wrong[n] > 0.01*float64(n), float64(n)/worldSize
	})
	best := float64(oracle) / worldSize
	r.line("approval", "certificates under 99 % true precision, 1,000 redraws", share(broken), "share", "at most 0.05", share(broken) <= 0.05)
	gap := best - mean(coverage)
	r.line("approval", "approved without a person, below the oracle's", gap, "share", "at most 0.05", gap <= 0.05)
	review := 1 - mean(coverage)
	r.line("approval", "left to people where the score allows", review, "share", "at most 0.2", review <= 0.2)
	r.beside("approval", "redraws with a certificate", share(valid), "share")
	found := make([]float64, redraws)
	r.each(redraws, 52, func(i int, source *rand.Rand) {
		m := autonomy.NewMonitor(0.01)
		for !m.Tripped() && m.Audited < 100_000 {
			m = m.See(source.Float64() < 0.03)
		}
		found[i] = float64(m.Audited)
	})
	slices.Sort(found)
	r.line("approval", "audits until 3 % errors are found, median", found[redraws/2], "items", "at most 250", found[redraws/2] <= 250)
	alarms := make([]bool, 4*redraws)
	r.each(4*redraws, 53, func(i int, source *rand.Rand) {
		m := autonomy.NewMonitor(0.01)
		for !m.Tripped() && m.Audited < 3000 {
			m = m.See(source.Float64() < 0.01)
		}
		alarms[i] = m.Tripped()
	})
	r.line("approval", "false alarm within 3,000 audits at exactly 1 %", share(alarms), "share", "at most 0.05", share(alarms) <= 0.05)
	return nil
}
