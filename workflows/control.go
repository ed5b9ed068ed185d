package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
)

// controls collects pause, resume and halt in the order in which they arrived:
// the last one counts. Of signals that arrive within one workflow task the
// engine keeps no order; the one that was decided last counts then, or, when
// they do not say, the strictest.
type controls struct {
	channels []workflow.ReceiveChannel // mildest first
	names    []string
	received []control
}

// control is one signal that arrived.
type control struct {
	name string
	activities.Woken
}

// listen registers a signal. Call it from the mildest to the strictest signal,
// before anything blocks, then start.
func (c *controls) listen(ctx workflow.Context, name, description string) {
	c.names = append(c.names, name)
	c.channels = append(c.channels, workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: description}))
}

// start takes signals as they arrive, whatever the workflow is doing. It must
// not block in a receive: a signal handed to a receiver that has not run yet is
// in no channel, and continue-as-new would lose it.
func (c *controls) start(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for workflow.Await(ctx, c.arrived) == nil {
			c.collect()
		}
	})
}

// arrived reports whether a channel holds a signal.
func (c *controls) arrived() bool {
	for _, ch := range c.channels {
		if ch.Len() > 0 {
			return true
		}
	}
	return false
}

// collect moves signals from their channels into the order of their arrival.
func (c *controls) collect() {
	var together []control
	for i, ch := range c.channels {
		var raw converter.RawValue
		for ch.ReceiveAsync(&raw) {
			together = append(together, control{c.names[i], wokenOf(raw)})
		}
	}
	undated := func(c control) bool { return c.At.IsZero() }
	if !slices.ContainsFunc(together, undated) {
		slices.SortStableFunc(together, func(a, b control) int { return a.At.Compare(b.At) })
	}
	c.received = append(c.received, together...)
}

// any reports whether a signal is waiting. Use it as a wait condition.
func (c *controls) any() bool { return len(c.received) > 0 || c.arrived() }

// drain takes all waiting signals. It returns the name of the last one, "" when
// there was none, and all of them in words.
func (c *controls) drain() (last, words string) {
	c.collect() // those of the task that is running
	var all []string
	for _, r := range c.received {
		last = r.name
		all = append(all, strings.TrimSpace(r.name+" "+r.Reason))
	}
	c.received = nil
	return last, strings.Join(all, ", ")
}
