package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/clock"
)

// ReportInput names a report of the last whole week or month.
type ReportInput struct {
	Kind  string      `json:"kind"` // weekly or monthly
	Clock clock.Scale `json:"clock,omitzero"`
}

// Report writes the review of the last week or month; a schedule starts it.
func Report(ctx workflow.Context, in ReportInput) (activities.ReportWritten, error) {
	now := newBusinessClock(ctx, in.Clock, time.Time{}).now(ctx)
	written, err := writeReport(ctx, activities.ReportInput{Kind: in.Kind, Now: now})
	if err == nil {
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("The %s report from %s is written, with %d suggested changes: `touchstone report %s`.",
			in.Kind, written.From.Format(time.DateOnly), written.Suggestions, in.Kind))
	}
	return written, err
}
