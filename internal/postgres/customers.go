package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// UpsertCustomers stores customers by external id, and consents of customers by
// theirs, in one transaction; inserted counts the customers that are new. Empty
// fields keep what is stored, attributes are merged key by key, the earliest
// CreatedAt stands, and at is used where none is given. A customer twice in the
// batch counts as the last. Erased customers stay erased; one who agrees anew, live
// and with the wording on file, is a new customer with nothing of the old one.
func (s *Store) UpsertCustomers(ctx context.Context, customers []lifecycle.Customer, consents []ledger.ConsentRow, at time.Time) (inserted int, err error) {
	merged, err := s.mergedNames(ctx, customers)
	if err != nil {
		return 0, err
	}
	rows := make([]dbsqlc.Customer, 0, len(customers))
	place := make(map[string]int, len(customers))
	for _, c := range customers {
		if name, gone := merged[c.ExternalID]; gone {
			c.ExternalID = name
		}
		row, err := customerRow(c, at)
		if err != nil {
			return 0, err
		}
		if i, again := place[row.ExternalID]; again {
			rows[i] = row
			continue
		}
		place[row.ExternalID] = len(rows)
		rows = append(rows, row)
	}
	encoded, err := batch(rows)
	if err != nil {
		return 0, err
	}
	var back dbsqlc.RetireErasedIDsParams
	for _, c := range consents {
		if c.Act() {
			back.ExternalIds, back.Ats = append(back.ExternalIds, c.ExternalID), append(back.Ats, instant(c.At))
		}
	}
	if slices.ContainsFunc(consents, func(c ledger.ConsentRow) bool { return c.Live && c.State == lifecycle.ConsentPending }) {
		if err := s.ensure(ctx, eventsTable, at); err != nil {
			return 0, err
		}
	}
	err = s.transaction(ctx, "save customers", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		inserted = 0
		if len(back.ExternalIds) > 0 {
			if err := q.RetireErasedIDs(ctx, back); err != nil {
				return err
			}
		}
		if len(rows) > 0 {
			saved, err := q.UpsertCustomers(ctx, dbsqlc.UpsertCustomersParams{Batch: encoded, At: instant(at)})
			if err != nil {
				return err
			}
			for _, row := range saved {
				if row.Inserted {
					inserted++
				}
			}
		}
		return saveConsents(ctx, q, tx, consents, at)
	})
	if err != nil {
		return 0, err
	}
	return inserted, nil
}

// mergedNames returns, for the names of customers who were merged into others,
// under what name these stand.
func (s *Store) mergedNames(ctx context.Context, customers []lifecycle.Customer) (map[string]string, error) {
	externals := make([]string, len(customers))
	for i, c := range customers {
		externals[i] = c.ExternalID
	}
	rows, err := s.q.MergedNames(ctx, externals)
	if err != nil {
		return nil, translate(err, "look up merged customers")
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		names[row.Name] = row.ExternalID
	}
	return names, nil
}

// CustomerIDs returns our ids of the customers with these external ids; unknown
// ones are left out.
func (s *Store) CustomerIDs(ctx context.Context, externalIDs []string) (map[string]lifecycle.CustomerID, error) {
	rows, err := s.q.CustomerIDs(ctx, externalIDs)
	if err != nil {
		return nil, translate(err, "look up customers")
	}
	ids := make(map[string]lifecycle.CustomerID, len(rows))
	for _, row := range rows {
		ids[row.ExternalID] = lifecycle.CustomerID(row.ID)
	}
	return ids, nil
}

// EnsureCustomers is CustomerIDs after creating a customer with nothing but the
// external id, created at at, for each unknown one.
func (s *Store) EnsureCustomers(ctx context.Context, externalIDs []string, at time.Time) (map[string]lifecycle.CustomerID, error) {
	ids, err := s.CustomerIDs(ctx, externalIDs)
	if err != nil {
		return nil, err
	}
	var missing []dbsqlc.Customer
	asked := map[string]bool{}
	for _, external := range externalIDs {
		if ids[external] != "" || asked[external] {
			continue
		}
		asked[external] = true
		row, err := customerRow(lifecycle.Customer{ExternalID: external}, at)
		if err != nil {
			return nil, err
		}
		missing = append(missing, row)
	}
	if len(missing) == 0 {
		return ids, nil
	}
	encoded, err := batch(missing)
	if err != nil {
		return nil, err
	}
	err = s.transaction(ctx, "create customers", func(q *dbsqlc.Queries, _ pgx.Tx) error { return q.EnsureCustomers(ctx, encoded) })
	if err != nil {
		return nil, err
	}
	return s.CustomerIDs(ctx, externalIDs)
}

// Profile returns everything known about one customer.
func (s *Store) Profile(ctx context.Context, id lifecycle.CustomerID) (lifecycle.Profile, error) {
	row, err := s.q.Customer(ctx, string(id))
	if err != nil {
		return lifecycle.Profile{}, translate(err, "read customer "+string(id))
	}
	return profileOf(row.Customer, row.CustomerStat, row.Consents, row.Wishes, row.Cart, row.Affinities)
}

// FindCustomer returns the customer with this id of ours, external id or e-mail
// address; when several share the address it is a Conflict.
func (s *Store) FindCustomer(ctx context.Context, ref string) (lifecycle.Customer, error) {
	id := noID
	if parsed, err := uuid.Parse(ref); err == nil {
		id = parsed.String()
	}
	rows, err := s.q.FindCustomers(ctx, dbsqlc.FindCustomersParams{Ref: ref, ID: id})
	switch {
	case err != nil:
		return lifecycle.Customer{}, translate(err, "find a customer")
	case len(rows) == 0:
		return lifecycle.Customer{}, lifecycle.Errorf(lifecycle.NotFound, "no customer has this id or address")
	case len(rows) > 1 && rows[0].Place == rows[1].Place:
		return lifecycle.Customer{}, lifecycle.Errorf(lifecycle.Conflict, "several customers share this address: give the external id of one")
	}
	return customerOf(rows[0].Customer)
}

func customerRow(c lifecycle.Customer, at time.Time) (dbsqlc.Customer, error) {
	if c.ExternalID == "" {
		return dbsqlc.Customer{}, lifecycle.Errorf(lifecycle.Invalid, "a customer needs an external id")
	}
	if c.ID == "" {
		id, err := newID()
		if err != nil {
			return dbsqlc.Customer{}, err
		}
		c.ID = lifecycle.CustomerID(id)
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = at
	}
	attributes, err := object(c.Attributes)
	return dbsqlc.Customer{ID: string(c.ID), ExternalID: c.ExternalID, Email: optional(c.Email), Phone: optional(c.Phone),
		FirstName: c.FirstName, LastName: c.LastName, Locale: c.Locale, Country: c.Country, Region: c.Region,
		PostalCode: c.PostalCode, TimeZone: c.TimeZone, Attributes: attributes, CreatedAt: instant(c.CreatedAt)}, err
}

func customerOf(row dbsqlc.Customer) (lifecycle.Customer, error) {
	attributes, err := fromObject(row.Attributes)
	return lifecycle.Customer{ID: lifecycle.CustomerID(row.ID), ExternalID: row.ExternalID, Email: given[string](row.Email),
		Phone: given[string](row.Phone), FirstName: row.FirstName, LastName: row.LastName, Locale: row.Locale,
		Country: row.Country, Region: row.Region, PostalCode: row.PostalCode, TimeZone: row.TimeZone,
		Attributes: attributes, CreatedAt: row.CreatedAt.UTC(), ErasedAt: moment(row.ErasedAt)}, err
}
