package journey

import "iter"

// All visits every step of the journey in the order written, those inside waits
// and branches after the step that holds them.
func (d *Definition) All() iter.Seq[Step] {
	return func(yield func(Step) bool) { walk(d.Steps, yield) }
}
