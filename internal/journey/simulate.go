package journey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// MomentKind says what happened in a simulation.
type MomentKind string

// Moment kinds.
const (
	MomentEvent    MomentKind = "event"
	MomentEntered  MomentKind = "entered"
	MomentRefused  MomentKind = "refused" // entry conditions hold, the re-entry rule does not
	MomentHeldOut  MomentKind = "held out"
	MomentBranch   MomentKind = "branch"
	MomentWait     MomentKind = "wait"
	MomentPlanned  MomentKind = "planned"
	MomentTouch    MomentKind = "touch"
	MomentDeferred MomentKind = "deferred"
	MomentBlocked  MomentKind = "blocked"
	MomentGoal     MomentKind = "goal"
	MomentExit     MomentKind = "exit"
	MomentEnded    MomentKind = "ended"
)

// Moment is one line of a simulated timeline.
type Moment struct {
	At    time.Time     // UTC
	After time.Duration // since the start of the scenario
	Local string        // on the customer's clock, such as "Mon 02 Mar 09:00"
	Key   string        // entry key of the run
	Step  string
	Kind  MomentKind
	Text  string
}

// maxMoments bounds a timeline; a scenario that passes it re-enters without end.
const maxMoments = 10_000

// Simulate walks one scenario through a definition without an engine: events
// and timers in order of time, every touch allowed unless the scenario rules
// otherwise. Orders, opens, clicks and opt-outs among the events change the
// customer, as do the touches.
func Simulate(d *Definition, s Scenario) ([]Moment, error) {
	for id := range s.Verdicts {
		if step, ok := d.Step(id); !ok || step.Touch == nil {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "the scenario rules on %q, which is no touch of journey %s", id, d.Name)
		}
	}
	sim := &simulation{d: d, s: s, now: s.Start, profile: s.Profile, entered: map[string]time.Time{}}
	sim.profile.Consents = map[lifecycle.Channel]lifecycle.Consent{}
	for ch, c := range s.Profile.Consents {
		sim.profile.Consents[ch] = c
	}
	err := sim.walk()
	return sim.moments, err
}

type simulation struct {
	d       *Definition
	s       Scenario
	now     time.Time
	profile lifecycle.Profile
	runs    []*passage
	entered map[string]time.Time // last entry per key
	moments []Moment
}

// passage is one customer's way through, standing at a blocking step.
type passage struct {
	key      string
	entry    map[string]any
	step     Step
	wake     time.Time
	deferred bool
}

func (sim *simulation) walk() error {
	end := sim.s.Start.Add(sim.s.For)
	events, scan := sim.s.Events, sim.s.Start
	for len(sim.moments) < maxMoments {
		next, what := end, ""
		if len(events) > 0 && !events[0].At.After(next) {
			next, what = events[0].At, "event"
		}
		var due *passage
		for _, run := range sim.runs {
			if run.wake.Before(next) || what == "" && !run.wake.After(next) {
				next, what, due = run.wake, "wake", run
			}
		}
		if sim.d.Entry.Segment != nil && (scan.Before(next) || what == "" && !scan.After(next)) {
			next, what = scan, "scan"
		}
		sim.now = next
		var err error
		switch what {
		case "event":
			err = sim.event(events[0])
			events = events[1:]
		case "wake":
			err = sim.wake(due)
		case "scan":
			err = sim.scan()
			scan = scan.Add(sim.d.Entry.Every)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return lifecycle.Errorf(lifecycle.Invalid, "journey %s makes more than %d moments in this scenario: shorten it or change reentry", sim.d.Name, maxMoments)
}

func (sim *simulation) note(key, step string, kind MomentKind, format string, args ...any) {
	sim.moments = append(sim.moments, Moment{
		At: sim.now.UTC(), After: sim.now.Sub(sim.s.Start), Local: sim.now.In(sim.s.Zone).Format("Mon 02 Jan 15:04"),
		Key: key, Step: step, Kind: kind, Text: fmt.Sprintf(format, args...),
	})
}

func (sim *simulation) env(event, entry map[string]any) segment.Env {
	return segment.Env{Now: sim.now, Profile: sim.profile, Stages: sim.s.Stages, Event: event, Entry: entry}
}

// holds evaluates an optional condition; absent holds.
func (sim *simulation) holds(e *segment.Expr, event, entry map[string]any) (bool, error) {
	if e == nil {
		return true, nil
	}
	return e.Match(sim.env(event, entry))
}

func (sim *simulation) event(ev lifecycle.Event) error {
	sim.note("", "", MomentEvent, "%s", ev.Name)
	sim.experience(ev)
	for _, run := range slices.Clone(sim.runs) {
		if err := sim.react(run, ev); err != nil {
			return err
		}
	}
	if sim.d.Entry.Event != ev.Name || ev.Name == "" {
		return nil
	}
	holds, err := sim.holds(sim.d.Entry.When, ev.Properties, nil)
	if err != nil || !holds {
		return err
	}
	return sim.enter(sim.d.Entry.EntryKey(ev), ev.Properties, ev.Name)
}

// react lets a run take notice of an event: goal first, then exits, then the
// wait it stands at.
func (sim *simulation) react(run *passage, ev lifecycle.Event) error {
	if g := sim.d.Goal; g != nil && g.Event == ev.Name {
		holds, err := sim.holds(g.When, ev.Properties, run.entry)
		if err != nil {
			return err
		}
		if holds {
			sim.note(run.key, run.step.ID, MomentGoal, "%s", ev.Name)
			sim.leave(run)
			return nil
		}
	}
	for _, x := range sim.d.Exits {
		if x.Event != ev.Name {
			continue
		}
		holds, err := sim.holds(x.When, ev.Properties, run.entry)
		if err != nil {
			return err
		}
		if holds {
			sim.note(run.key, run.step.ID, MomentExit, "%s%s", ev.Name, condition(x.When))
			sim.leave(run)
			return nil
		}
	}
	if w := run.step.Wait; w != nil && w.Event == ev.Name {
		holds, err := sim.holds(w.When, ev.Properties, run.entry)
		if err != nil || !holds {
			return err
		}
		return sim.proceed(run, OutcomeEvent)
	}
	return nil
}

func (sim *simulation) scan() error {
	if len(sim.runs) > 0 {
		return nil
	}
	holds, err := sim.holds(sim.d.Entry.Segment, nil, nil)
	if err != nil || !holds {
		return err
	}
	if last, before := sim.entered[""]; before && !sim.d.Reentry.Allows(last, sim.now) {
		return nil // a scan finds the same customer every time; that is no news
	}
	return sim.enter("", nil, sim.d.Entry.Segment.Explain(sim.env(nil, nil)))
}

func (sim *simulation) enter(key string, entry map[string]any, why string) error {
	for _, run := range sim.runs {
		if run.key == key {
			sim.note(key, "", MomentRefused, "already inside")
			return nil
		}
	}
	if last, before := sim.entered[key]; before && !sim.d.Reentry.Allows(last, sim.now) {
		sim.note(key, "", MomentRefused, "entered on %s, re-entry: %s", last.In(sim.s.Zone).Format("02 Jan 2006"), sim.d.Reentry)
		return nil
	}
	sim.entered[key] = sim.now
	sim.note(key, "", MomentEntered, "%s", why)
	if sim.s.Holdout {
		sim.note(key, "", MomentHeldOut, "receives nothing")
		return nil
	}
	run := &passage{key: key, entry: entry}
	sim.runs = append(sim.runs, run)
	step, done, trail, err := sim.d.First(sim.matcher(run))
	if err != nil {
		return err
	}
	return sim.stand(run, step, done, trail)
}

func (sim *simulation) matcher(run *passage) Matcher {
	return func(e *segment.Expr) (bool, error) { return e.Match(sim.env(nil, run.entry)) }
}

// proceed moves a run on from the step it stands at.
func (sim *simulation) proceed(run *passage, outcome string) error {
	if run.step.Wait != nil && outcome != "" {
		sim.note(run.key, run.step.ID, MomentWait, "over: %s", outcome)
	}
	step, done, trail, err := sim.d.After(run.step.ID, outcome, sim.matcher(run))
	if err != nil {
		return err
	}
	return sim.stand(run, step, done, trail)
}

// stand puts a run at a blocking step and plans when it wakes.
func (sim *simulation) stand(run *passage, step Step, done bool, trail []string) error {
	for _, taken := range trail {
		id, _, _ := strings.Cut(taken, ":")
		branch, _ := sim.d.Step(id)
		sim.note(run.key, id, MomentBranch, "%s%s", strings.TrimPrefix(taken, id+": "), sim.seen(branch, run))
	}
	if done {
		sim.note(run.key, "", MomentEnded, "no further step")
		sim.leave(run)
		return nil
	}
	run.step, run.deferred = step, false
	switch {
	case step.Touch != nil:
		run.wake = sim.d.Window.Next(sim.now, sim.s.Zone)
		if run.wake.After(sim.now) {
			sim.note(run.key, step.ID, MomentPlanned, "for %s, when the window opens", run.wake.In(sim.s.Zone).Format("Mon 02 Jan 15:04"))
		}
	case step.Wait.Until != nil:
		run.wake = step.Wait.Until.Next(sim.now, sim.s.Zone)
		sim.note(run.key, step.ID, MomentWait, "%s", step.Wait)
	default:
		run.wake = sim.now.Add(max(step.Wait.For, step.Wait.Timeout))
		sim.note(run.key, step.ID, MomentWait, "%s", step.Wait)
	}
	return nil
}

// seen tells the values a branch looked at.
func (sim *simulation) seen(branch Step, run *passage) string {
	var all []string
	for _, arm := range branch.Branch {
		if arm.When != nil {
			if values := arm.When.Explain(sim.env(nil, run.entry)); values != "" && !slices.Contains(all, values) {
				all = append(all, values)
			}
		}
	}
	return " (" + strings.Join(all, "; ") + ")"
}

// wake runs a touch or ends a wait.
func (sim *simulation) wake(run *passage) error {
	if w := run.step.Wait; w != nil {
		if w.Event != "" {
			return sim.proceed(run, OutcomeTimeout)
		}
		return sim.proceed(run, "")
	}
	for _, x := range sim.d.Exits {
		if x.Event != "" {
			continue
		}
		holds, err := sim.holds(x.When, nil, run.entry)
		if err != nil {
			return err
		}
		if holds {
			sim.note(run.key, run.step.ID, MomentExit, "%s (%s)", x.When, x.When.Explain(sim.env(nil, run.entry)))
			sim.leave(run)
			return nil
		}
	}
	switch ruling := sim.s.Verdicts[run.step.ID]; {
	case ruling.Outcome == lifecycle.Defer && !run.deferred:
		run.deferred = true
		run.wake = sim.d.Window.Next(sim.now.Add(ruling.By), sim.s.Zone)
		sim.note(run.key, run.step.ID, MomentDeferred, "by %s, until %s", length(ruling.By), run.wake.In(sim.s.Zone).Format("Mon 02 Jan 15:04"))
		return nil
	case ruling.Outcome == lifecycle.Block:
		sim.note(run.key, run.step.ID, MomentBlocked, "not sent")
	default:
		t := run.step.Touch
		sim.note(run.key, run.step.ID, MomentTouch, "%s by %s, offers %s", t.Slot, channelNames(t.Channels), strings.Join(t.Offers, ", "))
		sim.profile.Touches.Count++
		sim.profile.Touches.LastAt = sim.now
	}
	return sim.proceed(run, "")
}

func channelNames(channels []lifecycle.Channel) string {
	names := make([]string, len(channels))
	for i, c := range channels {
		names[i] = string(c)
	}
	return strings.Join(names, " or ")
}

func (sim *simulation) leave(run *passage) {
	sim.runs = slices.DeleteFunc(sim.runs, func(r *passage) bool { return r == run })
}
