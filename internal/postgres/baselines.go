package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// settingBaselines is the settings key of measured baselines.
const settingBaselines = "kpi.baselines"

// Baselines returns the brand's own baselines; the zero value when none have
// been measured.
func (s *Store) Baselines(ctx context.Context) (b measure.Baselines, err error) {
	_, err = s.Setting(ctx, settingBaselines, &b)
	return b, err
}

// LockBaselines stores measured baselines with a decision record. Baselines that
// are locked are a Conflict: a moving baseline proves nothing. Baselines without
// any level are Invalid.
func (s *Store) LockBaselines(ctx context.Context, b measure.Baselines) error {
	if !b.Locked() {
		return lifecycle.Errorf(lifecycle.Invalid, "no KPI has enough data from %s to %s: choose a longer or a later period",
			b.From.Format(time.DateOnly), b.To.Format(time.DateOnly))
	}
	return s.setBaselines(ctx, b, b.By, b.At, "baseline.locked", func(old measure.Baselines) error {
		if old.Locked() {
			return lifecycle.Errorf(lifecycle.Conflict, "baselines were locked by %s at %s: `touchstone kpi baseline clear` first",
				old.By, old.At.UTC().Format(time.RFC3339))
		}
		return nil
	})
}

// ClearBaselines goes back to the plan's baselines, with a decision record. None
// to clear is NotFound.
func (s *Store) ClearBaselines(ctx context.Context, by string, at time.Time) error {
	return s.setBaselines(ctx, measure.Baselines{}, by, at, "baseline.cleared", func(old measure.Baselines) error {
		if !old.Locked() {
			return lifecycle.Errorf(lifecycle.NotFound, "no baselines are locked")
		}
		return nil
	})
}

func (s *Store) setBaselines(ctx context.Context, b measure.Baselines, by string, at time.Time, kind string, allowed func(old measure.Baselines) error) error {
	value, err := json.Marshal(b)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Internal, "encode the baselines: %w", err)
	}
	record := ledger.Record{At: at, Kind: kind, Actor: by, Subject: "kpi", Body: value}
	if err := s.ensureFor(ctx, []ledger.Record{record}); err != nil {
		return err
	}
	return s.transaction(ctx, "set the baselines", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := lock(ctx, q, "setting", settingBaselines); err != nil {
			return err
		}
		inner := &Store{q: q}
		old, err := inner.Baselines(ctx)
		if err != nil {
			return err
		}
		if err := allowed(old); err != nil {
			return err
		}
		if err := inner.SaveSetting(ctx, settingBaselines, b, by, at); err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{record})
	})
}
