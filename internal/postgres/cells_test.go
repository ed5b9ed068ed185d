package postgres_test

import (
	"testing"
	"time"

	"touchstone/internal/experiment"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

var agentTest = experiment.AgentTest{Name: "agents-1", Agents: []string{"campaign", "winback"}, Share: 0.6}

// The database draws the cells that experiment does, and draws them for whoever
// enters treated: by event, by cohort, and those already on a journey.
func TestAgentCellsAreDrawnAtEntry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(400)
	b.enter(customers[0], "cart", "before") // still running when the test begins
	done := b.enter(customers[1], "cart", "before")
	b.must(b.MoveRuns(t.Context(), []ledger.Progress{{RunID: done.ID, Status: ledger.RunEnded, EndedAt: noon, EndReason: "completed"}}, nil))
	b.must(b.RunAgentTest(t.Context(), agentTest, noon))
	if n := query[int](b, "select count(*) from agent_cells"); n != 1 {
		t.Errorf("%d customers are on a journey when the test begins", n)
	}
	b.must(b.RunAgentTest(t.Context(), agentTest, noon.Add(day))) // a worker that starts again
	b.enter(customers[2], "cart", "k")
	_, err := b.Enrol(t.Context(), ledger.Cohort{Campaign: "c", Journey: "j", Version: 1, EntryKey: "k", Ramp: 1, Holdout: 0.2, Global: 0.1, At: noon.Add(2 * day)})
	b.must(err)
	treated := query[int](b, "select count(distinct customer_id) from journey_runs where arm = 'treated' and customer_id <> $1", string(customers[1]))
	treated += query[int](b, "select count(*) from journey_runs where arm = 'treated' and journey = 'j' and customer_id = $1", string(customers[1]))
	if n := query[int](b, "select count(*) from agent_cells"); n != treated || n == 400 {
		t.Errorf("%d cells for %d customers who entered treated", n, treated)
	}
	seen := map[int]int{}
	rows, err := b.raw.Query(t.Context(), "select customer_id::text, cell, at from agent_cells")
	b.must(err)
	defer rows.Close()
	for rows.Next() {
		var customer string
		var cell int
		var at time.Time
		b.must(rows.Scan(&customer, &cell, &at))
		if want := agentTest.Cell(customer); cell != want {
			t.Errorf("%s is in cell %d, experiment says %d", customer, cell, want)
		}
		if at.Before(noon) {
			t.Errorf("%s was drawn at %s, before the test", customer, at)
		}
		seen[cell]++
	}
	b.must(rows.Err())
	for cell := range 4 {
		if seen[cell] == 0 {
			t.Errorf("nobody is in cell %d of %v", cell, seen)
		}
	}
}

func TestAgentTestsDoNotChangeUnderAName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.customers(1)[0]
	b.must(b.RunAgentTest(t.Context(), experiment.AgentTest{}, noon)) // none, and none to end
	b.must(b.RunAgentTest(t.Context(), agentTest, noon))
	wider := agentTest
	wider.Share = 0.7
	wantCode(t, b.RunAgentTest(t.Context(), wider, noon), lifecycle.Conflict)
	other := experiment.AgentTest{Name: "agents-2", Agents: []string{"winback"}, Share: 0.5}
	b.must(b.RunAgentTest(t.Context(), other, noon.Add(day)))
	wantCode(t, b.RunAgentTest(t.Context(), agentTest, noon.Add(2*day)), lifecycle.Conflict)
	b.must(b.RunAgentTest(t.Context(), experiment.AgentTest{}, noon.Add(3*day)))
	b.enter(customer, "cart", "k")
	if n := query[int](b, "select count(*) from agent_cells"); n != 0 {
		t.Errorf("%d cells without a test", n)
	}
	if n := query[int](b, "select count(*) from agent_tests where ended_at is not null"); n != 2 {
		t.Errorf("%d tests have ended", n)
	}
	_, _, _, err := b.AgentCells(t.Context(), "agents-3", "USD", 30*day, noon)
	wantCode(t, err, lifecycle.NotFound)
}

func TestAgentCellOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(60)
	b.must(b.RunAgentTest(t.Context(), agentTest, noon))
	type sum struct{ n, bought, touches, revenue int }
	want := map[int]sum{}
	for i, c := range customers {
		run := b.enter(c, "cart", "k")
		s := want[agentTest.Cell(string(c))]
		s.n++
		if i%3 == 0 {
			b.order(c, noon.Add(time.Duration(i)*time.Hour), 100+i)
			b.order(c, noon.Add(31*day), 77) // after the window
			b.order(c, noon.Add(-day), 55)   // before the draw
			if i > 0 {                       // an order at the draw's instant is before it
				s.bought++
				s.revenue += 100 + i
			}
		}
		if i%2 == 0 {
			next := touch(run, "1")
			b.plan(next)
			b.send(next, noon.Add(time.Hour))
			s.touches++
		}
		want[agentTest.Cell(string(c))] = s
	}
	test, since, cells, err := b.AgentCells(t.Context(), "", "USD", 30*day, noon.Add(40*day))
	b.must(err)
	if test.Name != agentTest.Name || !since.Equal(noon) {
		t.Errorf("test %+v since %s", test, since)
	}
	for _, c := range cells {
		if got := (sum{c.Arm.Revenue.N, c.Arm.Converted, c.Arm.Touches, int(c.Arm.Revenue.Sum)}); got != want[c.On] || c.Open != 0 {
			t.Errorf("cell %d: %+v with %d open, want %+v", c.On, got, c.Open, want[c.On])
		}
	}
	_, _, cells, err = b.AgentCells(t.Context(), "", "USD", 30*day, noon.Add(29*day))
	b.must(err)
	for _, c := range cells {
		if c.Arm.Revenue.N != 0 || c.Open != want[c.On].n {
			t.Errorf("cell %d counts %d customers whose window is open, %d open", c.On, c.Arm.Revenue.N, c.Open)
		}
	}
}

// order stores an order of so many cents.
func (b bench) order(customer lifecycle.CustomerID, at time.Time, cents int) {
	b.t.Helper()
	_, err := b.InsertOrders(b.t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: id(), CustomerID: customer, At: at,
		Total: lifecycle.Money{Amount: int64(cents), Currency: "USD"}}}})
	b.must(err)
}
