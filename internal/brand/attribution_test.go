package brand_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// with parses the example with lines added at its end in place of the shipped windows.
func with(t *testing.T, lines string) (*brand.Brand, error) {
	t.Helper()
	source := strings.Replace(string(brand.ExampleSource()), "attribution:\n  windows: {}\n", "", 1)
	return brand.Parse("brand.yaml", []byte(source+lines))
}

func TestWindowsAndAgentTest(t *testing.T) {
	t.Parallel()
	if b := brand.Example(); len(b.Windows) != 0 || b.AgentTest.Share != 0 || b.Costs.Monthly.Amount != 0 {
		t.Errorf("shipped: %+v %+v", b.Windows, b.AgentTest)
	}
	b, err := with(t, "attribution:\n  windows:\n    email: {opened: 3d, clicked: 1w}\nagent_test: {name: agents-1, agents: [campaign, winback], share: 0.10}\n")
	if err != nil {
		t.Fatal(err)
	}
	w := brand.AttributionWindows{Default: brand.AttributionWindow{Sent: time.Hour}, Channel: b.Windows}
	if got := w.Of(lifecycle.Email); got != (brand.AttributionWindow{Opened: 72 * time.Hour, Clicked: 168 * time.Hour}) {
		t.Errorf("e-mail: %+v", got)
	}
	if got := w.Of(lifecycle.SMS); got != w.Default {
		t.Errorf("text messages: %+v", got)
	}
	if b.AgentTest.Name != "agents-1" || len(b.AgentTest.Agents) != 2 || b.AgentTest.Share != 0.1 {
		t.Errorf("test of agents: %+v", b.AgentTest)
	}
}

func TestAttributionMistakes(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"attribution:\n  windows:\n    email: {}\n":                           "earns no credit at all",
		"attribution:\n  windows:\n    fax: {sent: 1d}\n":                     "unknown channel",
		"attribution:\n  windows:\n    email: {seen: 1d}\n":                   "unknown key seen",
		"agent_test: {name: Agents 1, agents: [campaign], share: 0.1}\n":      "use lower-case letters",
		"agent_test: {name: a, agents: [campaign, campaign], share: 0.1}\n":   "listed twice",
		"agent_test: {name: a, agents: [], share: 0.1}\n":                     "a test has 1 to 6",
		"agent_test: {name: a, agents: [a, b, c, d, e, f, g], share: 0.1}\n":  "a test has 1 to 6",
		"agent_test: {name: a, agents: [campaign], share: 0}\n":               "give a part of the customers",
		"agent_test: {name: a, agents: [campaign], share: 1.5}\n":             "share must be a number from 0 to 1",
		"agent_test: {agents: [campaign], share: 0.1}\n":                      "name is missing",
		"agent_test: {name: a, agents: [campaign], share: 0.1, salt: pepper}": "unknown key salt",
	} {
		if _, err := with(t, lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", lines, err, want)
		}
	}
}
