package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var quietHoursRule = Rule{
	Name:   "quiet-hours",
	Doc:    "Defers marketing to the hours in which the channel may be used, by the clock on the customer's wall at that instant. Hours come from the policy and, for texts, from the law of the country and state; all must allow. No law sets hours for e-mail, so it has none unless the policy gives some. When the customer's zone (for texts also the country, or the US state) is unknown, the strictest window applies in every zone the country has: 10:00-18:00, Saturday to 17:00, not on Sunday.",
	Source: "47 CFR 64.1200(c)(1); state laws in table " + LawVersion,
	Timed:  true,
	Check: func(t Touch, p *Policy, b *brand.Brand) []lifecycle.Finding {
		if !t.marketing() {
			return nil
		}
		var latest *lifecycle.Finding
		for _, w := range p.windowsOpen(t, b) {
			next := w.hours.Next(t.At, w.zone)
			if next.Equal(t.At) {
				continue
			}
			f := lifecycle.Finding{
				Outcome: lifecycle.Defer, Until: next,
				Value: t.At.In(w.zone).Format("Mon 15:04 MST"), Limit: w.hours.String(),
				Reason: "outside the hours of " + w.name + " in " + w.zone.String(),
			}
			if next.IsZero() {
				f.Outcome, f.Reason = lifecycle.Block, "the hours of "+w.name+" never open"
			}
			if latest == nil || severity(f.Outcome) > severity(latest.Outcome) || f.Until.After(latest.Until) {
				latest = &f
			}
		}
		if latest == nil {
			return nil
		}
		return []lifecycle.Finding{*latest}
	},
	Examples: []Example{
		{Name: "e-mail has no hours by itself", Change: clockAt("03:00"), Want: lifecycle.Allow},
		{Name: "e-mail at night with hours", Change: clockAt("22:30"), Policy: evenings, Want: lifecycle.Defer},
		{Name: "e-mail by day with hours", Change: clockAt("14:00"), Policy: evenings, Want: lifecycle.Allow},
		{Name: "end of the window is outside", Change: clockAt("21:00"), Policy: evenings, Want: lifecycle.Defer},
		{Name: "unknown zone, early for the strictest window", Change: func(t *Touch) {
			clockAt("09:30")(t)
			t.Customer.Customer.TimeZone = ""
		}, Policy: evenings, Want: lifecycle.Defer},
		{Name: "text in New York at half past eight in the evening", Change: text("NY", "20:30"), Want: lifecycle.Allow},
		{Name: "text in Florida at half past eight in the evening", Change: text("FL", "20:30"), Want: lifecycle.Defer},
		{Name: "text before eight", Change: text("NY", "07:59"), Want: lifecycle.Defer},
		{Name: "text, state unknown, half past eight in the evening", Change: text("", "20:30"), Want: lifecycle.Defer},
		{Name: "one-time code at night", Change: func(t *Touch) {
			text("FL", "23:00")(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
	},
}

// CheckHours asks the quiet-hours rule alone, under the policy in force at t.At:
// the watch judges with it what went out. It looks at the instant, the channel,
// the class and the customer's place.
func CheckHours(t Touch, p *Policy, b *brand.Brand) []lifecycle.Finding {
	return quietHoursRule.Check(t, p.At(t.At), b)
}

// openHours is one window that must allow the instant.
type openHours struct {
	name  string
	hours Hours
	zone  *time.Location
}

func (p *Policy) windowsOpen(t Touch, b *brand.Brand) []openHours {
	c := t.Customer.Customer
	zone := p.zone(c.TimeZone)
	zones := []*time.Location{zone}
	if zone == nil {
		zones = p.candidates(c.Country, b)
	}
	var list []openHours
	open := func(name string, h Hours) {
		for _, z := range zones {
			list = append(list, openHours{name, h, z})
		}
	}
	configured, limited := p.Hours[t.Channel]
	if limited {
		open("the policy for "+string(t.Channel), configured)
	}
	known := true
	if t.Channel == lifecycle.SMS {
		var rows []jurisdiction
		rows, known = jurisdictions(c)
		for _, j := range rows {
			open(j.Name+" ("+j.Cite+")", j.Hours)
		}
		limited = limited || len(rows) > 0 || !known
	}
	if limited && (zone == nil || !known) {
		open("the strictest window, for want of the customer's place", Strictest())
	}
	return list
}

// candidates are the zones a customer without one may live in.
func (p *Policy) candidates(country string, b *brand.Brand) []*time.Location {
	var zones []*time.Location
	for _, name := range candidateZones[country] {
		if z := p.zone(name); z != nil {
			zones = append(zones, z)
		}
	}
	if len(zones) == 0 {
		z := p.zone(b.TimeZone)
		if z == nil {
			z = time.UTC
		}
		zones = append(zones, z)
	}
	return zones
}

// clockAt moves the touch to this time on the customer's wall, on a Wednesday.
func clockAt(at string) func(*Touch) {
	return func(t *Touch) {
		zone, err := time.LoadLocation(t.Customer.Customer.TimeZone)
		if err != nil {
			panic("guardrails: example zone: " + err.Error())
		}
		t.At, err = time.ParseInLocation("2006-01-02 15:04", "2026-10-14 "+at, zone)
		if err != nil {
			panic("guardrails: example time: " + err.Error())
		}
	}
}

func evenings(p *Policy) {
	p.Hours = map[lifecycle.Channel]Hours{lifecycle.Email: everyDay(9, 21)}
}

// text makes the touch a text message to a New York clock in a US state.
func text(state, at string) func(*Touch) {
	return func(t *Touch) {
		clockAt(at)(t)
		t.Channel = lifecycle.SMS
		t.Customer.Customer.Country, t.Customer.Customer.Region = "US", state
	}
}
