package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
)

// WatchInput starts, or continues as new, the watch.
type WatchInput struct {
	Every time.Duration `json:"every"` // real time that one activity keeps watch
}

// watchRounds per workflow run: most of a day, well below what history suggests.
const watchRounds = 200

// Watch keeps watch for ever: it looks for what must halt the programme every few
// seconds, and for anomalies every hour of business time. The looking is done by
// activities that last for minutes, so that it costs the engine little. A round
// that fails for good is shown and does not end the watch.
func Watch(ctx workflow.Context, in WatchInput) error {
	for range watchRounds {
		result, err := keepWatch(ctx, activities.WatchInput{For: in.Every})
		switch {
		case broken(err):
			workflow.SetCurrentDetails(ctx, "**The watch cannot work:** "+problem(ctx, err))
			if _, err := waitFor(ctx, minRealRound, "try again", func() bool { return false }); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			workflow.SetCurrentDetails(ctx, watchDetails(workflow.Now(ctx), result))
		}
	}
	return workflow.NewContinueAsNewError(ctx, Watch, in)
}

// watchDetails says in the Temporal UI how the last round went.
func watchDetails(at time.Time, r activities.WatchResult) string {
	text := fmt.Sprintf("Last round until %s: %d checks; %d alerts opened, %d closed, %d open (`touchstone alert list`).",
		at.UTC().Format(time.RFC3339), r.Checks, r.Opened, r.Closed, r.Open)
	if r.Halted != "" {
		text = "**The watch halted the programme:** " + r.Halted + ". Find the cause, then run `touchstone resume`.\n\n" + text
	}
	return text
}
