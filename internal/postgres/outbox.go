package postgres

import (
	"context"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// longestError is how much of a failure's text the outbox keeps, in bytes.
const longestError = 500

// ClaimOutbox hands up to limit waiting events to handle, none of which another
// caller holds, and returns how many. Those in done are removed; those in failed
// come again after a growing wait; those in neither, and all if handle panics or
// the commit fails, come again at once: handle must bear repetition. The
// transaction stays open while handle runs.
func (s *Store) ClaimOutbox(ctx context.Context, limit int,
	handle func(context.Context, []ledger.OutboxEvent) (done []int64, failed map[int64]error)) (claimed int, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return 0, translate(err, "open the outbox")
	}
	finish := context.WithoutCancel(ctx)
	defer func() {
		// After a commit this does nothing; else it returns the claim.
		if rollback := tx.Rollback(finish); err == nil && rollback != nil && rollback != pgx.ErrTxClosed {
			err = translate(rollback, "close the outbox")
		}
	}()
	q := s.q.WithTx(tx)
	rows, err := q.ClaimOutbox(ctx, int32(limit))
	if err != nil {
		return 0, translate(err, "read the outbox")
	}
	if len(rows) == 0 {
		return 0, nil
	}
	events := make([]ledger.OutboxEvent, len(rows))
	for i, row := range rows {
		properties, err := fromObject(row.Properties)
		if err != nil {
			return 0, err
		}
		events[i] = ledger.OutboxEvent{ID: row.OutboxID, Attempts: int(row.Attempts), Event: lifecycle.Event{
			ID: lifecycle.EventID(row.EventID), CustomerID: lifecycle.CustomerID(row.CustomerID), Name: row.Name,
			At: row.OccurredAt, ReceivedAt: row.ReceivedAt, Source: row.Source, Properties: properties}}
	}
	done, failed := handle(ctx, events)
	if err := q.DeleteFromOutbox(finish, done); err != nil {
		return 0, translate(err, "clear the outbox")
	}
	if len(failed) > 0 {
		var retry dbsqlc.RetryOutboxParams
		for id, cause := range failed {
			retry.Ids, retry.Messages = append(retry.Ids, id), append(retry.Messages, shorten(cause.Error()))
		}
		if err := q.RetryOutbox(finish, retry); err != nil {
			return 0, translate(err, "mark failures in the outbox")
		}
	}
	if err := tx.Commit(finish); err != nil {
		return 0, translate(err, "commit the outbox")
	}
	return len(rows), nil
}

// OutboxSize returns how many events wait to be routed.
func (s *Store) OutboxSize(ctx context.Context) (int, error) {
	n, err := s.q.OutboxSize(ctx)
	return int(n), translate(err, "count the outbox")
}

func shorten(text string) string {
	if len(text) <= longestError {
		return text
	}
	end := longestError
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
