package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// InsertOrders stores orders once each by external id and adds the new ones to
// their customers' statistics, in one transaction. It returns how many are new.
// Orders may come in any order of time. A refund, an order with a negative
// total, lowers the revenue and is not counted as an order.
func (s *Store) InsertOrders(ctx context.Context, orders []ledger.OrderRow) (inserted int, err error) {
	rows := make([]BulkOrder, len(orders))
	for i, o := range orders {
		if o.ExternalID == "" || o.At.IsZero() {
			return 0, lifecycle.Errorf(lifecycle.Invalid, "order %q needs an external id and an instant", o.ExternalID)
		}
		if o.ReceivedAt.IsZero() {
			o.ReceivedAt = o.At
		}
		rows[i] = BulkOrder{OrderRow: o}
	}
	err = s.transaction(ctx, "save orders", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		fresh, err := insertBulkOrders(ctx, q, tx, rows)
		inserted = len(fresh)
		return err
	})
	if err != nil {
		return 0, err
	}
	return inserted, nil
}
