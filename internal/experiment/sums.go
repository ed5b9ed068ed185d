package experiment

import (
	"slices"
	"time"

	"touchstone/internal/experiment/estimate"
)

// tally holds a metric's sums by phase and arm, grown day by day.
type tally struct {
	d      *Definition
	metric Metric
	days   []Day // with complete outcomes, in order
	next   int
	phases []int                   // numbers, in order of appearance
	sums   map[int][]estimate.Sums // by phase, then arm
}

// closed reports whether all outcomes of units exposed on a day are complete.
func (m Metric) closed(day, now time.Time) bool {
	return !day.Add(oneDay + m.Window).After(now)
}

// tallyOf takes the days whose outcome windows have closed.
func (d *Definition) tallyOf(m Metric, e Evidence) *tally {
	t := &tally{d: d, metric: m, sums: map[int][]estimate.Sums{}}
	for _, day := range e.Days {
		if _, has := day.Metrics[m.Name]; has && m.closed(day.Day, e.Now) && d.index(day.Arm) >= 0 {
			t.days = append(t.days, day)
		}
	}
	slices.SortStableFunc(t.days, func(a, b Day) int { return a.Day.Compare(b.Day) })
	return t
}

// before adds all days that begin before an instant.
func (t *tally) before(at time.Time) {
	for ; t.next < len(t.days) && t.days[t.next].Day.Before(at); t.next++ {
		day := t.days[t.next]
		if t.sums[day.Phase] == nil {
			t.sums[day.Phase] = make([]estimate.Sums, len(t.d.Arms))
			t.phases = append(t.phases, day.Phase)
		}
		arm := t.d.index(day.Arm)
		t.sums[day.Phase][arm] = t.sums[day.Phase][arm].Add(day.Metrics[t.metric.Name])
	}
}

// all adds every day.
func (t *tally) all() *tally {
	for t.next < len(t.days) {
		t.before(t.days[len(t.days)-1].Day.Add(time.Nanosecond))
	}
	return t
}

// arm is an arm's sum over all phases.
func (t *tally) arm(i int) (s estimate.Sums) {
	for _, number := range t.phases {
		s = s.Add(t.sums[number][i])
	}
	return s
}

// conversions is the least number of units with an outcome in the control and an
// arm; for amounts, units.
func (t *tally) conversions(arm int) float64 {
	a, b := t.arm(0), t.arm(arm)
	if t.metric.Kind == estimate.Proportion {
		return min(a.Y, b.Y)
	}
	return float64(min(a.N, b.N))
}

// effect compares an arm with the control within each phase and puts the phases
// together. ok is false before both have two units in one phase.
func (t *tally) effect(arm int) (estimate.Effect, bool) {
	var effects []estimate.Effect
	for _, number := range t.phases {
		if e, ok := estimate.Compare(t.metric.Kind, t.sums[number][arm], t.sums[number][0]); ok && e.SE > 0 {
			effects = append(effects, e)
		}
	}
	if len(effects) == 0 {
		return estimate.Effect{}, false
	}
	return estimate.Combine(effects), true
}

// sign is 1 when more is better, -1 when less is.
func (m Metric) sign() float64 {
	if m.Better == Lower {
		return -1
	}
	return 1
}
