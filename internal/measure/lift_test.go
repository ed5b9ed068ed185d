package measure_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"touchstone/internal/ledger"
	"touchstone/internal/measure"
)

func arm(n, bought, touches int, sum, squares float64) measure.Arm {
	return measure.Arm{Revenue: measure.Sample{N: n, Sum: sum, SumSquares: squares}, Converted: bought, Touches: touches}
}

func TestLiftIsTheWelchDifferenceScaled(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	treated, buyers := shoppers(r, 1000, 0.5, 6000)
	held, heldBuyers := shoppers(r, 400, 0.3, 6000)
	c := measure.Comparison{Treated: measure.Arm{Revenue: treated, Converted: buyers, Touches: 2500}, Held: measure.Arm{Revenue: held, Converted: heldBuyers}}
	l := c.Lift(measure.DefaultMinimum(), 0.95)
	want, _ := measure.Welch(treated, held, 0.95)
	if l.PerCustomer.Interval != want || l.PerCustomer.Status != measure.OK {
		t.Errorf("per customer %+v, want %+v", l.PerCustomer, want)
	}
	for name, got := range map[string][2]measure.Interval{
		"revenue":   {l.Revenue.Interval, want.Times(1000)},
		"per touch": {l.PerTouch.Interval, want.Times(1000.0 / 2500)},
		"in units":  {l.InUnits(0.01).PerTouch.Interval, want.Times(10.0 / 2500)},
	} {
		if a, b := got[0], got[1]; !near(a.Estimate, b.Estimate, 1e-12) || !near(a.Low, b.Low, 1e-12) || !near(a.High, b.High, 1e-12) {
			t.Errorf("%s: %+v, want %+v", name, a, b)
		}
	}
	conversion, _ := measure.Newcombe(measure.Proportion{N: 1000, Hits: buyers}, measure.Proportion{N: 400, Hits: heldBuyers}, 0.95)
	if l.Conversion.Interval != conversion || l.InUnits(0.01).Conversion.Interval != conversion {
		t.Errorf("conversion %+v, want %+v in any currency", l.Conversion, conversion)
	}
}

func TestLiftSaysWhenItCannotTell(t *testing.T) {
	t.Parallel()
	enough := arm(500, 100, 900, 500_000, 3e9)
	for name, c := range map[string]struct {
		held measure.Arm
		want measure.Status
		why  string
	}{
		"too few held out":    {arm(29, 10, 0, 30_000, 1e8), measure.NotEnoughData, "29 held-out customers, 30 needed"},
		"too few of them buy": {arm(60, 4, 0, 30_000, 1e8), measure.NotEnoughData, "4 held-out buyers, 30 needed"},
		"nobody held out":     {measure.Arm{}, measure.NotEnoughData, "0 held-out customers"},
		"the same":            {arm(150, 30, 0, 150_000, 9e8), measure.NotDistinguishable, ""},
		"far less":            {arm(600, 30, 0, 60_000, 1.5e7), measure.OK, ""},
	} {
		l := measure.Comparison{Treated: enough, Held: c.held}.Lift(measure.DefaultMinimum(), 0.95)
		if l.PerTouch.Status != c.want || !strings.Contains(l.PerTouch.Why, c.why) {
			t.Errorf("%s: %+v, want %s %q", name, l.PerTouch, c.want, c.why)
		}
		if wanted := c.held.Revenue.N >= 30; l.Conversion.Known() != wanted {
			t.Errorf("%s: conversion %+v", name, l.Conversion)
		}
		if !l.PerTouch.Known() && l.PerTouch.Interval != (measure.Interval{}) {
			t.Errorf("%s: an interval is stated without data: %+v", name, l.PerTouch)
		}
	}
	untouched := enough
	untouched.Touches = 0
	l := measure.Comparison{Treated: untouched, Held: arm(600, 30, 0, 60_000, 1.5e7)}.Lift(measure.DefaultMinimum(), 0.95)
	if l.PerTouch.Status != measure.NotEnoughData || !l.Revenue.Known() {
		t.Errorf("without touches there is revenue but none per touch: %+v, %+v", l.Revenue, l.PerTouch)
	}
}

// The minimum is there because without it A/A comparisons of a small holdout
// with rare orders look like gains far too often.
func TestMinimumKeepsSmallHoldoutsFromLookingLikeGains(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	false0, false1, stated := 0, 0, 0
	const draws = 1000
	for range draws {
		treated, a := shoppers(r, 6000, 0.05, 6000)
		held, b := shoppers(r, 600, 0.05, 6000)
		c := measure.Comparison{Treated: measure.Arm{Revenue: treated, Converted: a, Touches: 1}, Held: measure.Arm{Revenue: held, Converted: b}}
		if l := c.Lift(measure.Minimum{}, 0.95); l.Revenue.Status == measure.OK && l.Revenue.Interval.Low > 0 {
			false0++
		}
		if l := c.Lift(measure.DefaultMinimum(), 0.95); l.Revenue.Known() {
			stated++
			if l.Revenue.Interval.Low > 0 {
				false1++
			}
		}
	}
	if false0 < draws/20 {
		t.Errorf("without a minimum %d of %d look like gains; the minimum would not be needed", false0, draws)
	}
	if stated == 0 || false1*40 > stated {
		t.Errorf("with the minimum %d of %d stated intervals look like gains, want at most 1 in 40", false1, stated)
	}
}

func TestTrialPrefersItsOwnHoldout(t *testing.T) {
	t.Parallel()
	own, global, treated := arm(30, 1, 0, 1, 1), arm(40, 2, 0, 2, 2), arm(50, 3, 9, 3, 3)
	trial := measure.Trial{Arms: map[ledger.Arm]measure.Arm{ledger.Treated: treated, ledger.Holdout: own, ledger.GlobalHoldout: global}}
	if c, control := trial.Comparison(); control != ledger.Holdout || c.Held != own || c.Treated != treated {
		t.Errorf("compared with %s: %+v", control, c)
	}
	delete(trial.Arms, ledger.Holdout)
	if c, control := trial.Comparison(); control != ledger.GlobalHoldout || c.Held != global {
		t.Errorf("compared with %s: %+v", control, c)
	}
}
