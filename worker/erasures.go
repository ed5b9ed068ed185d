package worker

import (
	"context"
	"log/slog"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"touchstone/internal/ledger"
	"touchstone/workflows"
)

// StartErasure starts the workflow of an accepted erasure; one that runs or has
// succeeded is left alone.
func (s *Starter) StartErasure(ctx context.Context, r ledger.PrivacyRequest) error {
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.ErasureID(r.CustomerID), TaskQueue: workflows.QueueEngine,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.AttributeCustomer.ValueSet(string(r.CustomerID))),
		StaticSummary:            "Erasure, request " + r.ID,
	}, workflows.ErasureName, workflows.ErasureInput{CustomerID: r.CustomerID, Request: r.ID, Clock: s.Scale})
	return unlessStarted(err)
}

// ErasureStore knows which erasures are open.
type ErasureStore interface {
	OpenErasures(ctx context.Context, before time.Time, limit int) ([]ledger.PrivacyRequest, error)
}

// erasures starts what was accepted while the engine did not answer: whoever
// accepted it may never come back.
type erasures struct {
	store   ErasureStore
	starter *Starter
	log     *slog.Logger
}

const (
	eraseEvery = 30 * time.Second
	eraseAfter = time.Minute // after which an accepted erasure should have been started
)

// Run looks for open erasures until ctx ends.
func (e *erasures) Run(ctx context.Context) error {
	ticker := time.NewTicker(eraseEvery)
	defer ticker.Stop()
	for {
		if err := e.look(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("open erasures could not be started; trying again", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (e *erasures) look(ctx context.Context) error {
	open, err := e.store.OpenErasures(ctx, time.Now().Add(-eraseAfter), 100)
	if err != nil {
		return err
	}
	for _, r := range open {
		if err := e.starter.StartErasure(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
