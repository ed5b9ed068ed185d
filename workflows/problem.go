package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// broken reports whether an activity failed for good: another attempt would end
// the same way until somebody mends the cause. Cancellation is not a failure.
//
// A workflow that failed would have lost its customer's place, so journeys,
// campaigns and reviews show the problem in their details and wait for the
// signal "resume" instead.
func broken(err error) bool {
	var failed *temporal.ActivityError
	return errors.As(err, &failed) && !temporal.IsCanceledError(err)
}

// problem is a broken activity's error in words, without the engine's wrapping.
func problem(ctx workflow.Context, err error) string {
	workflow.GetLogger(ctx).Error("waits for somebody to mend a problem", "error", err)
	var cause *temporal.ApplicationError
	if errors.As(err, &cause) {
		return cause.Message()
	}
	return err.Error()
}
