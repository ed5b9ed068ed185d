package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register puts every workflow into a registry: a worker, the test environment
// or a replayer.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(Journey, workflow.RegisterOptions{Name: JourneyName})
	r.RegisterWorkflowWithOptions(Campaign, workflow.RegisterOptions{Name: CampaignName})
	r.RegisterWorkflowWithOptions(Preflight, workflow.RegisterOptions{Name: PreflightName})
	r.RegisterWorkflowWithOptions(Review, workflow.RegisterOptions{Name: ReviewName})
	r.RegisterWorkflowWithOptions(Erasure, workflow.RegisterOptions{Name: ErasureName})
	r.RegisterWorkflowWithOptions(Upkeep, workflow.RegisterOptions{Name: UpkeepName})
	r.RegisterWorkflowWithOptions(Watch, workflow.RegisterOptions{Name: WatchName})
	r.RegisterWorkflowWithOptions(Rollout, workflow.RegisterOptions{Name: RolloutName})
	r.RegisterWorkflowWithOptions(Report, workflow.RegisterOptions{Name: ReportName})
}
