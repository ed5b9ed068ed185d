package proof

import (
	"math"

	"touchstone/internal/experiment/autonomy"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/multiple"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/experiment/sequential"
)

// agreement sets critical values, samples and effects beside what independent
// programs give: scipy 1.10.1 (multivariate normal, chi-squared, binomial,
// beta-binomial) and statsmodels 0.13.5. The package tests name more.
func (r *run) agreement() error {
	worst := 0.0
	apart := func(got, want float64) { worst = max(worst, math.Abs(got/want-1)) }
	e, _ := estimate.Compare(estimate.Proportion, estimate.Hits(530, 12000), estimate.Hits(450, 11500))
	apart(e.Z(), 1.9305540342369776)                                      // proportions_ztest
	apart(e.P(), 0.05353822691784874)                                     // the same
	apart(e.Interval(0.95).High, 0.010148652087519291)                    // confint_proportions_2indep, newcomb
	_, _, p := sequential.ChiSquare([]int{44700, 45489}, []float64{1, 1}) // chisquare
	apart(p, 0.008607987810836262)
	apart(sequential.LogRatioE([]int{5200, 4800}, []float64{1, 1}), 4.159568971217274) // betabinom and binom
	mixture := sequential.Sequence{Alpha: 0.05, Planned: 58386}.LogE(0.004, 0.0016, 20000)
	r.line("agreement", "closed forms off scipy and statsmodels", worst, "relative", "at most 1e-9", worst <= 1e-9)
	worst = 0
	apart(mixture, 1.6279483654823983) // the mixture integral by quad
	for _, looks := range []struct{ at, want []float64 }{
		{sequential.Evenly(3), []float64{3.7103028732625263, 2.5114274812701662, 1.9930474614694524}},
		{[]float64{0.3, 0.45, 1}, []float64{3.9285725426266183, 3.148975886782954, 1.964792314700437}},
	} {
		b, err := sequential.Plan(looks.at, sequential.OBrienFleming(0.05))
		if err != nil {
			return err
		}
		for k, want := range looks.want {
			apart(b.Critical[k], want)
		}
	}
	apart(multiple.Dunnett(0.30, []float64{0.35, 0.35}, 0.05), 2.207487577306151)
	apart(multiple.Dunnett(1, []float64{1, 1, 1}, 0.05), 2.3489706615488353)
	r.line("agreement", "bounds off multivariate normal probabilities", worst, "relative", "at most 1e-6", worst <= 1e-6)
	request, err := plan.Make(plan.Request{Metric: plan.Metric{Baseline: baseRate}, Lift: trueLift})
	if err != nil {
		return err
	}
	r.line("agreement", "units per arm for 15 % of 2.5 %, one look", float64(request.OneLook), "units", "29,193, not 1,500", request.OneLook == 29193)
	counts, want := 0, []int{299, 473, 628, 773} // binom.cdf
	for errors, n := range want {
		if autonomy.Needed(errors, autonomy.DefaultRule()) == n {
			counts++
		}
	}
	r.line("agreement", "approvals needed with 0 to 3 errors", float64(counts), "of 4", "299, 473, 628, 773", counts == len(want))
	return nil
}
