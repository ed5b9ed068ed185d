package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// Scope is the stage of a rollout programme that is in force: whom the journeys
// that it governs may reach. Empty lists let everything through.
type Scope struct {
	Programme string
	Version   int
	Phase     string
	Stage     string
	Governs   []string // journeys that the programme rules over; empty = all
	Journeys  []string // of those, the ones that run in this stage; empty = all
	Channels  []lifecycle.Channel
	Agents    []string
	ReviewAll bool    // every touch waits for a person
	Share     float64 // of the cohort, in [0,1], by a stable draw
	Cohort    string  // a segment; empty = everybody
	At        time.Time
}

// Rules reports whether the scope applies to a journey at all.
func (s Scope) Rules(journey string) bool { return within(s.Governs, journey) }

// Runs reports whether a journey that the scope rules over runs in this stage.
func (s Scope) Runs(journey string) bool { return within(s.Journeys, journey) }

// Salt is what customers are drawn with: the same for all stages of a programme,
// so that a larger share only adds customers.
func (s Scope) Salt() string { return "rollout/" + s.Programme }

func (s Scope) String() string { return fmt.Sprintf("rollout %s, stage %s", s.Programme, s.Stage) }

func within[T comparable](list []T, one T) bool { return len(list) == 0 || slices.Contains(list, one) }

// Admission says which touches of a batch of runs the rollouts in force hold
// back. The zero value holds back none.
type Admission struct {
	Scopes  []Scope
	Outside map[lifecycle.RunID]string // runs of customers outside a stage, with the reason
}

// Stops returns why a touch is held back, "" when it is not. Those held keep
// their place until the stage grows.
func (a Admission) Stops(touch lifecycle.Touch) string {
	for _, s := range a.Scopes {
		switch {
		case !s.Rules(touch.Journey):
			continue
		case !s.Runs(touch.Journey):
			return fmt.Sprintf("%s: journey %s is not part of it", s, touch.Journey)
		case !within(s.Channels, touch.Channel):
			return fmt.Sprintf("%s: channel %s is not part of it", s, touch.Channel)
		case touch.Agent != "" && !within(s.Agents, touch.Agent):
			return fmt.Sprintf("%s: agent %s is not part of it", s, touch.Agent)
		}
	}
	return a.Outside[touch.RunID]
}

// ReviewsAll reports whether every touch of a journey waits for a person.
func (a Admission) ReviewsAll(journey string) bool {
	return slices.ContainsFunc(a.Scopes, func(s Scope) bool { return s.ReviewAll && s.Rules(journey) })
}

// RolloutRow is one start of a rollout programme and how far it is.
type RolloutRow struct {
	Programme  string
	Version    int    // counts the starts of the programme
	Source     []byte // the programme file as started
	Status     string
	Phase      string
	Stage      string
	Since      time.Time // when the stage began, business time
	Changes    int       // made so far; numbered by the workflow
	Ticks      map[string]Tick
	Assessment []byte // JSON of the latest rollout.Assessment
	StartedAt  time.Time
	StartedBy  string
	EndedAt    time.Time
}

// Tick is a person's word that a checklist item is done.
type Tick struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// RolloutChange is one step of a rollout, stored with its decision record in one
// transaction. A change that was stored before is left as it is.
type RolloutChange struct {
	Programme string
	Version   int
	Number    int // from 1, without gaps
	Status    string
	Phase     string
	Stage     string
	Since     time.Time
	EndedAt   time.Time
	Ticks     map[string]Tick // to add
	Scope     *Scope          // to put into force
	Lift      bool            // take the programme's scope out of force
	Halt      string          // reason to stop every governed journey, "" = do not
	Resume    bool            // undo what Halt stopped
	Governs   []string        // journeys that Halt and Resume are about; empty = everything
	Record    Record
}

// HaltedBy is who a programme's halts are signed by.
func HaltedBy(programme string) string { return "rollout/" + programme }

// RolloutMoment is one entry of a rollout's timeline, read from the decision log.
type RolloutMoment struct {
	At    time.Time `json:"at,omitzero"`
	Kind  string    `json:"kind,omitempty"`
	Actor string    `json:"actor,omitempty"`
	Phase string    `json:"phase,omitempty"`
	Stage string    `json:"stage,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// RolloutKinds are the kinds of decision records that a timeline shows.
var RolloutKinds = strings.Fields("rollout.started rollout.entered rollout.awaiting rollout.approved rollout.held rollout.halted rollout.resumed rollout.stepped_back rollout.ticked rollout.aborted rollout.done rollout.lifted")
