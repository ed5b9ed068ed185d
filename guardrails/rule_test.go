package guardrails

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

const goodHTML = `<!doctype html><html><head><title>Chairs</title></head><body>
<div style="display:none;max-height:0">New chairs, made slowly.</div>
<table><tr><td><img src="https://shop.example/logo.png" alt="Larkspur Home"></td></tr></table>
<h1>Hello Ada,</h1>
<p>%s</p>
<!-- more -->
<p><a href="https://shop.example/collections/chairs?utm_source=mail&amp;utm_medium=email">Browse chairs</a></p>
<p class="address">Larkspur Home, 48 Mill Lane, Portland, ME 04101, USA</p>
<p><a href="https://shop.example/u/abc123">Unsubscribe</a></p>
</body></html>`

const goodText = `Hello Ada,

%s

Browse chairs: https://shop.example/collections/chairs?utm_source=mail
--
Larkspur Home, 48 Mill Lane, Portland, ME 04101, USA
Unsubscribe: https://shop.example/u/abc123
`

var goodSentences = strings.Repeat("We have new chairs in the shop. They are made by hand from oak that grew close by. Sit down and take your time. ", 14)

// good is a touch that every rule allows, on a Wednesday at 14:00 in New York.
func good() Touch {
	at := time.Date(2026, 10, 14, 18, 0, 0, 0, time.UTC)
	return Touch{
		At: at, Stage: Preparing,
		Customer: lifecycle.Profile{
			Customer: lifecycle.Customer{ID: "c1", Email: "ada@customer.example", FirstName: "Ada", Locale: "en-US", Country: "US", Region: "NY", TimeZone: "America/New_York"},
			Consents: map[lifecycle.Channel]lifecycle.Consent{
				lifecycle.Email: {Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: at.AddDate(0, -6, 0)},
				lifecycle.SMS:   {Channel: lifecycle.SMS, State: lifecycle.ConsentGranted, At: at.AddDate(0, -6, 0), Wording: "Send me texts."},
			},
		},
		Channel: lifecycle.Email, Class: lifecycle.Marketing, Journey: "winback", Step: "first",
		Creative: lifecycle.Creative{ID: "cr1", Slot: "winback-first", Channel: lifecycle.Email, Status: lifecycle.CreativeDraft, Parts: lifecycle.Parts{Subject: "New chairs, {{ first_name }}", Text: "text"}},
		Message: lifecycle.Message{
			TouchID: "t1", Channel: lifecycle.Email, Class: lifecycle.Marketing, To: "ada@customer.example", From: "hello@shop.example", FromName: "Larkspur Home",
			Subject: "New chairs, Ada", Preheader: "New chairs, made slowly.",
			HTML: fmt.Sprintf(goodHTML, goodSentences), Text: fmt.Sprintf(goodText, goodSentences),
			UnsubscribeURL: "https://shop.example/u/abc123",
		},
	}
}

func TestEveryRuleKeepsItsExamples(t *testing.T) {
	t.Parallel()
	b := brand.Example()
	for _, r := range Rules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			flags, passes := 0, 0
			names := map[string]bool{}
			for _, e := range r.Examples {
				if names[e.Name] {
					t.Errorf("two examples are called %q", e.Name)
				}
				names[e.Name] = true
				if e.Want == lifecycle.Allow {
					passes++
				} else {
					flags++
				}
				touch, p := good(), DefaultPolicy().clone()
				if e.Policy != nil {
					e.Policy(p)
				}
				if e.Change != nil {
					e.Change(&touch)
				}
				got := judge(touch, p, b, func(asked *Rule) bool { return asked.Name == r.Name })
				if got.Outcome != e.Want {
					t.Errorf("%s: %s %+v, want %s", e.Name, got.Outcome, got.Findings, e.Want)
				}
				for _, f := range got.Findings {
					if f.Rule != r.Name || f.Version != p.Version || f.Reason == "" || f.Value == "" || f.Limit == "" {
						t.Errorf("%s: finding without rule, version, value, limit or reason: %+v", e.Name, f)
					}
					if (f.Outcome == lifecycle.Defer) != !f.Until.IsZero() || f.Outcome == lifecycle.Defer && !f.Until.After(touch.At) {
						t.Errorf("%s: %s until %v at %v", e.Name, f.Outcome, f.Until, touch.At)
					}
				}
			}
			if flags == 0 || passes == 0 {
				t.Errorf("%d examples to flag, %d to pass: give both kinds", flags, passes)
			}
		})
	}
}

func TestRulesAreDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Rules() {
		if r.Name == "" || seen[r.Name] || r.Doc == "" || r.Source == "" || r.Check == nil {
			t.Errorf("rule %q needs a name of its own, doc, source and check", r.Name)
		}
		seen[r.Name] = true
	}
	if len(seen) != len(catalogue) {
		t.Errorf("%d names for %d rules", len(seen), len(catalogue))
	}
}

// TestDocsNameEveryRule keeps docs/guardrails.md true: each rule has a section
// whose first paragraph is its Doc.
func TestDocsNameEveryRule(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/guardrails.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rules() {
		if section := fmt.Sprintf("### %s\n\n%s\n\n*Source: %s.*\n", r.Name, r.Doc, r.Source); !strings.Contains(string(page), section) {
			t.Errorf("docs/guardrails.md has no up-to-date section for %s; it should be:\n%s", r.Name, section)
		}
	}
}
