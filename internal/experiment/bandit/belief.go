package bandit

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/experiment/estimate"
)

// Belief is what is known of an arm's mean reward, as a normal distribution.
type Belief struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
}

// DefaultSpread is how far arms of one test are usually apart: the relative
// standard deviation of their true rates. Of 2,658 headline tests of the Upworthy
// research archive it is 0.22.
const DefaultSpread = 0.2

// Beliefs learns the arms' means from sums per period and arm, arms being apart by
// a relative standard deviation of spread a priori. Only units whose outcome
// window has closed belong in the sums.
//
// Reward in a period is the period's mean plus the arm's effect. Arms are compared
// within periods, so that a good weekday does not praise the arm that happened to be
// sent on it; between periods only as far as periods do not differ by more than
// chance. With nᵢₜ units, s² per unit, ω² between periods and κₜ = Nₜ/(Nₜ+s²/ω²) the
// effects solve (A + s²/τ² I)x = b,
//
//	Aᵢⱼ = δᵢⱼ Σₜ nᵢₜ - Σₜ κₜ nᵢₜ nⱼₜ/Nₜ,   bᵢ = Σₜ (Sᵢₜ - κₜ nᵢₜ Sₜ/Nₜ)
//
// with the overall mean eliminated in the same way: the posterior of a two-way layout with
// recovery of inter-block information (F. Yates, Annals of Eugenics 10, 1940,
// 317-325; S. R. Searle, G. Casella and C. E. McCulloch, Variance Components, 1992,
// chapter 7). known is false before the first reward.
func Beliefs(periods [][]estimate.Sums, spread float64) (beliefs []Belief, known bool) {
	beliefs, _, known = learn(periods, spread)
	return beliefs, known
}

// learn gives the beliefs and how far arms are apart a priori, τ.
func learn(periods [][]estimate.Sums, spread float64) (beliefs []Belief, tau float64, known bool) {
	if len(periods) == 0 {
		return nil, 0, false
	}
	arms := len(periods[0])
	beliefs = make([]Belief, arms)
	totals := make([]estimate.Sums, len(periods))
	var all estimate.Sums
	for t, period := range periods {
		for _, s := range period {
			totals[t] = totals[t].Add(s)
		}
		all = all.Add(totals[t])
	}
	mean, variance := all.Sample().Mean(), all.Sample().Variance()
	tau = spread * math.Abs(mean)
	if mean == 0 || variance == 0 || tau == 0 {
		return beliefs, 0, false
	}
	a, b := equations(periods, totals, mean, ratio(totals, all))
	for i := range arms {
		a.SetSym(i, i, a.At(i, i)+variance/(tau*tau))
	}
	var factor mat.Cholesky
	var effect mat.VecDense
	var inverse mat.SymDense
	if !factor.Factorize(a) || factor.SolveVecTo(&effect, b) != nil || factor.InverseTo(&inverse) != nil {
		return beliefs, 0, false
	}
	for i := range arms {
		beliefs[i] = Belief{Mean: mean + effect.AtVec(i), SD: math.Sqrt(variance * apart(&inverse, i))}
	}
	return beliefs, tau, true
}

// patient widens beliefs by how little is known of the level that arms are shrunk
// to: with fᵢ = SD²/τ² the share of the prior that is left, the level's variance is
// τ²/Σ(1-fⱼ). All arms have the level in common, so it says nothing about which is best;
// counted for each arm by itself it keeps a sharpened policy from choosing by the
// first few outcomes.
func patient(beliefs []Belief, tau float64) []Belief {
	known := 0.0
	for _, b := range beliefs {
		known += max(1-b.SD*b.SD/(tau*tau), 0)
	}
	wide := make([]Belief, len(beliefs))
	for i, b := range beliefs {
		f := b.SD * b.SD / (tau * tau)
		wide[i] = Belief{Mean: b.Mean, SD: math.Sqrt(b.SD*b.SD + f*f*tau*tau/max(known, 1e-3))}
	}
	return wide
}

// ratio is s²/ω²: how many units of a period know as much of its mean as other
// periods do (method of moments). 0 = periods have nothing in common.
func ratio(totals []estimate.Sums, all estimate.Sums) float64 {
	q, squares, periods := 0.0, 0.0, 0
	mean, variance, n := all.Sample().Mean(), all.Sample().Variance(), float64(all.N)
	for _, t := range totals {
		if t.N > 0 {
			d := t.Sample().Mean() - mean
			q, squares, periods = q+float64(t.N)*d*d/variance, squares+float64(t.N)*float64(t.N), periods+1
		}
	}
	if periods < 2 {
		return 0
	}
	excess := q - float64(periods-1)
	if excess <= 0 {
		return math.Inf(1)
	}
	return (n - squares/n) / excess
}

// equations are A and b, without the arms' prior.
func equations(periods [][]estimate.Sums, totals []estimate.Sums, mean, ratio float64) (a *mat.SymDense, b *mat.VecDense) {
	arms := len(periods[0])
	a, b = mat.NewSymDense(arms, nil), mat.NewVecDense(arms, nil)
	common, sum, weight := make([]float64, arms), 0.0, 0.0
	for t, period := range periods {
		n := float64(totals[t].N)
		if n == 0 {
			continue
		}
		k := n / (n + ratio)
		for i, s := range period {
			ni := float64(s.N)
			d := s.Y - ni*mean - k*ni*(totals[t].Y/n-mean)
			b.SetVec(i, b.AtVec(i)+d)
			a.SetSym(i, i, a.At(i, i)+ni)
			common[i], sum, weight = common[i]+ni*(1-k), sum+d, weight+ni*(1-k)
			for j := i; j < arms; j++ {
				a.SetSym(i, j, a.At(i, j)-k*ni*float64(period[j].N)/n)
			}
		}
	}
	if weight > 0 { // the overall mean
		for i := range arms {
			b.SetVec(i, b.AtVec(i)-common[i]*sum/weight)
			for j := i; j < arms; j++ {
				a.SetSym(i, j, a.At(i, j)-common[i]*common[j]/weight)
			}
		}
	}
	return a, b
}

// apart is the variance of arm i without what all arms have in common, scaled so
// that differences of two arms keep their variance.
func apart(cov *mat.SymDense, i int) float64 {
	k := cov.SymmetricDim()
	if k == 1 {
		return cov.At(0, 0)
	}
	row, all := 0.0, 0.0
	for p := range k {
		row += cov.At(i, p)
		for q := range k {
			all += cov.At(p, q)
		}
	}
	n := float64(k)
	return max(cov.At(i, i)-2*row/n+all/(n*n), 0) * n / (n - 1)
}

// posterior is what Best needs of a distribution.
type posterior interface {
	Prob(x float64) float64
	CDF(x float64) float64
	Quantile(p float64) float64
}

// Best is each arm's probability of having the highest mean.
func Best(beliefs []Belief) []float64 {
	all := make([]posterior, len(beliefs))
	for i, b := range beliefs {
		all[i] = distuv.Normal{Mu: b.Mean, Sigma: max(b.SD, 1e-300)}
	}
	return best(all)
}

// BestOfRates is each arm's probability of having the highest rate, with uniform
// priors: Beta(1+hits, 1+misses), as a textbook's Thompson sampling has it.
func BestOfRates(arms []estimate.Sums) []float64 {
	all := make([]posterior, len(arms))
	for i, s := range arms {
		all[i] = distuv.Beta{Alpha: 1 + s.Y, Beta: 1 + float64(s.N) - s.Y}
	}
	return best(all)
}

// best integrates ∫ fᵢ Πⱼ Fⱼ by Gauss-Legendre over where fᵢ has its mass, and
// makes the results add up to one. It is exact to 0.001 where the arms are known
// about equally well and to 0.01 where one is known ten times better than another.
func best(arms []posterior) []float64 {
	const nodes, edge = 32, 1e-5
	p, total := make([]float64, len(arms)), 0.0
	for i, arm := range arms {
		low, high := arm.Quantile(edge), arm.Quantile(1-edge)
		if !(high > low) {
			high = low + 1e-12
		}
		p[i] = quad.Fixed(func(x float64) float64 {
			f := arm.Prob(x)
			for j, other := range arms {
				if j != i && f > 0 {
					f *= other.CDF(x)
				}
			}
			return f
		}, low, high, nodes, quad.Legendre{}, 1)
		total += p[i]
	}
	for i := range p {
		if total > 0 {
			p[i] /= total
		} else {
			p[i] = 1 / float64(len(p))
		}
	}
	return p
}

// Settled is the probability that the leader's mean is within a relative
// distance of the best arm's. At 0.95 for 0.01, the value that more learning could add is
// below one in a hundred (S. L. Scott, Applied Stochastic Models in Business and
// Industry 31, 2015, 37-45).
func Settled(beliefs []Belief, within float64) (leader int, p float64) {
	for i, b := range beliefs {
		if b.Mean > beliefs[leader].Mean {
			leader = i
		}
	}
	lead := distuv.Normal{Mu: beliefs[leader].Mean, Sigma: max(beliefs[leader].SD, 1e-300)}
	p = quad.Fixed(func(x float64) float64 {
		f := lead.Prob(x)
		for j, b := range beliefs {
			if j != leader {
				f *= distuv.Normal{Mu: b.Mean, Sigma: max(b.SD, 1e-300)}.CDF(x * (1 + within))
			}
		}
		return f
	}, lead.Quantile(1e-7), lead.Quantile(1-1e-7), 64, quad.Legendre{}, 1)
	return leader, min(p, 1)
}
