package worker

import (
	"context"

	"touchstone/agents"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/experiment"
)

// agentTest is the test of agents that the brand file asks for.
func agentTest(b *brand.Brand) experiment.AgentTest { return experiment.AgentTest(b.AgentTest) }

// runAgentTest makes the brand's test the running one before anything is decided
// under it: from then on everybody who enters a journey has a cell.
func (w *Worker) runAgentTest(ctx context.Context) error {
	test := agentTest(w.options.Brand)
	for _, name := range test.Agents {
		if _, err := agents.ByName(name); err != nil {
			return err
		}
	}
	return w.options.Store.RunAgentTest(ctx, test, clock.Clock{Scale: w.options.Scale}.Now())
}
