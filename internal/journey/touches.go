package journey

import "slices"

// Touches lists the touch steps of the journey, nested ones included, in the
// order written.
func (d *Definition) Touches() []Step {
	var touches []Step
	walk(d.Steps, func(s Step) bool {
		if s.Touch != nil {
			touches = append(touches, s)
		}
		return true
	})
	return touches
}

// Slots lists the slots whose copy the journey sends, each once.
func (d *Definition) Slots() []string {
	var slots []string
	for _, s := range d.Touches() {
		if !slices.Contains(slots, s.Touch.Slot) {
			slots = append(slots, s.Touch.Slot)
		}
	}
	return slots
}

// ListensTo reports whether an event of this name may move a run.
func (d *Definition) ListensTo(event string) bool { return slices.Contains(d.Listens(), event) }
