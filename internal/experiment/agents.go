package experiment

import "slices"

// AgentTest switches agents on and off by chance: a share of the customers is
// spread evenly over the cells in which at least one of the agents is off, all
// others are in the cell in which every agent is on. Agents and share never
// change under a name, so a cell follows from the name and the customer. The
// zero value switches nothing off.
type AgentTest struct {
	Name   string
	Agents []string
	Share  float64 // in [0,1]
}

// AllOn is the cell in which every agent decides.
func (t AgentTest) AllOn() int { return 1<<len(t.Agents) - 1 }

// Cell is the customer's cell: bit i says whether Agents[i] decides for them. The
// database's agent_cell() function gives the same number.
func (t AgentTest) Cell(customer string) int {
	if Bucket("agents/"+t.Name, customer) >= t.Share {
		return t.AllOn()
	}
	return int(Bucket("agents/"+t.Name+"/cell", customer) * float64(t.AllOn()))
}

// Off reports whether the test switches this agent off for the customer.
func (t AgentTest) Off(agent, customer string) bool {
	i := slices.Index(t.Agents, agent)
	return i >= 0 && t.Cell(customer)&(1<<i) == 0
}
