package journey_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

const nestedSteps = `
journey: nested
entry: {event: x}
steps:
  - id: split
    branch:
      - when: orders.count > 5
        steps:
          - {id: a, touch: {}}
          - id: inner
            branch:
              - when: orders.count > 9
                steps: [{id: b, touch: {}}]
      - when: orders.count > 3
        steps: []
      - else:
        steps: [{id: c, wait: {for: 1d}}]
  - id: listen
    wait:
      event: y
      timeout: 1d
      on_event: [{id: d, touch: {}}]
      on_timeout:
        - {id: e, wait: {for: 2d}}
        - {id: f, touch: {}}
  - id: last
    branch: [{when: orders.count > 100, steps: [{id: g, touch: {}}]}]
`

// orders answers conditions as a customer with this many orders would.
func orders(n int) journey.Matcher {
	return func(e *segment.Expr) (bool, error) {
		return e.Match(segment.Env{Now: start, Profile: lifecycle.Profile{Orders: lifecycle.OrderStats{Count: n}}})
	}
}

func TestFirstAndAfter(t *testing.T) {
	t.Parallel()
	d := parse(t, nestedSteps)
	for _, tc := range []struct {
		from, outcome string
		orders        int
		want, trail   string
	}{
		{"", "", 10, "a", "split: orders.count > 5"},
		{"", "", 4, "listen", "split: orders.count > 3"},
		{"", "", 0, "c", "split: otherwise"},
		{"a", "", 10, "b", "inner: orders.count > 9"},
		{"a", "", 6, "listen", "inner: no arm matched"},
		{"b", "", 10, "listen", ""},
		{"c", "", 0, "listen", ""},
		{"listen", "event", 0, "d", ""},
		{"listen", "timeout", 0, "e", ""},
		{"listen", "", 0, "", "last: no arm matched"},
		{"e", "", 0, "f", ""},
		{"d", "", 0, "", "last: no arm matched"},
		{"f", "", 101, "g", "last: orders.count > 100"},
		{"g", "", 101, "", ""},
		{"split", "", 0, "listen", ""},
	} {
		var step journey.Step
		var done bool
		var trail []string
		var err error
		if tc.from == "" {
			step, done, trail, err = d.First(orders(tc.orders))
		} else {
			step, done, trail, err = d.After(tc.from, tc.outcome, orders(tc.orders))
		}
		if err != nil || step.ID != tc.want || done != (tc.want == "") || strings.Join(trail, "; ") != tc.trail {
			t.Errorf("after %q %s with %d orders: %q, done %v, trail %q, %v; want %q, trail %q", tc.from, tc.outcome, tc.orders, step.ID, done, trail, err, tc.want, tc.trail)
		}
	}
	if _, done, _, err := d.After("gone", "", orders(0)); lifecycle.CodeOf(err) != lifecycle.NotFound || done {
		t.Errorf("a step that does not exist: done %v, %v", done, err)
	}
	failure := errors.New("no profile")
	if _, done, _, err := d.First(func(*segment.Expr) (bool, error) { return false, failure }); !errors.Is(err, failure) || done {
		t.Errorf("a failing matcher: done %v, %v", done, err)
	}
	if _, ok := d.Step("gone"); ok {
		t.Error("found a step that does not exist")
	}
}

// written draws the steps of a journey as YAML, and the order in which a
// customer with one order who never sees an event passes the blocking ones.
func written(t *rapid.T, depth int, next *int, indent string) (source string, path []string) {
	var b strings.Builder
	for range rapid.IntRange(1, 3).Draw(t, "steps") {
		*next++
		id := fmt.Sprintf("s%d", *next)
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		if depth == 0 || *next > 40 {
			kind %= 2
		}
		fmt.Fprintf(&b, "%s- id: %s\n", indent, id)
		switch kind {
		case 0:
			fmt.Fprintf(&b, "%s  touch: {}\n", indent)
			path = append(path, id)
		case 1:
			fmt.Fprintf(&b, "%s  wait: {for: 1d}\n", indent)
			path = append(path, id)
		case 2:
			yes, _ := written(t, depth-1, next, indent+"      ")
			no, timeout := written(t, depth-1, next, indent+"      ")
			fmt.Fprintf(&b, "%s  wait:\n%s    event: y\n%s    timeout: 1d\n%s    on_event:\n%s%s    on_timeout:\n%s", indent, indent, indent, indent, yes, indent, no)
			path = append(append(path, id), timeout...)
		case 3:
			fmt.Fprintf(&b, "%s  branch:\n", indent)
			taken := rapid.IntRange(0, 2).Draw(t, "taken")
			for arm := range 3 {
				steps, inside := written(t, depth-1, next, indent+"        ")
				when := "when: orders.count > " + fmt.Sprint(5+arm)
				if arm == taken {
					when = "when: orders.count == 1"
					path = append(path, inside...)
				}
				fmt.Fprintf(&b, "%s    - %s\n%s      steps:\n%s", indent, when, indent, steps)
			}
		}
	}
	return b.String(), path
}

func TestPassage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		next := 0
		steps, want := written(t, 3, &next, "  ")
		d, err := journey.Parse("x.yaml", []byte("journey: j\nentry: {event: x}\nsteps:\n"+steps), journey.ParseOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, steps)
		}
		var got []string
		step, done, _, err := d.First(orders(1))
		for err == nil && !done {
			got = append(got, step.ID)
			outcome := ""
			if step.Wait != nil && step.Wait.Event != "" {
				outcome = journey.OutcomeTimeout
			}
			step, done, _, err = d.After(step.ID, outcome, orders(1))
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("passed %v, want %v, %v\n%s", got, want, err, steps)
		}
	})
}
