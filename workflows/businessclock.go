package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/internal/clock"
)

// businessClock is a workflow's view of business time. With a scaled clock a
// step's time is its due time plus the engine's real lateness: scaling the
// lateness would put a step that runs 300 ms late hours outside its window.
type businessClock struct {
	scale    clock.Scale
	business time.Time // business instant at the anchor
	anchor   time.Time // workflow instant of the anchor
}

func newBusinessClock(ctx workflow.Context, scale clock.Scale, start time.Time) *businessClock {
	c := &businessClock{scale: scale, business: start, anchor: workflow.Now(ctx)}
	if !scale.Scaled() || start.IsZero() {
		c.business = scale.At(c.anchor)
	}
	return c
}

// now is the business instant: exact workflow time on an unscaled clock.
func (c *businessClock) now(ctx workflow.Context) time.Time {
	if !c.scale.Scaled() {
		return workflow.Now(ctx).UTC()
	}
	return c.business.Add(workflow.Now(ctx).Sub(c.anchor))
}

// sync drops the step's lateness: the clock shows the same as everybody else's.
func (c *businessClock) sync(ctx workflow.Context) time.Time {
	real := workflow.Now(ctx)
	if at := c.scale.At(real); at.After(c.now(ctx)) {
		c.business, c.anchor = at, real
	}
	return c.now(ctx)
}

// sleep waits until a business instant or until woken reports true; it returns
// whether it was woken. Cancellation of ctx is the only error.
func (c *businessClock) sleep(ctx workflow.Context, until time.Time, summary string, woken func() bool) (bool, error) {
	due := c.scale.RealAt(until)
	interrupted, err := waitFor(ctx, due.Sub(workflow.Now(ctx)), summary, woken)
	if err != nil {
		return false, err
	}
	real := workflow.Now(ctx)
	if interrupted && real.Before(due) {
		c.move(ctx, c.scale.At(real))
	} else {
		c.move(ctx, until.Add(max(real.Sub(due), 0)))
	}
	return interrupted, nil
}

// wait blocks until woken reports true (true) or a real duration has passed
// (false); without a duration it waits as long as it takes. Business time goes
// on meanwhile: people are not scaled, what they keep waiting is.
func (c *businessClock) wait(ctx workflow.Context, d time.Duration, summary string, woken func() bool) (interrupted bool, err error) {
	if d > 0 {
		interrupted, err = waitFor(ctx, d, summary, woken)
	} else {
		interrupted, err = true, workflow.Await(ctx, woken)
	}
	if err == nil {
		c.move(ctx, c.scale.At(workflow.Now(ctx)))
	}
	return interrupted, err
}

// move sets the clock, which never goes back.
func (c *businessClock) move(ctx workflow.Context, business time.Time) {
	if now := c.now(ctx); business.Before(now) {
		business = now
	}
	c.business, c.anchor = business, workflow.Now(ctx)
}

// waitFor blocks until cond holds (true) or d has passed (false). Unlike
// workflow.AwaitWithTimeout it cancels its timer when the condition wins.
func waitFor(ctx workflow.Context, d time.Duration, summary string, cond func() bool) (bool, error) {
	if cond() {
		return true, nil
	}
	if d <= 0 {
		return false, nil
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timerCtx, d, workflow.TimerOptions{Summary: summary})
	if err := workflow.Await(ctx, func() bool { return cond() || timer.IsReady() }); err != nil {
		return false, err
	}
	return cond(), nil
}
