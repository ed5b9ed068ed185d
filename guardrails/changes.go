package guardrails

import (
	"fmt"
	"math"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

// direction is the effect of changing one number.
type direction int

const (
	stricter direction = -1
	same     direction = 0
	looser   direction = 1
)

// compare tells the direction when a smaller value is the stricter one.
func compare(before, after float64) direction {
	switch {
	case after < before:
		return stricter
	case after > before:
		return looser
	}
	return same
}

// changes reads the dated changes into policies, the first being p itself.
func changes(n yamldoc.Node, p *Policy) []dated {
	line := []dated{{policy: p}}
	for _, item := range n.Items() {
		f := item.Fields("at", "tighten", "relax", "reason")
		next := line[len(line)-1].policy.clone()
		next.Version = fmt.Sprintf("%s/%d", p.Version, len(line))
		c := Change{
			At:      instant(f.Get("at").Required("2026-12-01")),
			Relaxes: f.Get("relax").Present(),
			Reason:  f.Get("reason").Required("why, for whoever reads the audit trail").Text(),
			Version: next.Version,
		}
		if last := line[len(line)-1]; len(line) > 1 && !c.At.After(last.at) {
			f.Get("at").Fail("changes stand in the order of their dates: move this one up")
		}
		body, want, name := f.Get("tighten"), stricter, "tighten"
		if c.Relaxes {
			body, want, name = f.Get("relax"), looser, "relax"
		}
		if f.Get("tighten").Present() == f.Get("relax").Present() {
			item.Fail("a change either tightens or relaxes: give exactly one of the two")
			continue
		}
		changed := false
		apply(body, next, func(v yamldoc.Node, d direction) {
			switch d {
			case same:
				v.Fail("%s is already that: remove it", v.Name())
			case want:
				changed = true
			default:
				v.Fail("%s does the opposite of %s: move it to a change of the other kind", v.Name(), name)
			}
		})
		if !changed {
			body.Fail("the change changes nothing: name what it should %s, for example caps: {email-weekly: 3}", name)
		}
		if wrong := next.validate(); wrong != "" {
			body.Fail("%s", wrong)
		}
		line = append(line, dated{at: c.At, policy: next, change: c})
	}
	return line
}

// instant reads a date (from its first moment in UTC) or an RFC 3339 instant.
func instant(n yamldoc.Node) time.Time {
	if !n.Present() {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, n.Text()); err == nil {
			return t.UTC()
		}
	}
	n.Fail("%s %q: write a date such as 2026-12-01 or an instant such as 2026-12-01T09:00:00+01:00", n.Name(), n.Text())
	return time.Time{}
}

// apply changes p as the body says and reports the direction of every number.
func apply(body yamldoc.Node, p *Policy, report func(yamldoc.Node, direction)) {
	f := body.Fields("caps", "consent_max_age", "duplicates", "spam", "review_share")
	for _, e := range f.Get("caps").Entries() {
		i := capIndex(p.Caps, e.Key)
		if i < 0 {
			e.Value.Fail("there is no cap %s: use one of %s", e.Key, strings.Join(capNames(p.Caps), ", "))
			continue
		}
		after := limit(e.Value.Required("3"))
		report(e.Value, compare(orNone(p.Caps[i].Limit), orNone(after)))
		p.Caps[i].Limit = after
	}
	for _, e := range f.Get("consent_max_age").Entries() {
		if ch, ok := channelKey(e); ok {
			report(e.Value, setMaxAge(p, ch, e.Value))
		}
	}
	d := f.Get("duplicates").Fields("content", "slot")
	for key, to := range map[string]*time.Duration{"content": &p.Duplicates.Content, "slot": &p.Duplicates.Slot} {
		if v := d.Get(key); v.Present() {
			after := window(v)
			report(v, -compare(float64(*to), float64(after))) // longer is stricter
			*to = after
		}
	}
	s := f.Get("spam").Fields("review", "block")
	for key, to := range map[string]*float64{"review": &p.Spam.Review, "block": &p.Spam.Block} {
		if v := s.Get(key); v.Present() {
			after := v.Float(0, 100)
			report(v, compare(*to, after))
			*to = after
		}
	}
	if v := f.Get("review_share"); v.Present() {
		after := v.Float(0, 1)
		report(v, -compare(p.Review.Share, after)) // more is stricter
		p.Review.Share = after
	}
}

func setMaxAge(p *Policy, ch lifecycle.Channel, v yamldoc.Node) direction {
	age := func() float64 {
		if d, ok := p.Consent.MaxAge[ch]; ok {
			return float64(d)
		}
		return math.Inf(1)
	}
	before := age()
	if v.Text() == "none" {
		delete(p.Consent.MaxAge, ch)
	} else {
		p.Consent.MaxAge[ch] = v.Duration()
	}
	return compare(before, age())
}

func orNone(limit *int) float64 {
	if limit == nil {
		return math.Inf(1)
	}
	return float64(*limit)
}

func capIndex(caps []Cap, name string) int {
	for i, c := range caps {
		if c.Name == name {
			return i
		}
	}
	return -1
}

func capNames(caps []Cap) []string {
	names := make([]string, len(caps))
	for i, c := range caps {
		names[i] = c.Name
	}
	return names
}
