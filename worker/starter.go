package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// Starter starts and wakes workflows by their business ids.
type Starter struct {
	Client client.Client
	Scale  clock.Scale
	Review config.Review
}

var _ activities.Starter = (*Starter)(nil)

// startsInFlight bounds concurrent start and signal calls: the server takes
// them faster side by side, but a page must not flood it.
const startsInFlight = 16

// StartJourney starts the workflows of runs; running ones are left alone, and a
// run that ended is not started again.
func (s *Starter) StartJourney(ctx context.Context, runs []ledger.Run, now time.Time) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsInFlight)
	for _, r := range runs {
		group.Go(func() error {
			attributes := []temporal.SearchAttributeUpdate{
				workflows.AttributeJourney.ValueSet(workflows.Cut(r.Journey)),
				workflows.AttributeCustomer.ValueSet(string(r.CustomerID)),
			}
			if r.Campaign != "" {
				attributes = append(attributes, workflows.AttributeCampaign.ValueSet(workflows.Cut(r.Campaign)))
			}
			_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: workflows.JourneyID(r), TaskQueue: workflows.QueueEngine,
				WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
				WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
				TypedSearchAttributes:    temporal.NewSearchAttributes(attributes...),
				StaticSummary:            fmt.Sprintf("%s v%d", r.Journey, r.Version),
			}, workflows.JourneyName, workflows.JourneyInput{RunID: r.ID, Journey: r.Journey, Clock: s.Scale, Start: now})
			return unlessStarted(err)
		})
	}
	return group.Wait()
}

// StartReview starts the workflow of a review.
func (s *Starter) StartReview(ctx context.Context, item lifecycle.ReviewItem) error {
	attributes := []temporal.SearchAttributeUpdate{
		workflows.AttributeReview.ValueSet(string(lifecycle.ReviewAwaiting)),
		workflows.AttributeJourney.ValueSet(workflows.Cut(item.Journey)),
		workflows.AttributeDueAt.ValueSet(item.DueAt),
	}
	if item.Campaign != "" {
		attributes = append(attributes, workflows.AttributeCampaign.ValueSet(workflows.Cut(item.Campaign)))
	}
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: item.WorkflowID, TaskQueue: workflows.QueueEngine,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(attributes...),
		StaticSummary:            "Review " + string(item.Kind) + " for " + item.Journey,
		StaticDetails:            "Read the copy under **Current Details**; then More Actions, Send a Signal, approve_copy or reject_copy.",
	}, workflows.ReviewName, workflows.ReviewInput{ReviewID: item.ID, Remind: s.Review.SLA, Escalate: s.Review.Escalate, Expire: s.Review.Expire})
	return unlessStarted(err)
}

// Wake signals journey workflows to look again.
func (s *Starter) Wake(ctx context.Context, runs []ledger.Run, signal, reason string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsInFlight)
	for _, r := range runs {
		group.Go(func() error {
			return unlessGone(s.Client.SignalWorkflow(ctx, workflows.JourneyID(r), "", signal, activities.Woken{Reason: reason}))
		})
	}
	return group.Wait()
}

// WakeCampaigns signals campaign workflows that a review was decided.
func (s *Starter) WakeCampaigns(ctx context.Context, names []string, reason string) error {
	for _, name := range names {
		err := s.Client.SignalWorkflow(ctx, workflows.CampaignID(name), "", workflows.SignalReviewed, activities.Woken{Reason: reason})
		if err := unlessGone(err); err != nil {
			return err
		}
	}
	return nil
}

// StartUpkeep makes sure that the upkeep workflow runs.
func (s *Starter) StartUpkeep(ctx context.Context) error {
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.UpkeepID, TaskQueue: workflows.QueueEngine,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "Ledger housekeeping and response rates",
	}, workflows.UpkeepName, workflows.UpkeepInput{Every: time.Hour, Clock: s.Scale})
	return unlessStarted(err)
}

// watchFor is the real time that one activity keeps watch.
const watchFor = 5 * time.Minute

// StartWatch makes sure that the watch runs.
func (s *Starter) StartWatch(ctx context.Context) error {
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.WatchID, TaskQueue: workflows.QueueEngine,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "Circuit breaker, anomalies and alerts",
	}, workflows.WatchName, workflows.WatchInput{Every: watchFor})
	return unlessStarted(err)
}

// unlessStarted treats an already started workflow as success.
func unlessStarted(err error) error {
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) {
		return nil
	}
	return engineError(err)
}

// unlessGone treats a workflow that has ended as success: there is nobody left
// to wake, and the store already says why.
func unlessGone(err error) error {
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return nil
	}
	return engineError(err)
}

// engineError marks an engine that does not answer as worth another attempt.
func engineError(err error) error {
	if err == nil {
		return nil
	}
	return lifecycle.Errorf(lifecycle.Unavailable, "temporal: %w", err)
}
