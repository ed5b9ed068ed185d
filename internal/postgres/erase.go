package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// EraseCustomer removes what is personal about a customer, in one transaction:
// profile, attributes, event properties, entry data, products bought, cart,
// affinities, refused messages and provider texts are emptied, consents withdrawn, pending runs ended, touches not
// yet sent skipped; running journeys end when they see it. What stays is pseudonymous: orders as amounts, the ledger, the
// decision log. Suppressions stay too, as hashes. Repeating it changes nothing.
func (s *Store) EraseCustomer(ctx context.Context, id lifecycle.CustomerID, at time.Time) error {
	if err := s.ensure(ctx, historyTable, at); err != nil {
		return err
	}
	when, customer := instant(at), string(id)
	return s.transaction(ctx, "erase customer "+customer, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := lock(ctx, q, "customer", id); err != nil {
			return err
		}
		names, err := q.NamesOf(ctx, customer)
		if err != nil {
			return err
		}
		erased, err := q.EraseProfile(ctx, dbsqlc.EraseProfileParams{ID: customer, At: when})
		if err != nil {
			return err
		}
		if erased == 0 {
			return lifecycle.Errorf(lifecycle.NotFound, "there is no customer %s", id)
		}
		if err := q.CloseOpenTouches(ctx, dbsqlc.CloseOpenTouchesParams{ID: customer, At: when, Reason: "the customer was erased"}); err != nil {
			return err
		}
		if err := q.EraseRuns(ctx, dbsqlc.EraseRunsParams{ID: customer, At: when}); err != nil {
			return err
		}
		if err := q.EraseConsents(ctx, dbsqlc.EraseConsentsParams{ID: customer, At: when}); err != nil {
			return err
		}
		for _, erase := range []func(context.Context, string) error{
			q.EraseStats, q.EraseEvents, q.EraseOrders, q.EraseOutbox, q.EraseProviderDetails, q.EraseIdentities, q.EraseCart, q.EraseAffinities} {
			if err := erase(ctx, customer); err != nil {
				return err
			}
		}
		if err := q.EraseConsentStatements(ctx, names); err != nil {
			return err
		}
		return q.EraseRejected(ctx, names)
	})
}
