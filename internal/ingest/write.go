package ingest

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// Store is what ingestion needs of the database.
type Store interface {
	// ActiveCustomerIDs returns the internal ids of the customers that exist and
	// were not erased.
	ActiveCustomerIDs(ctx context.Context, externalIDs []string) (map[string]lifecycle.CustomerID, error)
	// UpsertCustomers creates or completes customers; at stands in for a missing
	// sign-up instant.
	UpsertCustomers(ctx context.Context, customers []lifecycle.Customer, consents []ledger.ConsentRow, at time.Time) (inserted int, err error)
}

// Bulk writes events and orders; *postgres.Store is one.
type Bulk interface {
	WriteBatch(ctx context.Context, batch postgres.BulkBatch) (postgres.BulkResult, error)
}

// Item is one decoded thing to write and where it came from.
type Item struct {
	Message
	Line int64
	Raw  []byte // as read, for the reject file; may be nil
}

// Written counts what a batch came to.
type Written struct {
	New      int // rows that were not there before
	Present  int // rows that were
	Created  int // customers made for events and orders
	Rejected []RejectedItem
}

// RejectedItem is an item that could not be written, with the reason.
type RejectedItem struct {
	Index int // into the items given
	Err   error
}

// Writer turns decoded items into rows: it finds or creates the customers they
// speak of and writes everything of one call in order customers, orders, events.
// A Writer serves one caller at a time.
type Writer struct {
	Store Store
	Bulk  Bulk
	Now   func() time.Time
	// Listens and Since are handed to the store as they are.
	Listens []string
	Since   time.Time
	// Confirm reports whether a consent by somebody of a country counts only when it
	// is confirmed (double opt-in); nil: none does.
	Confirm func(c lifecycle.Consent, country string) bool

	known    idCache
	repeated bool // the last batch met rows that were already there
}

// Write writes items. Writing them again changes nothing. Should the store
// refuse the data of a batch, the batch is halved until the item at fault stands
// alone and is rejected: one bad row never takes others with it.
func (w *Writer) Write(ctx context.Context, items []Item) (Written, error) {
	out, err := w.write(ctx, items)
	if lifecycle.CodeOf(err) != lifecycle.Invalid || len(items) == 0 {
		return out, err
	}
	if len(items) == 1 {
		return Written{Rejected: []RejectedItem{{0, reject("", "is refused by the store")}}}, nil
	}
	half := len(items) / 2
	out, err = w.Write(ctx, items[:half])
	if err != nil {
		return out, err
	}
	rest, err := w.Write(ctx, items[half:])
	for _, r := range rest.Rejected {
		out.Rejected = append(out.Rejected, RejectedItem{half + r.Index, r.Err})
	}
	out.New, out.Present, out.Created = out.New+rest.New, out.Present+rest.Present, out.Created+rest.Created
	return out, err
}

func (w *Writer) write(ctx context.Context, items []Item) (Written, error) {
	var out Written
	now := w.Now().UTC()
	if err := w.customers(ctx, items, now, &out); err != nil {
		return out, err
	}
	ids, err := w.resolve(ctx, items, now, &out)
	if err != nil {
		return out, err
	}
	var touched []int // items of the batch's touches
	batch := postgres.BulkBatch{Fresh: !w.repeated, Listens: w.Listens, Since: w.Since}
	for i := range items {
		external := items[i].externalID()
		if external == "" {
			continue
		}
		id, ok := ids[external]
		if !ok {
			out.Rejected = append(out.Rejected, RejectedItem{i, reject("external_id", "belongs to a customer who was erased")})
			continue
		}
		switch m := items[i].Message; {
		case m.Order != nil:
			o := postgres.BulkOrder{Event: bulkEvent(&m.Order.Event, id, now)}
			o.Order, o.Coupon, o.ReceivedAt = m.Order.Order, m.Order.Coupon, now
			o.CustomerID, o.Of = id, m.Order.Of
			batch.Orders = append(batch.Orders, o)
		case m.Touch != nil:
			touch := m.Touch.BulkTouch
			touch.Touch.CustomerID = id
			batch.Touches, touched = append(batch.Touches, touch), append(touched, i)
		case m.Event != nil:
			batch.Events = append(batch.Events, bulkEvent(m.Event, id, now))
		}
	}
	given := len(batch.Events) + len(batch.Orders) + len(batch.Touches)
	if given == 0 {
		return out, nil
	}
	result, err := w.Bulk.WriteBatch(ctx, batch)
	if err != nil {
		return out, err
	}
	for _, i := range result.Refused {
		out.Rejected = append(out.Rejected, RejectedItem{touched[i], reject("arm", "is not the one stored for the same entry")})
	}
	fresh := result.Events + result.Orders + result.Touches
	out.New += fresh
	out.Present += given - fresh - len(result.Refused)
	w.repeated = fresh < given
	return out, nil
}

func bulkEvent(e *EventRow, id lifecycle.CustomerID, now time.Time) postgres.BulkEvent {
	return postgres.BulkEvent{ID: e.ID, CustomerID: id, Name: e.Name, At: e.At, ReceivedAt: now, Source: e.Source, Properties: e.Properties}
}

// externalID is the customer an item's event or order belongs to.
func (it *Item) externalID() string {
	switch {
	case it.Order != nil:
		return it.Order.ExternalID
	case it.Touch != nil:
		return it.Touch.ExternalID
	case it.Event != nil:
		return it.Event.ExternalID
	}
	return ""
}

// customers writes the described customers, those described twice once.
func (w *Writer) customers(ctx context.Context, items []Item, now time.Time, out *Written) error {
	described := map[string]*CustomerRow{}
	var order []string
	rows := 0
	for i := range items {
		c := items[i].Customer
		if c == nil || c.Hint {
			continue
		}
		rows++
		if earlier := described[c.Customer.ExternalID]; earlier != nil {
			earlier.merge(c)
			continue
		}
		described[c.Customer.ExternalID] = c
		order = append(order, c.Customer.ExternalID)
	}
	if rows == 0 {
		return nil
	}
	list := make([]*CustomerRow, len(order))
	for i, id := range order {
		list[i] = described[id]
	}
	inserted, err := w.upsert(ctx, list, now)
	out.New += inserted
	out.Present += rows - inserted
	return err
}

func (w *Writer) upsert(ctx context.Context, list []*CustomerRow, now time.Time) (int, error) {
	customers := make([]lifecycle.Customer, len(list))
	var consents []ledger.ConsentRow
	for i, c := range list {
		customers[i] = c.Customer
		for _, consent := range c.Consents {
			if w.Confirm != nil && w.Confirm(consent, c.Customer.Country) {
				consent.State = lifecycle.ConsentPending
			}
			consents = append(consents, ledger.ConsentRow{ExternalID: c.Customer.ExternalID, Consent: consent})
		}
	}
	return w.Store.UpsertCustomers(ctx, customers, consents, now)
}

// resolve finds the customers of events and orders, creating those that are not
// known from what the items say of them.
func (w *Writer) resolve(ctx context.Context, items []Item, now time.Time, out *Written) (map[string]lifecycle.CustomerID, error) {
	ids := map[string]lifecycle.CustomerID{}
	var ask []string
	for i := range items {
		external := items[i].externalID()
		if external == "" {
			continue
		}
		if _, asked := ids[external]; asked {
			continue
		}
		id, _ := w.known.get(external) // not known: asked for below
		ids[external] = id
		if id == "" {
			ask = append(ask, external)
		}
	}
	if len(ask) == 0 {
		return ids, nil
	}
	missing, err := w.lookup(ctx, ask, ids)
	if err != nil || len(missing) == 0 {
		return ids, err
	}
	created, err := w.upsert(ctx, strangers(items, missing), now)
	if err != nil {
		return nil, err
	}
	out.Created += created
	_, err = w.lookup(ctx, missing, ids)
	return ids, err
}

// lookup fills ids and returns the external ids the store does not know, which
// it takes out of ids.
func (w *Writer) lookup(ctx context.Context, ask []string, ids map[string]lifecycle.CustomerID) ([]string, error) {
	found, err := w.Store.ActiveCustomerIDs(ctx, ask)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, external := range ask {
		id, ok := found[external]
		if !ok {
			delete(ids, external)
			missing = append(missing, external)
			continue
		}
		ids[external] = id
		w.known.put(external, id)
	}
	return missing, nil
}

// strangers describes unknown customers by what the items say of them. Their
// sign-up is the first instant they are heard of.
func strangers(items []Item, missing []string) []*CustomerRow {
	unknown := make(map[string]*CustomerRow, len(missing))
	for _, external := range missing {
		unknown[external] = &CustomerRow{Customer: lifecycle.Customer{ExternalID: external}}
	}
	first := map[string]time.Time{}
	for i := range items {
		c := unknown[items[i].externalID()]
		if c == nil {
			continue
		}
		at, who := time.Time{}, items[i].Customer
		switch {
		case items[i].Order != nil:
			at, who = items[i].Order.Order.At, items[i].Order.Who
		case items[i].Touch != nil:
			at = items[i].Touch.At
		default:
			at = items[i].Event.At
		}
		external := items[i].externalID()
		if f, seen := first[external]; !seen || at.Before(f) {
			first[external] = at
		}
		if who != nil {
			c.merge(who)
		}
	}
	list := make([]*CustomerRow, len(missing))
	for i, external := range missing {
		c := unknown[external]
		if c.Customer.CreatedAt.IsZero() {
			c.Customer.CreatedAt = first[external]
		}
		list[i] = c
	}
	return list
}

// cacheSize bounds each of the two generations of an idCache.
const cacheSize = 100_000

// idCache remembers the customers met lately in bounded memory: when the young
// generation is full, the old one is forgotten.
type idCache struct {
	young, old map[string]lifecycle.CustomerID
}

func (c *idCache) get(external string) (lifecycle.CustomerID, bool) {
	if id, ok := c.young[external]; ok {
		return id, true
	}
	id, ok := c.old[external]
	if ok {
		c.put(external, id)
	}
	return id, ok
}

func (c *idCache) put(external string, id lifecycle.CustomerID) {
	if c.young == nil || len(c.young) >= cacheSize {
		c.old, c.young = c.young, make(map[string]lifecycle.CustomerID)
	}
	c.young[external] = id
}
