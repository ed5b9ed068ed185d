package activities_test

import (
	"strings"
	"testing"

	"touchstone/agents"
	"touchstone/internal/experiment"
	"touchstone/internal/lifecycle"
)

// A customer for whom a test switches the agent off is not touched; the ledger
// and the decision log say why, and the journey goes on.
func TestAgentOffByExperiment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, winding)
	off := experiment.AgentTest{Name: "agents-1", Agents: []string{"campaign"}, Share: 1}
	f.Journeys.Agent = agents.Under(off, agents.ByName)
	next := f.prepare(noon)
	f.wantSent(0)
	if next.Step != "pause" {
		t.Errorf("the journey stands at %+v", next)
	}
	const why = "agent off by experiment agents-1"
	if len(f.store.touches) != 1 {
		t.Fatalf("%d touches", len(f.store.touches))
	}
	for _, touch := range f.store.touches {
		wantOff(t, touch, why)
	}
	if record := f.store.records[0]; record.Kind != "touch.skipped" || !strings.Contains(string(record.Body), why) {
		t.Errorf("record %s %s", record.Kind, record.Body)
	}
}

func wantOff(t *testing.T, touch *lifecycle.Touch, why string) {
	t.Helper()
	if touch.State != lifecycle.TouchSkipped || !strings.HasSuffix(touch.Reason, why) || touch.Agent != "campaign" {
		t.Errorf("touch %+v", touch)
	}
}
