package journey

import (
	"regexp"
	"slices"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// Limits keep a journey readable and its runs small.
const (
	maxSteps = 200
	maxDepth = 8 // of steps in steps
)

var (
	property = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,99}$`)
	slotName = regexp.MustCompile(`^[a-z0-9][a-z0-9/-]{0,126}$`)
)

// expression compiles a condition and checks that the events it asks about exist.
func (p *builder) expression(n node, what string, hasEvent bool) *segment.Expr {
	e := n.expression(what)
	switch {
	case e == nil:
	case e.UsesEvent() && !hasEvent:
		n.fail("use entry.NAME for the event that started the journey, or attributes, orders, engagement", "there is no current event here")
	case e.UsesEntry() && p.d.Entry.Event == "":
		n.fail("enter by event, or use attributes, orders, engagement", "a journey entered by segment has no entry event")
	default:
		return e
	}
	return nil
}

func (p *builder) stepList(n node, depth int) []Step {
	if depth > maxDepth {
		n.fail("split the journey into two", "steps are nested more than %d deep", maxDepth)
		return nil
	}
	var steps []Step
	for _, item := range n.items("steps") {
		if p.steps++; p.steps == maxSteps+1 {
			item.fail("split the journey into two", "a journey has at most %d steps", maxSteps)
		}
		if p.steps > maxSteps {
			return steps
		}
		steps = append(steps, p.step(item, depth))
	}
	return steps
}

func (p *builder) step(n node, depth int) Step {
	var s Step
	f, ok := n.fields("step kind", "id", "touch", "wait", "branch")
	if !ok {
		return s
	}
	if id, ok := f["id"]; ok {
		if s.ID = id.name("id"); s.ID != "" {
			if p.ids[s.ID] {
				id.fail("choose another: ids are unique over all nested steps", "a second step %q", s.ID)
			}
			p.ids[s.ID] = true
		}
	} else {
		n.fail("add - id: name", "the step has no id")
	}
	touch, isTouch := f["touch"]
	wait, isWait := f["wait"]
	branch, isBranch := f["branch"]
	kinds := 0
	for _, is := range []bool{isTouch, isWait, isBranch} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		n.fail("write one of touch, wait, branch", "a step does one thing, this one names %d", kinds)
		return s
	}
	switch {
	case isTouch:
		s.Touch = p.touch(touch, s.ID)
	case isWait:
		s.Wait = p.wait(wait, depth)
	case isBranch:
		s.Branch = p.branch(branch, depth)
	}
	return s
}

func (p *builder) touch(n node, id string) *Touch {
	t := &Touch{
		Slot: p.d.Name + "/" + id, Channels: []lifecycle.Channel{lifecycle.Email}, Offers: []string{NoOffer},
		Class: p.d.Class, Tags: slices.Clone(p.d.Tags), Topic: p.d.Topic,
	}
	if !n.present() { // touch: with nothing under it takes every default
		return t
	}
	f, ok := n.fields("key of touch", "slot", "channels", "offers", "brief", "review", "class", "tags", "topic")
	if !ok {
		return t
	}
	if slot, ok := f["slot"]; ok {
		if s, ok := slot.text("slot", 127); ok {
			if !slotName.MatchString(s) {
				slot.fail("use lower-case letters, digits, hyphens and /", "slot %q is not a name", s)
			}
			t.Slot = s
		}
	}
	if channels, ok := f["channels"]; ok {
		t.Channels = p.channels(channels)
	}
	if offers, ok := f["offers"]; ok {
		t.Offers = p.offerList(offers)
	}
	if brief, ok := f["brief"]; ok {
		t.Brief, _ = brief.text("brief", 2000)
	}
	if review, ok := f["review"]; ok {
		t.AlwaysReview = review.choice("review", "auto", "always") == "always"
	}
	if class, ok := f["class"]; ok {
		t.Class = p.class(class)
	}
	if topic, ok := f["topic"]; ok {
		t.Tags = slices.DeleteFunc(t.Tags, func(tag string) bool { return tag == t.Topic })
		t.Topic = p.topic(topic)
		t.Tags = with(t.Tags, t.Topic)
	}
	if tags, ok := f["tags"]; ok {
		for _, tag := range p.tags(tags) {
			if !slices.Contains(t.Tags, tag) {
				t.Tags = append(t.Tags, tag)
			}
		}
	}
	return t
}

func (p *builder) channels(n node) []lifecycle.Channel {
	var known []string
	for _, c := range lifecycle.Channels {
		known = append(known, string(c))
	}
	var channels []lifecycle.Channel
	items := n.items("channels")
	for _, item := range items {
		c := lifecycle.Channel(item.choice("channel", known...))
		if c != "" && slices.Contains(channels, c) {
			item.fail("remove one of them", "%s is given twice", c)
		}
		channels = append(channels, c)
	}
	if len(items) == 0 {
		n.fail("write channels: [email]", "the touch needs at least one channel")
	}
	return channels
}

func (p *builder) offerList(n node) []string {
	var offers []string
	items := n.items("offers")
	for _, item := range items {
		offer := item.name("offer")
		if offer == "" {
			continue
		}
		if slices.Contains(offers, offer) {
			item.fail("remove one of them", "%s is given twice", offer)
		}
		if p.offers != nil && offer != NoOffer && !slices.Contains(p.offers, offer) {
			item.fail(suggest(offer, append([]string{NoOffer}, p.offers...)), "the catalogue has no offer %q", offer)
		}
		offers = append(offers, offer)
	}
	if len(items) == 0 {
		n.fail("write offers: [none]", "the list of offers is empty")
	}
	return offers
}

func (p *builder) wait(n node, depth int) *Wait {
	w := &Wait{}
	f, ok := n.fields("key of wait", "for", "until", "event", "when", "timeout", "on_event", "on_timeout")
	if !ok {
		return w
	}
	length, isFor := f["for"]
	until, isUntil := f["until"]
	event, isEvent := f["event"]
	kinds := 0
	for _, is := range []bool{isFor, isUntil, isEvent} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		n.fail(`write one of for: 5d, until: "10:00", or event: Order Completed with timeout: 7d`, "a wait waits for one thing, this one names %d", kinds)
		return w
	}
	if !isEvent {
		for _, key := range []string{"when", "timeout", "on_event", "on_timeout"} {
			if extra, ok := f[key]; ok {
				extra.fail("remove it, or wait for an event", "%s belongs to a wait for an event", key)
			}
		}
	}
	switch {
	case isFor:
		w.For = length.duration("for")
	case isUntil:
		if s, ok := until.text("until", 60); ok {
			local, err := ParseLocalTime(s)
			if err != nil {
				until.fail("", "until: %v", err)
			}
			w.Until = &local
		}
	case isEvent:
		p.waitForEvent(n, w, event, f, depth)
	}
	return w
}

func (p *builder) waitForEvent(n node, w *Wait, event node, f map[string]node, depth int) {
	w.Event, _ = event.text("event", 200)
	if when, ok := f["when"]; ok {
		w.When = p.expression(when, "when", true)
	}
	if timeout, ok := f["timeout"]; ok {
		w.Timeout = timeout.duration("timeout")
	} else {
		n.fail("add timeout: 7d", "a wait for an event needs a time-out")
	}
	if steps, ok := f["on_event"]; ok {
		w.OnEvent = p.stepList(steps, depth+1)
	}
	if steps, ok := f["on_timeout"]; ok {
		w.OnTimeout = p.stepList(steps, depth+1)
	}
}

func (p *builder) branch(n node, depth int) []Arm {
	var arms []Arm
	seen := map[string]bool{}
	closed := false // an arm before this one takes everybody
	filled := false
	items := n.items("branch")
	for _, item := range items {
		f, ok := item.fields("key of a branch arm", "when", "else", "steps")
		if !ok {
			continue
		}
		when, hasWhen := f["when"]
		otherwise, hasElse := f["else"]
		if hasWhen == hasElse {
			item.fail("write when: or else:", "an arm has either a condition or else")
			continue
		}
		if closed {
			item.fail("move it up, or remove it", "no customer reaches this arm: one above takes everybody")
		}
		var arm Arm
		if hasWhen {
			arm.When = p.expression(when, "when", false)
			if arm.When != nil {
				if seen[arm.When.String()] {
					when.fail("change it, or remove it", "no customer reaches this arm: the same condition stands above")
				}
				seen[arm.When.String()] = true
				closed = closed || arm.When.String() == "true"
			}
		} else {
			closed = true
			if otherwise.present() {
				otherwise.fail("write else: with nothing after it and steps: below", "else takes no value")
			}
		}
		if steps, ok := f["steps"]; ok {
			arm.Steps = p.stepList(steps, depth+1)
			filled = filled || len(arm.Steps) > 0
		} else {
			item.fail("add steps:, or steps: [] to do nothing on purpose", "the arm does nothing")
		}
		arms = append(arms, arm)
	}
	if len(items) == 0 || len(arms) == len(items) && !filled {
		n.fail("give an arm steps, or remove the branch", "the branch does nothing")
	}
	return arms
}
