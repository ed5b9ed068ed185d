package activities

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"touchstone/agents"
	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

// Journeys prepares and delivers touches: the two activities behind a journey
// workflow, and the page activity behind a broadcast.
type Journeys struct {
	Runs        RunStore
	Ledger      Ledger
	Creatives   CreativeStore
	Reviews     ReviewStore
	Controls    Controls
	Evidence    EvidenceStore
	Due         DueRuns
	Definitions Definitions
	Brand       *brand.Brand
	Policy      *guardrails.Policy
	Agent       func(name string) (agents.Agent, error)
	Renderer    Renderer
	Links       Links
	Providers   map[lifecycle.Channel]Provider
	Starter     Starter
	Scale       clock.Scale
	ReviewSLA   time.Duration // wall-clock time a reviewer has before the reminder
	Concurrency int           // provider calls in flight per activity, at least 1
	Log         *slog.Logger

	evidence evidenceCache
	judged   judgedCopy
}

// Prepare looks at a run and says what it should do next: it ends the run when
// the goal or an exit was reached, walks over branches and finished waits, and
// plans the next touch. Repeating it is harmless.
func (j *Journeys) Prepare(ctx context.Context, in Step) (Next, error) {
	in.Now = late(ctx, in.Now)
	t, err := j.walked(ctx, []Step{in})
	if err != nil {
		return Next{}, fail(err)
	}
	if err := t.save(ctx); err != nil {
		return Next{}, fail(err)
	}
	return t.next()[0], nil
}

// Deliver sends one planned touch, or records why not, and says what the run
// should do next. The provider is called at most once per touch, whatever
// happens to this activity.
func (j *Journeys) Deliver(ctx context.Context, in DeliverInput) (Next, error) {
	defer alive(ctx)()
	in.Now = late(ctx, in.Now)
	next, _, err := j.deliver(ctx, []DeliverInput{in})
	if err != nil {
		return Next{}, fail(err)
	}
	return next[0], nil
}

// late adds to a step's instant the real time its activity waited for a worker:
// engine lateness is not scaled.
func late(ctx context.Context, now time.Time) time.Time {
	if !activity.IsActivity(ctx) {
		return now
	}
	return now.Add(max(time.Since(activity.GetInfo(ctx).ScheduledTime), 0))
}

// walked reads runs and walks each to its next blocking step.
func (j *Journeys) walked(ctx context.Context, steps []Step) (*table, error) {
	t, err := j.open(ctx, steps)
	if err != nil {
		return nil, err
	}
	for _, p := range t.passages {
		if err := p.walk(ctx); err != nil {
			return nil, err
		}
	}
	return t, nil
}
