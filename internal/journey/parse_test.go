package journey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
)

var catalogue = journey.ParseOptions{Offers: []string{"free-shipping", "ten-percent", "fifteen-percent"}}

func parse(t *testing.T, source string) *journey.Definition {
	t.Helper()
	d, err := journey.Parse("test.yaml", []byte(source), catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func validator(t *testing.T) func(source string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(journey.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("journey.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("journey.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(source string) error {
		var value any
		if err := yaml.Unmarshal([]byte(source), &value); err != nil {
			return err
		}
		asJSON, err := json.Marshal(value)
		if err != nil {
			return err
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			return err
		}
		return compiled.Validate(instance)
	}
}

func TestShippedJourneys(t *testing.T) {
	t.Parallel()
	valid := validator(t)
	shipped := journey.Shipped()
	for _, name := range []string{"welcome", "cart-recovery", "winback", "at-risk", "double-opt-in"} {
		source, ok := shipped[name]
		if !ok {
			t.Errorf("%s is not shipped", name)
			continue
		}
		if err := valid(string(source)); err != nil {
			t.Errorf("%s: schema: %v", name, err)
		}
		d, err := journey.Parse(name+".yaml", source, catalogue)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if name == "double-opt-in" {
			if d.Class != lifecycle.Transactional || d.Topic != "" || d.Holdout != 0 {
				t.Errorf("%s asks for a confirmation, whoever it is: %+v", name, d)
			}
			continue
		}
		if d.Name != name || len(d.Touches()) < 2 || d.Goal == nil || d.Goal.Event != "Order Completed" || d.Topic == "" {
			t.Errorf("%s parsed as %+v", name, d)
		}
	}
	if len(shipped) != 5 {
		t.Errorf("%d journeys are shipped", len(shipped))
	}
}

// TestTopics: a topic is a tag; a step's own stands in the place of the journey's.
func TestTopics(t *testing.T) {
	t.Parallel()
	const source = `
journey: j
entry: {event: Signed Up}
tags: [care]
topic: news
steps:
  - {id: a, touch: {}}
  - {id: b, touch: {topic: offers, tags: [promotion]}}
`
	d, err := journey.Parse("j.yaml", []byte(source), journey.ParseOptions{Topics: []string{"news", "offers"}})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := d.Step("a")
	b, _ := d.Step("b")
	if got := fmt.Sprint(d.Topic, d.Tags, a.Touch.Topic, a.Touch.Tags, b.Touch.Topic, b.Touch.Tags); got != "news[care news]news[care news]offers[care offers promotion]" {
		t.Errorf("topics: %s", got)
	}
	if err := validator(t)(source); err != nil {
		t.Errorf("schema: %v", err)
	}
	_, err = journey.Parse("j.yaml", []byte(source), journey.ParseOptions{Topics: []string{"news", "offer"}})
	if err == nil || !strings.Contains(err.Error(), `the brand has no topic "offers"`) || !strings.Contains(err.Error(), "offer") {
		t.Errorf("a topic the brand has not: %v", err)
	}
	if _, err := journey.Parse("j.yaml", []byte(source), journey.ParseOptions{}); err != nil {
		t.Errorf("unchecked: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	d := parse(t, `
journey: full
title: Everything
agent: winback
class: transactional
tags: [a, b]
priority: 7
holdout: 12.5%
entry: {event: Checkout Started, when: event.value > 20, key: event.cart_id}
reentry: {after: 2w}
goal: {event: Order Completed, when: event.cart_id == entry.cart_id, within: 30d}
exit:
  - event: Order Refunded
  - when: '!customer.has_email'
window: {from: "21:00", to: "06:00", days: [mon, sun]}
fallback: template
steps:
  - id: one
    touch:
  - id: two
    touch: {slot: shop/slot, channels: [sms, email], offers: [none, ten-percent], brief: Be brief., review: always, class: marketing, tags: [c, a]}
  - id: three
    wait: {until: "fri 10:00"}
  - id: four
    wait:
      event: Email Link Clicked
      when: event.url != ""
      timeout: 3d
      on_event:
        - {id: five, wait: {for: 90m}}
      on_timeout: []
  - id: six
    branch:
      - when: entry.value > 100
        steps: [{id: seven, touch: {}}]
      - else:
        steps: []
`)
	if d.Name != "full" || d.Title != "Everything" || d.Agent != journey.AgentWinback || d.Class != lifecycle.Transactional || fmt.Sprint(d.Tags) != "[a b]" ||
		d.Priority != 7 || d.Holdout != 0.125 || d.Fallback != journey.FallbackTemplate || d.Reentry != (journey.Reentry{After: 14 * 24 * time.Hour}) || len(d.Source) == 0 {
		t.Errorf("header: %+v", d)
	}
	if d.Entry.Event != "Checkout Started" || d.Entry.When.String() != "event.value > 20" || d.Entry.Key != "cart_id" || d.Entry.Segment != nil {
		t.Errorf("entry: %+v", d.Entry)
	}
	if d.Goal.Within != 30*24*time.Hour || d.Goal.When == nil || len(d.Exits) != 2 || d.Exits[1].When.String() != "!customer.has_email" {
		t.Errorf("goal %+v, exits %+v", d.Goal, d.Exits)
	}
	if d.Window != (journey.Window{From: 21 * 60, To: 6 * 60, Days: [7]bool{true, true}}) {
		t.Errorf("window: %+v", d.Window)
	}
	one, _ := d.Step("one")
	if got := fmt.Sprintf("%+v", *one.Touch); got != "{Slot:full/one Channels:[email] Offers:[none] Brief: Class:transactional Tags:[a b] Topic: AlwaysReview:false}" {
		t.Errorf("defaults: %s", got)
	}
	two, _ := d.Step("two")
	if got := fmt.Sprintf("%+v", *two.Touch); got != "{Slot:shop/slot Channels:[sms email] Offers:[none ten-percent] Brief:Be brief. Class:marketing Tags:[a b c] Topic: AlwaysReview:true}" {
		t.Errorf("touch: %s", got)
	}
	three, _ := d.Step("three")
	if three.Wait.Until.String() != "fri 10:00" {
		t.Errorf("until: %+v", three.Wait)
	}
	if five, ok := d.Step("five"); !ok || five.Wait.For != 90*time.Minute {
		t.Errorf("nested: %+v", five)
	}
	if got := fmt.Sprint(d.Listens()); got != "[Email Link Clicked Order Completed Order Refunded]" {
		t.Errorf("listens to %s", got)
	}
}

func TestEntryKey(t *testing.T) {
	t.Parallel()
	e := journey.Entry{Event: "x", Key: "cart_id"}
	for want, value := range map[string]any{"": nil, "a": "a", "17": 17.0, "1.5": 1.5, "true": true} {
		if got := e.EntryKey(lifecycle.Event{Properties: map[string]any{"cart_id": value}}); got != want {
			t.Errorf("%v is the key %q, want %q", value, got, want)
		}
	}
	if got := e.EntryKey(lifecycle.Event{Properties: map[string]any{"cart_id": []any{1}}}); got != "" {
		t.Errorf("a list is the key %q", got)
	}
	if got := (journey.Entry{}).EntryKey(lifecycle.Event{Properties: map[string]any{"": "x"}}); got != "" {
		t.Errorf("an unkeyed entry has the key %q", got)
	}
}

// head is a good beginning that cases replace lines of.
const head = "journey: j\nentry: {event: Signed Up}\nsteps:\n  - id: a\n    touch: {}\n"

func TestParseErrors(t *testing.T) {
	t.Parallel()
	valid := validator(t)
	if err := valid(head); err != nil {
		t.Fatalf("the base file: %v", err)
	}
	parse(t, head)
	step := func(s string) string { return "journey: j\nentry: {event: Signed Up}\nsteps:\n" + s }
	for _, tc := range []struct {
		name, source, want string
		semantic           bool // beyond a schema
	}{
		{"empty", "", "test.yaml:1:1: the file is empty", false},
		{"list", "- a", "must be keys with values, not a list", false},
		{"no name", "entry: {event: x}\nsteps: [{id: a, touch: {}}]", "journey is missing: add journey: winback", false},
		{"no entry", "journey: j\nsteps: [{id: a, touch: {}}]", "entry is missing", false},
		{"no steps", "journey: j\nentry: {event: x}", "steps is missing", false},
		{"zero steps", "journey: j\nentry: {event: x}\nsteps: []", "the journey has no steps", false},
		{"bad name", strings.Replace(head, "journey: j", "journey: My Journey", 1), `test.yaml:1:10: journey "My Journey" is not a name`, false},
		{"number title", head + "title: 2024", "6:8: title must be text, not a number: put it in quotes", false},
		{"unknown key", head + "steeps: []", `6:1: unknown key "steeps": did you mean "steps"?`, false},
		{"unknown step", step("  - id: a\n    toch: {}"), `5:5: unknown step kind "toch": did you mean "touch"?`, false},
		{"agent", head + "agent: winbck", `unknown agent "winbck": did you mean "winback"?`, false},
		{"class", head + "class: promo", `unknown class "promo"`, false},
		{"tags", head + "tags: promo", "tags must be a list, not text", false},
		{"tag", head + "tags: [Promo!]", `6:8: tag "Promo!" is not a name`, false},
		{"priority", head + "priority: 101", "priority 101 is out of range", false},
		{"priority text", head + `priority: "50"`, "priority must be a number, not text", false},
		{"holdout", head + "holdout: 0.1", "holdout must be a percentage, not a number: write it as 10%", false},
		{"holdout high", head + "holdout: 101%", `holdout "101%" is not a percentage`, false},
		{"entry both", strings.Replace(head, "{event: Signed Up}", "{event: x, segment: 'true'}", 1), "2:8: a journey is entered by event or by segment", false},
		{"entry none", strings.Replace(head, "{event: Signed Up}", "{every: 1d}", 1), "a journey is entered by event or by segment", false},
		{"every by event", strings.Replace(head, "{event: Signed Up}", "{event: x, every: 1d}", 1), "every belongs to entry by segment", false},
		{"key by segment", strings.Replace(head, "{event: Signed Up}", "{segment: 'true', key: event.x}", 1), "key belongs to entry by event", false},
		{"key", strings.Replace(head, "{event: Signed Up}", "{event: x, key: cart_id}", 1), "name a property of the event, such as event.cart_id", false},
		{"segment with event", strings.Replace(head, "{event: Signed Up}", "{segment: event.x > 3}", 1), "a segment entry has no event", true},
		{"entry in when", strings.Replace(head, "{event: Signed Up}", "{event: x, when: entry.x > 3}", 1), "write event.NAME", true},
		{"cel", strings.Replace(head, "{event: Signed Up}", "{segment: stage == \"lapst\"}", 1), `test.yaml:2:27: stage is never "lapst"`, true},
		{"reentry", head + "reentry: sometimes", `unknown reentry "sometimes"`, false},
		{"reentry empty", head + "reentry: {}", "reentry says nothing", false},
		{"goal", head + "goal: {event: x}", "the goal needs a time", false},
		{"goal no event", head + "goal: {within: 3d}", "the goal needs an event", false},
		{"goal at entry", head + "goal: {event: Signed Up, within: 3d}", "the goal is reached by entering", true},
		{"goal duration", head + "goal: {event: x, within: 3 days}", "write a number and a unit", false},
		{"goal zero", head + "goal: {event: x, within: 0d}", "is too short", true},
		{"goal long", head + "goal: {event: x, within: 200w}", "is too long", true},
		{"exit empty", head + "exit: [{}]", "the exit says nothing", false},
		{"exit at entry", head + "exit: [{event: Signed Up}]", "customers leave by the event they enter with", true},
		{"exit event in condition", head + "exit: [{when: event.x > 3}]", "there is no current event here", true},
		{"exit for entry reason", strings.Replace(head, "{event: Signed Up}", `{segment: stage == "new"}`, 1) + `exit: [{when: stage == "new"}]`, "customers leave for the reason they enter", true},
		{"entry without event", strings.Replace(head, "{event: Signed Up}", "{segment: 'true'}", 1) + "exit: [{when: entry.x > 3}]", "a journey entered by segment has no entry event", true},
		{"window half", head + `window: {from: "09:00"}`, "a window needs both from and to", false},
		{"window time", head + `window: {from: "9:00", to: "20:00"}`, `"9:00" is not a time of day`, false},
		{"window empty", head + `window: {from: "09:00", to: "09:00"}`, "the window opens and closes at 09:00", true},
		{"window day", head + `window: {days: [monday]}`, `unknown day "monday"`, false},
		{"window no days", head + `window: {days: []}`, "the window has no days", false},
		{"window twice", head + `window: {days: [mon, mon]}`, "mon is given twice", false},
		{"fallback", head + "fallback: send", `unknown fallback "send"`, false},
		{"no id", step("  - touch: {}"), "4:5: the step has no id", false},
		{"same id", step("  - id: a\n    touch: {}\n  - id: b\n    branch: [{when: 'true', steps: [{id: a, touch: {}}]}]"), `a second step "a"`, true},
		{"two kinds", step("  - id: a\n    touch: {}\n    wait: {for: 1d}"), "a step does one thing, this one names 2", false},
		{"no kind", step("  - id: a"), "this one names 0", false},
		{"channel", step("  - id: a\n    touch: {channels: [mail]}"), `5:24: unknown channel "mail": did you mean "email"?`, false},
		{"no channels", step("  - id: a\n    touch: {channels: []}"), "at least one channel", false},
		{"offer", step("  - id: a\n    touch: {offers: [ten-procent]}"), `the catalogue has no offer "ten-procent": did you mean "ten-percent"?`, true},
		{"offer twice", step("  - id: a\n    touch: {offers: [none, none]}"), "none is given twice", false},
		{"review", step("  - id: a\n    touch: {review: yes please}"), "unknown review", false},
		{"slot", step("  - id: a\n    touch: {slot: A b}"), "is not a name", false},
		{"touch text", step("  - id: a\n    touch: email"), "key of touch must be keys with values, not text", false},
		{"wait none", step("  - id: a\n    wait: {}"), "a wait waits for one thing, this one names 0", false},
		{"wait two", step("  - id: a\n    wait: {for: 1d, until: \"10:00\"}"), "this one names 2", false},
		{"wait number", step("  - id: a\n    wait: {for: 5}"), "for must be text, not a number", false},
		{"wait timeout", step("  - id: a\n    wait: {event: x}"), "a wait for an event needs a time-out", false},
		{"wait for timeout", step("  - id: a\n    wait: {for: 1d, timeout: 2d}"), "timeout belongs to a wait for an event", false},
		{"wait until", step("  - id: a\n    wait: {until: monday}"), "until: ", false},
		{"branch no condition", step("  - id: a\n    branch: [{steps: []}]"), "an arm has either a condition or else", false},
		{"branch no steps", step("  - id: a\n    branch:\n      - when: 'true'"), "the arm does nothing", false},
		{"branch empty", step("  - id: a\n    branch: []"), "the branch does nothing", false},
		{"branch all empty", step("  - id: a\n    branch: [{when: 'true', steps: []}]"), "the branch does nothing", true},
		{"else value", step("  - id: a\n    branch: [{else: x, steps: [{id: b, touch: {}}]}]"), "else takes no value", false},
		{"after else", step("  - id: a\n    branch:\n      - else:\n        steps: [{id: b, touch: {}}]\n      - when: stage == \"new\"\n        steps: [{id: c, touch: {}}]"), "8:9: no customer reaches this arm", true},
		{"same condition", step("  - id: a\n    branch: [{when: 'orders.count > 1', steps: [{id: b, touch: {}}]}, {when: 'orders.count > 1', steps: []}]"), "the same condition stands above", true},
		{"event in branch", step("  - id: a\n    branch: [{when: event.x > 1, steps: [{id: b, touch: {}}]}]"), "there is no current event here", true},
		{"anchor", "journey: &x j\nentry: {event: x}\nsteps: [{id: a, touch: {}}]", "an anchor or alias", true},
		{"twice", head + "title: a\ntitle: b", "title", false},
		{"not yaml", "journey: [", "not YAML", false},
		{"bare not", head + "exit:\n  - when: !has(customer.region)", "7:11: YAML misreads an expression that starts like this: put the whole expression in single quotes", true},
		{"bare quote", head + "exit:\n  - when: \"vip\" in attributes.tags", "put the whole expression in single quotes", true},
	} {
		_, err := journey.Parse("test.yaml", []byte(tc.source), catalogue)
		var problem *journey.Error
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v\nwant %s", tc.name, err, tc.want)
		}
		if !tc.semantic && valid(tc.source) == nil {
			t.Errorf("%s: the schema takes what the parser refuses", tc.name)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := journey.Parse("x.yaml", []byte("journey: j\npriority: 500\nentry: {event: x, when: customer.contry == \"US\"}\nsteps:\n  - id: a\n    wait: {for: soon}\n  - id: a\n    touch: {channels: [fax]}\n"), catalogue)
	const want = `x.yaml:2:11: priority 500 is out of range: write a whole number from 0 to 100
x.yaml:3:25: unknown value customer.contry: did you mean customer.country?
x.yaml:6:17: for: duration "soon": write a number and a unit (w, d, h, m, s), for example 3d or 12h
x.yaml:7:9: a second step "a": choose another: ids are unique over all nested steps
x.yaml:8:24: unknown channel "fax": use one of email, sms, whatsapp, push, web`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var problem *journey.Error
	if !errors.As(err, &problem) || problem.Path != "priority" {
		t.Errorf("path of %+v", problem)
	}
}

// TestExpressionPlaces finds the same mistake in every way YAML can write text.
func TestExpressionPlaces(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"when: orders.count > 1 && customer.contry == \"é\"":                           "7:31",
		"when: 'orders.count > 1 && customer.contry == \"é\"'":                         "7:32",
		`when: "attributes.x == \"a\\b\" && customer.contry == \"é\""`:                 "7:40",
		"when: 'attributes.x == ''a'' && customer.contry == \"é\"'":                    "7:37",
		"when: |\n      orders.count > 1 &&\n      customer.contry == \"é\"":           "9:7",
		"when: >-\n      orders.count > 1 &&\n\n      customer.contry == \"é\"":        "10:7",
		"when: orders.count > 1 &&\n      customer.contry == \"é\"":                    "8:7",
		"when: \"orders.count > 1 &&\\n\\\n      customer.contry == \\\"é\\\"\"":       "8:7",
		"when: >\n      orders.count > 1\n      && (customer.contry == \"é\"\n      )": "9:11",
	} {
		_, err := journey.Parse("x.yaml", []byte(head+"exit:\n  - "+source+"\n"), catalogue)
		if err == nil || !strings.HasPrefix(err.Error(), "x.yaml:"+want+": unknown value customer.contry") {
			t.Errorf("%s\n got %v\nwant %s", source, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, source := range journey.Shipped() {
		f.Add(source)
	}
	f.Add([]byte("journey: j\nentry: {event: x}\nsteps: [{id: a, wait: {event: y, timeout: 1d, on_event: [{id: b, touch: {}}]}}]"))
	f.Fuzz(func(t *testing.T, source []byte) {
		d, err := journey.Parse("x.yaml", source, journey.ParseOptions{})
		if err != nil {
			var problem *journey.Error
			if !errors.As(err, &problem) || problem.Line < 1 || problem.Column < 1 || problem.Message == "" {
				t.Fatalf("%v has no place or no message", err)
			}
			return
		}
		if changes, lost := journey.Diff(d, d), journey.CursorsLost(d, d); len(changes)+len(lost) != 0 {
			t.Fatalf("differs from itself: %v %v", changes, lost)
		}
		if d.Name == "" || len(d.Steps) == 0 {
			t.Fatalf("parsed without name or steps: %+v", d)
		}
	})
}
