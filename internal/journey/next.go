package journey

import (
	"fmt"
	"slices"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// Matcher evaluates a branch condition for the customer of a run.
type Matcher func(*segment.Expr) (bool, error)

// Step finds a step by id, nested ones included.
func (d *Definition) Step(id string) (Step, bool) {
	var found Step
	missing := walk(d.Steps, func(s Step) bool {
		if s.ID == id {
			found = s
			return false
		}
		return true
	})
	return found, !missing
}

// Listens lists the events a run may react to: goal, exits, waits. Sorted,
// each once.
func (d *Definition) Listens() []string {
	events := []string{}
	if d.Goal != nil {
		events = append(events, d.Goal.Event)
	}
	for _, x := range d.Exits {
		events = append(events, x.Event)
	}
	walk(d.Steps, func(s Step) bool {
		if s.Wait != nil {
			events = append(events, s.Wait.Event)
		}
		return true
	})
	slices.Sort(events)
	events = slices.Compact(events)
	return slices.DeleteFunc(events, func(name string) bool { return name == "" })
}

// First returns the first touch or wait of a run that enters. done is true when
// there is none. trail tells in words which way branches went.
func (d *Definition) First(match Matcher) (step Step, done bool, trail []string, err error) {
	w := walker{match: match}
	step, found, err := w.next(d.Steps)
	return step, !found && err == nil, w.trail, err
}

// After returns the first touch or wait after the step with this id. outcome is
// OutcomeEvent or OutcomeTimeout after a wait for an event, else "". A step that
// does not exist is a NotFound error.
func (d *Definition) After(id, outcome string, match Matcher) (step Step, done bool, trail []string, err error) {
	w := walker{match: match}
	step, found, known, err := w.after(d.Steps, id, outcome)
	if err == nil && !known {
		err = lifecycle.Errorf(lifecycle.NotFound, "journey %s has no step %q: migrate the run to a version that has it", d.Name, id)
	}
	return step, !found && err == nil, w.trail, err
}

type walker struct {
	match Matcher
	trail []string
}

// next finds the first blocking step of a list, going into branches.
func (w *walker) next(steps []Step) (step Step, found bool, err error) {
	for _, s := range steps {
		if s.Branch == nil {
			return s, true, nil
		}
		taken, err := w.choose(s)
		if err != nil {
			return Step{}, false, err
		}
		if step, found, err := w.next(taken); found || err != nil {
			return step, found, err
		}
	}
	return Step{}, false, nil
}

// choose returns the steps of the arm a branch takes.
func (w *walker) choose(s Step) ([]Step, error) {
	for _, arm := range s.Branch {
		if arm.When == nil {
			w.trail = append(w.trail, s.ID+": otherwise")
			return arm.Steps, nil
		}
		holds, err := w.match(arm.When)
		if err != nil {
			return nil, fmt.Errorf("branch %s: %w", s.ID, err)
		}
		if holds {
			w.trail = append(w.trail, s.ID+": "+arm.When.String())
			return arm.Steps, nil
		}
	}
	w.trail = append(w.trail, s.ID+": no arm matched")
	return nil, nil
}

// after finds the blocking step that follows id; known says whether id is in
// the list or below it.
func (w *walker) after(steps []Step, id, outcome string) (step Step, found, known bool, err error) {
	for i, s := range steps {
		if s.ID == id {
			known = true
			step, found, err = w.next(s.continuation(outcome))
		} else {
			for _, list := range s.nested() {
				if step, found, known, err = w.after(list, id, outcome); known {
					break
				}
			}
		}
		if !known {
			continue
		}
		if !found && err == nil {
			step, found, err = w.next(steps[i+1:])
		}
		return step, found, true, err
	}
	return Step{}, false, false, nil
}

// continuation lists the steps inside a finished wait that its outcome leads to.
func (s Step) continuation(outcome string) []Step {
	if s.Wait == nil {
		return nil
	}
	switch outcome {
	case OutcomeEvent:
		return s.Wait.OnEvent
	case OutcomeTimeout:
		return s.Wait.OnTimeout
	}
	return nil
}
