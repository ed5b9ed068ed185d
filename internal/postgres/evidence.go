package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Evidence returns the response counts as last refreshed.
func (s *Store) Evidence(ctx context.Context) ([]ledger.ResponseCell, error) {
	rows, err := s.q.Evidence(ctx)
	if err != nil {
		return nil, translate(err, "read the response counts")
	}
	cells := make([]ledger.ResponseCell, len(rows))
	for i, row := range rows {
		cells[i] = ledger.ResponseCell{Group: row.GroupKey, Journey: row.Journey, Channel: lifecycle.Channel(row.Channel),
			OfferID: row.OfferID, Touched: int(row.Touched), TouchedConversions: int(row.TouchedConversions),
			Held: int(row.Held), HeldConversions: int(row.HeldConversions)}
	}
	return cells, nil
}

// RefreshEvidence counts responses anew from the ledger: marketing touches sent
// at least window before now, and how many were followed by an order within
// window; and what holdout runs do in the window a touch would have had, in the
// group of the stage the customer was in at entry.
func (s *Store) RefreshEvidence(ctx context.Context, now time.Time, window time.Duration) error {
	return s.transaction(ctx, "refresh the response counts", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, planAnew); err != nil {
			return err
		}
		if err := lock(ctx, q, "evidence", ""); err != nil {
			return err
		}
		if err := q.ClearEvidence(ctx); err != nil {
			return err
		}
		if err := q.CountTouched(ctx, dbsqlc.CountTouchedParams{Now: instant(now), Span: interval(window)}); err != nil {
			return err
		}
		return q.CountHeld(ctx, dbsqlc.CountHeldParams{Now: instant(now), Span: interval(window),
			AtRiskAfter: interval(s.stages.AtRiskAfter), LapsedAfter: interval(s.stages.LapsedAfter),
			LoyalOrders: int32(s.stages.LoyalOrders)})
	})
}
