package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// AppendDecisions appends records to the decision log.
func (s *Store) AppendDecisions(ctx context.Context, records []ledger.Record) error {
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	return s.transaction(ctx, "append to the decision log", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		return appendRecords(ctx, q, records)
	})
}

// ensureFor prepares the decision log for these records.
func (s *Store) ensureFor(ctx context.Context, records []ledger.Record) error {
	ats := make([]time.Time, len(records))
	for i, r := range records {
		if r.At.IsZero() {
			return lifecycle.Errorf(lifecycle.Invalid, "a decision record of kind %q has no instant: set At", r.Kind)
		}
		ats[i] = r.At
	}
	return s.ensure(ctx, decisionsTable, ats...)
}

// appendRecords appends records to the chain, whose head it holds until commit:
// call it last in a transaction, after ensureFor.
func appendRecords(ctx context.Context, q *dbsqlc.Queries, records []ledger.Record) error {
	if len(records) == 0 {
		return nil
	}
	var params dbsqlc.AppendDecisionsParams
	for _, r := range records {
		body := r.Body
		if len(body) == 0 {
			body = []byte("{}")
		}
		if !json.Valid(body) {
			return lifecycle.Errorf(lifecycle.Invalid, "the body of a decision record of kind %q is not JSON", r.Kind)
		}
		params.Ats = append(params.Ats, instant(r.At))
		params.Kinds = append(params.Kinds, r.Kind)
		params.Actors = append(params.Actors, r.Actor)
		params.Customers = append(params.Customers, string(r.CustomerID))
		params.Runs = append(params.Runs, string(r.RunID))
		params.Touches = append(params.Touches, string(r.TouchID))
		params.Subjects = append(params.Subjects, r.Subject)
		params.Bodies = append(params.Bodies, string(withoutNUL(body)))
	}
	return q.AppendDecisions(ctx, params)
}
