package experiment_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"touchstone/internal/experiment"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/lifecycle"
)

func TestParse(t *testing.T) {
	t.Parallel()
	d := parse(t, `
experiment: win-back-offer
title: How much to offer
hypothesis: ten per cent bring as many back as fifteen
unit: customer
kind: offer
journey: winback
step: second
segment: orders.count > 2
arms:
  - {arm: fifteen, use: fifteen-percent}
  - {arm: ten, use: ten-percent}
  - {arm: none, use: no-offer}
metric: {name: revenue, kind: mean, window: 14d, cap: 20000, past: 90d, baseline: 350, sd: 2400, correlation: 0.4}
guardrails:
  - {name: unsubscribed, kind: proportion, better: lower, baseline: 1%}
minimum_effect: 10%
duration: {min: 14d, max: 42d}
looks: weekly
promote: automatic
`)
	if d.Where != (experiment.Place{Journey: "winback", Step: "second"}) || d.Kind != experiment.Offer || d.Mode != experiment.Test || d.Unit != experiment.Customer {
		t.Errorf("%+v", d)
	}
	if w := d.Weights(); w[0] != 0.30 || w[1] != 0.35 || w[2] != 0.35 {
		t.Errorf("shares %v, want 30/35/35", w)
	}
	want := experiment.Metric{Name: "revenue", Kind: estimate.Mean, Better: experiment.Higher, Window: 14 * 24 * time.Hour, Cap: 20000,
		Past: 90 * 24 * time.Hour, Baseline: 350, SD: 2400, Correlation: 0.4}
	if d.Metric != want {
		t.Errorf("metric %+v", d.Metric)
	}
	if g := d.Guardrails[0]; g.Margin != experiment.DefaultMargin || g.Better != experiment.Lower || g.Window != experiment.DefaultWindow {
		t.Errorf("guardrail %+v", g)
	}
	if d.Shortest != 14 || d.Longest != 42 || d.Looks != plan.Weekly || d.Promote != experiment.Automatically || d.PerArm != 1000 {
		t.Errorf("%+v", d)
	}
	r := d.Request(400, 0, 1500)
	if r.Metric.Baseline != 400 || r.Metric.SD != 2400 || r.PerDay != 1500 || r.Lift != 0.10 {
		t.Errorf("request %+v", r)
	}
	if p, err := plan.Make(r); err != nil || p.Days == 0 {
		t.Errorf("%v: %+v", err, p)
	}
	four := parse(t, strings.Replace(file, "  - {arm: question, use: subject-question}\n", "  - {arm: q, use: a}\n  - {arm: r, use: b}\n  - {arm: s, use: c}\n  - {arm: u, use: d}\n", 1))
	if w := four.Weights(); math.Abs(w[0]-1.0/3) > 1e-9 || math.Abs(w[1]-1.0/6) > 1e-9 {
		t.Errorf("four challengers: %v, want a control of √4:1", w)
	}
}

// Every mistake is reported with its line and what to write.
func TestParseSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"no hypothesis":       {"hypothesis: a question in the subject line brings more orders\n", "", "hypothesis is missing"},
		"unknown key":         {"kind: creative\n", "kind: creative\nmetrics: []\n", "test.yaml:5:10: unknown key metrics"},
		"kind":                {"kind: creative\n", "kind: copy\n", "test.yaml:4:7: kind \"copy\": write creative or offer"},
		"one arm":             {"  - {arm: question, use: subject-question}\n", "", "at least one challenger"},
		"no use":              {"use: subject-question", "share: 50%", "what does it use"},
		"some shares":         {"{arm: control}", "{arm: control, share: 50%}", "every arm a share"},
		"shares":              {"{arm: control}\n  - {arm: question,", "{arm: control, share: 50%}\n  - {arm: question, share: 40%,", "add up to 90%"},
		"twice":               {"arm: question", "arm: control", "arm control is there twice"},
		"margin":              {"window: 1d, baseline: 20%}", "window: 1d, margin: 5%}", "only guardrails"},
		"metric twice":        {"name: clicked", "name: conversion", "metric conversion is there twice"},
		"step without":        {"journey: cart-recovery\n", "", "of which journey"},
		"short":               {"minimum_effect: 15%\n", "duration: {min: 3d}\n", "runs 7d at least"},
		"half weeks":          {"minimum_effect: 15%\n", "duration: {max: 30d}\n", "whole weeks"},
		"effect":              {"minimum_effect: 15%", "minimum_effect: 0%", "above 0%"},
		"segment":             {"minimum_effect: 15%\n", "segment: orders.cuont > 2\n", "segment, its line 1"},
		"bandit settings":     {"minimum_effect: 15%\n", "bandit: {floor: 2%}\n", "settings of mode: bandit"},
		"bandit of ratios":    {"kind: proportion, window: 7d, baseline: 10%}", "kind: ratio, window: 7d}\nmode: bandit", "a bandit needs a metric per unit"},
		"bandit's floor":      {"minimum_effect: 15%\n", "mode: bandit\nbandit: {floor: 30%}\n", "leaves less than half"},
		"ratio with the past": {"kind: proportion, window: 7d, baseline: 10%}", "kind: ratio, past: 30d}", "not adjusted by the past"},
		"window":              {"window: 7d, baseline", "window: soon, baseline", "window"},
	} {
		source := strings.Replace(file, c.from, c.to, 1)
		if source == file {
			t.Fatalf("%s: nothing was replaced", name)
		}
		_, err := experiment.Parse("test.yaml", []byte(source))
		if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file)
	f.Add(banditFile)
	f.Add("experiment: [")
	f.Fuzz(func(t *testing.T, source string) {
		d, err := experiment.Parse("fuzz.yaml", []byte(source))
		if err != nil {
			return
		}
		total := 0.0
		for _, a := range d.Arms {
			total += a.Share
		}
		if len(d.Arms) < 2 || math.Abs(total-1) > 1e-6 || d.Longest%7 != 0 || d.Shortest < 7 || !(d.MinimumLift > 0) || !(d.Alpha > 0) {
			t.Fatalf("accepted %+v", d)
		}
	})
}

func TestDrawFollowsWeights(t *testing.T) {
	t.Parallel()
	d := parse(t, banditFile)
	p := experiment.Phase{Number: 3, Weights: []float64{0.5, 0, 0.5}}
	const n = 20_000
	counts := map[string]int{}
	for i := range n {
		a, ok := d.Assign(p, fmt.Sprint("customer", i))
		if !ok || a.Phase != 3 || a.Propensity != 0.5 {
			t.Fatalf("%+v", a)
		}
		if again, _ := d.Assign(p, fmt.Sprint("customer", i)); again != a {
			t.Fatal("drawn twice, another arm")
		}
		counts[a.Arm]++
	}
	// Five standard deviations of a binomial.
	if counts["b"] != 0 || math.Abs(float64(counts["a"])-n/2) > 5*math.Sqrt(n/4) {
		t.Errorf("%v", counts)
	}
	if _, _, ok := experiment.Draw([]float64{0, 0}, 0.3); ok {
		t.Error("drawn without weights")
	}
	if i, _, ok := experiment.Draw([]float64{0.2, 0.8, 0}, 1-1e-16); !ok || i != 1 {
		t.Errorf("the end of the range drew %d", i)
	}
	test := parse(t, file)
	if d.Salt(p) == d.Salt(d.First(monday)) || test.Salt(p) != test.Salt(test.First(monday)) {
		t.Error("a test keeps its salt, a bandit draws anew")
	}
}
