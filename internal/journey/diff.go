package journey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/segment"
)

// ChangeKind says what happened to a part of a definition.
type ChangeKind string

// Change kinds.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Moved   ChangeKind = "moved"
	Changed ChangeKind = "changed"
)

// Change is one difference between two versions.
type Change struct {
	Kind ChangeKind
	Step string // "" for a change outside the steps
	Text string // in words
}

// Diff lists what changed from one version to the next: first the header, then
// removed, changed, moved and added steps in the order of their version.
func Diff(before, after *Definition) []Change {
	var changes []Change
	was, is := header(before), header(after)
	for i := range was {
		if was[i].text != is[i].text {
			changes = append(changes, Change{Changed, "", fmt.Sprintf("%s: was %s, is %s", was[i].name, orNothing(was[i].text), orNothing(is[i].text))})
		}
	}
	old, young := placed(before), placed(after)
	for _, o := range old.order {
		n, kept := young.byID[o.step.ID]
		if !kept {
			changes = append(changes, Change{Removed, o.step.ID, fmt.Sprintf("step %s is gone: %s", o.step.ID, describe(o.step))})
			continue
		}
		if a, b := describe(o.step), describe(n.step); a != b {
			changes = append(changes, Change{Changed, o.step.ID, fmt.Sprintf("step %s: was %s, is %s", o.step.ID, a, b)})
		}
	}
	stay := unmoved(old, young)
	for _, n := range young.order {
		o, kept := old.byID[n.step.ID]
		switch {
		case !kept:
			changes = append(changes, Change{Added, n.step.ID, fmt.Sprintf("step %s is new%s: %s", n.step.ID, inside(n.parent), describe(n.step))})
		case o.parent != n.parent:
			changes = append(changes, Change{Moved, n.step.ID, fmt.Sprintf("step %s moved from %s to %s", n.step.ID, orTop(o.parent), orTop(n.parent))})
		case !stay[n.step.ID]:
			changes = append(changes, Change{Moved, n.step.ID, fmt.Sprintf("step %s moved%s", n.step.ID, inside(n.parent))})
		}
	}
	return changes
}

// CursorsLost lists the steps of before at which a customer may stand and that
// after does not have, or has as something else: their runs cannot continue
// there.
func CursorsLost(before, after *Definition) []string {
	lost := []string{}
	walk(before.Steps, func(s Step) bool {
		n, kept := after.Step(s.ID)
		if s.Branch == nil && (!kept || (s.Touch == nil) != (n.Touch == nil) || n.Branch != nil) {
			lost = append(lost, s.ID)
		}
		return true
	})
	return lost
}

type place struct {
	step   Step
	parent string // of the list it is in: "" or "split, arm 1"
}

type places struct {
	order []place
	byID  map[string]place
}

func placed(d *Definition) places {
	p := places{byID: map[string]place{}}
	var add func(steps []Step, parent string)
	add = func(steps []Step, parent string) {
		for _, s := range steps {
			at := place{s, parent}
			p.order = append(p.order, at)
			p.byID[s.ID] = at
			if s.Wait != nil {
				add(s.Wait.OnEvent, s.ID+" on event")
				add(s.Wait.OnTimeout, s.ID+" on timeout")
			}
			for i, arm := range s.Branch {
				add(arm.Steps, fmt.Sprintf("%s arm %d", s.ID, i+1))
			}
		}
	}
	add(d.Steps, "")
	return p
}

// unmoved finds the steps that kept their order among the siblings they kept:
// per list, a longest common subsequence.
func unmoved(old, young places) map[string]bool {
	stay := map[string]bool{}
	lists := map[string][2][]string{}
	for i, version := range []places{old, young} {
		for _, p := range version.order {
			o, both := old.byID[p.step.ID]
			n, also := young.byID[p.step.ID]
			if both && also && o.parent == n.parent {
				pair := lists[p.parent]
				pair[i] = append(pair[i], p.step.ID)
				lists[p.parent] = pair
			}
		}
	}
	for _, pair := range lists {
		for _, id := range commonOrder(pair[0], pair[1]) {
			stay[id] = true
		}
	}
	return stay
}

// commonOrder is a longest common subsequence.
func commonOrder(a, b []string) []string {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	var common []string
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			common = append(common, a[i])
			i, j = i+1, j+1
		case table[i+1][j] >= table[i][j+1]:
			i++
		default:
			j++
		}
	}
	return common
}

type line struct{ name, text string }

// header renders everything outside the steps.
func header(d *Definition) []line {
	entry := "event " + d.Entry.Event + condition(d.Entry.When)
	if d.Entry.Key != "" {
		entry += " keyed by " + d.Entry.Key
	}
	if d.Entry.Segment != nil {
		entry = "segment " + d.Entry.Segment.String() + " every " + length(d.Entry.Every)
	}
	goal := ""
	if d.Goal != nil {
		goal = d.Goal.Event + condition(d.Goal.When) + " within " + length(d.Goal.Within)
	}
	var exits []string
	for _, x := range d.Exits {
		exits = append(exits, strings.TrimSpace(x.Event+condition(x.When)))
	}
	return []line{
		{"journey", d.Name}, {"title", d.Title}, {"description", d.Description}, {"agent", d.Agent}, {"class", string(d.Class)},
		{"tags", strings.Join(d.Tags, ", ")}, {"priority", fmt.Sprint(d.Priority)}, {"holdout", fmt.Sprintf("%g%%", d.Holdout*100)},
		{"entry", entry}, {"reentry", d.Reentry.String()}, {"goal", goal}, {"exit", strings.Join(exits, "; ")},
		{"window", d.Window.String()}, {"fallback", string(d.Fallback)},
	}
}

// String renders "never", "always" or "after 180d".
func (r Reentry) String() string {
	switch {
	case r.Always:
		return "always"
	case r.After > 0:
		return "after " + length(r.After)
	}
	return "never"
}

// describe renders a step without the steps inside it.
func describe(s Step) string {
	switch {
	case s.Touch != nil:
		t := s.Touch
		text := fmt.Sprintf("touch %s by %v with offers %s", t.Slot, t.Channels, strings.Join(t.Offers, ", "))
		text += fmt.Sprintf(", class %s, tags %s", t.Class, strings.Join(slices.Sorted(slices.Values(t.Tags)), ", "))
		if t.AlwaysReview {
			text += ", always reviewed"
		}
		if t.Brief != "" {
			text += fmt.Sprintf(", brief %q", t.Brief)
		}
		return text
	case s.Wait != nil:
		return s.Wait.String()
	}
	var arms []string
	for _, arm := range s.Branch {
		if arm.When == nil {
			arms = append(arms, "otherwise")
		} else {
			arms = append(arms, arm.When.String())
		}
	}
	return "branch on " + strings.Join(arms, " | ")
}

// String renders "wait 5d", "wait until mon 10:00" or "wait for Order Completed, at most 7d".
func (w Wait) String() string {
	switch {
	case w.Until != nil:
		return "wait until " + w.Until.String()
	case w.Event != "":
		return "wait for " + w.Event + condition(w.When) + ", at most " + length(w.Timeout)
	}
	return "wait " + length(w.For)
}

// length renders a duration without empty minutes and seconds.
func length(d time.Duration) string {
	text := strings.TrimSuffix(clock.FormatDuration(d), "m0s")
	if text != clock.FormatDuration(d) {
		text += "m"
	}
	if hours, whole := strings.CutSuffix(text, "h0m"); whole {
		return hours + "h"
	}
	return text
}

func condition(e *segment.Expr) string {
	if e == nil {
		return ""
	}
	return " when " + e.String()
}

func inside(parent string) string {
	if parent == "" {
		return ""
	}
	return " in " + parent
}

func orTop(parent string) string {
	if parent == "" {
		return "the top"
	}
	return parent
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
