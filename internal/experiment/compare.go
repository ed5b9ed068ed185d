package experiment

import (
	"fmt"
	"math"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/multiple"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/experiment/sequential"
	"touchstone/internal/measure"
)

// harmAlpha is the error of the sequence that stops harm on the primary metric:
// strict, because the group-sequential bound stops most harm already.
const harmAlpha = 0.01

// compare takes all looks that were due so far at one challenger.
func (d *Definition) compare(e Evidence, arm int) (Comparison, *sequential.Bounds) {
	c := Comparison{Arm: d.Arms[arm].Name, Alpha: e.Plan.PerComparison, SequenceP: 1}
	t := d.tallyOf(d.Metric, e)
	sign, start := d.Metric.sign(), e.start()
	planned := perfect(e.Plan.Units[0], e.Plan.Units[arm])
	bounds, last, lastLook := &sequential.Bounds{}, 0.0, -1
	spend := sequential.OBrienFleming(c.Alpha)
	var end estimate.Effect
	tuned := float64(e.Plan.Units[0] + e.Plan.Units[arm])
	for day := 1; day <= d.closedDays(e); day++ {
		t.before(start.AddDate(0, 0, day))
		effect, ok := t.effect(arm)
		if !ok {
			continue
		}
		if t.conversions(arm) >= sequential.StartConversions {
			log := sequential.Sequence{Alpha: d.Alpha, Planned: tuned}.LogE(effect.Difference, effect.SE, float64(effect.N()))
			c.SequenceP = min(c.SequenceP, math.Exp(-max(log, 0)))
		}
		information := effect.Information() / planned
		if !d.due(day) || last >= 1 || information-last < sequential.Smallest {
			continue
		}
		budget := spend(information)
		if day >= d.Longest {
			budget = c.Alpha // the last day allowed: nothing is kept
		}
		critical, err := bounds.Add(information, budget)
		if err != nil {
			continue // too little new: the next look sees it
		}
		last, lastLook, end = information, len(bounds.Critical)-1, effect
		c.Z, c.Critical, c.Spent, c.Information = sign*effect.Z(), finite(critical), bounds.Spent[lastLook], information
		if c.Crossed != "" {
			continue
		}
		if c.Z >= critical {
			c.Crossed, c.CrossedOn = "better", day
		} else if c.Z <= -critical {
			c.Crossed, c.CrossedOn = "worse", day
		}
		if c.Crossed != "" {
			c.Adjusted = adjusted(bounds, lastLook, effect)
		}
	}
	if c.Adjusted == nil && lastLook >= 0 && (last >= 1 || d.closedDays(e) >= d.Longest) {
		c.Adjusted = adjusted(bounds, lastLook, end)
	}
	d.describe(&c, t, arm, e, tuned)
	return c, bounds
}

// describe adds what is shown: intervals, the sequence, the posterior.
func (d *Definition) describe(c *Comparison, t *tally, arm int, e Evidence, tuned float64) {
	effect, ok := t.effect(arm)
	if !ok {
		return
	}
	c.Effect, c.Interval = effect, effect.Interval(measure.Level)
	if lift, ok := effect.Lift(measure.Level); ok {
		c.Lift = &lift
		prior := e.Prior
		if prior == (estimate.Prior{}) {
			prior = estimate.Assumed()
		}
		estimated, se := lift.Estimate, effect.LiftSE()
		if c.Adjusted != nil { // what stopping early added is taken out first
			estimated = c.Adjusted.Estimate / effect.Control.Value
		}
		shrunk := prior.Shrink(estimated, se, measure.Level)
		c.Shrunk = &shrunk
		if sd := (shrunk.High - shrunk.Low) / 2 / 1.959963984540054; sd > 0 {
			c.Chance = math.Erfc(-d.Metric.sign()*shrunk.Estimate/sd/math.Sqrt2) / 2
		}
	}
	if t.conversions(arm) >= sequential.StartConversions {
		s := sequential.Sequence{Alpha: d.Alpha, Planned: tuned}.Around(effect.Difference, effect.SE, float64(effect.N()))
		c.Sequence = &s
	}
}

// adjusted is the median-unbiased difference of a test that stopped at a look.
func adjusted(b *sequential.Bounds, look int, e estimate.Effect) *measure.Interval {
	scale := e.TestSE * math.Sqrt(b.Information[look])
	i := b.Adjusted(look, e.Z(), measure.Level).Times(scale)
	return &i
}

// due reports whether a decision may be taken at the end of a day.
func (d *Definition) due(day int) bool {
	switch {
	case day < d.Shortest:
		return false
	case day >= d.Longest:
		return true
	case d.Looks == plan.Once:
		return false
	case d.Looks == plan.Weekly:
		return day%7 == 0
	}
	return true
}

// harmful reports whether the primary metric's strict sequence lies wholly on the
// bad side.
func (d *Definition) harmful(t *tally, arm int, tuned float64) bool {
	effect, ok := t.effect(arm)
	if !ok || t.conversions(arm) < sequential.StartConversions {
		return false
	}
	s := sequential.Sequence{Alpha: harmAlpha, Planned: tuned}.Around(effect.Difference, effect.SE, float64(effect.N()))
	return d.Metric.sign()*effect.Difference < 0 && !s.SpansZero()
}

// guard reads every guardrail metric of an arm.
func (d *Definition) guard(e Evidence, arm int, tuned float64) []GuardReading {
	var readings []GuardReading
	for _, m := range d.Guardrails {
		t := d.tallyOf(m, e).all()
		g := GuardReading{Metric: m.Name}
		effect, ok := t.effect(arm)
		if !ok {
			g.Why = "no complete outcomes that vary yet"
			readings = append(readings, g)
			continue
		}
		level := 1 - 2*d.Alpha/float64(len(d.Guardrails))
		g.Difference = effect.Interval(level)
		g.Limit = -m.sign() * m.Margin * math.Abs(effect.Control.Value)
		worst := g.Difference.Low
		if m.Better == Lower {
			worst = g.Difference.High
		}
		g.Passes = m.sign()*(worst-g.Limit) > 0
		if t.conversions(arm) >= sequential.StartConversions || m.Kind == estimate.Proportion && t.arm(0).Y+t.arm(arm).Y >= 2*sequential.StartConversions {
			s := sequential.Sequence{Alpha: d.Alpha / float64(len(d.Guardrails)), Planned: tuned}.Around(effect.Difference, effect.SE, float64(effect.N()))
			best := s.High
			if m.Better == Lower {
				best = s.Low
			}
			g.Harms = m.sign()*(best-g.Limit) < 0
		}
		readings = append(readings, g)
	}
	return readings
}

// secondary reads the other metrics of all comparisons and adjusts their p-values
// together.
func (d *Definition) secondary(e Evidence, comparisons []Comparison) {
	var p []float64
	for i := range comparisons {
		for _, m := range d.Secondary {
			r := SideReading{Metric: m.Name, P: 1}
			if effect, ok := d.tallyOf(m, e).all().effect(d.index(comparisons[i].Arm)); ok {
				r.P = effect.P()
				if lift, ok := effect.Lift(measure.Level); ok {
					r.Lift = &lift
				}
			}
			comparisons[i].Secondary = append(comparisons[i].Secondary, r)
			p = append(p, r.P)
		}
	}
	for k, q := range multiple.BenjaminiHochberg(p) {
		r := &comparisons[k/len(d.Secondary)].Secondary[k%len(d.Secondary)]
		r.Adjusted, r.Found = q, q <= d.Alpha
	}
}

// perfect is n₁n₂/(n₁+n₂).
func perfect(a, b int) float64 { return float64(a) * float64(b) / float64(a+b) }

// finite is 0 for a bound that nothing was spent on.
func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return 0
	}
	return v
}

// figure says an effect in words.
func (c Comparison) figure() string {
	if c.Lift == nil {
		return fmt.Sprintf("difference %.4g (%.4g to %.4g)", c.Effect.Difference, c.Interval.Low, c.Interval.High)
	}
	return fmt.Sprintf("lift %+.1f %% (%+.1f to %+.1f)", 100*c.Lift.Estimate, 100*c.Lift.Low, 100*c.Lift.High)
}
