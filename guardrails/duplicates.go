package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

var duplicatesRule = Rule{
	Name:   "duplicates",
	Doc:    "Blocks marketing that says again what the customer got lately: the same copy within the policy's content window, or the same slot of a journey within its slot window, on the same channel.",
	Source: "practice: nobody wants the same letter twice",
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if !t.marketing() {
			return nil
		}
		hash := ""
		for _, r := range t.Recent {
			if !r.State.HoldsSlot() || r.Channel != t.Channel {
				continue
			}
			age := t.At.Sub(r.At)
			if w := p.Duplicates.Content; age < w && r.Content != "" {
				if hash == "" {
					hash = t.Creative.ContentHash()
				}
				if r.Content == hash {
					return one(lifecycle.Block, "same copy "+ago(age), "once per "+clock.FormatDuration(w), "the customer got this very copy "+ago(age))
				}
			}
			if w := p.Duplicates.Slot; age < w && r.Slot != "" && r.Slot == t.Creative.Slot {
				return one(lifecycle.Block, "same slot "+ago(age), "once per "+clock.FormatDuration(w), "the customer got a message for "+r.Slot+" "+ago(age))
			}
		}
		return nil
	},
	Examples: []Example{
		{Name: "nothing lately", Want: lifecycle.Allow},
		{Name: "same copy five days ago", Change: again(5*24*time.Hour, true), Want: lifecycle.Block},
		{Name: "same copy exactly a week ago", Change: again(7*24*time.Hour, true), Want: lifecycle.Allow},
		{Name: "same slot, other copy, yesterday", Change: again(26*time.Hour, false), Want: lifecycle.Block},
		{Name: "same slot, other copy, five days ago", Change: again(5*24*time.Hour, false), Want: lifecycle.Allow},
		{Name: "window switched off", Change: again(5*24*time.Hour, true), Policy: func(p *Policy) { p.Duplicates = DuplicatePolicy{} }, Want: lifecycle.Allow},
	},
}

func ago(age time.Duration) string {
	switch {
	case age < 0:
		return "in " + clock.FormatDuration((-age).Truncate(time.Minute))
	case age < 48*time.Hour:
		return age.Truncate(time.Minute).String() + " ago"
	}
	return clock.FormatDuration(age.Truncate(24*time.Hour)) + " ago"
}

func again(age time.Duration, sameCopy bool) func(*Touch) {
	return func(t *Touch) {
		r := lifecycle.TouchRecord{Channel: t.Channel, Slot: t.Creative.Slot, At: t.At.Add(-age), State: lifecycle.TouchDelivered, Content: "other copy"}
		if sameCopy {
			r.Content = t.Creative.ContentHash()
		}
		t.Recent = append(t.Recent, r)
	}
}
