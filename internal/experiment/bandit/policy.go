package bandit

import (
	"math"
	"slices"

	"touchstone/internal/experiment/estimate"
)

// State is what a policy may look at.
type State struct {
	// Periods are the sums per period and arm of units whose outcome is complete.
	Periods [][]estimate.Sums
	// Used is the share of the horizon that has been sent, complete or not, in
	// [0,1].
	Used float64
}

// Arms are the sums per arm over all periods.
func (s State) Arms() []estimate.Sums {
	if len(s.Periods) == 0 {
		return nil
	}
	arms := make([]estimate.Sums, len(s.Periods[0]))
	for _, period := range s.Periods {
		for i, a := range period {
			arms[i] = arms[i].Add(a)
		}
	}
	return arms
}

// Policy divides the next units. The shares add up to one.
type Policy interface {
	Shares(State) []float64
}

// Even divides evenly: the test that every policy is measured against.
type Even struct{ Arms int }

// Shares implements Policy.
func (e Even) Shares(State) []float64 { return even(e.Arms) }

func even(arms int) []float64 {
	return slices.Repeat([]float64{1 / float64(arms)}, arms)
}

// Leader tests a share of the horizon evenly, then sends whatever leads.
type Leader struct {
	Arms int
	Test float64 // share of the horizon
}

// Shares implements Policy.
func (l Leader) Shares(s State) []float64 {
	arms := s.Arms()
	if s.Used < l.Test-1e-9 || len(arms) == 0 {
		return even(l.Arms)
	}
	lead := 0
	for i, a := range arms {
		if a.Sample().Mean() > arms[lead].Sample().Mean() {
			lead = i
		}
	}
	shares := make([]float64, l.Arms)
	shares[lead] = 1
	return shares
}

// FlatThompson sends each arm with its probability of being best, believing
// nothing beforehand: rewards are 0 or 1.
type FlatThompson struct{ Arms int }

// Shares implements Policy.
func (t FlatThompson) Shares(s State) []float64 {
	if arms := s.Arms(); len(arms) > 0 {
		return BestOfRates(arms)
	}
	return even(t.Arms)
}

// Horizon sends arms in proportion to their probability of being best raised to
// a power, Start at first and Start+Growth at the end: what is learnt late can be
// used on few. Start 1 and Growth 0 is Thompson sampling with a prior.
type Horizon struct {
	Arms   int
	Spread float64 // see Beliefs
	Start  float64
	Growth float64
}

// Thompson is Thompson sampling with a prior that arms are alike.
func Thompson(arms int) Horizon {
	return Horizon{Arms: arms, Spread: DefaultSpread, Start: 1}
}

// DefaultHorizon is the shipped policy. Its numbers were chosen by
// cross-validation over stories of the Upworthy research archive (see the proof).
func DefaultHorizon(arms int) Horizon {
	return Horizon{Arms: arms, Spread: DefaultSpread, Start: 2, Growth: 7}
}

// Shares implements Policy.
func (h Horizon) Shares(s State) []float64 {
	beliefs, tau, known := learn(s.Periods, h.Spread)
	if !known {
		return even(h.Arms)
	}
	if h.Start > 1 {
		beliefs = patient(beliefs, tau)
	}
	return sharpen(Best(beliefs), h.Start+h.Growth*min(max(s.Used, 0), 1))
}

// sharpen raises probabilities to a power and makes them add up to one again.
func sharpen(p []float64, power float64) []float64 {
	top, total := slices.Max(p), 0.0
	out := make([]float64, len(p))
	for i, v := range p {
		out[i] = math.Pow(v/top, power)
		total += out[i]
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

// Guard keeps a policy honest: until every arm has WarmUp complete units it
// divides evenly, and no arm ever gets less than Floor, so that a change is noticed
// and inference afterwards remains possible.
type Guard struct {
	Policy Policy
	Floor  float64 // in [0, 1/arms)
	WarmUp int     // complete units per arm
}

// Shares implements Policy: f + (1-Kf)p.
func (g Guard) Shares(s State) []float64 {
	shares := g.Policy.Shares(s)
	for _, a := range s.Arms() {
		if a.N < g.WarmUp {
			return even(len(shares))
		}
	}
	if len(s.Periods) == 0 {
		return even(len(shares))
	}
	k := float64(len(shares))
	out := make([]float64, len(shares))
	for i, p := range shares {
		out[i] = g.Floor + (1-k*g.Floor)*p
	}
	return out
}
