package journey_test

import (
	"fmt"
	"strings"
	"testing"

	"touchstone/internal/journey"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	before := parse(t, `
journey: j
priority: 10
entry: {segment: stage == "lapsed"}
steps:
  - {id: a, touch: {}}
  - {id: b, wait: {for: 5d}}
  - {id: c, touch: {brief: old}}
  - id: d
    branch: [{when: orders.count > 1, steps: [{id: e, touch: {}}]}]
  - {id: f, touch: {}}
`)
	after := parse(t, `
journey: j
priority: 20
entry: {segment: stage == "lapsed", every: 2d}
goal: {event: Order Completed, within: 30d}
steps:
  - {id: b, wait: {for: 6d}}
  - {id: a, wait: {until: "10:00"}}
  - {id: c, touch: {brief: new}}
  - id: d
    branch: [{when: orders.count > 2, steps: [{id: g, touch: {}}]}]
  - {id: e, touch: {}}
`)
	var got []string
	for _, c := range journey.Diff(before, after) {
		got = append(got, fmt.Sprintf("%s %s: %s", c.Kind, c.Step, c.Text))
	}
	want := []string{
		"changed : priority: was 10, is 20",
		`changed : entry: was segment stage == "lapsed" every 1d, is segment stage == "lapsed" every 2d`,
		"changed : goal: was nothing, is Order Completed within 30d",
		"changed a: step a: was touch j/a by [email] with offers none, class marketing, tags , is wait until 10:00",
		"changed b: step b: was wait 5d, is wait 6d",
		`changed c: step c: was touch j/c by [email] with offers none, class marketing, tags , brief "old", is touch j/c by [email] with offers none, class marketing, tags , brief "new"`,
		"changed d: step d: was branch on orders.count > 1, is branch on orders.count > 2",
		"removed f: step f is gone: touch j/f by [email] with offers none, class marketing, tags ",
		"moved a: step a moved",
		"added g: step g is new in d arm 1: touch j/g by [email] with offers none, class marketing, tags ",
		"moved e: step e moved from d arm 1 to the top",
	}
	// b and a swapped: either may be said to have moved, but only one.
	text := strings.Join(got, "\n")
	if strings.Contains(text, "moved b") {
		text = strings.Replace(text, "moved b: step b moved", "moved a: step a moved", 1)
	}
	if text != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
	if lost := fmt.Sprint(journey.CursorsLost(before, after)); lost != "[a f]" {
		t.Errorf("cursors lost: %s", lost)
	}
	if changes := journey.Diff(before, before); len(changes) != 0 {
		t.Errorf("a journey differs from itself: %v", changes)
	}
}
