package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/internal/clock"
)

// BusinessClock lets the tests drive a businessClock.
type BusinessClock struct{ c *businessClock }

func NewBusinessClock(ctx workflow.Context, scale clock.Scale, start time.Time) BusinessClock {
	return BusinessClock{newBusinessClock(ctx, scale, start)}
}

func (b BusinessClock) Now(ctx workflow.Context) time.Time { return b.c.now(ctx) }

func (b BusinessClock) Sleep(ctx workflow.Context, until time.Time, woken func() bool) (bool, error) {
	return b.c.sleep(ctx, until, "test", woken)
}

func (b BusinessClock) Wait(ctx workflow.Context, d time.Duration, woken func() bool) (bool, error) {
	return b.c.wait(ctx, d, "test", woken)
}

// WaitFor exposes the timer helper.
var WaitFor = waitFor
