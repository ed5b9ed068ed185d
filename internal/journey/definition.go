package journey

import (
	"fmt"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// Definition is one version of a journey. It is immutable after Parse.
type Definition struct {
	Name        string
	Title       string
	Description string
	Agent       string // who decides on touches: AgentCampaign or AgentWinback
	Class       lifecycle.MessageClass
	Tags        []string // with the topic
	Topic       string   // what it is about, as customers may leave it; empty = nothing they can leave
	Priority    int      // 0-100; the higher one gets the last frequency-cap slot
	Holdout     float64  // share who enter but receive nothing, in [0,1]
	Entry       Entry
	Reentry     Reentry
	Goal        *Goal // nil: the journey has no goal
	Exits       []Exit
	Window      Window
	Fallback    Fallback
	Steps       []Step
	Source      []byte // the YAML it was parsed from
}

// Agents that may decide on the touches of a journey.
const (
	AgentCampaign = "campaign"
	AgentWinback  = "winback"
)

// NoOffer in Touch.Offers stands for sending without an offer.
const NoOffer = "none"

// Entry says who enters: customers in a segment, scanned every Every, or
// customers who do an event for which When holds.
type Entry struct {
	Segment *segment.Expr // nil for entry by event
	Every   time.Duration
	Event   string // "" for entry by segment
	When    *segment.Expr
	Key     string // property of the event that tells entries apart, such as cart_id; "" = one entry per customer
}

// EntryKey is the value that tells entries of one customer apart, "" when the
// entry is not keyed or the event lacks the property.
func (e Entry) EntryKey(ev lifecycle.Event) string {
	if e.Key == "" {
		return ""
	}
	switch v := ev.Properties[e.Key].(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		if v == float64(int64(v)) {
			return fmt.Sprint(int64(v))
		}
	case map[string]any, []any:
		return ""
	}
	return fmt.Sprint(ev.Properties[e.Key])
}

// Reentry says whether a customer may enter again, for keyed entries per key.
// Exactly one of the three is set.
type Reentry struct {
	Never, Always bool
	After         time.Duration // since the last entry
}

// Allows reports whether a customer who last entered at last may enter at now;
// a zero last means never entered.
func (r Reentry) Allows(last, now time.Time) bool {
	switch {
	case last.IsZero() || r.Always:
		return true
	case r.After > 0:
		return now.Sub(last) >= r.After
	}
	return false
}

// Goal is what the journey is for. Reaching it ends the run.
type Goal struct {
	Event  string
	When   *segment.Expr // nil: every such event
	Within time.Duration // how long after entry the event counts as the goal
}

// Exit ends a run without the goal: by event, or by a condition that is asked
// before each touch.
type Exit struct {
	Event string // "" for a condition on the customer
	When  *segment.Expr
}

// Fallback says what happens to a touch whose review expires.
type Fallback string

// Fallbacks.
const (
	FallbackTemplate Fallback = "template" // send the approved template
	FallbackSkip     Fallback = "skip"     // send nothing
)

// Step is one step of a journey. Exactly one of Touch, Wait and Branch is set.
type Step struct {
	ID     string
	Touch  *Touch
	Wait   *Wait
	Branch []Arm
}

// Touch sends one message, if the agent decides so.
type Touch struct {
	Slot         string // where its copy is kept; default journey/step
	Channels     []lifecycle.Channel
	Offers       []string // catalogue ids and NoOffer, in the order written
	Brief        string   // for the copywriter
	Class        lifecycle.MessageClass
	Tags         []string // those of the journey and its own, with the topic
	Topic        string   // the journey's unless the step names one
	AlwaysReview bool     // a person sees every single touch
}

// Wait pauses a run: For a duration, Until a local time, or for an Event until
// Timeout. OnEvent and OnTimeout run before the steps that follow.
type Wait struct {
	For       time.Duration
	Until     *LocalTime
	Event     string
	When      *segment.Expr
	Timeout   time.Duration
	OnEvent   []Step
	OnTimeout []Step
}

// Arm is one way of a branch; the first whose When holds is taken.
type Arm struct {
	When  *segment.Expr // nil: otherwise
	Steps []Step
}

// Outcomes of a wait for an event.
const (
	OutcomeEvent   = "event"
	OutcomeTimeout = "timeout"
)

// nested lists the step lists inside a step, in the order written.
func (s Step) nested() [][]Step {
	var lists [][]Step
	if s.Wait != nil {
		lists = append(lists, s.Wait.OnEvent, s.Wait.OnTimeout)
	}
	for _, arm := range s.Branch {
		lists = append(lists, arm.Steps)
	}
	return lists
}

// walk visits every step, parents first, until visit returns false.
func walk(steps []Step, visit func(Step) bool) bool {
	for _, s := range steps {
		if !visit(s) {
			return false
		}
		for _, list := range s.nested() {
			if !walk(list, visit) {
				return false
			}
		}
	}
	return true
}
