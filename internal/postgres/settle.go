package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// MarkSending moves reserved touches to sending and returns those it moved: only
// for them may the caller call the provider, once. The answer is committed
// before it is returned.
func (s *Store) MarkSending(ctx context.Context, ids []lifecycle.TouchID, at time.Time) ([]lifecycle.TouchID, error) {
	if err := s.ensure(ctx, historyTable, at); err != nil {
		return nil, err
	}
	var moved []string
	err := s.statement("mark touches as sending", func(q *dbsqlc.Queries) (err error) {
		moved, err = q.MarkSending(ctx, dbsqlc.MarkSendingParams{Ids: texts(ids), At: instant(at)})
		return err
	})
	return typed[lifecycle.TouchID](moved), err
}

// Settle records what became of touches, and the records, in one transaction.
// States move as ledger.MayMove allows; a move it forbids is ignored, because a
// later report was faster. Giving a slot back clears reserved_at. Reports that
// came before the provider's message id was known are applied now. A touch that
// does not exist is NotFound, and then nothing is stored.
func (s *Store) Settle(ctx context.Context, settlements []ledger.Settlement, records []ledger.Record) error {
	ids, ats := make([]lifecycle.TouchID, len(settlements)), make([]time.Time, len(settlements))
	rows, seen := make([]dbsqlc.Touch, len(settlements)), map[lifecycle.TouchID]bool{}
	var providers []string
	for i, x := range settlements {
		if seen[x.TouchID] {
			return lifecycle.Errorf(lifecycle.Invalid, "touch %s is settled twice in one batch", x.TouchID)
		}
		if x.At.IsZero() {
			return lifecycle.Errorf(lifecycle.Invalid, "the settlement of touch %s has no instant: set At", x.TouchID)
		}
		if x.State == lifecycle.TouchReserved || x.State == lifecycle.TouchSending {
			return lifecycle.Errorf(lifecycle.Invalid, "touch %s cannot be settled as %s: use Reserve and MarkSending", x.TouchID, x.State)
		}
		seen[x.TouchID] = true
		ids[i], ats[i] = x.TouchID, x.At
		rows[i] = dbsqlc.Touch{ID: string(x.TouchID), RunID: noID, CustomerID: noID, State: string(x.State), SettledAt: stamp(x.At),
			ProviderID: x.ProviderID, Cost: x.Cost.Amount, Currency: x.Cost.Currency, Reason: x.Reason, NotBefore: stamp(x.NotBefore)}
		if x.ProviderID != "" {
			providers = append(providers, x.ProviderID)
		}
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	if err := s.ensure(ctx, historyTable, ats...); err != nil {
		return err
	}
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	return s.transaction(ctx, "settle touches", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if len(rows) > 0 {
			if err := lock(ctx, q, "provider", providers...); err != nil {
				return err
			}
			if _, err := lockTouches(ctx, q, ids); err != nil {
				return err
			}
			if err := q.SettleTouches(ctx, encoded); err != nil {
				return err
			}
			orphans, err := q.AdoptOrphans(ctx, texts(ids))
			if err != nil {
				return err
			}
			if err := applyProviderEvents(ctx, q, orphans); err != nil {
				return err
			}
		}
		return appendRecords(ctx, q, records)
	})
}

// expireAtOnce bounds one call of ExpireSending, so that it stays short.
const expireAtOnce = 1000

// ExpireSending settles touches that have been sending since before olderThan as
// unconfirmed: whoever was sending them is gone and nobody knows whether the
// provider has them. It returns up to a thousand; call again until none.
func (s *Store) ExpireSending(ctx context.Context, olderThan, at time.Time) ([]lifecycle.TouchID, error) {
	ids, err := s.q.UnsettledSince(ctx, dbsqlc.UnsettledSinceParams{OlderThan: instant(olderThan), N: expireAtOnce})
	if err != nil {
		return nil, translate(err, "find touches that were left sending")
	}
	if len(ids) == 0 {
		return nil, nil
	}
	settlements := make([]ledger.Settlement, len(ids))
	for i, id := range ids {
		settlements[i] = ledger.Settlement{TouchID: lifecycle.TouchID(id), State: lifecycle.TouchUnconfirmed, At: at,
			Reason: "the sender stopped before the provider answered"}
	}
	return typed[lifecycle.TouchID](ids), s.Settle(ctx, settlements, nil)
}
