package estimate

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/measure"
)

// Kind says what a metric is per unit.
type Kind string

// Kinds of metrics.
const (
	Proportion Kind = "proportion" // y is 0 or 1
	Mean       Kind = "mean"       // y is an amount; x, if any, an amount known before assignment
	Ratio      Kind = "ratio"      // Σy / Σx, for example revenue per touch; the unit stays the customer
)

// Effect compares a challenger with the control.
type Effect struct {
	Control    measure.Mean `json:"control"`
	Challenger measure.Mean `json:"challenger"`
	// Difference is challenger minus control.
	Difference float64 `json:"difference"`
	SE         float64 `json:"se"`
	// TestSE is the standard error if there were no effect: pooled for proportions,
	// else the same as SE.
	TestSE float64 `json:"test_se"`
	// Correlation is that of outcome and covariate, within arms; 0 without one. An
	// adjusted mean has 1-Correlation² of the variance.
	Correlation float64 `json:"correlation,omitzero"`

	hits [2]measure.Proportion // challenger and control, of unadjusted proportions
}

// N is the number of units in both arms.
func (e Effect) N() int { return e.Control.N + e.Challenger.N }

// Z is the test statistic, 0 where nothing varies.
func (e Effect) Z() float64 {
	if e.TestSE == 0 {
		return 0
	}
	return e.Difference / e.TestSE
}

// P is the two-sided p-value of one look, on a normal scale.
func (e Effect) P() float64 { return math.Erfc(math.Abs(e.Z()) / math.Sqrt2) }

// Compare estimates the effect on a metric. ok is false when an arm has fewer
// than two units, or a ratio no denominator.
//
// A proportion is tested with the pooled standard error, a mean without assuming
// equal variances, a ratio by the delta method over units (A. Deng, U. Knoblich and J.
// Lu, KDD 2018, arXiv:1803.06336): var = (s²y - 2R sxy + R² s²x)/(n x̄²). A mean or
// proportion with a covariate that varies is adjusted by it (CUPED: A. Deng, Y. Xu, R.
// Kohavi and T. Walker, WSDM 2013): ȳ - θ(x̄ - x̄ of all), θ = cov(x,y)/var(x) pooled over
// the arms. The covariate must be known before assignment, or the adjustment removes a
// part of the effect itself.
func Compare(kind Kind, challenger, control Sums) (e Effect, ok bool) {
	if challenger.N < 2 || control.N < 2 {
		return Effect{}, false
	}
	switch {
	case kind == Ratio:
		if challenger.X == 0 || control.X == 0 {
			return Effect{}, false
		}
		return effect(challenger.ratio(), control.ratio()), true
	case challenger.covariate().Variance()+control.covariate().Variance() > 0:
		return adjusted(challenger, control), true
	}
	e = effect(challenger.Sample().AsMean(), control.Sample().AsMean())
	if kind == Proportion {
		a, b := challenger.Proportion(), control.Proportion()
		pooled := measure.Proportion{N: a.N + b.N, Hits: a.Hits + b.Hits}.Rate()
		e.TestSE = math.Sqrt(pooled * (1 - pooled) * (1/float64(a.N) + 1/float64(b.N)))
		e.hits = [2]measure.Proportion{a, b}
	}
	return e, true
}

func effect(challenger, control measure.Mean) Effect {
	se := math.Sqrt(challenger.Variance + control.Variance)
	return Effect{Control: control, Challenger: challenger, Difference: challenger.Value - control.Value, SE: se, TestSE: se}
}

// ratio is Σy/Σx with the variance of the delta method.
func (s Sums) ratio() measure.Mean {
	r, n, x := s.Y/s.X, float64(s.N), s.X/float64(s.N)
	v := s.Sample().Variance() - 2*r*s.covariance() + r*r*s.covariate().Variance()
	return measure.Mean{N: s.N, Value: r, Variance: max(v, 0) / (n * x * x)}
}

// adjusted is the comparison of means adjusted by the covariate.
func adjusted(challenger, control Sums) Effect {
	var xx, xy, yy, all, n float64
	for _, s := range []Sums{challenger, control} {
		w := float64(s.N - 1)
		xx, xy, yy = xx+w*s.covariate().Variance(), xy+w*s.covariance(), yy+w*s.Sample().Variance()
		all, n = all+s.X, n+float64(s.N)
	}
	theta, grand := xy/xx, all/n
	one := func(s Sums) measure.Mean {
		v := s.Sample().Variance() + theta*theta*s.covariate().Variance() - 2*theta*s.covariance()
		return measure.Mean{N: s.N, Value: s.Sample().Mean() - theta*(s.covariate().Mean()-grand), Variance: max(v, 0) / float64(s.N)}
	}
	e := effect(one(challenger), one(control))
	if yy > 0 {
		e.Correlation = xy / math.Sqrt(xx*yy)
	}
	return e
}

// Interval is the interval of the difference: Newcombe for proportions, Welch
// for all else.
func (e Effect) Interval(level float64) measure.Interval {
	if e.hits[0].N > 0 {
		i, _ := measure.Newcombe(e.hits[0], e.hits[1], level) // neither arm is empty
		return i
	}
	i, _ := measure.WelchOf(e.Challenger, e.Control, level) // neither arm has fewer than two
	return i
}

// Lift is the relative difference m₂/m₁ - 1 with its interval: by the delta
// method with variance s²₂/(n₂m₁²) + s²₁m₂²/(n₁m₁⁴) and Welch's degrees of freedom,
// or, where the control's mean is less than four standard errors from zero, by
// Fieller's theorem (E. C. Fieller, JRSS B 16, 1954, 175-185). ok is false when
// the control's mean is not distinguishable from zero: then no lift can be
// stated.
func (e Effect) Lift(level float64) (i measure.Interval, ok bool) {
	m1, m2, v1, v2 := e.Control.Value, e.Challenger.Value, e.Control.Variance, e.Challenger.Variance
	if m1 == 0 {
		return measure.Interval{}, false
	}
	lift := m2/m1 - 1
	if v1+v2 == 0 {
		return measure.Interval{Estimate: lift, Low: lift, High: lift, Level: level}, true
	}
	t := distuv.StudentsT{Sigma: 1, Nu: measure.WelchDegrees(e.Challenger, e.Control)}.Quantile(1 - (1-level)/2)
	if m1*m1 >= 16*v1 {
		half := t * math.Sqrt(v2/(m1*m1)+v1*m2*m2/(m1*m1*m1*m1))
		return measure.Interval{Estimate: lift, Low: lift - half, High: lift + half, Level: level}, true
	}
	a := m1*m1 - t*t*v1
	root := m1*m1*m2*m2 - a*(m2*m2-t*t*v2)
	if a <= 0 || root < 0 {
		return measure.Interval{}, false
	}
	low, high := (m1*m2-math.Sqrt(root))/a-1, (m1*m2+math.Sqrt(root))/a-1
	return measure.Interval{Estimate: lift, Low: low, High: high, Level: level}, true
}

// LiftSE is the standard error of the lift by the delta method, 0 when the
// control's mean is 0.
func (e Effect) LiftSE() float64 {
	m1, m2 := e.Control.Value, e.Challenger.Value
	if m1 == 0 {
		return 0
	}
	return math.Sqrt(e.Challenger.Variance/(m1*m1) + e.Control.Variance*m2*m2/(m1*m1*m1*m1))
}

// Combine puts effects of the same metric in separate phases together, weighted
// by the information of each, n₁n₂/(n₁+n₂). Comparing within phases keeps a change of
// weights from mixing up arms and times (Simpson's paradox). One effect comes
// back as it is.
func Combine(phases []Effect) Effect {
	if len(phases) == 1 {
		return phases[0]
	}
	var out Effect
	total, se, test, correlation := 0.0, 0.0, 0.0, 0.0
	for _, e := range phases {
		total += e.Information()
	}
	for _, e := range phases {
		w := e.Information() / total
		out.Control = join(out.Control, e.Control, w)
		out.Challenger = join(out.Challenger, e.Challenger, w)
		se, test, correlation = se+w*w*e.SE*e.SE, test+w*w*e.TestSE*e.TestSE, correlation+w*e.Correlation
	}
	out.Difference, out.SE, out.TestSE = out.Challenger.Value-out.Control.Value, math.Sqrt(se), math.Sqrt(test)
	out.Correlation = correlation
	return out
}

// Information is n₁n₂/(n₁+n₂): what the comparison knows but for the variance.
func (e Effect) Information() float64 {
	a, b := float64(e.Control.N), float64(e.Challenger.N)
	return a * b / (a + b)
}

func join(all, m measure.Mean, w float64) measure.Mean {
	return measure.Mean{N: all.N + m.N, Value: all.Value + w*m.Value, Variance: all.Variance + w*w*m.Variance}
}
