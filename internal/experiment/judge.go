package experiment

import (
	"fmt"
	"math"
	"slices"
	"time"

	"touchstone/internal/lifecycle"
)

// Judge judges an experiment at one instant. It looks again at every day so far, so
// that the same evidence always gives the same answer, whenever and however often it
// is asked. A test is decided in this order:
//
//  1. assignment: a sample ratio or crossing that is wrong stops everything;
//  2. harm: a guardrail metric, or the primary one, that is surely worse;
//  3. the group-sequential bounds, from the shortest duration on: promote when the
//     upper one is crossed, every guardrail is non-inferior, the floor per arm is
//     reached and the ratio is not suspected; retire when the lower one is crossed, or
//     when the always-valid sequence excludes the smallest lift that matters;
//  4. the end: inconclusive with all of the sample, extend when days are left.
//
// The error is Invalid when the evidence has no plan or no phase.
func (d *Definition) Judge(e Evidence) (Look, error) {
	if len(e.Phases) == 0 || len(e.Plan.Units) != len(d.Arms) {
		return Look{}, lifecycle.Errorf(lifecycle.Invalid, "experiment %s: it is judged by the plan and the phases that it was started with: start it first", d.Name)
	}
	now := e.phaseNow()
	if len(now.Weights) != len(d.Arms) {
		return Look{}, lifecycle.Errorf(lifecycle.Invalid, "experiment %s: phase %d has %d shares for %d arms", d.Name, now.Number, len(now.Weights), len(d.Arms))
	}
	l := d.read(e)
	if l.Trust.Broken {
		return l.say(StopSRM, "", l.Trust.Why+": find the fault, no figure of this experiment can be trusted"), nil
	}
	if d.Mode == Bandit {
		return d.allocate(e, l), nil
	}
	if decided, stop := d.harm(e, l); stop {
		return decided, nil
	}
	if decided, stop := d.win(l); stop {
		return decided, nil
	}
	if decided, stop := d.lose(l); stop {
		return decided, nil
	}
	return d.end(l), nil
}

// phaseNow is the latest phase.
func (e Evidence) phaseNow() Phase { return e.Phases[len(e.Phases)-1] }

// closedDays is how many days since the start have complete primary outcomes.
func (d *Definition) closedDays(e Evidence) int {
	return max(int(e.Now.Add(-d.Metric.Window).Sub(e.start())/oneDay), 0)
}

// read fills in everything that is shown, without a decision.
func (d *Definition) read(e Evidence) Look {
	l := Look{
		Experiment: d.Name, Mode: d.Mode, At: e.Now, Day: int(e.Now.Sub(e.start()) / oneDay), Days: e.Plan.Days, Longest: d.Longest,
		Closed: d.closedDays(e), Required: e.Plan.Total, Trust: d.trust(e), Reasons: []string{}, Comparisons: []Comparison{},
	}
	weights := e.phaseNow().Weights
	t := d.tallyOf(d.Metric, e).all()
	for i, a := range d.Arms {
		r := ArmReading{Arm: a.Name, Retired: weights[i] == 0, Required: e.Plan.Units[i], Mean: t.arm(i).Sample().AsMean()}
		for _, day := range e.Days {
			if day.Arm == a.Name {
				r.Assigned, r.Exposed = r.Assigned+day.Assigned, r.Exposed+day.Exposed
			}
		}
		l.Units += r.Mean.N
		l.Arms = append(l.Arms, r)
		if i == 0 || r.Retired {
			continue
		}
		c, bounds := d.compare(e, i)
		c.Guardrails = d.guard(e, i, float64(e.Plan.Units[0]+e.Plan.Units[i]))
		l.Looks = max(l.Looks, len(bounds.Critical))
		l.Comparisons = append(l.Comparisons, c)
	}
	d.secondary(e, l.Comparisons)
	return l
}

// harm stops arms that are surely worse.
func (d *Definition) harm(e Evidence, l Look) (Look, bool) {
	for _, c := range l.Comparisons {
		for _, g := range c.Guardrails {
			if g.Harms {
				return l.say(StopHarm, c.Arm, fmt.Sprintf("%s harms %s: worse than the margin allows, at any time of looking", c.Arm, g.Metric)), true
			}
		}
		if arm := d.index(c.Arm); d.harmful(d.tallyOf(d.Metric, e).all(), arm, float64(e.Plan.Units[0]+e.Plan.Units[arm])) {
			return l.say(StopHarm, c.Arm, fmt.Sprintf("%s is worse on %s than the control, whenever one looks: %s", c.Arm, d.Metric.Name, c.figure())), true
		}
	}
	return l, false
}

// win promotes the best challenger that crossed its upper bound and passes.
func (d *Definition) win(l Look) (Look, bool) {
	best := -1
	for i, c := range l.Comparisons {
		if c.Crossed == "better" && (best < 0 || d.Metric.sign()*(c.Effect.Difference-l.Comparisons[best].Effect.Difference) > 0) {
			best = i
		}
	}
	if best < 0 {
		return l, false
	}
	c := l.Comparisons[best]
	if l.Trust.final() {
		return l.say(StopSRM, "", fmt.Sprintf("%s would win, but %s: find the fault before a winner is named", c.Arm, l.Trust.Why)), true
	}
	var waits []string
	for _, i := range []int{0, d.index(c.Arm)} {
		if n := l.Arms[i].Mean.N; n < d.PerArm {
			waits = append(waits, fmt.Sprintf("%s has %d of at least %d units", d.Arms[i].Name, n, d.PerArm))
		}
	}
	for _, g := range c.Guardrails {
		if !g.Passes {
			waits = append(waits, fmt.Sprintf("it is not yet shown that %s is not worse by the margin", g.Metric))
		}
	}
	why := fmt.Sprintf("%s is better than the control on %s: %s, z %.2f crossed its bound on day %d, with an error of %.3g in all looks",
		c.Arm, d.Metric.Name, c.figure(), c.Z, c.CrossedOn, c.Alpha)
	if len(waits) > 0 {
		l.Reasons = append(append(l.Reasons, why), waits...)
		if d.over(l) {
			return l.say(Inconclusive, "", "the time is over: the control stays"), true
		}
		return l.say(Continue, "", "a winner waits: "+waits[0]), true
	}
	l = l.say(Promote, c.Arm, why)
	if c.Shrunk != nil {
		l.Reasons = append(l.Reasons, fmt.Sprintf("after taking out the winner's luck, expect a lift of %+.1f %% (%+.1f to %+.1f)",
			100*c.Shrunk.Estimate, 100*c.Shrunk.Low, 100*c.Shrunk.High))
	}
	l.NeedsPerson = d.Promote == Ask
	return l, true
}

// lose retires a challenger that is worse, or that cannot have the lift any more.
func (d *Definition) lose(l Look) (Look, bool) {
	for _, c := range l.Comparisons {
		if c.Crossed == "worse" && l.Trust.final() {
			return l.say(StopSRM, "", fmt.Sprintf("%s would be retired, but %s: find the fault first", c.Arm, l.Trust.Why)), true
		}
		if c.Crossed == "worse" {
			return l.say(Retire, c.Arm, fmt.Sprintf("%s is worse than the control on %s: %s, z %.2f crossed its bound on day %d", c.Arm, d.Metric.Name,
				c.figure(), c.Z, c.CrossedOn)), true
		}
		if c.Sequence == nil || l.Closed < d.Shortest || c.Crossed != "" {
			continue
		}
		matters := d.Metric.sign() * d.MinimumLift * math.Abs(c.Effect.Control.Value)
		best := c.Sequence.High
		if d.Metric.Better == Lower {
			best = c.Sequence.Low
		}
		if d.Metric.sign()*(best-matters) < 0 {
			return l.say(Retire, c.Arm, fmt.Sprintf("%s cannot have the lift of %s that matters: %s", c.Arm, percent(d.MinimumLift), c.figure())), true
		}
	}
	return l, false
}

// over reports whether no further day will be judged.
func (d *Definition) over(l Look) bool { return l.Closed >= d.Longest }

// end says what becomes of a test that has not been decided.
func (d *Definition) end(l Look) Look {
	full := len(l.Comparisons) > 0
	least := math.Inf(1)
	for _, c := range l.Comparisons {
		full = full && c.Information >= 1
		least = min(least, c.Information)
	}
	switch {
	case len(l.Comparisons) == 0:
		return l.say(Inconclusive, "", "every challenger has been retired: the control stays")
	case full:
		return l.say(Inconclusive, "", fmt.Sprintf("the planned sample is in and no bound was crossed: %s; the control stays", l.Comparisons[0].figure()))
	case d.over(l):
		return l.say(Inconclusive, "", fmt.Sprintf("the longest duration of %d days is over with %.0f %% of the planned information: the control stays", d.Longest, 100*least))
	case l.Days > 0 && l.Closed >= l.Days:
		need := d.Longest
		if least > 0 {
			need = min(int(math.Ceil(float64(l.Closed)/least)), d.Longest)
		}
		return l.say(Extend, "", fmt.Sprintf("the planned %d days are over with %.0f %% of the planned information: go on until about day %d", l.Days, 100*least, need))
	case l.Closed < d.Shortest:
		return l.say(Continue, "", fmt.Sprintf("%d of at least %d days have complete outcomes", l.Closed, d.Shortest))
	}
	return l.say(Continue, "", fmt.Sprintf("%.0f %% of the planned information is in and no bound is crossed", 100*least))
}

// say takes a decision; its reason comes first.
func (l Look) say(decision Decision, arm, why string) Look {
	l.Decision, l.Arm = decision, arm
	l.Reasons = slices.Insert(slices.Clone(l.Reasons), 0, why)
	return l
}

// NextPhase is the phase that follows a look: without an arm that was retired or
// did harm, or with a bandit's new shares. changed is false when the present one
// goes on.
func (d *Definition) NextPhase(e Evidence, l Look) (next Phase, changed bool) {
	now := e.phaseNow()
	switch l.Decision {
	case Retire, StopHarm:
		return d.Retire(now, l.Arm, e.Now), true
	case Continue:
		if l.Shares == nil {
			return now, false
		}
		for i, s := range l.Shares {
			if math.Abs(s-now.Weights[i]) > 1e-9 {
				return Phase{Number: now.Number + 1, Since: e.Now, Weights: l.Shares}, true
			}
		}
	}
	return now, false
}

// NextLook is when judging can next change something: the end of the next day
// whose outcomes are complete.
func (d *Definition) NextLook(e Evidence) time.Time {
	return e.start().AddDate(0, 0, d.closedDays(e)+1).Add(d.Metric.Window)
}
