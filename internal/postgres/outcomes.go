package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// ApplyOutcomes keeps provider events once each by key and applies the new ones
// that belong to touches of ours: states move upwards only, human opens and
// clicks are remembered and count as engagement, addresses are suppressed and
// consents withdrawn. The result is the same in whatever order, batches and
// repetitions the events come. Applied counts the new ones that had a touch;
// the others are kept, and applied if Settle learns their provider message id.
func (s *Store) ApplyOutcomes(ctx context.Context, outcomes []ledger.Outcome) (applied int, err error) {
	if len(outcomes) == 0 {
		return 0, nil
	}
	var rows []dbsqlc.ProviderEvent
	var ats []time.Time
	var providers []string
	seen := map[string]bool{}
	for _, o := range outcomes {
		if o.Key == "" || o.At.IsZero() {
			return 0, lifecycle.Errorf(lifecycle.Invalid, "a provider event needs a key and an instant")
		}
		if seen[o.Key] {
			continue
		}
		seen[o.Key] = true
		if _, err := uuid.Parse(string(o.TouchID)); err != nil {
			o.TouchID = "" // somebody else's id
		}
		rows = append(rows, dbsqlc.ProviderEvent{DedupeKey: o.Key, TouchID: optional(o.TouchID), ProviderID: o.Provider,
			Kind: string(o.Kind), Machine: o.Machine, Suppress: o.Suppress, At: instant(o.At), Detail: o.Detail})
		ats = append(ats, o.At)
		if o.TouchID == "" && o.Provider != "" {
			providers = append(providers, o.Provider)
		}
	}
	encoded, err := batch(rows)
	if err != nil {
		return 0, err
	}
	if err := s.ensure(ctx, historyTable, ats...); err != nil {
		return 0, err
	}
	err = s.transaction(ctx, "apply provider events", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := lock(ctx, q, "provider", providers...); err != nil {
			return err
		}
		added, err := q.InsertProviderEvents(ctx, encoded)
		if err != nil {
			return err
		}
		var keys []string
		for _, a := range added {
			if a.TouchID != nil {
				keys = append(keys, a.DedupeKey)
			}
		}
		applied = len(keys)
		return applyProviderEvents(ctx, q, keys)
	})
	if err != nil {
		return 0, err
	}
	return applied, nil
}

// applyProviderEvents applies stored events, by key, to the touches they name.
func applyProviderEvents(ctx context.Context, q *dbsqlc.Queries, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	ids, err := q.TouchesOfProviderEvents(ctx, keys)
	if err != nil {
		return err
	}
	if err := q.LockTouches(ctx, ids); err != nil {
		return err
	}
	if err := q.LockStatsOfTouches(ctx, ids); err != nil {
		return err
	}
	for _, apply := range []func(context.Context, []string) error{
		q.ApplyToTouches, q.ApplyToEngagement, q.ApplyToSuppressions, q.ApplyToConsents} {
		if err := apply(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}
