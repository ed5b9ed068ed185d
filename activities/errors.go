package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"touchstone/internal/lifecycle"
)

// final lists the error codes that another attempt cannot mend. Everything
// else (a database restarting, an engine overloaded) is retried by policy.
var final = map[lifecycle.Code]bool{
	lifecycle.Invalid:   true,
	lifecycle.NotFound:  true,
	lifecycle.Conflict:  true,
	lifecycle.Forbidden: true,
}

// fail turns an error into what Temporal should see: final codes become
// non-retryable application errors whose type is the code.
func fail(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	code := lifecycle.CodeOf(err)
	if final[code] {
		return temporal.NewNonRetryableApplicationError(err.Error(), string(code), err)
	}
	return temporal.NewApplicationErrorWithCause(err.Error(), string(code), err)
}

// ErrorCode returns the lifecycle code an activity failed with, as seen by a
// workflow; Internal when it carries none.
func ErrorCode(err error) lifecycle.Code {
	var application *temporal.ApplicationError
	if errors.As(err, &application) && application.Type() != "" {
		return lifecycle.Code(application.Type())
	}
	return lifecycle.Internal
}
