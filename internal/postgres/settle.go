package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Settle records what became of touches, where their runs stand after it, and the
// records, in one transaction. States move as ledger.MayMove allows; a move it
// forbids is ignored, because a later report was faster. Giving a slot back clears
// reserved_at. Reports that came before the provider's message id was known are
// applied now. A touch or run that does not exist is NotFound, and then nothing is
// stored.
func (s *Store) Settle(ctx context.Context, settlements []ledger.Settlement, moves []ledger.Progress, records []ledger.Record) error {
	ids, ats := make([]lifecycle.TouchID, len(settlements)), make([]time.Time, len(settlements))
	var params dbsqlc.SettleTouchesParams
	var providers []string
	seen := map[lifecycle.TouchID]bool{}
	for i, x := range settlements {
		if seen[x.TouchID] {
			return lifecycle.Errorf(lifecycle.Invalid, "touch %s is settled twice in one batch", x.TouchID)
		}
		if x.At.IsZero() {
			return lifecycle.Errorf(lifecycle.Invalid, "the settlement of touch %s has no instant: set At", x.TouchID)
		}
		if x.State == lifecycle.TouchReserved || x.State == lifecycle.TouchSending {
			return lifecycle.Errorf(lifecycle.Invalid, "touch %s cannot be settled as %s: use Reserve", x.TouchID, x.State)
		}
		seen[x.TouchID] = true
		ids[i], ats[i] = x.TouchID, x.At
		params.Ids = append(params.Ids, string(x.TouchID))
		params.States = append(params.States, string(x.State))
		params.Reasons = append(params.Reasons, x.Reason)
		params.NotBefores = append(params.NotBefores, instant(x.NotBefore))
		params.Ats = append(params.Ats, instant(x.At))
		params.Providers = append(params.Providers, x.ProviderID)
		params.Costs = append(params.Costs, x.Cost.Amount)
		params.Currencies = append(params.Currencies, x.Cost.Currency)
		if x.ProviderID != "" {
			providers = append(providers, x.ProviderID)
		}
	}
	if err := s.ensure(ctx, historyTable, ats...); err != nil {
		return err
	}
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	orphans := 0
	return s.pipelined(ctx, "settle touches", func(q *dbsqlc.Queries, p *pipeline) error {
		if len(ids) > 0 {
			if err := settleTouches(ctx, q, p, params, providers, &orphans); err != nil {
				return err
			}
		}
		if err := moveRuns(ctx, q, p, moves); err != nil {
			return err
		}
		return appendRecords(ctx, q, records)
	}, func(q *dbsqlc.Queries) error {
		if orphans == 0 {
			return nil
		}
		adopted, err := q.AdoptOrphans(ctx, texts(ids))
		if err != nil {
			return err
		}
		return applyProviderEvents(ctx, q, adopted)
	})
}

func settleTouches(ctx context.Context, q *dbsqlc.Queries, p *pipeline, params dbsqlc.SettleTouchesParams, providers []string, orphans *int) error {
	if err := lock(ctx, q, "provider", providers...); err != nil {
		return err
	}
	if err := q.LockTouches(ctx, params.Ids); err != nil {
		return err
	}
	p.check(all(len(params.Ids), "touches to settle"))
	if err := q.LockStatsOfTouches(ctx, params.Ids); err != nil {
		return err
	}
	if err := q.SettleTouches(ctx, params); err != nil {
		return err
	}
	if err := q.CountOrphans(ctx, providers); err != nil {
		return err
	}
	p.check(func(rows int) error { *orphans = rows; return nil })
	return nil
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
	return typed[lifecycle.TouchID](ids), s.Settle(ctx, settlements, nil, nil)
}
