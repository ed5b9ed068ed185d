package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/experiment"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure/attribution"
	"touchstone/internal/postgres/dbsqlc"
)

// RunAgentTest makes this the running test of agents; the zero test ends the one
// that runs. From at on everybody who enters a journey treated gets a cell, and
// those who are on one get theirs now. Asking again for the running test changes
// nothing. Errors: Conflict when the name was used before by a test that has
// ended, or that has other agents or another share.
func (s *Store) RunAgentTest(ctx context.Context, test experiment.AgentTest, at time.Time) error {
	return s.transaction(ctx, "run a test of agents", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if err := lock(ctx, q, "agent test", ""); err != nil {
			return err
		}
		if err := q.EndAgentTests(ctx, dbsqlc.EndAgentTestsParams{At: instant(at), Keep: test.Name}); err != nil || test.Name == "" {
			return err
		}
		known, err := q.AgentTest(ctx, test.Name)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return err
		case known.EndedAt != nil:
			return lifecycle.Errorf(lifecycle.Conflict, "the test of agents %s has ended: give the new one another name in the brand file", test.Name)
		case !slices.Equal(known.Agents, test.Agents) || known.Share != test.Share:
			return lifecycle.Errorf(lifecycle.Conflict, "the test of agents %s runs with agents %v and share %v: customers would change cells, so give the changed test another name in the brand file",
				test.Name, known.Agents, known.Share)
		default:
			return nil
		}
		if err := q.StartAgentTest(ctx, dbsqlc.StartAgentTestParams{Name: test.Name, Agents: test.Agents, Share: test.Share, At: instant(at)}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, planAnew); err != nil {
			return err
		}
		return q.DrawAgentCells(ctx, test.Name)
	})
}

// AgentCells returns a test of agents and the outcomes of its cells: what
// customers did within window of the draw, where that window has closed by until.
// The empty name asks for the latest test. Errors: NotFound when there is none.
func (s *Store) AgentCells(ctx context.Context, name, currency string, window time.Duration, until time.Time) (test experiment.AgentTest, since time.Time, cells []attribution.CellArm, err error) {
	err = s.snapshot(ctx, "sum up the cells of a test of agents", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		var row dbsqlc.AgentTest
		var err error
		if name == "" {
			row, err = q.LatestAgentTest(ctx)
		} else {
			row, err = q.AgentTest(ctx, name)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return lifecycle.Errorf(lifecycle.NotFound, "there is no test of agents %s: switch one on with agent_test in the brand file", name)
		}
		if err != nil {
			return err
		}
		test, since = experiment.AgentTest{Name: row.Name, Agents: row.Agents, Share: row.Share}, row.StartedAt
		if _, err := tx.Exec(ctx, roomToSort+"; "+noLoops); err != nil {
			return err
		}
		arms, err := q.AgentCellArms(ctx, dbsqlc.AgentCellArmsParams{Test: row.Name, Outcome: interval(window), Currency: currency, Until: instant(until)})
		for _, a := range arms {
			cells = append(cells, attribution.CellArm{On: int(a.Cell), Open: int(a.Open),
				Arm: armOf(a.Customers, a.Converted, a.Touches, a.Revenue, a.RevenueSquares)})
		}
		return err
	})
	return test, since, cells, err
}
