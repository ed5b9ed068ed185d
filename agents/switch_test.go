package agents_test

import (
	"reflect"
	"testing"

	"touchstone/agents"
	"touchstone/internal/experiment"
	"touchstone/internal/lifecycle"
)

func TestAgentsUnderTest(t *testing.T) {
	t.Parallel()
	test := experiment.AgentTest{Name: "agents-1", Agents: []string{"winback"}, Share: 0.5}
	find := agents.Under(test, agents.ByName)
	off := 0
	for i := range 200 {
		s := situation()
		s.Profile.Customer.ID = lifecycle.CustomerID(string(rune('a'+i%26)) + string(rune('a'+i/26)))
		for _, name := range names {
			tested, err := find(name)
			if err != nil {
				t.Fatal(err)
			}
			got, want := tested.Decide(s), agent(t, name).Decide(s)
			if !test.Off(name, string(s.Profile.Customer.ID)) {
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%s decides otherwise under a test that leaves it on: %+v", name, got)
				}
				continue
			}
			off++
			if !got.Chosen.Candidate.Nothing() || got.Agent != name || len(got.Reasons) != 1 || got.Reasons[0] != "agent off by experiment agents-1" {
				t.Fatalf("%s is off and decides %+v", name, got)
			}
		}
	}
	if off < 60 || off > 140 {
		t.Errorf("one of two agents is off for %d of 200 customers at a share of a half", off)
	}
	if _, err := find("oracle"); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("an unknown agent: %v", err)
	}
	if a, err := agents.Under(experiment.AgentTest{}, agents.ByName)("winback"); err != nil || a != agent(t, "winback") {
		t.Errorf("no test wraps nothing: %v, %v", a, err)
	}
}
