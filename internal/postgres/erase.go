package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// belongings are tables of things that belong to a customer and go with the
// erasure row by row. Those that do not exist are left out.
var belongings = []string{"devices"}

// EraseCustomer removes what is personal about a customer, in one transaction:
// profile, attributes, event properties, entry data, products bought, cart,
// affinities, proof of consent, wishes, devices, refused messages and provider
// texts are emptied, addresses suppressed by their hash, consents withdrawn, runs
// ended, touches not yet sent skipped. What stays is pseudonymous: orders as
// amounts, the ledger, the decision log, the consent history without its proof.
// Repeating it removes what has come in since.
func (s *Store) EraseCustomer(ctx context.Context, id lifecycle.CustomerID, at time.Time) (ledger.Erased, error) {
	var done ledger.Erased
	if err := s.ensure(ctx, historyTable, at); err != nil {
		return done, err
	}
	when, customer := instant(at), string(id)
	err := s.transaction(ctx, "erase customer "+customer, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		done = ledger.Erased{}
		if err := lock(ctx, q, "customer", id); err != nil {
			return err
		}
		names, err := q.NamesOf(ctx, customer)
		if err != nil {
			return err
		}
		if err := q.SuppressErased(ctx, dbsqlc.SuppressErasedParams{ID: customer, At: when}); err != nil {
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
		if done.Runs, err = q.EraseRuns(ctx, dbsqlc.EraseRunsParams{ID: customer, At: when}); err != nil {
			return err
		}
		if err := q.EraseConsents(ctx, dbsqlc.EraseConsentsParams{ID: customer, At: when}); err != nil {
			return err
		}
		for _, erase := range []func(context.Context, string) error{q.EraseConsentProof, q.EraseWishes, q.EraseStats, q.EraseIdentities, q.EraseCart,
			q.EraseAffinities} {
			if err := erase(ctx, customer); err != nil {
				return err
			}
		}
		for _, erase := range []func(context.Context, []string) error{q.EraseConsentStatements, q.EraseRejected} {
			if err := erase(ctx, names); err != nil {
				return err
			}
		}
		for _, part := range []struct {
			count *int64
			erase func(context.Context, string) (int64, error)
		}{{&done.Events, q.EraseEvents}, {&done.Orders, q.EraseOrders}, {new(int64), q.EraseOutbox}, {&done.Reports, q.EraseProviderDetails}} {
			if *part.count, err = part.erase(ctx, customer); err != nil {
				return err
			}
		}
		done.Belongings, err = q.ForgetIn(ctx, dbsqlc.ForgetInParams{Tables: belongings, CustomerID: customer})
		return err
	})
	return done, err
}
