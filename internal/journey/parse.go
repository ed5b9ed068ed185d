package journey

import (
	"slices"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// ParseOptions is what a definition is checked against besides itself.
type ParseOptions struct {
	Offers []string // the catalogue's ids; nil leaves offers unchecked
	Topics []string // the brand's topics; nil leaves topics unchecked
}

// Defaults of what a definition may leave out.
const (
	defaultPriority = 50
	defaultEvery    = 24 * time.Hour
)

// Parse reads and checks a definition. All mistakes of the file come back
// together as Errors.
func Parse(file string, source []byte, o ParseOptions) (*Definition, error) {
	root, r := read(file, source)
	if len(r.errors) > 0 {
		return nil, r.errors.sorted()
	}
	p := &builder{offers: o.Offers, topics: o.Topics, ids: map[string]bool{}}
	d := p.definition(root)
	if len(r.errors) > 0 {
		return nil, r.errors.sorted()
	}
	d.Source = append([]byte(nil), source...)
	return d, nil
}

// builder builds one definition; mistakes go to the reader of the nodes.
type builder struct {
	offers []string
	topics []string
	ids    map[string]bool
	steps  int
	d      *Definition
}

func (p *builder) definition(root node) *Definition {
	d := &Definition{Agent: AgentCampaign, Class: lifecycle.Marketing, Priority: defaultPriority, Fallback: FallbackSkip, Reentry: Reentry{Never: true}}
	p.d = d
	f, ok := root.fields("key", "journey", "title", "description", "agent", "class", "tags", "topic", "priority", "holdout", "entry", "reentry", "goal", "exit", "window", "fallback", "steps")
	if !ok {
		return d
	}
	for _, required := range []struct{ key, example string }{
		{"journey", "journey: winback"}, {"entry", "entry: {event: Signed Up}"}, {"steps", "steps: with - id: and touch:, wait: or branch:"},
	} {
		if _, ok := f[required.key]; !ok {
			root.fail("add "+required.example, "%s is missing", required.key)
		}
	}
	if n, ok := f["journey"]; ok {
		d.Name = n.name("journey")
	}
	d.Title = d.Name
	if n, ok := f["title"]; ok {
		d.Title, _ = n.text("title", 200)
	}
	if n, ok := f["description"]; ok {
		d.Description, _ = n.text("description", 2000)
	}
	if n, ok := f["agent"]; ok {
		d.Agent = n.choice("agent", AgentCampaign, AgentWinback)
	}
	if n, ok := f["class"]; ok {
		d.Class = p.class(n)
	}
	if n, ok := f["tags"]; ok {
		d.Tags = p.tags(n)
	}
	if n, ok := f["topic"]; ok {
		d.Topic = p.topic(n)
		d.Tags = with(d.Tags, d.Topic)
	}
	if n, ok := f["priority"]; ok {
		d.Priority = n.whole("priority", 0, 100)
	}
	if n, ok := f["holdout"]; ok {
		d.Holdout = n.percent("holdout")
	}
	if n, ok := f["entry"]; ok {
		d.Entry = p.entry(n)
	}
	if n, ok := f["reentry"]; ok {
		d.Reentry = p.reentry(n)
	}
	if n, ok := f["goal"]; ok {
		d.Goal = p.goal(n)
	}
	if n, ok := f["exit"]; ok {
		for _, item := range n.items("exit") {
			d.Exits = append(d.Exits, p.exit(item))
		}
	}
	if n, ok := f["window"]; ok {
		d.Window = p.window(n)
	}
	if n, ok := f["fallback"]; ok {
		d.Fallback = Fallback(n.choice("fallback", string(FallbackTemplate), string(FallbackSkip)))
	}
	if n, ok := f["steps"]; ok {
		d.Steps = p.stepList(n, 1)
		if len(d.Steps) == 0 && len(n.r.errors) == 0 {
			n.fail("add at least one step", "the journey has no steps")
		}
	}
	return d
}

func (p *builder) class(n node) lifecycle.MessageClass {
	return lifecycle.MessageClass(n.choice("class", string(lifecycle.Marketing), string(lifecycle.Transactional), string(lifecycle.Reply)))
}

func (p *builder) tags(n node) []string {
	var tags []string
	for _, item := range n.items("tags") {
		tags = append(tags, item.name("tag"))
	}
	return tags
}

// topic reads what customers may leave on the preference page. It is a tag too.
func (p *builder) topic(n node) string {
	topic := n.name("topic")
	if topic != "" && p.topics != nil && !slices.Contains(p.topics, topic) {
		n.fail(suggest(topic, p.topics), "the brand has no topic %q", topic)
	}
	return topic
}

// with adds a tag that is not among the tags yet.
func with(tags []string, tag string) []string {
	if tag == "" || slices.Contains(tags, tag) {
		return tags
	}
	return append(tags, tag)
}

func (p *builder) entry(n node) Entry {
	var e Entry
	f, ok := n.fields("key of entry", "segment", "every", "event", "when", "key")
	if !ok {
		return e
	}
	byEvent, isEvent := f["event"]
	bySegment, isSegment := f["segment"]
	if isEvent == isSegment {
		n.fail("name one: entry: {event: Signed Up} or entry: {segment: ...}", "a journey is entered by event or by segment")
		return e
	}
	if isSegment {
		e.Every = defaultEvery
		for _, key := range []string{"when", "key"} {
			if extra, ok := f[key]; ok {
				extra.fail("remove it, or enter by event", "%s belongs to entry by event", key)
			}
		}
		e.Segment = bySegment.expression("segment")
		if e.Segment != nil && (e.Segment.UsesEvent() || e.Segment.UsesEntry()) {
			bySegment.fail("enter by event to use its properties", "a segment entry has no event")
		}
		if every, ok := f["every"]; ok {
			e.Every = every.duration("every")
		}
		return e
	}
	if extra, ok := f["every"]; ok {
		extra.fail("remove it, or enter by segment", "every belongs to entry by segment")
	}
	e.Event, _ = byEvent.text("event", 200)
	if when, ok := f["when"]; ok {
		e.When = when.expression("when")
		if e.When != nil && e.When.UsesEntry() {
			when.fail("write event.NAME", "entry properties do not exist before entry")
		}
	}
	if key, ok := f["key"]; ok {
		text, ok := key.text("key", 200)
		name, isProperty := strings.CutPrefix(text, "event.")
		if ok && (!isProperty || !property.MatchString(name)) {
			key.fail("name a property of the event, such as event.cart_id", "key %q is not a property", text)
		}
		e.Key = name
	}
	return e
}

func (p *builder) reentry(n node) Reentry {
	if s := scalar(n.yaml); s != "" {
		choice := n.choice("reentry", "never", "always")
		return Reentry{Never: choice == "never", Always: choice == "always"}
	}
	f, ok := n.fields("key of reentry", "after")
	if !ok {
		return Reentry{}
	}
	after, ok := f["after"]
	if !ok {
		n.fail("write never, always or {after: 180d}", "reentry says nothing")
		return Reentry{}
	}
	return Reentry{After: after.duration("after")}
}

func (p *builder) goal(n node) *Goal {
	f, ok := n.fields("key of goal", "event", "when", "within")
	if !ok {
		return nil
	}
	g := &Goal{}
	if event, ok := f["event"]; ok {
		g.Event, _ = event.text("event", 200)
	} else {
		n.fail("add event: Order Completed", "the goal needs an event")
	}
	if within, ok := f["within"]; ok {
		g.Within = within.duration("within")
	} else {
		n.fail("add within: 30d, the time in which the goal counts for a touch", "the goal needs a time")
	}
	if when, ok := f["when"]; ok {
		g.When = p.expression(when, "when", true)
	}
	if g.When == nil && g.Event != "" && g.Event == p.d.Entry.Event {
		n.fail("narrow it with when, or choose another event", "the goal is reached by entering")
	}
	return g
}

func (p *builder) exit(n node) Exit {
	var x Exit
	f, ok := n.fields("key of exit", "event", "when")
	if !ok {
		return x
	}
	event, isEvent := f["event"]
	if isEvent {
		x.Event, _ = event.text("event", 200)
	}
	when, hasWhen := f["when"]
	if hasWhen {
		x.When = p.expression(when, "when", isEvent)
	}
	switch {
	case !isEvent && !hasWhen:
		n.fail("write event: or when:", "the exit says nothing")
	case x.When == nil && !hasWhen && x.Event != "" && x.Event == p.d.Entry.Event:
		n.fail("narrow it with when, or remove it", "customers leave by the event they enter with")
	case !isEvent && x.When != nil && p.d.Entry.Segment != nil && x.When.String() == p.d.Entry.Segment.String():
		n.fail("negate it, or remove it", "customers leave for the reason they enter")
	}
	return x
}

func (p *builder) window(n node) Window {
	var w Window
	f, ok := n.fields("key of window", "from", "to", "days")
	if !ok {
		return w
	}
	from, hasFrom := f["from"]
	to, hasTo := f["to"]
	if hasFrom != hasTo {
		n.fail(`write from: "09:00" and to: "20:00"`, "a window needs both from and to")
	}
	if hasFrom && hasTo {
		w.From, w.To = from.timeOfDay("from"), to.timeOfDay("to")
		if w.From == 24*60 {
			from.fail(`write "00:00"`, "a window cannot open at the end of the day")
		} else if w.From == w.To {
			to.fail("remove both for the whole day, or choose another time", "the window opens and closes at %s", w.From)
		}
	}
	if days, ok := f["days"]; ok {
		items := days.items("days")
		if len(items) == 0 && len(n.r.errors) == 0 {
			days.fail("name days, or remove it for every day", "the window has no days")
		}
		for _, item := range items {
			if day, ok := parseDay(item.choice("day", "mon", "tue", "wed", "thu", "fri", "sat", "sun")); ok {
				if w.Days[day] {
					item.fail("remove one of them", "%s is given twice", dayNames[day])
				}
				w.Days[day] = true
			}
		}
	}
	return w
}

func (n node) timeOfDay(what string) TimeOfDay {
	s, ok := n.text(what, 20)
	if !ok {
		return 0
	}
	t, err := ParseTimeOfDay(s)
	if err != nil {
		n.fail("", "%s: %v", what, err)
	}
	return t
}
