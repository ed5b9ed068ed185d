package experiment

import (
	"fmt"
	"slices"

	"touchstone/internal/experiment/bandit"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/measure"
)

// A bandit has settled when the leader is within settledWithin of the best arm with
// probability settledSure.
const (
	settledWithin = 0.01
	settledSure   = 0.95
)

// allocate gives a bandit's next shares, or ends it.
func (d *Definition) allocate(e Evidence, l Look) Look {
	for _, c := range l.Comparisons {
		for _, g := range c.Guardrails {
			if g.Harms {
				return l.say(StopHarm, c.Arm, fmt.Sprintf("%s harms %s: worse than the margin allows, at any time of looking", c.Arm, g.Metric))
			}
		}
	}
	weights := e.phaseNow().Weights
	var live []int // arms that are not retired
	for i, w := range weights {
		if w > 0 {
			live = append(live, i)
		}
	}
	state := bandit.State{Periods: d.periods(e, live), Used: d.used(e, l)}
	policy := bandit.Policy(bandit.DefaultHorizon(len(live)))
	if d.Bandit.Policy == ThompsonPolicy {
		policy = bandit.Thompson(len(live))
	}
	shares := bandit.Guard{Policy: policy, Floor: d.Bandit.Floor, WarmUp: d.Bandit.WarmUp}.Shares(state)
	l.Shares = make([]float64, len(d.Arms))
	for k, i := range live {
		l.Shares[i] = shares[k]
	}
	d.unbiased(e, &l)
	beliefs, known := bandit.Beliefs(state.Periods, bandit.DefaultSpread)
	if !known {
		return l.say(Continue, "", "no complete outcome yet: every arm gets the same")
	}
	best := bandit.Best(beliefs)
	for k, i := range live {
		l.Arms[i].Best, l.Arms[i].Believed = best[k], beliefs[k].Mean
	}
	leader, sure := bandit.Settled(beliefs, settledWithin)
	name := d.Arms[live[leader]].Name
	warm := !slices.ContainsFunc(state.Arms(), func(s estimate.Sums) bool { return s.N < d.Bandit.WarmUp })
	switch {
	case !warm:
		return l.say(Continue, "", fmt.Sprintf("every arm gets the same until each has %d complete outcomes", d.Bandit.WarmUp))
	case sure >= settledSure && l.Closed >= d.Shortest:
		l = l.say(Promote, name, fmt.Sprintf("with %.0f %% no arm is better than %s by more than %s: more learning is worth less than that", 100*sure, name, percent(settledWithin)))
	case d.over(l) || state.Used >= 1:
		l = l.say(Promote, name, fmt.Sprintf("the horizon is used up and %s leads, the best with %.0f %%; that is a choice, not a proof", name, 100*best[leader]))
	default:
		return l.say(Continue, "", fmt.Sprintf("%s leads and is the best with %.0f %%; %.0f %% of the horizon is used", name, 100*best[leader], 100*state.Used))
	}
	l.NeedsPerson = d.Promote == Ask && live[leader] != 0
	return l
}

// periods are the closed sums per period and live arm. Arms are compared within
// phases as well as within periods.
func (d *Definition) periods(e Evidence, live []int) [][]estimate.Sums {
	length := max(d.Bandit.Period, oneDay)
	type key struct {
		period, phase int
	}
	var order []key
	sums := map[key][]estimate.Sums{}
	for _, day := range d.tallyOf(d.Metric, e).days {
		k := key{int(day.Day.Sub(e.start()) / length), day.Phase}
		if sums[k] == nil {
			sums[k] = make([]estimate.Sums, len(live))
			order = append(order, k)
		}
		if i := slices.Index(live, d.index(day.Arm)); i >= 0 {
			sums[k][i] = sums[k][i].Add(day.Metrics[d.Metric.Name])
		}
	}
	periods := make([][]estimate.Sums, 0, len(order))
	for _, k := range order {
		periods = append(periods, sums[k])
	}
	return periods
}

// used is the share of the horizon that has been sent.
func (d *Definition) used(e Evidence, l Look) float64 {
	horizon := float64(d.Bandit.Horizon)
	if horizon == 0 {
		horizon = e.Plan.PerDay * float64(d.Longest)
	}
	if horizon == 0 {
		return min(float64(l.Day)/float64(max(d.Longest, 1)), 1)
	}
	exposed := 0
	for _, a := range l.Arms {
		exposed += a.Exposed
	}
	return min(float64(exposed)/horizon, 1)
}

// unbiased adds each arm's mean with an interval that holds although shares
// followed outcomes.
func (d *Definition) unbiased(e Evidence, l *Look) {
	t := d.tallyOf(d.Metric, e).all()
	var batches []bandit.Batch
	for _, number := range t.phases {
		if p, ok := e.phase(number); ok {
			batches = append(batches, bandit.Batch{Shares: p.Weights, Arms: t.sums[number]})
		}
	}
	means, ok := bandit.Means(batches, measure.Level)
	for i := range means {
		if ok {
			l.Arms[i].Unbiased = means[i]
		}
	}
}
