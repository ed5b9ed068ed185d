package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var sendWindowRule = Rule{
	Name:   "send-window",
	Doc:    "Defers to the journey's own send window, by the clock on the customer's wall at that instant, clock changes included. Customers without a known zone go by the brand's zone.",
	Source: "practice: the journey's send window",
	Timed:  true,
	Check: func(t Touch, p *Policy, b *brand.Brand) []lifecycle.Finding {
		if t.Window == nil || !t.marketing() {
			return nil
		}
		zone := t.home(p, b)
		next := t.Window.Next(t.At, zone)
		value := t.At.In(zone).Format("Mon 15:04 MST")
		switch {
		case next.IsZero():
			return one(lifecycle.Block, value, "a window that opens", "the journey's send window never opens; correct the journey")
		case next.After(t.At):
			return []lifecycle.Finding{{
				Outcome: lifecycle.Defer, Value: value, Limit: "from " + next.In(zone).Format("Mon 2006-01-02 15:04 MST"), Until: next,
				Reason: "outside the journey's send window in " + zone.String(),
			}}
		}
		return nil
	},
	Examples: []Example{
		{Name: "no window", Want: lifecycle.Allow},
		{Name: "inside", Change: func(t *Touch) {
			clockAt("10:00")(t)
			t.Window = everyDay(9, 12)
		}, Want: lifecycle.Allow},
		{Name: "too late", Change: func(t *Touch) {
			clockAt("12:00")(t)
			t.Window = everyDay(9, 12)
		}, Want: lifecycle.Defer},
		{Name: "never opens", Change: func(t *Touch) { t.Window = Hours{} }, Want: lifecycle.Block},
		{Name: "receipts do not wait", Change: func(t *Touch) {
			clockAt("12:00")(t)
			t.Window, t.Class = everyDay(9, 12), lifecycle.Transactional
		}, Want: lifecycle.Allow},
		{Name: "a window of the caller's own type", Change: func(t *Touch) { t.Window = anyWindow{} }, Want: lifecycle.Allow},
	},
}

// anyWindow is a journey window of the caller's own type.
type anyWindow struct{}

func (anyWindow) Next(t time.Time, _ *time.Location) time.Time { return t }
