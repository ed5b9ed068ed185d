package workflows

import (
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
)

// wakes collects signals whose only meaning is "look again". Their payloads are
// for people; any payload, or none, wakes.
type wakes struct {
	names    []string
	channels []workflow.ReceiveChannel
	last     string // what the last drain found, in words
}

// listen registers the signals, with descriptions for the Temporal UI. Call it
// before anything blocks: the UI lists what has been asked for.
func (w *wakes) listen(ctx workflow.Context, signals map[string]string) {
	for _, name := range workflow.DeterministicKeys(signals) {
		w.names = append(w.names, name)
		w.channels = append(w.channels, workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: signals[name]}))
	}
}

// any reports whether a signal is waiting. Use it as a wait condition.
func (w *wakes) any() bool {
	for _, ch := range w.channels {
		if ch.Len() > 0 {
			return true
		}
	}
	return false
}

// drain takes all waiting signals and reports whether there were any.
func (w *wakes) drain() bool {
	var reasons []string
	for i, ch := range w.channels {
		var raw converter.RawValue
		for ch.ReceiveAsync(&raw) {
			reasons = append(reasons, strings.TrimSpace(w.names[i]+" "+reasonOf(raw)))
		}
	}
	if len(reasons) == 0 {
		return false
	}
	w.last = strings.Join(reasons, ", ")
	return true
}

// reasonOf reads a waking signal's payload, which may be anything a person
// pasted.
func reasonOf(raw converter.RawValue) string { return wokenOf(raw).Reason }

func wokenOf(raw converter.RawValue) activities.Woken {
	payload := raw.Payload()
	var woken activities.Woken
	if payload == nil || readJSON(payload.GetData(), &woken) != nil {
		return activities.Woken{}
	}
	return woken
}
