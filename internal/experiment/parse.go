package experiment

import (
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
	"touchstone/internal/yamldoc"
)

const oneDay = 24 * time.Hour

// Defaults of an experiment file.
const (
	DefaultWindow  = 7 * oneDay
	DefaultFloor   = 0.02
	DefaultPeriod  = oneDay
	DefaultWarmUp  = 100
	DefaultMargin  = 0.10
	DefaultLift    = 0.15
	HorizonPolicy  = "horizon"
	ThompsonPolicy = "thompson"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// Parse reads and validates an experiment file. The error is Invalid and lists
// every mistake as file:line:column with what to write instead.
func Parse(file string, source []byte) (*Definition, error) {
	doc, err := yamldoc.Parse(file, source)
	if err != nil {
		return nil, err
	}
	f := doc.Root().Fields("experiment", "title", "hypothesis", "unit", "kind", "journey", "step", "arms", "metric", "guardrails", "secondary",
		"segment", "minimum_effect", "alpha", "power", "duration", "least_per_arm", "looks", "promote", "mode", "bandit")
	d := &Definition{
		Name: name(f.Get("experiment").Required("cart-subject")), Title: f.Get("title").Text(),
		Hypothesis: f.Get("hypothesis").Required("a question as subject brings more orders").Text(),
		Unit:       Unit(oneOf(f.Get("unit"), string(Customer), string(Touch))),
		Kind:       Kind(oneOf(f.Get("kind").Required("creative"), string(Creative), string(Offer), string(SendTime), string(Agent), string(Journey))),
		Where:      Place{Journey: name(f.Get("journey")), Step: name(f.Get("step"))},
		Segment:    cohort(f.Get("segment")),
		// Floors and levels of the measurement plan.
		MinimumLift: DefaultLift, Alpha: plan.DefaultAlpha, Power: plan.DefaultPower, PerArm: plan.DefaultPerArm,
		Shortest: plan.DefaultShortest, Longest: plan.DefaultLongest,
		Looks:   plan.Looks(oneOf(f.Get("looks"), string(plan.Daily), string(plan.Weekly), string(plan.Once))),
		Promote: Promotion(oneOf(f.Get("promote"), string(Ask), string(Automatically))),
		Mode:    Mode(oneOf(f.Get("mode"), string(Test), string(Bandit))),
	}
	if d.Where.Step != "" && d.Where.Journey == "" {
		f.Get("step").Fail("step %s of which journey? add journey: NAME", d.Where.Step)
	}
	if n := f.Get("minimum_effect"); n.Present() {
		d.MinimumLift = share(n, 0, 10)
	}
	if n := f.Get("alpha"); n.Present() {
		d.Alpha = share(n, 0, 0.5)
	}
	if n := f.Get("power"); n.Present() {
		d.Power = share(n, 0.5, 0.999)
	}
	if n := f.Get("least_per_arm"); n.Present() {
		d.PerArm = n.Int(1, 1_000_000_000)
	}
	d.durations(f.Get("duration"))
	d.arms(f.Get("arms"))
	d.Metric = metric(f.Get("metric").Required("{name: conversion, kind: proportion}"), false)
	for _, n := range f.Get("guardrails").Items() {
		d.Guardrails = append(d.Guardrails, metric(n, true))
	}
	for _, n := range f.Get("secondary").Items() {
		d.Secondary = append(d.Secondary, metric(n, false))
	}
	seen := map[string]bool{}
	for _, m := range d.Metrics() {
		if seen[m.Name] && m.Name != "" {
			f.Get("metric").Fail("metric %s is there twice: give each a name of its own", m.Name)
		}
		seen[m.Name] = true
	}
	if d.Mode == Bandit && (d.Metric.Better == Lower || d.Metric.Kind == estimate.Ratio) {
		f.Get("metric").Fail("a bandit needs a metric per unit of which more is better: take a proportion or mean, better: higher")
	}
	d.bandit(f.Get("bandit"))
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// durations reads the bounds of the time in which units enter, in whole days.
func (d *Definition) durations(n yamldoc.Node) {
	f := n.Fields("min", "max")
	days := func(n yamldoc.Node, into *int) {
		if !n.Present() {
			return
		}
		v := n.Duration()
		if v%oneDay != 0 {
			n.Fail("%s %s: write whole days, for example 14d", n.Name(), n.Text())
			return
		}
		*into = int(v / oneDay)
	}
	days(f.Get("min"), &d.Shortest)
	days(f.Get("max"), &d.Longest)
	switch {
	case d.Shortest < plan.DefaultShortest:
		f.Get("min").Fail("min %dd: a test runs 7d at least, so that every weekday is in it", d.Shortest)
	case d.Longest < d.Shortest:
		f.Get("max").Fail("max %dd is shorter than min %dd: raise max", d.Longest, d.Shortest)
	case d.Longest%7 != 0:
		f.Get("max").Fail("max %dd: write whole weeks, so that every weekday counts the same, for example %dd", d.Longest, (d.Longest+6)/7*7)
	}
}

// DefaultShares are 30/35/35 for two challengers as the measurement plan has it,
// and the split that needs the fewest units for any other number.
func DefaultShares(arms int) []float64 {
	if arms == 3 {
		return []float64{0.30, 0.35, 0.35}
	}
	m := float64(arms - 1)
	control := math.Sqrt(m) / (math.Sqrt(m) + m)
	shares := []float64{control}
	for range arms - 1 {
		shares = append(shares, (1-control)/m)
	}
	return shares
}

func (d *Definition) arms(n yamldoc.Node) {
	items := n.Required("[{arm: control}, {arm: question, use: subject-question}]").Items()
	given, total := 0, 0.0
	for i, item := range items {
		f := item.Fields("arm", "share", "use")
		a := Arm{Name: name(f.Get("arm").Required("control")), Use: f.Get("use").Text()}
		if s := f.Get("share"); s.Present() {
			a.Share = share(s, 0, 1)
			given, total = given+1, total+a.Share
		}
		if i > 0 && a.Use == "" {
			f.Get("use").Fail("arm %s: what does it use? add use, for example use: subject-question", a.Name)
		}
		if slices.ContainsFunc(d.Arms, func(o Arm) bool { return o.Name == a.Name && a.Name != "" }) {
			f.Get("arm").Fail("arm %s is there twice: give each a name of its own", a.Name)
		}
		d.Arms = append(d.Arms, a)
	}
	switch {
	case !n.Present():
	case len(items) < 2:
		n.Fail("arms: a control first, and at least one challenger")
	case len(items) > 21:
		n.Fail("%d arms: at most a control and 20 challengers", len(items))
	case given == 0:
		for i, s := range DefaultShares(len(items)) {
			d.Arms[i].Share = s
		}
	case given < len(items):
		n.Fail("arms: give every arm a share, or none of them")
	case math.Abs(total-1) > 1e-9:
		n.Fail("the shares of the arms add up to %s: make them add up to 100%%", percent(total))
	}
}

func metric(n yamldoc.Node, guardrail bool) Metric {
	f := n.Fields("name", "kind", "better", "window", "cap", "past", "baseline", "sd", "correlation", "margin")
	m := Metric{
		Name:   name(f.Get("name").Required("conversion")),
		Kind:   estimate.Kind(oneOf(f.Get("kind").Required("proportion"), string(estimate.Proportion), string(estimate.Mean), string(estimate.Ratio))),
		Better: Direction(oneOf(f.Get("better"), string(Higher), string(Lower))), Window: DefaultWindow,
		Cap: f.Get("cap").Float(0, 1e15), SD: f.Get("sd").Float(0, 1e15), Correlation: f.Get("correlation").Float(-0.999, 0.999),
	}
	if w := f.Get("window"); w.Present() {
		m.Window = w.Duration()
	}
	if p := f.Get("past"); p.Present() {
		m.Past = p.Duration()
		if m.Kind == estimate.Ratio {
			p.Fail("past: a ratio is not adjusted by the past: remove it, or take a mean per unit")
		}
	}
	if b := f.Get("baseline"); b.Present() {
		if m.Kind == estimate.Proportion {
			m.Baseline = share(b, 0, 1)
		} else {
			m.Baseline = b.Float(0, 1e15)
		}
	}
	switch g := f.Get("margin"); {
	case g.Present() && !guardrail:
		g.Fail("margin: only guardrails have one")
	case g.Present():
		m.Margin = share(g, 0, 10)
	case guardrail:
		m.Margin = DefaultMargin
	}
	return m
}

func (d *Definition) bandit(n yamldoc.Node) {
	f := n.Fields("policy", "floor", "period", "warm_up", "horizon")
	if n.Present() && d.Mode != Bandit {
		n.Fail("bandit: these are settings of mode: bandit; add that or remove them")
	}
	if d.Mode != Bandit {
		return
	}
	d.Bandit = Settings{Policy: oneOf(f.Get("policy"), HorizonPolicy, ThompsonPolicy), Floor: DefaultFloor, Period: DefaultPeriod, WarmUp: DefaultWarmUp,
		Horizon: f.Get("horizon").Int(0, 1_000_000_000)}
	if v := f.Get("floor"); v.Present() {
		d.Bandit.Floor = share(v, 0, 1)
	}
	if len(d.Arms) > 0 && d.Bandit.Floor*float64(len(d.Arms)) > 0.5 {
		f.Get("floor").Fail("floor %s for each of %d arms leaves less than half to learn with: lower it", percent(d.Bandit.Floor), len(d.Arms))
	}
	if v := f.Get("period"); v.Present() {
		d.Bandit.Period = v.Duration()
	}
	if v := f.Get("warm_up"); v.Present() {
		d.Bandit.WarmUp = v.Int(1, 1_000_000)
	}
}

func name(n yamldoc.Node) string {
	s := n.Text()
	if n.Present() && !nameForm.MatchString(s) {
		n.Fail("%s %q is not a name: write small letters, digits, _ and hyphens, for example cart-subject", n.Name(), s)
	}
	return s
}

// share reads a share above low and at most high, as 5% or 0.05.
func share(n yamldoc.Node, low, high float64) float64 {
	number, isPercent := strings.CutSuffix(n.Text(), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if isPercent {
		v /= 100
	}
	if err != nil || !(v > low && v <= high) {
		n.Fail("%s %q: write a share above %s and at most %s, for example 15%%", n.Name(), n.Text(), percent(low), percent(high))
		return 0
	}
	return v
}

// oneOf is the first of the allowed words when nothing is written.
func oneOf(n yamldoc.Node, allowed ...string) string {
	s := n.Text()
	if !n.Present() {
		return allowed[0]
	}
	if !slices.Contains(allowed, s) {
		n.Fail("%s %q: write %s", n.Name(), s, strings.Join(allowed, " or "))
	}
	return s
}

// cohort checks that a segment can be evaluated and counted.
func cohort(n yamldoc.Node) string {
	if !n.Present() {
		return ""
	}
	e, err := segment.Compile(n.Text())
	if err == nil {
		_, _, err = e.SQL(time.Unix(0, 0), lifecycle.DefaultStageThresholds(), 1)
	}
	var problem *segment.Error
	switch {
	case errors.As(err, &problem):
		n.Fail("segment, its line %d, character %d: %s", problem.Line, problem.Column, strings.TrimSuffix(problem.Message+": "+problem.Hint, ": "))
	case err != nil:
		n.Fail("segment: %v", err)
	}
	return n.Text()
}

func percent(share float64) string { return strconv.FormatFloat(share*100, 'g', 6, 64) + "%" }
