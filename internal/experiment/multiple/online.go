package multiple

import "math"

// Programme controls the share of false winners over all experiments that a
// programme ever runs: LORD++ (A. Javanmard and A. Montanari, Annals of Statistics 46,
// 2018, 526-554; A. Ramdas, F. Yang, M. J. Wainwright and M. I. Jordan, NIPS 2017).
// Each experiment is tested at a level of its own. Without winners the level falls
// slowly; each winner earns more for those that follow. Without it, one in twenty ideas
// that change nothing is shipped, for ever.
type Programme struct {
	// Rate is the share of winners that may be false, in (0,1).
	Rate float64
	// Start is the error at hand before the first winner; 0 means half of Rate,
	// which favours programmes of few experiments.
	Start float64
	// Decay is the sequence γ₁, γ₂, ... by which levels fall with time, not rising
	// and adding up to at most one; nil means 1/j^1.6.
	Decay func(j int) float64
}

// Level is the level at which the next experiment is to be decided, given
// whether each earlier one, in the order in which they started, named a winner at
// its own level. Experiments that run at the same time must be told what has ended
// before they started, and keep the level they started with.
func (p Programme) Level(winners []bool) float64 {
	start := p.Start
	if start == 0 {
		start = p.Rate / 2
	}
	decay := p.Decay
	if decay == nil {
		decay = power
	}
	t := len(winners) + 1
	level, first := decay(t)*start, true
	for i, won := range winners {
		if !won {
			continue
		}
		reward := p.Rate
		if first {
			reward, first = p.Rate-start, false
		}
		level += reward * decay(t-i-1)
	}
	return level
}

// power is 1/j^1.6 divided by its sum ζ(1.6): the first of few experiments get
// levels at which something can be found.
func power(j int) float64 { return math.Pow(float64(j), -1.6) / 2.285765715 }

// SlowDecay is 0.0772 ln(max(j,2))/(j e^√(ln j)), which falls more slowly: for programmes of
// hundreds of experiments (Javanmard and Montanari 2018, equation 31).
func SlowDecay(j int) float64 {
	n := float64(j)
	return 0.07720838 * math.Log(max(n, 2)) / (n * math.Exp(math.Sqrt(math.Log(n))))
}
