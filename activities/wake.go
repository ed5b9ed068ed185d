package activities

import (
	"context"
	"slices"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Signals that wake a journey workflow. They carry no facts a decision depends
// on: the workflow looks at the store again, so a lost, late or repeated signal
// costs time, never correctness.
const (
	SignalEvent         = "event_received"
	SignalReviewDecided = "review_decided"
	SignalResume        = "resume"
	SignalMigrate       = "migrate"
	SignalExit          = "exit"
)

// Woken is the payload of every waking signal.
type Woken struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"` // when it was decided: orders controls that arrive together
}

// wake signals those of the runs that have a workflow of their own, and the
// campaigns of those that do not.
func wake(ctx context.Context, store RunStore, starter Starter, ids []lifecycle.RunID, now time.Time, signal, reason string) error {
	if len(ids) == 0 {
		return nil
	}
	situations, err := store.Situations(ctx, ids, now)
	if err != nil {
		return err
	}
	var durable []ledger.Run
	var campaigns []string
	for _, s := range situations {
		switch {
		case s.Run.Status == ledger.RunRunning && s.Run.Durable:
			durable = append(durable, s.Run)
		case s.Run.Status == ledger.RunPending && !slices.Contains(campaigns, s.Run.Campaign):
			campaigns = append(campaigns, s.Run.Campaign)
		}
	}
	if err := starter.Wake(ctx, durable, signal, reason); err != nil {
		return err
	}
	return starter.WakeCampaigns(ctx, campaigns, reason)
}
