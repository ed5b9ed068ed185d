package guardrails

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// lawTouch is a touch on a provision's first channel that every guardrail allows,
// changed as an example says.
func lawTouch(p Provision, e LawExample) Touch {
	t := good()
	t.Channel = p.Channels[0]
	if t.Channel != lifecycle.Email {
		smsSaying("Larkspur: new chairs are here. Reply STOP to opt out")(&t)
		t.Channel = p.Channels[0]
	}
	t.Customer.Customer.Region = p.Region
	if t.Customer.Customer.Country = e.Country; e.Country == "none" {
		t.Customer.Customer.Country = ""
	}
	c := lifecycle.Consent{Channel: t.Channel, State: lifecycle.ConsentGranted, Basis: e.Basis, At: t.At.AddDate(0, 0, -e.Age)}
	if e.State != "" {
		c.State = e.State
	}
	if e.Wording {
		c.Wording = "Send me texts from Larkspur Home to my number."
	}
	consents(c)(&t)
	if e.Class != "" {
		t.Class = e.Class
	}
	switch e.Lacks {
	case "address":
		replaceHTML("48 Mill Lane", "")(&t)
	case "unsubscribe":
		replaceHTML("/u/", "/x/")(&t)
	}
	return t
}

func TestEveryProvisionKeepsItsExamples(t *testing.T) {
	t.Parallel()
	b, policy := brand.Example(), DefaultPolicy()
	seen := map[string]bool{}
	for _, p := range Provisions() {
		if seen[p.ID] || p.ID == "" || p.Asks == "" || p.Cite == "" || p.Version == "" || p.EnforcedBy == "" || len(p.Channels) == 0 {
			t.Errorf("provision %q needs an id of its own, what it asks, cite, version, guardrail and channels", p.ID)
		}
		seen[p.ID] = true
		if p.Hours != nil || p.PerDay > 0 {
			continue // see TestLegalHoursNameTheirProvision
		}
		flags, passes := 0, 0
		for _, e := range p.Examples {
			got := judge(lawTouch(p, e), policy, b, func(r *Rule) bool { return r.Name == p.EnforcedBy })
			if got.Outcome != e.Want {
				t.Errorf("%s, %s: %s %+v, want %s", p.ID, e.Name, got.Outcome, got.Findings, e.Want)
				continue
			}
			if e.Want == lifecycle.Allow {
				passes++
				continue
			}
			flags++
			if law := got.Findings[0].Law; law == nil || law.Cite == "" || law.Version == "" {
				t.Errorf("%s, %s: the finding names no provision: %+v", p.ID, e.Name, got.Findings[0])
			}
		}
		if flags == 0 || passes == 0 || p.Effective.IsZero() {
			t.Errorf("%s: %d examples to flag, %d to pass, in force from %v: give both kinds and the date", p.ID, flags, passes, p.Effective)
		}
		if len(judgeBy(p.EnforcedBy)) == 0 {
			t.Errorf("%s: there is no guardrail %q", p.ID, p.EnforcedBy)
		}
	}
}

func judgeBy(name string) (found []Rule) {
	for _, r := range Rules() {
		if r.Name == name {
			found = append(found, r)
		}
	}
	return found
}

func TestLegalHoursNameTheirProvision(t *testing.T) {
	t.Parallel()
	policy, b := DefaultPolicy(), brand.Example()
	for _, p := range Provisions() {
		if p.Hours == nil && p.PerDay == 0 {
			continue
		}
		touch := good()
		text(p.Region, "13:30")(&touch)
		touch.Customer.Consents[lifecycle.SMS] = lifecycle.Consent{Channel: lifecycle.SMS, State: lifecycle.ConsentGranted, Basis: lifecycle.BasisWritten, At: touch.At.AddDate(0, -1, 0)}
		rule := func(r *Rule) bool { return r.Name == p.EnforcedBy }
		if p.Region == "" {
			touch.Customer.Customer.Region = "VT" // a state without a row of its own
		}
		if got := judge(touch, policy, b, rule); got.Outcome != lifecycle.Allow {
			t.Errorf("%s by day: %+v", p.ID, got)
		}
		if p.Hours != nil {
			clockAt(closedAt(p))(&touch)
		} else {
			for i := range p.PerDay {
				touch.Recent = append(touch.Recent, lifecycle.TouchRecord{Channel: lifecycle.SMS, State: lifecycle.TouchDelivered, At: touch.At.Add(-time.Duration(i+1) * time.Hour)})
			}
		}
		got := judge(touch, policy, b, rule)
		named := false
		for _, f := range got.Findings {
			named = named || f.Law != nil && f.Law.ID == p.ID && f.Law.Cite == p.Cite && f.Law.Version == LawVersion
		}
		if got.Outcome != lifecycle.Defer || !named {
			t.Errorf("%s: %s %+v, want a deferral that names it", p.ID, got.Outcome, got.Findings)
		}
	}
}

// closedAt is a time of day that the provision forbids and, for a state, the
// country allows.
func closedAt(p Provision) string {
	day := time.Date(2026, 10, 14, 8, 30, 0, 0, time.UTC)
	for at := day; at.Day() == day.Day(); at = at.Add(time.Hour) {
		if p.Region != "" && !p.Hours.Next(at, time.UTC).Equal(at) && at.Hour() < 21 {
			return at.Format("15:04")
		}
	}
	return "23:30"
}

// TestVerdictsNameTheLaw: an allowed touch names the provision that permits it, a
// blocked one the provision it breaks.
func TestVerdictsNameTheLaw(t *testing.T) {
	t.Parallel()
	policy, b := DefaultPolicy(), brand.Example()
	for country, want := range map[string]string{"US": "us-can-spam-opt-out", "CA": "ca-casl-express", "DE": "eu-eprivacy-consent", "GB": "gb-pecr-consent", "AU": "au-spam-express", "": "eu-eprivacy-consent", "BR": "eu-eprivacy-consent"} {
		touch := good()
		touch.Customer.Customer.Country, touch.Customer.Customer.Region = country, ""
		v := Judge(touch, policy, b)
		if v.Outcome != lifecycle.Allow || len(v.Findings) != 0 || v.Law == nil || v.Law.ID != want || v.Law.Version != CatalogueVersion() || v.Law.Cite == "" {
			t.Errorf("%q: %+v by %+v, want %s", country, v, v.Law, want)
		}
	}
	touch := good()
	restsOn(lifecycle.BasisInquiry, 200*24*time.Hour)(&touch)
	livesIn("CA", "ON")(&touch)
	v := Judge(touch, policy, b)
	if v.Outcome != lifecycle.Block || v.Findings[0].Rule != "consent-regime" || v.Findings[0].Law.ID != "ca-casl-implied-inquiry" || v.Findings[0].Limit != "6 months" {
		t.Errorf("an inquiry of long ago: %+v", v)
	}
	touch.Class = lifecycle.Transactional
	if v := Judge(touch, policy, b); v.Law != nil {
		t.Errorf("a receipt needs no permission: %+v", v.Law)
	}
}

func TestLawsBindFromTheirDate(t *testing.T) {
	t.Parallel()
	touch := good()
	touch.Channel = lifecycle.SMS
	restsOn(lifecycle.BasisExpress, time.Hour)(&touch)
	before := time.Date(2013, 10, 15, 18, 0, 0, 0, time.UTC)
	touch.At = before
	if _, refused := permitted(touch); refused != nil {
		t.Errorf("before prior express written consent was asked for: %+v", refused)
	}
	touch.At = before.AddDate(0, 0, 2)
	if _, refused := permitted(touch); refused == nil || refused.Law.ID != "us-tcpa-written" {
		t.Errorf("after: %+v", refused)
	}
}

// TestMonthsAreCalendarMonths: exactly the last instant is still good, and the end
// of a month has no days that do not exist.
func TestMonthsAreCalendarMonths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to string }{{"2026-08-31", "2027-02-28"}, {"2027-08-31", "2028-02-29"}, {"2026-01-15", "2026-07-15"}, {"2026-03-31", "2026-09-30"}} {
		from, _ := time.Parse(time.DateOnly, c.from)
		if got := monthsAfter(from, 6).Format(time.DateOnly); got != c.to {
			t.Errorf("6 months after %s: %s, want %s", c.from, got, c.to)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0).UTC()
		n := rapid.IntRange(1, 120).Draw(t, "months")
		later := monthsAfter(from, n)
		months := (later.Year()-from.Year())*12 + int(later.Month()) - int(from.Month())
		if months != n || later.Day() > from.Day() || later.Hour() != from.Hour() {
			t.Fatalf("%d months after %s: %s", n, from, later)
		}
	})
	touch := good()
	livesIn("CA", "ON")(&touch)
	edge := monthsAfter(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), 6)
	for after, want := range map[time.Duration]bool{0: true, time.Second: false} {
		touch.At = edge.Add(after)
		consents(lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, Basis: lifecycle.BasisInquiry, At: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)})(&touch)
		if by, refused := permitted(touch); (by != nil) != want || (refused == nil) != want {
			t.Errorf("%s after the edge: %v %+v", after, by, refused)
		}
	}
}

// TestUnknownCountryIsTheStrictest: what is allowed there is allowed in every
// country of the catalogue.
func TestUnknownCountryIsTheStrictest(t *testing.T) {
	t.Parallel()
	countries := []string{"US", "CA", "DE", "GB", "AU", "NO", "FR"}
	rapid.Check(t, func(t *rapid.T) {
		touch := good()
		touch.Channel = rapid.SampledFrom(lifecycle.Channels).Draw(t, "channel")
		restsOn(rapid.SampledFrom(lifecycle.Bases).Draw(t, "basis"), time.Duration(rapid.IntRange(0, 1200).Draw(t, "days"))*24*time.Hour)(&touch)
		livesIn("", "")(&touch)
		if _, refused := permitted(touch); refused != nil {
			return
		}
		country := rapid.SampledFrom(countries).Draw(t, "country")
		livesIn(country, "")(&touch)
		if _, refused := permitted(touch); refused != nil {
			t.Fatalf("allowed where unknown, refused in %s: %+v", country, refused)
		}
	})
}

func TestParseLawsNamesMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, want string }{
		{"provisions: []", "version is missing"},
		{"version: a\nprovisions:\n  - {id: x, channels: [mail]}", "unknown channel \"mail\""},
		{"version: a\nprovisions:\n  - {id: x, permits: [hope]}", "unknown basis \"hope\""},
		{"version: a\nprovisions:\n  - {id: x, effective: soon}", "write a date such as"},
		{"version: a\nprovisions:\n  - {id: x}\n  - {id: x}", "used twice"},
	} {
		if _, err := parseLaws("laws.yaml", []byte(c.source)); lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.source, err, c.want)
		}
	}
}
