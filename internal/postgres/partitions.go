package postgres

import (
	"context"
	"sync"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Tables partitioned by month.
const (
	eventsTable    = "events"
	historyTable   = "touch_history"
	decisionsTable = "decision_log"
)

// months remembers which partitions are known to exist.
type months struct {
	mu    sync.Mutex
	known map[month]bool
}

type month struct {
	table string
	start time.Time
}

// Instants outside these years are mistakes, not history.
const firstYear, lastYear = 1970, 2200

// EnsurePartitions prepares storage for events, touch histories and decisions
// from since to until.
func (s *Store) EnsurePartitions(ctx context.Context, since, until time.Time) error {
	instants := []time.Time{since, until}
	for at := since.UTC().AddDate(0, 0, 1-since.UTC().Day()); !at.After(until); at = at.AddDate(0, 1, 0) {
		instants = append(instants, at)
	}
	for _, table := range []string{eventsTable, historyTable, decisionsTable} {
		if err := s.ensure(ctx, table, instants...); err != nil {
			return err
		}
	}
	return nil
}

// ensure creates the missing monthly partitions of table for these instants. It
// runs outside the caller's transaction, so that a partition is never rolled
// back after another caller has seen it.
func (s *Store) ensure(ctx context.Context, table string, instants ...time.Time) error {
	missing := map[month]bool{}
	s.partitions.mu.Lock()
	for _, at := range instants {
		u := at.UTC()
		m := month{table, time.Date(u.Year(), u.Month(), 1, 0, 0, 0, 0, time.UTC)}
		if !s.partitions.known[m] {
			missing[m] = true
		}
	}
	s.partitions.mu.Unlock()
	for m := range missing {
		if y := m.start.Year(); y < firstYear || y > lastYear {
			return lifecycle.Errorf(lifecycle.Invalid, "an instant in the year %d cannot be stored: give one from %d to %d", y, firstYear, lastYear)
		}
		if err := s.q.EnsurePartitions(ctx, dbsqlc.EnsurePartitionsParams{
			Parents: []string{m.table}, Since: m.start, Until: m.start}); err != nil {
			return translate(err, "prepare storage for "+m.start.Format("January 2006"))
		}
		s.partitions.mu.Lock()
		if s.partitions.known == nil {
			s.partitions.known = map[month]bool{}
		}
		s.partitions.known[m] = true
		s.partitions.mu.Unlock()
	}
	return nil
}
