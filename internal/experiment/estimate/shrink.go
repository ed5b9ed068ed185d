package estimate

import (
	"math"

	"touchstone/internal/measure"
)

// Finding is a lift that an earlier experiment measured, with its standard error.
type Finding struct {
	Lift float64 `json:"lift"`
	SE   float64 `json:"se"`
}

// Prior is what past experiments say about the lift of the next idea.
type Prior struct {
	Mean  float64 `json:"mean"`
	SD    float64 `json:"sd"`    // of true lifts between experiments
	Basis int     `json:"basis"` // experiments it was fitted on; 0 = assumed
}

// Assumed is the prior of a programme without a past: most ideas change little,
// one in twenty more than a fifth either way.
func Assumed() Prior { return Prior{Mean: 0, SD: 0.1} }

// leastBasis is the least number of experiments from which a prior is fitted.
const leastBasis = 10

// FitPrior estimates mean and spread of true lifts from measured ones by the
// method of moments (R. DerSimonian and N. Laird, Controlled Clinical Trials 7, 1986,
// 177-188). All tests that ended count, not only those with a winner. Below ten
// findings it is Assumed.
func FitPrior(findings []Finding) Prior {
	if len(findings) < leastBasis {
		return Assumed()
	}
	mean, sd := moments(findings)
	return Prior{Mean: mean, SD: sd, Basis: len(findings)}
}

func moments(findings []Finding) (mean, sd float64) {
	var w, ww, wy float64
	for _, f := range findings {
		weight := 1 / (f.SE * f.SE)
		w, ww, wy = w+weight, ww+weight*weight, wy+weight*f.Lift
	}
	fixed, q := wy/w, 0.0
	for _, f := range findings {
		q += (f.Lift - fixed) * (f.Lift - fixed) / (f.SE * f.SE)
	}
	between := max((q-float64(len(findings)-1))/(w-ww/w), 0)
	w, wy = 0, 0
	for _, f := range findings {
		weight := 1 / (f.SE*f.SE + between)
		w, wy = w+weight, wy+weight*f.Lift
	}
	return wy / w, math.Sqrt(between)
}

// Shrink is the posterior of a lift measured with a standard error: (τ²x +
// se²μ)/(τ²+se²), with its interval. What a test calls a winner was lucky on average; this is
// what remains to be expected.
func (p Prior) Shrink(lift, se, level float64) measure.Interval {
	t, s := p.SD*p.SD, se*se
	if t+s == 0 {
		return measure.Interval{Estimate: lift, Low: lift, High: lift, Level: level}
	}
	mean, sd := (t*lift+s*p.Mean)/(t+s), math.Sqrt(t*s/(t+s))
	half := quantile(1-(1-level)/2) * sd
	return measure.Interval{Estimate: mean, Low: mean - half, High: mean + half, Level: level}
}

func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
