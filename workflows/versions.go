package workflows

import "go.temporal.io/sdk/workflow"

// Patch gates: ways through a workflow that changed while older ones may be running.

// erasesInSteps: since November 2026 an erasure goes in steps and writes a receipt.
// Older ones lasted seconds; remove the gate with the release after the next.
func erasesInSteps(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "erasure-in-steps", workflow.DefaultVersion, 1) == 1
}
