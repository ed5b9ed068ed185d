package sequential

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// ChiSquare tests whether units were assigned in proportion to the weights:
// Σ(observed-expected)²/expected with one degree of freedom less than arms (K.
// Pearson, Philosophical Magazine 50, 1900). It is for one look. Arms without
// weight must be empty, or p is 0. Weights need not add up to one.
func ChiSquare(assigned []int, weights []float64) (statistic float64, degrees int, p float64) {
	n, all := 0, 0.0
	for i, a := range assigned {
		n += a
		all += weights[i]
	}
	if n == 0 || all <= 0 {
		return 0, 0, 1
	}
	degrees = -1
	for i, a := range assigned {
		expected := float64(n) * weights[i] / all
		if expected == 0 {
			if a > 0 {
				return math.Inf(1), 1, 0
			}
			continue
		}
		degrees++
		statistic += (float64(a) - expected) * (float64(a) - expected) / expected
	}
	return statistic, degrees, Survival(statistic, degrees)
}

// Survival is the probability that a chi-squared value with so many degrees of
// freedom exceeds the statistic.
func Survival(statistic float64, degrees int) float64 {
	if degrees < 1 {
		return 1
	}
	return distuv.ChiSquared{K: float64(degrees)}.Survival(statistic)
}

// Alarm is the e-value from which a sample ratio counts as wrong at any time, and
// FullSample the p-value of the chi-squared test that does so once, when the
// planned sample is assigned. Without a fault the two together stop fewer than one
// experiment in a thousand. The second is there because no rule that may be read all the time finds 51 to 49
// among 100,000 units in 99 of 100 cases at that rate; one more look does.
const (
	Alarm      = 2000
	FullSample = 0.0003
)

// concentrations of the Dirichlet priors that LogRatioE mixes, with their shares.
// The narrow prior finds the small faults that matter (49 to 51) while few units
// are in; the wide one finds gross faults within the first hundreds.
var concentrations = []struct{ units, share float64 }{{8000, 0.95}, {50, 0.05}}

// LogRatioE is the logarithm of the e-value that units were not assigned in
// proportion to the weights. It may be looked at after every unit: without a
// fault it ever reaches ln(Alarm) in one of Alarm experiments. For a Dirichlet prior
// of concentration c around the weights it is
//
//	Γ(c)/Γ(c+n) Π Γ(c wᵢ+nᵢ)/Γ(c wᵢ) / Π wᵢ^nᵢ
//
// (M. Lindon and A. Malek, Anytime-valid inference for multinomial count data,
// NeurIPS 2022); ours is the mean over two concentrations, which is an e-value too.
func LogRatioE(assigned []int, weights []float64) float64 {
	all := 0.0
	for _, w := range weights {
		all += w
	}
	best := math.Inf(-1)
	logs := make([]float64, len(concentrations))
	for k, c := range concentrations {
		logs[k] = math.Log(c.share) + logDirichlet(assigned, weights, all, c.units)
		best = max(best, logs[k])
	}
	if math.IsInf(best, 1) {
		return best
	}
	mixed := 0.0
	for _, l := range logs {
		mixed += math.Exp(l - best)
	}
	return best + math.Log(mixed)
}

func logDirichlet(assigned []int, weights []float64, all, c float64) float64 {
	n, log := 0.0, 0.0
	for i, a := range assigned {
		w, count := weights[i]/all, float64(a)
		if count == 0 {
			continue
		}
		if w <= 0 {
			return math.Inf(1) // an arm that nobody may be in
		}
		log += logGamma(c*w+count) - logGamma(c*w) - count*math.Log(w)
		n += count
	}
	return log + logGamma(c) - logGamma(c+n)
}

func logGamma(x float64) float64 {
	l, _ := math.Lgamma(x)
	return l
}
