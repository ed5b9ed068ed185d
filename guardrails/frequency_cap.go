package guardrails

import (
	"fmt"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

var frequencyCapRule = Rule{
	Name:   "frequency-cap",
	Doc:    "Limits marketing touches per customer: by channel, by tag, in total, and as few as the customer asked for, every cap at once. Defers to the instant a slot frees; blocks where the cap says never or drop. Transactional messages are exempt and not counted. Slots kept for important touches are not given to others. The reservation in the ledger holds the same caps again, in one transaction.",
	Source: "practice; Fla. Stat. 501.059, Md. Com. Law 14-4502, 15 O.S. 775C.4 for texts (3 per 24 hours)",
	Timed:  true,
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if !t.marketing() {
			return nil
		}
		zone := p.zone(t.Customer.Customer.TimeZone)
		var findings []lifecycle.Finding
		for _, c := range p.capsFor(t) {
			limit := c.limitFor(t.Priority)
			f := lifecycle.Finding{Outcome: lifecycle.Block, Limit: fmt.Sprintf("%d per %s", limit, c.period())}
			used := c.used(t.Recent, t.At, zone)
			f.Value = fmt.Sprintf("%d before", len(used))
			switch {
			case len(used) < limit:
				continue
			case limit == 0:
				f.Reason = fmt.Sprintf("cap %s allows no such touch", c.Name)
			case c.Drop:
				f.Reason = fmt.Sprintf("cap %s is full, and touches over it are dropped", c.Name)
			default:
				f.Outcome = lifecycle.Defer
				f.Until = c.frees(used, limit, t.At, zone)
				f.Reason = fmt.Sprintf("cap %s is full; a slot frees at %s", c.Name, f.Until.UTC().Format(time.RFC3339))
			}
			if limit < *c.Limit {
				f.Reason += fmt.Sprintf(" (%d kept for priority %d and up)", c.KeepForPriority, c.PriorityFrom)
			}
			findings = append(findings, f)
		}
		return findings
	},
	Examples: []Example{
		{Name: "first touch", Want: lifecycle.Allow},
		{Name: "one an hour ago", Change: earlier(lifecycle.TouchAccepted, time.Hour), Want: lifecycle.Defer},
		{Name: "one exactly a day ago", Change: earlier(lifecycle.TouchDelivered, 24*time.Hour), Want: lifecycle.Allow},
		{Name: "refused touches hold no slot", Change: earlier(lifecycle.TouchRefused, time.Hour), Want: lifecycle.Allow},
		{Name: "nobody knows whether it went out", Change: earlier(lifecycle.TouchUnconfirmed, time.Hour), Want: lifecycle.Defer},
		{Name: "four in a week", Change: earlier(lifecycle.TouchDelivered, 30*time.Hour, 60*time.Hour, 90*time.Hour, 120*time.Hour), Want: lifecycle.Defer},
		{Name: "customer wants one a week", Change: func(t *Touch) {
			earlier(lifecycle.TouchDelivered, 6*24*time.Hour)(t)
			t.Customer.Wishes.Frequency = lifecycle.AtMostWeekly
		}, Want: lifecycle.Defer},
		{Name: "customer wants one a week, and had it", Change: func(t *Touch) {
			earlier(lifecycle.TouchDelivered, 7*24*time.Hour)(t)
			t.Customer.Wishes.Frequency = lifecycle.AtMostWeekly
		}, Want: lifecycle.Allow},
		{Name: "customer wants one a month", Change: func(t *Touch) {
			earlier(lifecycle.TouchDelivered, 29*24*time.Hour)(t)
			t.Customer.Wishes.Frequency = lifecycle.AtMostMonthly
		}, Want: lifecycle.Defer},
		{Name: "receipt", Change: func(t *Touch) {
			earlier(lifecycle.TouchAccepted, time.Hour)(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
		{Name: "limit 0 is never", Policy: func(p *Policy) { p.Caps = []Cap{{Name: "none", Limit: new(int), Per: time.Hour}} }, Want: lifecycle.Block},
		{Name: "no limit", Change: earlier(lifecycle.TouchAccepted, time.Hour), Policy: func(p *Policy) { p.Caps = []Cap{{Name: "open", Per: 24 * time.Hour}} }, Want: lifecycle.Allow},
		{Name: "over the cap is dropped", Change: earlier(lifecycle.TouchAccepted, time.Hour), Policy: func(p *Policy) { p.Caps[0].Drop = true }, Want: lifecycle.Block},
		{Name: "last slot kept for priority", Change: earlier(lifecycle.TouchAccepted, 30*time.Hour), Policy: keepLast, Want: lifecycle.Defer},
		{Name: "priority takes the last slot", Change: func(t *Touch) {
			earlier(lifecycle.TouchAccepted, 30*time.Hour)(t)
			t.Priority = 9
		}, Policy: keepLast, Want: lifecycle.Allow},
	},
}

// period is the cap's window in words.
func (c Cap) period() string {
	if c.Calendar != "" {
		return "calendar " + c.Calendar
	}
	return clock.FormatDuration(c.Per)
}

// earlier gives the customer one marketing e-mail in this state at each age.
func earlier(state lifecycle.TouchState, ages ...time.Duration) func(*Touch) {
	return func(t *Touch) {
		for i, age := range ages {
			t.Recent = append(t.Recent, lifecycle.TouchRecord{
				Channel: lifecycle.Email, Class: lifecycle.Marketing, Slot: fmt.Sprintf("earlier-%d", i),
				Content: fmt.Sprintf("other copy %d", i), At: t.At.Add(-age), State: state,
			})
		}
	}
}

func keepLast(p *Policy) {
	two := 2
	p.Caps = []Cap{{Name: "weekly", Limit: &two, Per: 7 * 24 * time.Hour, KeepForPriority: 1, PriorityFrom: 9}}
}
