package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// RejectedMessage is a message of the tracking API that could not be used. Body
// may hold personal data: it belongs in no log.
type RejectedMessage struct {
	ID         int64
	ReceivedAt time.Time
	Key        string // name of the write key, never the key
	Door       string // "track", "batch", "import"
	SentAt     string // of the batch around it, as it was sent
	ExternalID string // of the customer it is about, if it can be read; for erasure
	Reason     string
	Body       string
	Attempts   int       // to use it after all
	TriedAt    time.Time // zero: never
}

// RejectedReason counts the messages that wait for the same reason.
type RejectedReason struct {
	Reason, Door string
	Messages     int
	First, Last  time.Time
}

// RejectedFilter chooses refused messages: those whose reason contains Reason,
// and, where IDs are given, only these.
type RejectedFilter struct {
	Reason string
	IDs    []int64
}

// AddRejected keeps refused messages.
func (s *Store) AddRejected(ctx context.Context, messages []RejectedMessage) error {
	if len(messages) == 0 {
		return nil
	}
	rows := make([]dbsqlc.RejectedMessage, len(messages))
	for i, m := range messages {
		rows[i] = dbsqlc.RejectedMessage{ReceivedAt: instant(m.ReceivedAt), KeyName: m.Key, Door: m.Door, SentAt: m.SentAt,
			ExternalID: m.ExternalID, Reason: m.Reason, Body: m.Body}
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	return translate(s.q.AddRejected(ctx, encoded), "keep refused messages")
}

// PruneRejected forgets refused messages from before an instant, and the oldest
// of more than keep. It returns how many.
func (s *Store) PruneRejected(ctx context.Context, before time.Time, keep int) (int, error) {
	n, err := s.q.PruneRejected(ctx, dbsqlc.PruneRejectedParams{Before: instant(before), Keep: int32(keep)})
	return int(n), translate(err, "forget refused messages")
}

// Rejected returns refused messages, the latest first, before an id (0 = all).
func (s *Store) Rejected(ctx context.Context, f RejectedFilter, before int64, limit int) ([]RejectedMessage, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	rows, err := s.q.RejectedMessages(ctx, dbsqlc.RejectedMessagesParams{Reason: f.Reason, Before: before, N: int32(limit)})
	if err != nil {
		return nil, translate(err, "read refused messages")
	}
	messages := make([]RejectedMessage, len(rows))
	for i, row := range rows {
		messages[i] = rejectedOf(row)
	}
	return messages, nil
}

// RejectedReasons returns why messages were refused, the most frequent first.
func (s *Store) RejectedReasons(ctx context.Context, limit int) ([]RejectedReason, error) {
	rows, err := s.q.RejectedReasons(ctx, int32(limit))
	if err != nil {
		return nil, translate(err, "count refused messages")
	}
	reasons := make([]RejectedReason, len(rows))
	for i, row := range rows {
		reasons[i] = RejectedReason{Reason: row.Reason, Door: row.Door, Messages: int(row.Messages), First: row.First.UTC(), Last: row.Last.UTC()}
	}
	return reasons, nil
}

// RetryRejected hands up to limit refused messages behind an id to handle, none of
// which another caller holds. Those for which it returns no reason are removed,
// the others stay with the new reason. It returns how many were handed out and the
// last id. Handle must bear repetition: its work is not part of the transaction.
func (s *Store) RetryRejected(ctx context.Context, f RejectedFilter, after int64, limit int, at time.Time,
	handle func(context.Context, []RejectedMessage) (again map[int64]string, err error)) (tried int, last int64, err error) {
	ids := f.IDs
	if ids == nil {
		ids = []int64{}
	}
	err = s.transaction(ctx, "try refused messages again", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.RejectedToRetry(ctx, dbsqlc.RejectedToRetryParams{After: after, Reason: f.Reason, Ids: ids, N: int32(limit)})
		if err != nil || len(rows) == 0 {
			return err
		}
		messages := make([]RejectedMessage, len(rows))
		for i, row := range rows {
			messages[i] = rejectedOf(row)
		}
		tried, last = len(rows), rows[len(rows)-1].ID
		again, err := handle(ctx, messages)
		if err != nil {
			return err
		}
		var done []int64
		params := dbsqlc.RejectAgainParams{At: instant(at)}
		for _, m := range messages {
			reason, bad := again[m.ID]
			if !bad {
				done = append(done, m.ID)
				continue
			}
			params.Ids, params.Reasons = append(params.Ids, m.ID), append(params.Reasons, reason)
		}
		if len(done) > 0 {
			if _, err := q.DeleteRejected(ctx, done); err != nil {
				return err
			}
		}
		if len(params.Ids) == 0 {
			return nil
		}
		return q.RejectAgain(ctx, params)
	})
	return tried, last, err
}

// DiscardRejected removes refused messages for good and returns how many.
func (s *Store) DiscardRejected(ctx context.Context, ids []int64) (int, error) {
	if len(ids) == 0 {
		return 0, lifecycle.Errorf(lifecycle.Invalid, "name the refused messages to discard")
	}
	n, err := s.q.DeleteRejected(ctx, ids)
	return int(n), translate(err, "discard refused messages")
}

func rejectedOf(row dbsqlc.RejectedMessage) RejectedMessage {
	return RejectedMessage{ID: row.ID, ReceivedAt: row.ReceivedAt.UTC(), Key: row.KeyName, Door: row.Door, SentAt: row.SentAt,
		ExternalID: row.ExternalID, Reason: row.Reason, Body: row.Body, Attempts: int(row.Attempts), TriedAt: moment(row.TriedAt)}
}
