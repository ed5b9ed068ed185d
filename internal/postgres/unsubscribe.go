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

// Unsubscription is a customer's word that no more is wanted on a channel.
type Unsubscription struct {
	Customer lifecycle.CustomerID
	Channel  lifecycle.Channel
	List     string // as the link named it; kept in the decision log
	Source   string // "one-click"
	At       time.Time
	Event    BulkEvent // written when it is news; its customer is filled in
	Listens  []string  // as in BulkBatch
}

// withdrawSQL withdraws a consent unless it is withdrawn already.
const withdrawSQL = `
insert into consents (customer_id, channel, state, at, source) values ($1, $2, 'withdrawn', $3, $4)
on conflict (customer_id, channel) do update set state = 'withdrawn', at = greatest(consents.at, excluded.at),
    source = excluded.source, wording = '', ip = ''
where consents.state <> 'withdrawn'`

// Unsubscribe withdraws the consent, suppresses the address, writes the event
// with its place in the outbox, and the decision record, in one transaction. A
// repetition changes nothing and returns false. A customer who is unknown or
// erased is NotFound.
func (s *Store) Unsubscribe(ctx context.Context, u Unsubscription) (changed bool, err error) {
	if err := s.ensure(ctx, eventsTable, u.Event.At); err != nil {
		return false, err
	}
	if err := s.ensure(ctx, decisionsTable, u.At); err != nil {
		return false, err
	}
	body, err := json.Marshal(map[string]string{"channel": string(u.Channel), "list": u.List, "source": u.Source})
	if err != nil {
		return false, lifecycle.Errorf(lifecycle.Internal, "encode unsubscription: %w", err)
	}
	err = s.transaction(ctx, "unsubscribe", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		var address *string
		// A link in an old message may name a customer who was merged since.
		err := tx.QueryRow(ctx, `select id::text, address_of($2, email, phone, id) from customers
			where id = coalesce((select merged_into from customers where id = $1), $1) and erased_at is null for update`,
			string(u.Customer), string(u.Channel)).Scan(&u.Customer, &address)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, withdrawSQL, string(u.Customer), string(u.Channel), instant(u.At), u.Source)
		if err != nil {
			return err
		}
		if address != nil {
			if err := q.Suppress(ctx, dbsqlc.SuppressParams{Channel: string(u.Channel), Address: *address,
				Reason: "unsubscribed", Source: u.Source, At: instant(u.At)}); err != nil {
				return err
			}
		}
		if changed = tag.RowsAffected() > 0; !changed {
			return nil
		}
		u.Event.CustomerID = u.Customer
		if _, err := insertBulkEvents(ctx, tx, []BulkEvent{u.Event}, BulkBatch{Listens: u.Listens}); err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{{At: u.At, Kind: "consent.withdrawn", Actor: "customer",
			CustomerID: u.Customer, Subject: string(u.Channel), Body: body}})
	})
	return changed && err == nil, err
}
