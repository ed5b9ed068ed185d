package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.temporal.io/sdk/temporal"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
)

// retryable reports whether the engine would call the activity again.
func retryable(err error) bool {
	var application *temporal.ApplicationError
	return !errors.As(err, &application) || !application.NonRetryable()
}

func TestErrorsSayWhetherAnotherAttemptHelps(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		err   error
		code  lifecycle.Code
		again bool
	}{
		{"invalid", lifecycle.Errorf(lifecycle.Invalid, "bad segment"), lifecycle.Invalid, false},
		{"not found", lifecycle.Errorf(lifecycle.NotFound, "no run"), lifecycle.NotFound, false},
		{"conflict", lifecycle.Errorf(lifecycle.Conflict, "no step"), lifecycle.Conflict, false},
		{"forbidden", lifecycle.Errorf(lifecycle.Forbidden, "self-approval"), lifecycle.Forbidden, false},
		{"unavailable", lifecycle.Errorf(lifecycle.Unavailable, "restarting"), lifecycle.Unavailable, true},
		{"rate limited", lifecycle.Errorf(lifecycle.RateLimited, "slow down"), lifecycle.RateLimited, true},
		{"unconfirmed", lifecycle.Errorf(lifecycle.Unconfirmed, "who knows"), lifecycle.Unconfirmed, true},
		{"internal", lifecycle.Errorf(lifecycle.Internal, "bug"), lifecycle.Internal, true},
		{"unclassified", errors.New("boom"), lifecycle.Internal, true},
		{"wrapped", fmt.Errorf("read run: %w", lifecycle.Errorf(lifecycle.NotFound, "no run")), lifecycle.NotFound, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, oneTouch)
			f.store.failing["Situations"] = c.err
			_, err := f.Prepare(t.Context(), activities.Step{RunID: "run-1", Now: noon})
			equal(t, "code", activities.ErrorCode(err), c.code)
			equal(t, "retryable", retryable(err), c.again)
			equal(t, "the cause is kept", errors.Is(err, c.err), true)
			var application *temporal.ApplicationError
			if errors.As(err, &application) {
				equal(t, "message", application.Message(), c.err.Error())
			}
		})
	}
}

// Cancellation must reach the engine as it is, or a stopping worker would be
// taken for a failing activity.
func TestCancellationIsNoFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.store.failing["Situations"] = fmt.Errorf("query: %w", context.Canceled)
	_, err := f.Prepare(t.Context(), activities.Step{RunID: "run-1", Now: noon})
	equal(t, "cancelled", errors.Is(err, context.Canceled), true)
	var application *temporal.ApplicationError
	equal(t, "an application error", errors.As(err, &application), false)
}

func TestErrorCodeOfOtherErrors(t *testing.T) {
	t.Parallel()
	equal(t, "code", activities.ErrorCode(errors.New("boom")), lifecycle.Internal)
}
