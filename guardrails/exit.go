package guardrails

import (
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var exitRule = Rule{
	Name:   "exit",
	Doc:    "Blocks a touch of a journey that is over for the customer: they bought, reached the goal or left since. The caller computes the reason from fresh rows, right before sending too.",
	Source: "practice: no cart reminder after the purchase",
	Check: func(t Touch, _ *Policy, _ *brand.Brand) []lifecycle.Finding {
		if t.Exit == "" {
			return nil
		}
		return one(lifecycle.Block, t.Exit, "still in the journey", "the journey is over for this customer: "+t.Exit)
	},
	Examples: []Example{
		{Name: "still in the journey", Want: lifecycle.Allow},
		{Name: "bought meanwhile", Change: func(t *Touch) { t.Exit = "purchase since entry" }, Want: lifecycle.Block},
	},
}
