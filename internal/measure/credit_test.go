package measure_test

import (
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/measure"
)

var cells = rapid.SliceOf(rapid.Custom(func(t *rapid.T) measure.Cell {
	return measure.Cell{
		Journey: rapid.SampledFrom([]string{"welcome", "winback", "cart"}).Draw(t, "journey"),
		Channel: rapid.SampledFrom([]string{"email", "sms"}).Draw(t, "channel"),
		Week:    rapid.IntRange(0, 11).Draw(t, "week"),
		Credit: measure.Credit{Touches: rapid.IntRange(0, 1000).Draw(t, "touches"), Orders: rapid.IntRange(0, 50).Draw(t, "orders"),
			Revenue: rapid.Int64Range(-1_000_000, 9_000_000_000_000).Draw(t, "revenue"), Cost: rapid.Int64Range(0, 5000).Draw(t, "cost"),
			Opened: rapid.IntRange(0, 9).Draw(t, "opened"), Clicked: rapid.IntRange(0, 9).Draw(t, "clicked")},
	}
}))

func TestCreditsAddUpWhateverTheGrouping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := cells.Draw(t, "cells")
		total := measure.Total(all)
		for name, dimension := range map[string]func(measure.Cell) string{
			"journey": func(c measure.Cell) string { return c.Journey },
			"channel": func(c measure.Cell) string { return c.Channel },
			"nothing": func(measure.Cell) string { return "" },
		} {
			var sum measure.Credit
			last := ""
			for i, g := range measure.GroupBy(all, dimension) {
				if i > 0 && g.Name <= last {
					t.Fatalf("by %s: %q comes after %q", name, g.Name, last)
				}
				last = g.Name
				sum = sum.Add(g.Credit)
			}
			if sum != total {
				t.Fatalf("by %s the credits add up to %+v, the total is %+v", name, sum, total)
			}
		}
	})
}

func TestPerTouch(t *testing.T) {
	t.Parallel()
	if v, ok := (measure.Credit{Touches: 400, Revenue: 24_400}).PerTouch(); !ok || v != 61 {
		t.Errorf("%v, %v: want 61 cents per touch", v, ok)
	}
	if _, ok := (measure.Credit{Revenue: 5}).PerTouch(); ok {
		t.Error("revenue per touch without a touch")
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	g := measure.DefaultGoals()
	for rpmt, want := range map[float64]string{
		0.30: "below the baseline of 0.45",
		0.45: "at or above the baseline of 0.45, below the target of 0.61",
		0.61: "at or above the target of 0.61, below the stretch goal of 1.05",
		1.05: "at or above the stretch goal of 1.05",
		-1:   "below the baseline of 0.45",
	} {
		if got := g.Judge(rpmt); got != want {
			t.Errorf("%v is %q, want %q", rpmt, got, want)
		}
	}
	if got, want := g.JudgeInterval(measure.Interval{Low: 0.7, High: 0.9}), "the whole interval is at or above the target of 0.61, below the stretch goal of 1.05"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := g.JudgeInterval(measure.Interval{Low: 0.1, High: 1.9}), "the interval reaches from below the baseline of 0.45, to at or above the stretch goal of 1.05"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
