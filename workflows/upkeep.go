package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/clock"
)

// PreflightInput prepares the copy of one version of a journey.
type PreflightInput struct {
	Journey string      `json:"journey"`
	Version int         `json:"version"`
	By      string      `json:"by"`
	Clock   clock.Scale `json:"clock,omitzero"`
}

// Preflight writes missing copy for a journey and puts it into review.
func Preflight(ctx workflow.Context, in PreflightInput) (activities.PreflightResult, error) {
	now := newBusinessClock(ctx, in.Clock, time.Time{}).now(ctx)
	return preflight(ctx, activities.PreflightInput{Journey: in.Journey, Version: in.Version, By: in.By, Now: now})
}

// UpkeepInput starts, or continues as new, the upkeep loop.
type UpkeepInput struct {
	Every time.Duration `json:"every"` // business time between rounds
	Clock clock.Scale   `json:"clock,omitzero"`
}

// minRealRound keeps upkeep from spinning on a fast clock.
const minRealRound = 5 * time.Second

// upkeepRounds per workflow run, well below what history suggests.
const upkeepRounds = 200

// Upkeep runs the ledger's housekeeping for ever. A round that fails for good is
// shown and does not end the loop.
func Upkeep(ctx workflow.Context, in UpkeepInput) error {
	clock := newBusinessClock(ctx, in.Clock, time.Time{})
	for range upkeepRounds {
		result, err := runUpkeep(ctx, activities.UpkeepInput{Now: clock.now(ctx)})
		switch {
		case broken(err):
			workflow.SetCurrentDetails(ctx, "**The last round failed:** "+problem(ctx, err))
		case err != nil:
			return err
		default:
			workflow.SetCurrentDetails(ctx, fmt.Sprintf("Last round at %s: %d touches settled as unconfirmed.", clock.now(ctx).Format(time.RFC3339), result.Unconfirmed))
		}
		round := max(in.Clock.Real(in.Every), minRealRound)
		if _, err := waitFor(ctx, round, "next round", func() bool { return false }); err != nil {
			return err
		}
		clock = newBusinessClock(ctx, in.Clock, time.Time{})
	}
	return workflow.NewContinueAsNewError(ctx, Upkeep, in)
}
