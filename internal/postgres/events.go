package postgres

import (
	"context"
	"slices"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// copyFrom is the batch size from which COPY is faster than INSERT.
const copyFrom = 200

// InsertEvents stores events once each by id and instant and returns how many
// are new. New events whose name listens approves of also enter the outbox, in
// the same transaction; a nil listens approves of none.
func (s *Store) InsertEvents(ctx context.Context, events []lifecycle.Event, listens func(name string) bool) (inserted int, err error) {
	b := BulkBatch{Fresh: len(events) >= copyFrom}
	for _, e := range events {
		if e.At.IsZero() {
			return 0, lifecycle.Errorf(lifecycle.Invalid, "event %s has no instant: set At", e.ID)
		}
		properties, err := object(e.Properties)
		if err != nil {
			return 0, err
		}
		b.Events = append(b.Events, BulkEvent{ID: e.ID, CustomerID: e.CustomerID, Name: e.Name, At: e.At, ReceivedAt: e.ReceivedAt,
			Source: e.Source, Properties: withoutNUL(properties)})
		if listens != nil && !slices.Contains(b.Listens, e.Name) && listens(e.Name) {
			b.Listens = append(b.Listens, e.Name)
		}
	}
	written, err := s.WriteBatch(ctx, b)
	return written.Events, err
}

func eventOf(row dbsqlc.Event) (lifecycle.Event, error) {
	properties, err := fromObject(row.Properties)
	return lifecycle.Event{ID: lifecycle.EventID(row.ID), CustomerID: lifecycle.CustomerID(row.CustomerID), Name: row.Name,
		At: row.OccurredAt.UTC(), ReceivedAt: row.ReceivedAt.UTC(), Source: row.Source, Properties: properties}, err
}

// CountEvents counts all stored events. It reads every one of them.
func (s *Store) CountEvents(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, "select count(*) from events").Scan(&n)
	return n, translate(err, "count the events")
}
