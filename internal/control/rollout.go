package control

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/google/uuid"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/rollout"
	"touchstone/workflows"
)

// StartRollout stores a programme and starts its workflow, which enters the
// first stage when nothing keeps it from it. Starting the same file again before
// that is harmless.
func (p *Plane) StartRollout(ctx context.Context, file string, source []byte, by string) (ledger.RolloutRow, error) {
	var row ledger.RolloutRow
	if err := named(by); err != nil {
		return row, err
	}
	programme, err := rollout.Parse(file, source)
	if err != nil {
		return row, err
	}
	record, err := p.rolloutRecord("rollout.started", by, programme.Name, ledger.RolloutMoment{Why: programme.Title})
	if err != nil {
		return row, err
	}
	_, err = p.Store.StartRollout(ctx, programme.Name, source, programme.Journeys, by, record)
	refused := err
	if err != nil && lifecycle.CodeOf(err) != lifecycle.Conflict {
		return row, err
	}
	if row, err = p.Store.Rollout(ctx, programme.Name, 0); err != nil {
		if refused != nil {
			return row, refused
		}
		return row, err
	}
	// Stored before, but perhaps the workflow was never started.
	if refused != nil && (row.Changes > 0 || !row.EndedAt.IsZero() || !bytes.Equal(row.Source, source)) {
		return row, refused
	}
	_, err = p.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.RolloutID(programme.Name), TaskQueue: workflows.QueueEngine,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "Rollout " + programme.Name,
		StaticDetails:            "Read where it stands under **Current Details**; then More Actions, Send a Signal.",
	}, workflows.RolloutName, workflows.RolloutInput{
		Programme: programme.Name, Version: row.Version, Every: programme.Every, By: by, Clock: p.Clock.Scale, Start: p.Clock.Now(),
	})
	return row, engineError("rollout "+programme.Name, err)
}

// ActOnRollout approves, holds, resumes, halts, aborts or ticks, and returns the
// workflow's refusal as an error.
func (p *Plane) ActOnRollout(ctx context.Context, programme string, act workflows.RolloutAct) error {
	if err := named(act.By); err != nil {
		return err
	}
	handle, err := p.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflows.RolloutID(programme), UpdateID: uuid.NewString(), UpdateName: workflows.UpdateAct,
		Args: []any{act}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return engineError("rollout "+programme, err)
	}
	if err := handle.Get(ctx, nil); err != nil {
		return lifecycle.Errorf(lifecycle.Conflict, "rollout %s: %w", programme, err)
	}
	return nil
}

// LiftRollout takes the stage of a programme that has ended out of force: its
// journeys reach everybody again.
func (p *Plane) LiftRollout(ctx context.Context, programme, by string) error {
	if err := named(by); err != nil {
		return err
	}
	row, err := p.Store.Rollout(ctx, programme, 0)
	if err != nil {
		return err
	}
	if row.EndedAt.IsZero() {
		return lifecycle.Errorf(lifecycle.Conflict, "rollout %s is %s: end it first with `touchstone rollout abort %s`", programme, row.Status, programme)
	}
	parsed, err := rollout.Parse(programme, row.Source)
	if err != nil {
		return err
	}
	record, err := p.rolloutRecord("rollout.lifted", by, programme, ledger.RolloutMoment{Phase: row.Phase, Stage: row.Stage})
	if err != nil {
		return err
	}
	if err := p.Store.LiftScope(ctx, programme, record); err != nil {
		return err
	}
	journeys := parsed.Journeys
	if len(journeys) == 0 {
		return p.releaseHeld(ctx, ledger.Control{Scope: ledger.ScopeGlobal, By: by})
	}
	for _, journey := range journeys {
		if err := p.releaseHeld(ctx, ledger.Control{Scope: ledger.ScopeJourney, Name: journey, By: by}); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) rolloutRecord(kind, by, programme string, moment ledger.RolloutMoment) (ledger.Record, error) {
	body, err := json.Marshal(moment)
	return ledger.Record{At: p.Clock.Now(), Kind: kind, Actor: by, Subject: programme, Body: body}, err
}
