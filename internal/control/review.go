package control

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// Decide approves or rejects a review through its workflow, and returns the
// workflow's answer: a refusal (the author, copy that changed) is an error.
func (p *Plane) Decide(ctx context.Context, item lifecycle.ReviewItem, d workflows.Decision) error {
	if err := named(d.By); err != nil {
		return err
	}
	handle, err := p.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: item.WorkflowID, UpdateID: uuid.NewString(), UpdateName: workflows.UpdateDecide,
		Args: []any{d}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return engineError("review "+string(item.ID), err)
	}
	var answer activities.Decided
	if err := handle.Get(ctx, &answer); err != nil {
		return lifecycle.Errorf(lifecycle.Forbidden, "review %s: %w", item.ID, err)
	}
	return nil
}

// Edit replaces parts of the copy under review; somebody else then approves.
func (p *Plane) Edit(ctx context.Context, item lifecycle.ReviewItem, d workflows.Decision) error {
	if err := named(d.By); err != nil {
		return err
	}
	return engineError("review "+string(item.ID), p.Temporal.SignalWorkflow(ctx, item.WorkflowID, "", workflows.SignalEdit, d))
}

// AwaitEdit waits until the review shows the edited copy. An edit travels as a
// signal, which has no answer: what was refused changes nothing.
func (p *Plane) AwaitEdit(ctx context.Context, before lifecycle.ReviewItem) (lifecycle.ReviewItem, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		item, err := p.Store.Review(ctx, before.ID)
		if err != nil || item.Content != before.Content {
			return item, err
		}
		if time.Now().After(deadline) {
			return item, lifecycle.Errorf(lifecycle.Conflict, "the copy has not changed: no worker runs, the edit changes nothing, or a guardrail refused it; the Temporal UI shows why under %s", before.WorkflowID)
		}
		select {
		case <-ctx.Done():
			return item, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// engineError classifies an error of the Temporal client.
func engineError(what string, err error) error {
	if err == nil {
		return nil
	}
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return lifecycle.Errorf(lifecycle.NotFound, "%s: no running workflow; it may have ended", what)
	}
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &exists) {
		return lifecycle.Errorf(lifecycle.Conflict, "%s is running already", what)
	}
	return lifecycle.Errorf(lifecycle.Unavailable, "%s: %w", what, err)
}
