package experiment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"touchstone/internal/experiment/sequential"
)

// Limits of trust.
const (
	ratioSuspected = 0.01 // p of the sample ratio that keeps an experiment from naming a winner
	crossedLimit   = 0.01 // share of units that met several arms
	leastExposed   = 500  // below which crossing is not judged
)

// trust checks the sample ratio of assigned units and how many met several arms.
// All days count, also those whose outcomes are still open.
func (d *Definition) trust(e Evidence) Trust {
	t := Trust{P: 1}
	days := slices.SortedFunc(slices.Values(e.Days), func(a, b Day) int { return a.Day.Compare(b.Day) })
	counts := map[int][]int{}
	logs := map[int]float64{}
	exposed, crossed, assigned := 0, 0, 0
	full := 1.0 // p once the planned sample was assigned
	for i, day := range days {
		phase, ok := e.phase(day.Phase)
		arm := d.index(day.Arm)
		if !ok || arm < 0 {
			continue
		}
		if counts[day.Phase] == nil {
			counts[day.Phase] = make([]int, len(d.Arms))
		}
		counts[day.Phase][arm] += day.Assigned
		exposed, crossed, assigned = exposed+day.Exposed, crossed+day.Crossed, assigned+day.Assigned
		if i+1 < len(days) && days[i+1].Day.Equal(day.Day) && days[i+1].Phase == day.Phase {
			continue // look once the day is complete
		}
		logs[day.Phase] = sequential.LogRatioE(counts[day.Phase], phase.Weights)
		all := 0.0 // e-values of phases are independent: their product is one
		for _, number := range e.Phases {
			all += logs[number.Number]
		}
		t.LogE = max(t.LogE, all)
		if endOfDay := i+1 == len(days) || !days[i+1].Day.Equal(day.Day); endOfDay && assigned >= e.Plan.Total && full == 1 {
			_, _, full = e.ratio(counts)
		}
	}
	t.Statistic, t.Degrees, t.P = e.ratio(counts)
	if exposed > 0 {
		t.Crossed = float64(crossed) / float64(exposed)
	}
	switch {
	case t.LogE >= math.Log(sequential.Alarm):
		t.Broken, t.Why = true, fmt.Sprintf("units are not split as the shares say (e-value %.3g, alarm at %d)", math.Exp(min(t.LogE, 700)), sequential.Alarm)
	case full < sequential.FullSample:
		t.Broken, t.Why = true, fmt.Sprintf("units are not split as the shares say (p = %.2g with the planned sample, %v stops)", full, sequential.FullSample)
	case exposed >= leastExposed && t.Crossed > crossedLimit:
		t.Broken, t.Why = true, fmt.Sprintf("%.2g %% of the units met more than one arm, 1 %% is the limit", 100*t.Crossed)
	}
	t.Suspected = t.P < ratioSuspected
	if t.Suspected && !t.Broken {
		t.Why = fmt.Sprintf("units may not be split as the shares say (p = %.2g)", t.P)
	}
	if math.IsInf(t.LogE, 1) { // an arm without a share has units
		t.LogE, t.Statistic = 700, 0
	}
	return t
}

// final is how trust is read when a test is about to end: one look at the ratio.
func (t Trust) final() bool { return t.Broken || t.Suspected }

// ratio is the chi-squared test over all phases.
func (e Evidence) ratio(counts map[int][]int) (statistic float64, degrees int, p float64) {
	for _, phase := range e.Phases {
		if counts[phase.Number] == nil {
			continue
		}
		s, d, _ := sequential.ChiSquare(counts[phase.Number], phase.Weights)
		statistic, degrees = statistic+s, degrees+d
	}
	return statistic, degrees, sequential.Survival(statistic, degrees)
}

// phase finds a phase by its number.
func (e Evidence) phase(number int) (Phase, bool) {
	i := slices.IndexFunc(e.Phases, func(p Phase) bool { return p.Number == number })
	if i < 0 {
		return Phase{}, false
	}
	return e.Phases[i], true
}

// index is an arm's place in the definition, -1 when it is none of its arms.
func (d *Definition) index(arm string) int {
	return slices.IndexFunc(d.Arms, func(a Arm) bool { return a.Name == arm })
}

// start is the beginning of the first day.
func (e Evidence) start() time.Time {
	if len(e.Phases) == 0 {
		return e.Now
	}
	return slices.MinFunc(e.Phases, func(a, b Phase) int { return cmp.Compare(a.Since.Unix(), b.Since.Unix()) }).Since.UTC().Truncate(oneDay)
}
