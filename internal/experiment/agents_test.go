package experiment_test

import (
	"fmt"
	"math"
	"testing"

	"touchstone/internal/experiment"
)

func TestAgentCells(t *testing.T) {
	t.Parallel()
	test := experiment.AgentTest{Name: "agents-1", Agents: []string{"a", "b", "c"}, Share: 0.35}
	wider := test
	wider.Share = 0.7
	const n = 40_000
	seen := map[int]int{}
	for i := range n {
		customer := fmt.Sprint("customer", i)
		cell := test.Cell(customer)
		seen[cell]++
		for bit, agent := range test.Agents {
			if test.Off(agent, customer) != (cell&(1<<bit) == 0) {
				t.Fatalf("%s in cell %d: agent %s", customer, cell, agent)
			}
		}
		if test.Off("somebody else", customer) {
			t.Fatal("an agent that is not tested is off")
		}
		if cell != test.AllOn() && wider.Cell(customer) != cell {
			t.Fatal("a larger share of the same test moves customers between cells")
		}
	}
	// Five standard deviations of a binomial.
	for cell := range 8 {
		p := 0.35 / 7
		if cell == test.AllOn() {
			p = 0.65
		}
		if d := math.Abs(float64(seen[cell]) - p*n); d > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("cell %d has %d of %d, want %.0f", cell, seen[cell], n, p*n)
		}
	}
	if none := (experiment.AgentTest{}); none.Off("a", "x") || none.Cell("x") != 0 {
		t.Error("no test switches nothing off")
	}
}
