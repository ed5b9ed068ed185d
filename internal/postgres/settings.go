package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Setting decodes the value of a setting into into and reports whether it is set.
func (s *Store) Setting(ctx context.Context, key string, into any) (found bool, err error) {
	value, err := s.q.Setting(ctx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, translate(err, "read setting "+key)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return true, lifecycle.Errorf(lifecycle.Invalid, "setting %s has another form than asked for: %w", key, err)
	}
	return true, nil
}

// SaveSetting stores value as JSON under key.
func (s *Store) SaveSetting(ctx context.Context, key string, value any, by string, at time.Time) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "encode setting %s: %w", key, err)
	}
	err = s.q.SaveSetting(ctx, dbsqlc.SaveSettingParams{Key: key, Value: encoded, UpdatedAt: instant(at), UpdatedBy: by})
	return translate(err, "save setting "+key)
}

// Controls returns every pause, halt and resumption that was ever set, latest
// state only, by scope and name.
func (s *Store) Controls(ctx context.Context) ([]ledger.Control, error) {
	rows, err := s.q.Controls(ctx)
	if err != nil {
		return nil, translate(err, "read the controls")
	}
	controls := make([]ledger.Control, len(rows))
	for i, row := range rows {
		controls[i] = ledger.Control{Scope: ledger.ControlScope(row.Scope), Name: row.Name,
			State: ledger.ControlState(row.State), Reason: row.Reason, By: row.By, At: row.At}
	}
	return controls, nil
}

// SetControl stores a control, and the records, in one transaction; at overrides
// its At.
func (s *Store) SetControl(ctx context.Context, c ledger.Control, at time.Time, records ...ledger.Record) error {
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	return s.transaction(ctx, "set a control", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := q.SetControl(ctx, dbsqlc.SetControlParams{Scope: string(c.Scope), Name: c.Name, State: string(c.State),
			Reason: c.Reason, By: c.By, At: instant(at)}); err != nil {
			return err
		}
		return appendRecords(ctx, q, records)
	})
}
