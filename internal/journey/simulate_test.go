package journey_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/internal/journey"
)

var update = flag.Bool("update", false, "write the golden timelines")

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func timeline(moments []journey.Moment) string {
	var b strings.Builder
	for _, m := range moments {
		fmt.Fprintf(&b, "%s %s %-10s %-12s %-12s %s\n", m.At.Format(time.RFC3339), m.Local, m.Key, m.Kind, m.Step, m.Text)
	}
	return b.String()
}

func simulate(t *testing.T, definition, scenario string) string {
	t.Helper()
	s, err := journey.ParseScenario("scenario.yaml", []byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	moments, err := journey.Simulate(parse(t, definition), *s)
	if err != nil {
		t.Fatal(err)
	}
	return timeline(moments)
}

// TestShippedScenarios compares timelines with the goldens; run with -update to
// write them, and read the difference.
func TestShippedScenarios(t *testing.T) {
	t.Parallel()
	scenarios := journey.ShippedScenarios()
	for name, source := range journey.Shipped() {
		scenario, ok := scenarios[name]
		if !ok {
			t.Errorf("%s has no scenario", name)
			continue
		}
		got := simulate(t, string(source), string(scenario))
		golden := filepath.Join("testdata", name+".timeline")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestSimulateVerdictsAndReentry(t *testing.T) {
	t.Parallel()
	const definition = `
journey: j
entry: {event: Signed Up}
reentry: {after: 10d}
exit: [{when: consent.email == "withdrawn"}]
window: {from: "09:00", to: "17:00"}
steps:
  - {id: a, touch: {}}
  - {id: w, wait: {for: 2d}}
  - {id: b, touch: {}}
  - id: listen
    wait: {event: Email Opened, timeout: 1d, on_event: [{id: c, touch: {}}]}
`
	got := simulate(t, definition, `
start: 2026-03-02T09:00:00Z
for: 40d
customer: {email: a@example.com}
verdicts: {a: block, b: defer 12h}
events:
  - {event: Signed Up, at: 1h}
  - {event: Signed Up, at: 1d}
  - {event: Email Opened, at: 73h}
  - {event: Signed Up, at: 5d}
  - {event: Signed Up, at: 11d}
  - {event: Unsubscribed, at: 12d}
`)
	want := []string{
		"Mon 02 Mar 10:00 event Signed Up", "Mon 02 Mar 10:00 entered Signed Up", "Mon 02 Mar 10:00 blocked a not sent", "Mon 02 Mar 10:00 wait w wait 2d",
		"Tue 03 Mar 09:00 event Signed Up", "Tue 03 Mar 09:00 refused already inside",
		"Wed 04 Mar 10:00 deferred b by 12h, until Thu 05 Mar 09:00", "Thu 05 Mar 09:00 touch b j/b by email, offers none",
		"Thu 05 Mar 09:00 wait listen wait for Email Opened, at most 1d",
		"Thu 05 Mar 10:00 event Email Opened", "Thu 05 Mar 10:00 wait listen over: event", "Thu 05 Mar 10:00 touch c j/c by email, offers none",
		"Thu 05 Mar 10:00 ended no further step",
		"Sat 07 Mar 09:00 event Signed Up", "Sat 07 Mar 09:00 refused entered on 02 Mar 2026, re-entry: after 10d",
		"Fri 13 Mar 09:00 event Signed Up", "Fri 13 Mar 09:00 entered Signed Up", "Fri 13 Mar 09:00 blocked a not sent", "Fri 13 Mar 09:00 wait w wait 2d",
		"Sat 14 Mar 09:00 event Unsubscribed",
		`Sun 15 Mar 09:00 exit b consent.email == "withdrawn" (consent.email = withdrawn)`,
	}
	var lines []string
	for line := range strings.Lines(got) {
		_, rest, _ := strings.Cut(line, "Z ")
		lines = append(lines, strings.Join(strings.Fields(rest), " "))
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if got := simulate(t, definition, "start: 2026-03-02T09:00:00Z\nholdout: true\nevents: [{event: Signed Up, at: 0h}]\n"); !strings.Contains(got, "held out") || strings.Contains(got, "touch") {
		t.Errorf("the holdout received something:\n%s", got)
	}
}

func TestSimulateRefuses(t *testing.T) {
	t.Parallel()
	d := parse(t, head)
	if _, err := journey.Simulate(d, journey.Scenario{Start: start, Zone: time.UTC, For: time.Hour, Verdicts: map[string]journey.Ruling{"zzz": {}}}); err == nil {
		t.Error("a verdict on a step that does not exist was accepted")
	}
	endless := parse(t, "journey: j\nentry: {segment: 'true', every: 1m}\nreentry: always\nsteps: [{id: a, touch: {}}]")
	if _, err := journey.Simulate(endless, journey.Scenario{Start: start, Zone: time.UTC, For: 1000 * time.Hour}); err == nil {
		t.Error("an endless timeline was accepted")
	}
}

func TestScenarioErrors(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                                     "the file is empty",
		"zone: UTC":                            "start is missing",
		"start: yesterday":                     "is not an instant",
		"start: 2026-03-02T09:00:00Z\nzone: X": `unknown zone "X"`,
		"start: 2026-03-02T09:00:00Z\nevents: [{at: 1d}]":              "the event has no name",
		"start: 2026-03-02T09:00:00Z\nevents: [{event: x}]":            "the event has no time",
		"start: 2026-03-02T09:00:00Z\nevents: [{event: x, at: 1}]":     "at must be text",
		"start: 2026-03-02T09:00:00Z\nverdicts: {a: maybe}":            `unknown verdict "maybe"`,
		"start: 2026-03-02T09:00:00Z\nconsent: {mail: granted}":        `unknown channel "mail"`,
		"start: 2026-03-02T09:00:00Z\norders: {revenue: x}":            "revenue",
		"start: 2026-03-02T09:00:00Z\norders: {count: -1}":             "out of range",
		"start: 2026-03-02T09:00:00Z\nengagement: {weight: much}":      "weight is not a number",
		"start: 2026-03-02T09:00:00Z\ncustomer: {attributes: [a]}":     "attributes must be keys with values",
		"start: 2026-03-02T09:00:00Z\nholdout: sometimes":              "holdout must be true or false",
		"start: 2026-03-02T09:00:00Z\nstages: {lapsed_after: forever}": "lapsed_after",
	} {
		_, err := journey.ParseScenario("s.yaml", []byte(source))
		var problem *journey.Error
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}

func FuzzParseScenario(f *testing.F) {
	for _, source := range journey.ShippedScenarios() {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		s, err := journey.ParseScenario("x.yaml", source)
		if err != nil {
			var problem *journey.Error
			if !errors.As(err, &problem) {
				t.Fatalf("%v has no place", err)
			}
			return
		}
		if s.Start.IsZero() || s.Zone == nil || s.For <= 0 {
			t.Fatalf("parsed without start, zone or length: %+v", s)
		}
	})
}
