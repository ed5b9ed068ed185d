package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// SetRunVersion moves runs that have not ended to another version of their journey.
func (s *Store) SetRunVersion(ctx context.Context, runs []lifecycle.RunID, version int) error {
	return translate(s.q.SetRunVersion(ctx, dbsqlc.SetRunVersionParams{Ids: texts(runs), Version: int32(version)}), "move runs to another version")
}

// ReleaseHeld lets up to limit runs of a journey go on that a pause stopped
// before a touch (all journeys when it is empty), and returns them. Pending
// ones become due at once.
func (s *Store) ReleaseHeld(ctx context.Context, journey string, limit int, at time.Time) ([]ledger.Run, error) {
	rows, err := s.q.ReleaseHeld(ctx, dbsqlc.ReleaseHeldParams{Journey: journey, N: int32(limit), At: instant(at)})
	return runsOf(rows, err, "release held runs")
}

// Listens returns the names of events that some journey may react to.
func (s *Store) Listens(ctx context.Context) ([]string, error) {
	names, err := s.q.ListenedEvents(ctx)
	return names, translate(err, "read what journeys listen to")
}

// Pulse counts what is going on, for progress lines.
type Pulse struct {
	Sent     int // touches the provider has, or may have
	Blocked  int
	Deferred int
	Awaiting int // reviews
	Running  int // runs with a workflow of their own
	Outbox   int // events not yet brought to their journeys
}

// Pulse reads the counts.
func (s *Store) Pulse(ctx context.Context) (Pulse, error) {
	row, err := s.q.Pulse(ctx)
	return Pulse{
		Sent: int(row.Sent), Blocked: int(row.Blocked), Deferred: int(row.Deferred), Awaiting: int(row.Awaiting),
		Running: int(row.Running), Outbox: int(row.Outbox),
	}, translate(err, "read the pulse")
}

// AttributedRevenue sums the orders since an instant that followed a touch
// within the window, in minor units.
func (s *Store) AttributedRevenue(ctx context.Context, since time.Time, window time.Duration) (int64, error) {
	revenue, err := s.q.AttributedRevenue(ctx, dbsqlc.AttributedRevenueParams{Since: instant(since), Attribution: interval(window)})
	return revenue, translate(err, "sum attributed revenue")
}
