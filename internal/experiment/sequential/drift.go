package sequential

import (
	"math"

	"touchstone/internal/measure"
)

// Crossing are the probabilities of crossing the upper and the lower bound at
// each look, with the drift of the score per unit of information: the effect
// divided by its standard error at information 1.
func (b *Bounds) Crossing(drift float64) (up, down []float64) {
	up, down = make([]float64, len(b.Critical)), make([]float64, len(b.Critical))
	for k, c := range b.Critical {
		if math.IsInf(c, 1) {
			continue
		}
		w := c * math.Sqrt(b.Information[k])
		up[k] = b.before[k].beyond(b.Information[k], w, drift)
		down[k] = b.before[k].below(b.Information[k], -w, drift)
	}
	return up, down
}

// Power is the probability of crossing the upper bound at any look.
func (b *Bounds) Power(drift float64) float64 {
	up, _ := b.Crossing(drift)
	return sum(up)
}

// Drift is the drift at which the power is reached.
func (b *Bounds) Drift(power float64) float64 {
	return root(func(d float64) float64 { return b.Power(d) - power }, 0, 20)
}

// Inflation is how many times the sample of a test with one look at the end is
// needed at most, for the same two-sided error and power: (drift with looks / (z(1-α/2) +
// z(power)))². Looks must end at information 1.
func (b *Bounds) Inflation(power float64) float64 {
	alpha := b.Spent[len(b.Spent)-1]
	ratio := b.Drift(power) / (quantile(1-alpha/2) + quantile(power))
	return ratio * ratio
}

// Expected is the mean information at the end, when the test stops at the first
// crossing.
func (b *Bounds) Expected(drift float64) float64 {
	up, down := b.Crossing(drift)
	left, mean := 1.0, 0.0
	for k, i := range b.Information {
		stop := up[k] + down[k]
		if k == len(b.Information)-1 {
			stop = left
		}
		mean += stop * i
		left -= stop
	}
	return mean
}

// Adjusted is the median-unbiased estimate of the drift with its interval, for a
// test that stopped at look k (counted from 0) with the statistic z: by crossing, or
// because it was the last look. Stopping early on a high value makes the plain
// estimate too high; this one is as often too high as too low. It orders outcomes
// stage by stage (A. A. Tsiatis, G. L. Rosner and C. R. Mehta, Biometrics 40, 1984,
// 797-803; Jennison and Turnbull 2000, sections 8.4-8.5).
//
// Drifts become effects by multiplying with z's standard error times √information.
func (b *Bounds) Adjusted(k int, z, level float64) measure.Interval {
	information := b.Information[k]
	w := z * math.Sqrt(information)
	// The probability of an outcome at least as high as the observed one.
	above := func(drift float64) float64 {
		up, down := b.Crossing(drift)
		if z <= -b.Critical[k] {
			return 1 - sum(down[:k]) - b.before[k].below(information, w, drift)
		}
		return sum(up[:k]) + b.before[k].beyond(information, w, drift)
	}
	centre, reach := w/information, 12/math.Sqrt(b.Information[0])
	at := func(p float64) float64 {
		return root(func(d float64) float64 { return above(d) - p }, centre-reach, centre+reach)
	}
	side := (1 - level) / 2
	return measure.Interval{Estimate: at(0.5), Low: at(side), High: at(1 - side), Level: level}
}

// root finds where a rising function is zero, within [low, high].
func root(f func(float64) float64, low, high float64) float64 {
	for range 200 {
		mid := (low + high) / 2
		if f(mid) < 0 {
			low = mid
		} else {
			high = mid
		}
		if high-low < 1e-9 {
			break
		}
	}
	return (low + high) / 2
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}
