package proof

import (
	"fmt"
	"math/rand/v2"
	"time"

	"touchstone/internal/experiment"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
)

// begin is the first day of all simulated experiments.
var begin = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const simulated = `
experiment: simulated
hypothesis: the challenger is better
kind: creative
arms:
  - {arm: control, share: 50%}
  - {arm: challenger, share: 50%, use: other}
metric: {name: conversion, kind: proportion, window: 1d, baseline: 2.5%}
promote: automatic
`

// engine checks that the whole engine decides as the bare bounds do: the lines
// above measure the bounds, and what people run is the engine.
func (r *run) engine() error {
	const experiments, looks = 200, 28
	d, err := experiment.Parse("simulated.yaml", []byte(simulated))
	if err != nil {
		return err
	}
	p, err := plan.Make(d.Request(0, 0, 0))
	if err != nil {
		return err
	}
	bounds, err := boundsFrom(looks, 6, alpha)
	if err != nil {
		return err
	}
	same, failed := make([]bool, experiments), make([]error, experiments)
	r.each(experiments, 15, func(i int, source *rand.Rand) {
		lift := []float64{0, trueLift, -trueLift}[i%3]
		a, b := steps(source, p.Units[0], looks, baseRate), steps(source, p.Units[1], looks, baseRate*(1+lift))
		e := experiment.Evidence{Now: begin.AddDate(0, 0, looks+1), Plan: p, Phases: []experiment.Phase{d.First(begin)}}
		for k := range looks {
			e.Days = append(e.Days, dayOf("control", k, a), dayOf("challenger", k, b))
		}
		l, err := d.Judge(e)
		if err != nil || len(l.Comparisons) != 1 {
			failed[i] = fmt.Errorf("%d comparisons: %w", len(l.Comparisons), err)
			return
		}
		want, crossed := decide(a, b, 6, bounds), l.Comparisons[0].Crossed
		same[i] = crossed == map[int]string{1: "better", -1: "worse", 0: ""}[want.direction] && (want.look < 0 || l.Comparisons[0].CrossedOn == want.look+1)
	})
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	r.line("test", "the engine decides as its bounds, 200 tests", share(same), "share", "1", share(same) == 1)
	return nil
}

// dayOf is what an arm added on day k.
func dayOf(arm string, k int, sums []estimate.Sums) experiment.Day {
	day := sums[k]
	if k > 0 {
		day = estimate.Hits(int(sums[k].Y-sums[k-1].Y), sums[k].N-sums[k-1].N)
	}
	return experiment.Day{Phase: 1, Arm: arm, Day: begin.AddDate(0, 0, k), Assigned: day.N, Exposed: day.N, Metrics: map[string]estimate.Sums{"conversion": day}}
}
