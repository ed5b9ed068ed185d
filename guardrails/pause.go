package guardrails

import (
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

var pauseRule = Rule{
	Name:   "pause",
	Doc:    "Defers while the journey, the campaign, the channel or all sending is paused or halted. The touch asks again after the policy's pause_recheck; nobody is dropped and nothing goes out twice on resume.",
	Source: "practice: pause freezes people in place",
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if t.Paused == "" {
			return nil
		}
		return []lifecycle.Finding{{
			Outcome: lifecycle.Defer, Value: t.Paused, Limit: "running", Until: t.At.Add(p.PauseRecheck),
			Reason: "sending is on hold (" + t.Paused + "); asks again in " + clock.FormatDuration(p.PauseRecheck),
		}}
	},
	Examples: []Example{
		{Name: "running", Want: lifecycle.Allow},
		{Name: "campaign paused", Change: func(t *Touch) { t.Paused = "campaign spring" }, Want: lifecycle.Defer},
	},
}
