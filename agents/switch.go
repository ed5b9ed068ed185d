package agents

import (
	"touchstone/internal/experiment"
	"touchstone/internal/lifecycle"
)

// offReason is the reason of a decision that a test has taken from an agent.
const offReason = "agent off by experiment "

// Under finds agents as find does, each switched off where the test says so: it
// then chooses nothing, with that reason.
func Under(test experiment.AgentTest, find func(name string) (Agent, error)) func(name string) (Agent, error) {
	return func(name string) (Agent, error) {
		a, err := find(name)
		if err != nil || test.Share == 0 {
			return a, err
		}
		return switched{a, test}, nil
	}
}

type switched struct {
	Agent
	test experiment.AgentTest
}

// Decide lets the agent decide for customers in whose cell it is on.
func (a switched) Decide(s Situation) lifecycle.Decision {
	if !a.test.Off(a.Name(), string(s.Profile.Customer.ID)) {
		return a.Agent.Decide(s)
	}
	return lifecycle.Decision{Agent: a.Name(), Version: version, Reasons: []string{offReason + a.test.Name}}
}
