package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"touchstone/internal/experiment/plan"
	"touchstone/internal/experiment/proof"
)

func TestExperimentPlan(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	var p plan.Plan
	r := tm.run("experiment", "plan", "--baseline", "0.025", "--lift", "0.15", "--json").ok()
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		t.Fatal(err)
	}
	if p.OneLook != 29193 || p.Units[0] != 30626 || !p.Feasible {
		t.Errorf("one look %d, units %v", p.OneLook, p.Units)
	}
	tm.run("experiment", "plan", "--baseline", "2.5%", "--lift", "15%").ok().narrow().
		line("one look", "29193 each").line("all", "61252").line("--traffic")
	tm.run("experiment", "plan", "--baseline", "2.5%", "--lift", "15%", "--traffic", "5000").ok().narrow().line("days: 14 at 5000", "bi-weekly")
}

func TestExperimentPlanRefuses(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	r := tm.run("experiment", "plan", "--baseline", "2.5%", "--lift", "15%", "--challengers", "2", "--traffic", "1000", "--metric", "click=10%").exits(1).narrow()
	r.line("control", "30.0%").line("Refused as a significance test")
	for _, words := range [][]string{{"decide by click"}, {"bolder change"}, {"CUPED"}, {"1 instead of 2 challengers"}, {"pool segments"}, {"run 119 days"}, {"bandit"}} {
		r.line(words...)
	}
	file := tm.file("cart.yaml", "experiment: cart\nhypothesis: x\nkind: creative\narms:\n  - {arm: control}\n  - {arm: question, use: q}\n"+
		"metric: {name: clicked, kind: proportion, baseline: 10%}\n")
	tm.run("experiment", "plan", file, "--traffic", "4000").ok().line("control", "50.0%", "6693").line("days: 7", "cadence weekly")
	tm.run("experiment", "plan", file, "--lift", "5%", "--traffic", "4000").exits(1).line("Refused")
}

func TestExperimentBadInput(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	broken := tm.file("broken.yaml", "experiment: X\nkind: copy\n")
	for _, c := range []struct {
		args  string
		code  int
		words []string
	}{
		{"plan", 2, []string{"baseline"}},
		{"plan --baseline high --lift 1", 2, []string{"--baseline", "2.5%"}},
		{"plan --baseline 2.5 --lift 0.1", 2, []string{"0.025"}},
		{"plan --baseline 0.1 --lift 0.1 --kind money", 2, []string{"--kind", "ratio"}},
		{"plan --baseline 0.1 --lift 0.1 --looks always", 2, []string{"--looks"}},
		{"plan --baseline 0.1 --lift 0.1 --metric clicks", 2, []string{"--metric", "click=10%"}},
		{"plan --baseline 0.1 --lift 0.1 --challengers 40", 2, []string{"--challengers"}},
		{"plan none.yaml", 1, []string{"no file none.yaml"}},
		{"plan " + broken, 2, []string{"broken.yaml:"}},
		{"prove --part luck", 2, []string{"no part", "agreement"}},
	} {
		tm.run(append([]string{"experiment"}, strings.Fields(c.args)...)...).exits(c.code).complains(c.words...)
	}
}

func TestExperimentProve(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	tm.run("experiment", "prove", "--part", "agreement,hillstrom").ok().line("agreement", "29,193", "met").line("hillstrom", "skipped")
	var r proof.Report
	if err := json.Unmarshal([]byte(tm.run("experiment", "prove", "--part", "agreement", "--json").ok().stdout), &r); err != nil || len(r.Lines) != 4 {
		t.Errorf("%v: %+v", err, r.Lines)
	}
}
