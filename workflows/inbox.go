package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
)

// Signals and update of a rollout, as people meet them in the Temporal UI.
const (
	SignalApproveStage = "approve"
	SignalHold         = "hold"
	SignalAbort        = "abort"
	SignalTick         = "tick"
	UpdateAct          = "act"
)

// RolloutAct is what a person sends to a rollout. The update needs Act.
type RolloutAct struct {
	Act  string `json:"act,omitempty"` // a signal's name, in the update
	By   string `json:"by,omitempty"`
	Note string `json:"note,omitempty"`
	Item string `json:"item,omitempty"` // with tick: an item of the phase's checklist
}

// rolloutSignals are what a rollout takes. Of those that arrive together the
// earlier in this list are carried out first: the strictest has the last word,
// and nothing is approved after a hold that came with it.
var rolloutSignals = []struct{ name, description string }{
	{SignalTick, `Tick a checklist item: {"by":"your name","item":"team-trained","note":"how you know"}.`},
	{activities.SignalResume, `Go on after a hold or halt: {"by":"your name","note":"what was mended"}.`},
	{SignalHold, `Do not go on to the next stage; sends continue: {"by":"your name","note":"why"}.`},
	{SignalHalt, `Stop all sends of the programme; everybody keeps their place: {"by":"your name","note":"why"}.`},
	{SignalAbort, `End the programme; nobody enters any more: {"by":"your name","note":"why"}.`},
	{SignalApproveStage, `Go on to the next phase or stage: {"by":"your name"}; with open checklist items also a note.`},
}

// inbox collects what people ask of a rollout, by signal or update. It never
// blocks in a receive, so that continue-as-new loses nothing.
type inbox struct {
	channels []workflow.ReceiveChannel // as rolloutSignals
	pending  []asked
	answers  map[int]string // why it was refused, "" when carried out
	asked    int
	closed   string // why nothing is taken any more
}

// asked is one thing a person asked for.
type asked struct {
	id     int
	signal string
	RolloutAct
	bad string // why it cannot be understood
}

func (b *inbox) listen(ctx workflow.Context) error {
	b.answers = map[int]string{}
	var acts []string
	for _, s := range rolloutSignals {
		acts = append(acts, s.name)
		b.channels = append(b.channels, workflow.GetSignalChannelWithOptions(ctx, s.name, workflow.SignalChannelOptions{Description: s.description}))
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateAct, b.act, workflow.UpdateHandlerOptions{
		Description: `Do what the signals do and see the answer at once: {"act":"approve","by":"your name"}.`,
		Validator: func(ctx workflow.Context, a RolloutAct) error {
			switch {
			case a.By == "":
				return fmt.Errorf(`by is required: add your name, for example {"act":"approve","by":"jane"}`)
			case !slices.Contains(acts, a.Act):
				return fmt.Errorf("act %q: use one of %s", a.Act, strings.Join(acts, ", "))
			}
			return nil
		},
	})
}

func (b *inbox) act(ctx workflow.Context, a RolloutAct) (struct{}, error) {
	id := b.add(asked{signal: a.Act, RolloutAct: a})
	if err := workflow.Await(ctx, func() bool { _, done := b.answers[id]; return done || b.closed != "" }); err != nil {
		return struct{}{}, err
	}
	refused, done := b.answers[id]
	if !done {
		refused = b.closed
	}
	if refused != "" {
		return struct{}{}, temporal.NewApplicationError(refused, "refused")
	}
	return struct{}{}, nil
}

func (b *inbox) add(q asked) int {
	b.asked++
	q.id = b.asked
	b.pending = append(b.pending, q)
	return q.id
}

// any reports whether somebody asked for something. Use it as a wait condition.
func (b *inbox) any() bool {
	return len(b.pending) > 0 || slices.ContainsFunc(b.channels, func(ch workflow.ReceiveChannel) bool { return ch.Len() > 0 })
}

// next takes the oldest request.
func (b *inbox) next() (q asked, ok bool) {
	for i, ch := range b.channels {
		var raw converter.RawValue
		for ch.ReceiveAsync(&raw) {
			b.add(readAct(rolloutSignals[i].name, raw))
		}
	}
	if len(b.pending) == 0 {
		return asked{}, false
	}
	q, b.pending = b.pending[0], b.pending[1:]
	return q, true
}

// readAct reads a signal. Who sends it must say who they are: it goes into the
// decision log.
func readAct(signal string, raw converter.RawValue) asked {
	a, err := parseSent(raw, func(name string) RolloutAct { return RolloutAct{By: name} })
	q := asked{signal: signal, RolloutAct: a, bad: errText(err)}
	if err == nil && a.By == "" {
		q.bad = `it needs a name: send {"by":"your name"}`
	}
	return q
}

// refuse answers what came too late.
func (b *inbox) refuse(why string) {
	for _, ok := b.next(); ok; _, ok = b.next() {
	}
	b.closed = why
}
