package bandit

import (
	"math"

	"touchstone/internal/experiment/estimate"
)

// Contextual believes per segment: an arm may be best for new customers and not
// for loyal ones. Cells are sums per segment and arm. Each arm has an effect common to
// all segments, learnt by comparing within segments, and a deviation per segment that
// is shrunk by what segments really differ (method of moments): where they do not,
// every segment learns from all; where they do, and a segment has the data, it goes
// its own way. known is false before the first reward.
func Contextual(cells [][]estimate.Sums, spread float64) (beliefs [][]Belief, known bool) {
	common, known := Beliefs(cells, spread)
	if !known {
		return nil, false
	}
	var all estimate.Sums
	for _, segment := range cells {
		for _, s := range segment {
			all = all.Add(s)
		}
	}
	mean, unit := all.Sample().Mean(), all.Sample().Variance()
	differ := deviation(cells, common, mean, unit)
	beliefs = make([][]Belief, len(cells))
	for g, segment := range cells {
		base := baseline(segment, common, mean)
		for i, s := range segment {
			b := Belief{Mean: base + common[i].Mean - mean, SD: math.Hypot(common[i].SD, math.Sqrt(differ))}
			if s.N > 0 && differ > 0 {
				v := unit / float64(s.N)
				b.Mean += (s.Sample().Mean() - b.Mean) * differ / (differ + v)
				b.SD = math.Sqrt(common[i].SD*common[i].SD*v/(differ+v) + differ*v/(differ+v))
			}
			beliefs[g] = append(beliefs[g], b)
		}
	}
	return beliefs, true
}

// baseline is a segment's mean reward of an average arm.
func baseline(segment []estimate.Sums, common []Belief, mean float64) float64 {
	n, sum := 0.0, 0.0
	for i, s := range segment {
		n, sum = n+float64(s.N), sum+s.Y-float64(s.N)*(common[i].Mean-mean)
	}
	if n == 0 {
		return mean
	}
	return sum / n
}

// deviation is the variance between segments of an arm's effect, beyond chance:
// (Q - degrees)/Σ weights, not below zero.
func deviation(cells [][]estimate.Sums, common []Belief, mean, unit float64) float64 {
	q, weights, degrees := 0.0, 0.0, 0.0
	arms := 0
	for _, segment := range cells {
		base := baseline(segment, common, mean)
		present := 0
		for i, s := range segment {
			if s.N == 0 {
				continue
			}
			d := s.Sample().Mean() - base - (common[i].Mean - mean)
			q += d * d * float64(s.N) / unit
			weights += float64(s.N) / unit
			present++
		}
		if present > 0 {
			degrees += float64(present - 1)
			arms = max(arms, present)
		}
	}
	degrees -= float64(arms - 1)
	if degrees <= 0 || weights == 0 {
		return 0
	}
	return max(q-degrees, 0) / weights
}
