package guardrails

import (
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

func TestDefaultPolicy(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy()
	if p.Version != "2026-11" || len(p.Changes()) != 0 || p.At(time.Now()) != p {
		t.Errorf("%+v", p)
	}
	for _, c := range p.Caps {
		if c.Limit == nil || *c.Limit == 0 || c.Per == 0 {
			t.Errorf("cap %+v limits nothing", c)
		}
	}
}

const changing = `version: 2026-11
caps:
  - {name: weekly, limit: 4, per: 7d}
  - {name: texts, channel: sms, limit: none, per: 7d}
  - {name: never, tag: alcohol, limit: 0, calendar: month}
changes:
  - at: 2026-11-20
    relax: {caps: {weekly: 6}, consent_max_age: {sms: none}}
    reason: holidays
  - at: 2026-12-27T00:00:00+01:00
    tighten: {caps: {weekly: 3, texts: 2}, duplicates: {content: 14d}, spam: {block: 4}, review_share: 0.05}
    reason: people are tired
`

func TestDatedChanges(t *testing.T) {
	t.Parallel()
	// sms has a maximum age to relax
	p, err := ParsePolicy("p.yaml", []byte(strings.Replace(changing, "caps:\n", "consent: {max_age: {sms: 90d}}\ncaps:\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at, version string
		weekly      int
	}{
		{"2026-11-19T23:59:59Z", "2026-11", 4},
		{"2026-11-20T00:00:00Z", "2026-11/1", 6},
		{"2026-12-26T22:59:59Z", "2026-11/1", 6},
		{"2026-12-26T23:00:00Z", "2026-11/2", 3},
		{"2030-01-01T00:00:00Z", "2026-11/2", 3},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got := p.At(at)
		if got.Version != c.version || *got.Caps[0].Limit != c.weekly {
			t.Errorf("at %s: %s with %d, want %s with %d", c.at, got.Version, *got.Caps[0].Limit, c.version, c.weekly)
		}
		if earlier := got.At(time.Time{}); earlier.Version != "2026-11" {
			t.Errorf("asked of %s, the policy at the beginning is %s", got.Version, earlier.Version)
		}
	}
	last := p.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if *last.Caps[1].Limit != 2 || p.Caps[1].Limit != nil || *last.Caps[2].Limit != 0 {
		t.Errorf("no limit and never: %+v, before %+v", last.Caps, p.Caps)
	}
	if _, limited := last.Consent.MaxAge[lifecycle.SMS]; limited || p.Consent.MaxAge[lifecycle.SMS] == 0 {
		t.Error("the consent age must be lifted from the first change on only")
	}
	if last.Duplicates.Content != 14*24*time.Hour || last.Spam.Block != 4 || last.Review.Share != 0.05 {
		t.Errorf("%+v", last)
	}
	changes := p.Changes()
	if len(changes) != 2 || !changes[0].Relaxes || changes[1].Relaxes || changes[1].Reason != "people are tired" || changes[1].Version != "2026-11/2" {
		t.Errorf("%+v", changes)
	}
}

func TestJudgeUsesThePolicyInForce(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy("p.yaml", []byte("version: a\ncaps:\n  - {name: weekly, limit: 1, per: 7d}\nchanges:\n  - at: 2026-10-16\n    relax: {caps: {weekly: 2}}\n    reason: test\n"))
	if err != nil {
		t.Fatal(err)
	}
	touch := good() // 2026-10-14
	earlier(lifecycle.TouchAccepted, time.Hour)(&touch)
	v := Judge(touch, p, brand.Example())
	if v.Outcome != lifecycle.Defer || v.Findings[0].Version != "a" {
		t.Fatalf("%+v", v)
	}
	touch.At = time.Date(2026, 10, 16, 0, 0, 0, 0, time.UTC)
	if v := Judge(touch, p, brand.Example()); v.Outcome != lifecycle.Allow {
		t.Errorf("after the relaxation: %+v", v)
	}
}

func TestParsePolicyNamesPlaceAndFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, want string }{
		{"version", "caps: []", "p.yaml:1:1: version is missing"},
		{"both windows", "version: a\ncaps:\n  - {name: x, limit: 1, per: 1d, calendar: day}", "either per"},
		{"no window", "version: a\ncaps:\n  - {name: x, limit: 1}", "either per"},
		{"no limit given", "version: a\ncaps:\n  - {name: x, per: 1d}", "limit is missing"},
		{"limit text", "version: a\ncaps:\n  - {name: x, limit: few, per: 1d}", "p.yaml:3:22: limit must be a whole number or none"},
		{"negative", "version: a\ncaps:\n  - {name: x, limit: -1, per: 1d}", "from 0 to 1000"},
		{"too long", "version: a\ncaps:\n  - {name: x, limit: 1, per: 90d}", "at most 35d"},
		{"calendar", "version: a\ncaps:\n  - {name: x, limit: 1, calendar: year}", "use day, week or month"},
		{"twice", "version: a\ncaps:\n  - {name: x, limit: 1, per: 1d}\n  - {name: x, limit: 1, per: 1d}", "p.yaml:4:12: cap name \"x\""},
		{"keeps all", "version: a\ncaps:\n  - {name: x, limit: 2, per: 1d, keep: 2, priority_from: 5}", "nothing is left"},
		{"keep alone", "version: a\ncaps:\n  - {name: x, limit: 2, per: 1d, keep: 1}", "go together"},
		{"over", "version: a\ncaps:\n  - {name: x, limit: 2, per: 1d, over: explode}", "use defer or drop"},
		{"hours", "version: a\ncaps: []\nhours: {email: {daily: 9-5}}", "write for example 09:00-20:00"},
		{"closed", "version: a\ncaps: []\nhours: {email: {daily: none}}", "never allows anything"},
		{"spam", "version: a\ncaps: []\nspam: {review: 6}", "above block"},
		{"tightening relaxation", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - at: 2026-12-01\n    relax: {caps: {x: 3}}\n    reason: r", "p.yaml:6:23: x does the opposite of relax"},
		{"relaxing tightening", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - at: 2026-12-01\n    tighten: {caps: {x: none}}\n    reason: r", "x does the opposite of tighten"},
		{"shorter duplicates", "version: a\ncaps: []\nduplicates: {slot: 2d}\nchanges:\n  - at: 2026-12-01\n    tighten: {duplicates: {slot: 1d}}\n    reason: r", "slot does the opposite of tighten"},
		{"same", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - at: 2026-12-01\n    relax: {caps: {x: 4}}\n    reason: r", "already that"},
		{"unknown cap", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - at: 2026-12-01\n    relax: {caps: {y: 5}}\n    reason: r", "there is no cap y: use one of x"},
		{"order", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - {at: 2026-12-01, relax: {caps: {x: 5}}, reason: r}\n  - {at: 2026-11-01, relax: {caps: {x: 6}}, reason: r}", "in the order of their dates"},
		{"both", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - {at: 2026-12-01, relax: {caps: {x: 5}}, tighten: {caps: {x: 3}}, reason: r}", "exactly one"},
		{"no reason", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - {at: 2026-12-01, relax: {caps: {x: 5}}}", "reason is missing"},
		{"date", "version: a\ncaps:\n  - {name: x, limit: 4, per: 7d}\nchanges:\n  - {at: next week, relax: {caps: {x: 5}}, reason: r}", "write a date such as"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePolicy("p.yaml", []byte(c.source))
			if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestHoursInThePolicy(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy("p.yaml", []byte("version: a\ncaps: []\nhours:\n  email: {daily: '07:00-12:00, 13:00-21:00', weekdays: 09:00-20:00, friday: 22:00-02:00, sunday: none}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "Mon-Thu 09:00-20:00, Fri 22:00-24:00, Sat 00:00-02:00 and 07:00-12:00 and 13:00-21:00, Sun none"
	if got := p.Hours[lifecycle.Email].String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestJudgeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	p, b := DefaultPolicy(), brand.Example()
	var wg sync.WaitGroup
	for _, zone := range testZones {
		wg.Go(func() {
			touch := good()
			touch.Customer.Customer.TimeZone = zone
			if v := Judge(touch, p, b); v.Outcome != lifecycle.Allow {
				t.Errorf("%s: %+v", zone, v)
			}
		})
	}
	wg.Wait()
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(string(DefaultPolicySource()))
	f.Add(changing)
	f.Add("version: a\ncaps: []\nhours: {email: {daily: 22:00-02:00}}")
	f.Fuzz(func(t *testing.T, source string) {
		p, err := ParsePolicy("p.yaml", []byte(source))
		if err != nil {
			if lifecycle.CodeOf(err) != lifecycle.Invalid {
				t.Fatalf("code of %v", err)
			}
			return
		}
		touch := good()
		for _, at := range []time.Time{touch.At, {}, touch.At.AddDate(10, 0, 0)} {
			touch.At = at
			Judge(touch, p, brand.Example())
			p.Windows(touch)
		}
	})
}
