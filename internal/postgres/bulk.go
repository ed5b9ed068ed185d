package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// BulkEvent is an event as it is written in bulk: properties stay the JSON they
// arrived as.
type BulkEvent struct {
	ID         lifecycle.EventID
	CustomerID lifecycle.CustomerID
	Name       string
	At         time.Time
	ReceivedAt time.Time
	Source     string
	Properties []byte // a JSON object
	Visitor    string // as in Tracked.Visitor, where the event names nobody else
}

// BulkOrder is an order with the event it stands for: the event is written when
// and only when the order is new.
type BulkOrder struct {
	ledger.OrderRow
	Of    string // the order that a refund is about
	Event BulkEvent
}

// BulkBatch is what one transaction writes.
type BulkBatch struct {
	Orders  []BulkOrder
	Events  []BulkEvent
	Touches []BulkTouch
	// Fresh says that the events are probably new: they are copied, and only if
	// one proves to be present is the batch inserted row by row.
	Fresh bool
	// tracked batches come from live sources, which repeat a message under a
	// slightly different instant: an event is present when its id is, within two
	// days of its instant. Their new events count for the customers' affinities.
	tracked bool
	// Listens names the events that go to the outbox unless they happened before
	// Since. Empty: none.
	Listens []string
	Since   time.Time
}

// BulkResult counts what was new.
type BulkResult struct {
	Orders int
	Events int // of Events, those of orders not counted
	// Touches counts new touches, and new entries of the held-out; Refused are the
	// indices of those that contradict the arm of their entry.
	Touches int
	Refused []int
}

// ActiveCustomerIDs returns our ids of the customers with these external ids;
// those who are unknown or were erased are left out.
func (s *Store) ActiveCustomerIDs(ctx context.Context, externalIDs []string) (map[string]lifecycle.CustomerID, error) {
	rows, err := s.pool.Query(ctx, `select n.external_id, r.id::text from customers n join customers r on r.id = coalesce(n.merged_into, n.id)
		where n.external_id = any($1::text[]) and r.erased_at is null`, externalIDs)
	if err != nil {
		return nil, translate(err, "look up customers")
	}
	ids := make(map[string]lifecycle.CustomerID, len(externalIDs))
	var external, id string
	_, err = pgx.ForEachRow(rows, []any{&external, &id}, func() error {
		ids[external] = lifecycle.CustomerID(id)
		return nil
	})
	return ids, translate(err, "look up customers")
}

// WriteBatch writes a batch in one transaction. Writing it again changes nothing.
func (s *Store) WriteBatch(ctx context.Context, batch BulkBatch) (BulkResult, error) {
	instants := make([]time.Time, 0, len(batch.Events)+len(batch.Orders))
	for i := range batch.Events {
		instants = append(instants, batch.Events[i].At)
	}
	for i := range batch.Orders {
		instants = append(instants, batch.Orders[i].Event.At)
	}
	if err := s.ensure(ctx, eventsTable, instants...); err != nil {
		return BulkResult{}, err
	}
	instants = instants[:0]
	for i := range batch.Touches {
		for _, at := range []time.Time{batch.Touches[i].At, batch.Touches[i].Opened, batch.Touches[i].Clicked} {
			if !at.IsZero() {
				instants = append(instants, at)
			}
		}
	}
	if err := s.ensure(ctx, historyTable, instants...); err != nil {
		return BulkResult{}, err
	}
	var result BulkResult
	err := s.transaction(ctx, "write batch", func(q *dbsqlc.Queries, tx pgx.Tx) (err error) {
		result, err = writeBatch(ctx, q, tx, batch)
		return err
	})
	return result, err
}

func writeBatch(ctx context.Context, q *dbsqlc.Queries, tx pgx.Tx, batch BulkBatch) (BulkResult, error) {
	var result BulkResult
	fresh, err := insertBulkOrders(ctx, q, tx, batch.Orders)
	if err != nil {
		return result, err
	}
	result.Orders = len(fresh)
	if result.Touches, result.Refused, err = insertBulkTouches(ctx, q, tx, batch.Touches); err != nil {
		return result, err
	}
	events := make([]BulkEvent, 0, len(fresh))
	for i := range batch.Orders {
		if fresh[batch.Orders[i].ExternalID] {
			events = append(events, batch.Orders[i].Event)
			delete(fresh, batch.Orders[i].ExternalID)
		}
	}
	if _, err := insertBulkEvents(ctx, tx, events, batch); err != nil {
		return result, err
	}
	if batch.Fresh && len(batch.Listens) == 0 && len(batch.Events) > 0 {
		copied, err := bulkCopyEvents(ctx, tx, batch.Events)
		if err != nil {
			return result, err
		}
		if copied {
			result.Events = len(batch.Events)
			return result, nil
		}
	}
	written, err := insertBulkEvents(ctx, tx, batch.Events, batch)
	result.Events = written.fresh
	return result, err
}

// lockBuckets bounds the advisory locks of one batch; names share them.
const lockBuckets = 256

const insertBulkOrdersSQL = `
insert into orders (external_id, customer_id, at, total, currency, items, first_item, coupon, received_at, of_order)
select id, customer, at, total, currency, items, first, coupon, received, nullif(base, '')
from unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::text[], $6::int[], $7::text[], $8::text[], $9::timestamptz[], $10::text[])
    as u (id, customer, at, total, currency, items, first, coupon, received, base)
on conflict (external_id) do nothing
returning external_id`

// insertBulkOrders returns the external ids of the orders that were new.
func insertBulkOrders(ctx context.Context, q *dbsqlc.Queries, tx pgx.Tx, orders []BulkOrder) (map[string]bool, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	sorted := make([]*BulkOrder, len(orders))
	for i := range orders {
		sorted[i] = &orders[i]
	}
	// One order of rows for all writers, so that they cannot deadlock on them.
	slices.SortStableFunc(sorted, func(a, b *BulkOrder) int { return strings.Compare(a.ExternalID, b.ExternalID) })
	n := len(sorted)
	ids, customers, currencies := make([]string, n), make([]string, n), make([]string, n)
	firsts, coupons, bases := make([]string, n), make([]string, n), make([]string, n)
	ats, received := make([]time.Time, n), make([]time.Time, n)
	totals, items := make([]int64, n), make([]int32, n)
	for i, o := range sorted {
		ids[i], customers[i], currencies[i] = o.ExternalID, string(o.CustomerID), o.Total.Currency
		firsts[i], coupons[i], ats[i], received[i] = o.FirstItem, o.Coupon, instant(o.At), instant(o.ReceivedAt)
		totals[i], items[i], bases[i] = o.Total.Amount, int32(o.Items), o.Of
	}
	if err := q.LockStats(ctx, customers); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, insertBulkOrdersSQL, ids, customers, ats, totals, currencies, items, firsts, coupons, received, bases)
	if err != nil {
		return nil, err
	}
	added, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(added) == 0 {
		return nil, err
	}
	if err := q.AddOrdersToStats(ctx, added); err != nil {
		return nil, err
	}
	fresh := make(map[string]bool, len(added))
	for _, id := range added {
		fresh[id] = true
	}
	return fresh, nil
}

const insertBulkEventsSQL = `
with given as (
    select distinct on (id) * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $11::text[])
        as u (id, customer_id, name, occurred_at, received_at, source, properties, visitor)
    order by id
), fresh as (
    insert into events (id, customer_id, name, occurred_at, received_at, source, properties, visitor_id)
    select id, customer_id, name, occurred_at, received_at, source, properties::jsonb, nullif(visitor, '')::uuid from given g
    where not $8 or (
        select true from events e where e.id = g.id
            and e.occurred_at between g.occurred_at - interval '2 days' and g.occurred_at + interval '2 days' limit 1) is null
    on conflict do nothing
    returning id, customer_id, name, occurred_at, visitor_id
), routed as (
    insert into event_outbox (event_id, occurred_at, customer_id, name)
    select id, occurred_at, customer_id, name from fresh
    where name = any($9::text[]) and occurred_at >= $10 and customer_id is distinct from visitor_id order by occurred_at, id
), liked as (
    insert into customer_affinities (customer_id, name, weight)
    select f.customer_id, a.name, sum(a.weight * affinity_factor(f.occurred_at))
    from fresh f join given g on g.id = f.id cross join lateral event_affinities(g.name, g.properties::jsonb) a
    where $8 and affinity_signal(f.name) is not null group by 1, 2 order by 1, 2
    on conflict (customer_id, name) do update set weight = customer_affinities.weight + excluded.weight
)
select count(*), coalesce(array_agg(distinct customer_id::text)
    filter (where $8 and cart_event(name) and customer_id is distinct from visitor_id), '{}') from fresh`

// writtenEvents says how many events were new, and whose carts tracked ones change.
type writtenEvents struct {
	fresh int
	carts []string
}

// insertBulkEvents writes events; those without an owner are not routed.
func insertBulkEvents(ctx context.Context, tx pgx.Tx, events []BulkEvent, batch BulkBatch) (written writtenEvents, err error) {
	if len(events) == 0 {
		return written, nil
	}
	n := len(events)
	ids, customers, names := make([]string, n), make([]string, n), make([]string, n)
	sources, properties, visitors := make([]string, n), make([]string, n), make([]string, n)
	ats, received := make([]time.Time, n), make([]time.Time, n)
	for i := range events {
		e := &events[i]
		ids[i], customers[i], names[i], visitors[i] = string(e.ID), string(e.CustomerID), e.Name, e.Visitor
		ats[i], received[i], sources[i], properties[i] = instant(e.At), instant(e.ReceivedAt), e.Source, string(e.Properties)
	}
	listens := batch.Listens
	if listens == nil {
		listens = []string{}
	}
	err = tx.QueryRow(ctx, insertBulkEventsSQL, ids, customers, names, ats, received, sources, properties,
		batch.tracked, listens, batch.Since, visitors).Scan(&written.fresh, &written.carts)
	return written, err
}

// bulkCopyEvents copies all events or, when one of them is already present, none.
func bulkCopyEvents(ctx context.Context, tx pgx.Tx, events []BulkEvent) (bool, error) {
	buf := bulkBuffers.Get().(*bytes.Buffer)
	defer bulkBuffers.Put(buf)
	buf.Reset()
	if err := encodeBulkEvents(buf, events); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "savepoint copying"); err != nil {
		return false, err
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, buf,
		"copy events (id, customer_id, name, occurred_at, received_at, source, properties) from stdin binary")
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "23505" {
		_, err := tx.Exec(ctx, "rollback to savepoint copying")
		return false, err
	}
	return err == nil, err
}

var bulkBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// postgresEpoch is where PostgreSQL counts microseconds from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// encodeBulkEvents writes events in the binary format of COPY (PostgreSQL manual,
// COPY, "Binary Format"): about a third of the work of encoding through
// generic values.
func encodeBulkEvents(buf *bytes.Buffer, events []BulkEvent) error {
	buf.WriteString("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	scratch := make([]byte, 0, 1024)
	for i := range events {
		e := &events[i]
		id, err := uuid.Parse(string(e.ID))
		if err != nil {
			return lifecycle.Errorf(lifecycle.Invalid, "event id is not a UUID: %w", err)
		}
		customer, err := uuid.Parse(string(e.CustomerID))
		if err != nil {
			return lifecycle.Errorf(lifecycle.Invalid, "customer id is not a UUID: %w", err)
		}
		b := binary.BigEndian.AppendUint16(scratch[:0], 7)
		b = append(binary.BigEndian.AppendUint32(b, 16), id[:]...)
		b = append(binary.BigEndian.AppendUint32(b, 16), customer[:]...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(e.Name))), e.Name...)
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(instant(e.At).UnixMicro()-postgresEpoch))
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(instant(e.ReceivedAt).UnixMicro()-postgresEpoch))
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(e.Source))), e.Source...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(e.Properties)+1)), 1) // jsonb version
		b = append(b, e.Properties...)
		buf.Write(b)
		scratch = b
	}
	buf.Write([]byte{0xff, 0xff})
	return nil
}
