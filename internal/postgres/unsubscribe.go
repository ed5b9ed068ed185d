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

	IP, UserAgent string // of the request, as proof
}

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
		customer, err := present(ctx, q, u.Customer) // or whom they were merged into
		if err != nil {
			return err
		}
		changed, err = withdraw(ctx, q, tx, customer, lifecycle.Consent{Channel: u.Channel, At: u.At, Source: u.Source, IP: u.IP, UserAgent: u.UserAgent})
		if err != nil || !changed {
			return err
		}
		u.Customer = lifecycle.CustomerID(customer.ID)
		u.Event.CustomerID = u.Customer
		if _, err := insertBulkEvents(ctx, tx, []BulkEvent{u.Event}, BulkBatch{Listens: u.Listens}); err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{{At: u.At, Kind: "consent.withdrawn", Actor: "customer",
			CustomerID: u.Customer, Subject: string(u.Channel), Body: body}})
	})
	return changed && err == nil, err
}

// present locks the row of a customer who was not erased; any other is NotFound.
func present(ctx context.Context, q *dbsqlc.Queries, id lifecycle.CustomerID) (dbsqlc.Customer, error) {
	row, err := q.LockCustomer(ctx, string(id))
	if err == nil && row.ErasedAt != nil {
		return row, lifecycle.Errorf(lifecycle.NotFound, "customer %s was erased", id)
	}
	return row, err
}

// withdrawSQL withdraws a consent unless it is withdrawn already.
const withdrawSQL = `
insert into consents (customer_id, channel, state, at, source, wording, form, ip, user_agent) values ($1, $2, 'withdrawn', $3, $4, $5, $6, $7, $8)
on conflict (customer_id, channel) do update set state = 'withdrawn', at = greatest(consents.at, excluded.at), source = excluded.source,
    wording = excluded.wording, form = excluded.form, ip = excluded.ip, user_agent = excluded.user_agent, basis = 'express', confirmed_at = null
where consents.state <> 'withdrawn'`

// withdraw takes a consent back and suppresses the customer's address on the
// channel. It reports whether that was news.
func withdraw(ctx context.Context, q *dbsqlc.Queries, tx pgx.Tx, customer dbsqlc.Customer, c lifecycle.Consent) (bool, error) {
	tag, err := tx.Exec(ctx, withdrawSQL, customer.ID, string(c.Channel), instant(c.At), c.Source, c.Wording, c.Form, c.IP, c.UserAgent)
	if err != nil {
		return false, err
	}
	if address := addressOf(customer, c.Channel); address != "" {
		if err := q.Suppress(ctx, dbsqlc.SuppressParams{Channel: string(c.Channel), Address: address,
			Reason: "unsubscribed", Source: c.Source, At: instant(c.At)}); err != nil {
			return false, err
		}
	}
	return tag.RowsAffected() > 0, nil
}

// addressOf is the SQL function address_of.
func addressOf(c dbsqlc.Customer, channel lifecycle.Channel) string {
	switch channel {
	case lifecycle.Email:
		return given[string](c.Email)
	case lifecycle.SMS, lifecycle.WhatsApp:
		return given[string](c.Phone)
	}
	return c.ID
}
