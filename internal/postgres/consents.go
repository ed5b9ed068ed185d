package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// SetConsent stores a customer's statement about a channel unless a later one is
// stored; at the same instant a withdrawal wins. An unknown customer is NotFound.
func (s *Store) SetConsent(ctx context.Context, customer lifecycle.CustomerID, c lifecycle.Consent) error {
	if _, err := s.q.Customer(ctx, string(customer)); err != nil {
		return translate(err, "read customer "+string(customer))
	}
	encoded, err := batch([]dbsqlc.Consent{consentRow(customer, c)})
	if err != nil {
		return err
	}
	return translate(s.q.ImportConsents(ctx, encoded), "save a consent")
}

// Suppress forbids an address on a channel for good. Only its hash is kept. For
// push and web the address is the customer's id.
func (s *Store) Suppress(ctx context.Context, channel lifecycle.Channel, address, reason, source string, at time.Time) error {
	if address == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "name the address to suppress")
	}
	err := s.q.Suppress(ctx, dbsqlc.SuppressParams{Channel: string(channel), Address: address, Reason: reason, Source: source, At: instant(at)})
	return translate(err, "suppress an address")
}

// saveConsents stores consents by external id; those of unknown customers are
// an error, because proof of consent must not get lost.
func saveConsents(ctx context.Context, q *dbsqlc.Queries, consents []ledger.ConsentRow) error {
	if len(consents) == 0 {
		return nil
	}
	externals := make([]string, len(consents))
	for i, c := range consents {
		externals[i] = c.ExternalID
	}
	known, err := q.CustomerIDs(ctx, externals)
	if err != nil {
		return err
	}
	ids := make(map[string]lifecycle.CustomerID, len(known))
	for _, row := range known {
		ids[row.ExternalID] = lifecycle.CustomerID(row.ID)
	}
	type place struct {
		customer lifecycle.CustomerID
		channel  lifecycle.Channel
	}
	latest := map[place]int{}
	var rows []dbsqlc.Consent
	for _, c := range consents {
		id := ids[c.ExternalID]
		if id == "" {
			return lifecycle.Errorf(lifecycle.NotFound, "a consent names the unknown customer %q: import the customer first", c.ExternalID)
		}
		row := consentRow(id, c.Consent)
		p := place{id, c.Channel}
		i, again := latest[p]
		if !again {
			latest[p] = len(rows)
			rows = append(rows, row)
			continue
		}
		if row.At.After(rows[i].At) || row.At.Equal(rows[i].At) && c.State == lifecycle.ConsentWithdrawn {
			rows[i] = row
		}
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	return q.ImportConsents(ctx, encoded)
}

func consentRow(customer lifecycle.CustomerID, c lifecycle.Consent) dbsqlc.Consent {
	return dbsqlc.Consent{CustomerID: string(customer), Channel: string(c.Channel), State: string(c.State), At: instant(c.At),
		Source: c.Source, Wording: c.Wording, Ip: c.IP}
}

func consentOf(row dbsqlc.Consent) lifecycle.Consent {
	return lifecycle.Consent{Channel: lifecycle.Channel(row.Channel), State: lifecycle.ConsentState(row.State), At: row.At.UTC(),
		Source: row.Source, Wording: row.Wording, IP: row.Ip}
}
