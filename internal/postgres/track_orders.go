package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/postgres/dbsqlc"
)

// OrderChange says what an order event does to orders.
type OrderChange string

// Order changes. Refunds and cancellations are rows of their own with a negative
// total, whose Of names the order.
const (
	OrderPlaced  OrderChange = "placed"
	OrderUpdated OrderChange = "updated" // states the order's total anew
	OrderReduced OrderChange = "reduced" // takes back its own total, or with Remainder all that is left
)

// TrackedOrder is an order event.
type TrackedOrder struct {
	ledger.OrderRow
	Change    OrderChange
	Of        string // the order that a reduction is about
	Remainder bool
	Visitor   string // filled in by Track
	Event     BulkEvent
}

// insertTrackedOrdersSQL returns the orders that were new.
const insertTrackedOrdersSQL = `
insert into orders (external_id, customer_id, visitor_id, at, total, currency, items, first_item, coupon, received_at, of_order, remainder, stated_at, placed)
select id, customer, nullif(visitor, '')::uuid, at, total, currency, items, first, coupon, received, nullif(base, ''), rest,
    case change when 'updated' then at end, change <> 'updated'
from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[], $6::text[], $7::int[], $8::text[], $9::text[], $10::timestamptz[],
    $11::text[], $12::bool[], $13::text[]) as u (id, customer, visitor, at, total, currency, items, first, coupon, received, base, rest, change)
on conflict (external_id) do nothing
returning external_id`

// placeOrderSQL is for an order of which only a change was known: its instant is
// that of the order, and its total too if that change is older.
const placeOrderSQL = `
update orders set at = $2, placed = true,
    total = case when stated_at < $2 then $3 else total end, items = case when stated_at < $2 then $4 else items end,
    first_item = case when stated_at < $2 then $5 else first_item end, coupon = case when stated_at < $2 then $6 else coupon end,
    stated_at = case when stated_at < $2 then null else stated_at end
where external_id = $1 and not placed and of_order is null`

// updateOrderSQL states an order anew, if this is the latest statement; of two at
// the same instant the one with the greater total.
const updateOrderSQL = `
update orders set at = case when placed then at else least(at, $2) end,
    total = case when newer then $3 else total end, items = case when newer then $4 else items end,
    first_item = case when newer then $5 else first_item end, coupon = case when newer then $6 else coupon end,
    stated_at = greatest(stated_at, $2)
from (select external_id as id, ($2, $3) > (coalesce(stated_at, at), total) as newer from orders where external_id = $1 for update) o
where external_id = o.id and of_order is null and (newer or not placed and $2 < at)`

// orders writes order events and returns the events that go with them: that of an
// order only with the order.
func (t *tracking) orders(ctx context.Context, orders []TrackedOrder) ([]BulkEvent, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	// One order of rows for all writers; an order before its changes.
	slices.SortStableFunc(orders, func(a, b TrackedOrder) int {
		return cmp.Or(cmp.Compare(a.ExternalID, b.ExternalID), cmp.Compare(rank(a.Change), rank(b.Change)), a.At.Compare(b.At))
	})
	fresh, err := t.insertOrders(ctx, orders)
	if err != nil {
		return nil, err
	}
	var events []BulkEvent
	var bases []string
	recount := false
	for i := range orders {
		o := &orders[i]
		bases = append(bases, cmp.Or(o.Of, o.ExternalID))
		isNew := fresh[o.ExternalID]
		delete(fresh, o.ExternalID)
		switch {
		case isNew:
		case o.Change == OrderPlaced:
			if isNew, err = t.changeOrder(ctx, placeOrderSQL, o); err != nil {
				return nil, err
			}
			recount = recount || isNew
		case o.Change == OrderUpdated:
			changed, err := t.changeOrder(ctx, updateOrderSQL, o)
			if err != nil {
				return nil, err
			}
			recount = recount || changed
		case o.Remainder: // of several cancellations the first counts
			if _, err := t.tx.Exec(ctx, `update orders set at = $2 where external_id = $1 and remainder and at > $2`, o.ExternalID, instant(o.At)); err != nil {
				return nil, err
			}
		}
		if isNew || o.Change == OrderUpdated || o.Remainder {
			events = append(events, o.Event)
		}
	}
	settled, err := t.q.SettleOrders(ctx, bases)
	if err != nil {
		return nil, err
	}
	if settled == 0 && !recount {
		return events, nil
	}
	owners, err := t.q.OwnersOfOrders(ctx, bases)
	if err != nil {
		return nil, err
	}
	if err := t.q.LockStats(ctx, owners); err != nil {
		return nil, err
	}
	return events, t.q.RecountOrders(ctx, owners)
}

// changeOrder applies an event to an order that is there. As long as only changes
// of the order are known, its instant may move, and with it what the purchase says
// about engagement.
func (t *tracking) changeOrder(ctx context.Context, sql string, o *TrackedOrder) (changed bool, err error) {
	var owner string
	err = t.tx.QueryRow(ctx, `select customer_id::text from orders where external_id = $1 and not placed for update`, o.ExternalID).Scan(&owner)
	moves := err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, err
	}
	if moves {
		if err := t.shift(ctx, owner, -1, o.ExternalID); err != nil {
			return false, err
		}
	}
	tag, err := t.tx.Exec(ctx, sql, o.ExternalID, instant(o.At), o.Total.Amount, o.Items, o.FirstItem, o.Coupon)
	if err != nil {
		return false, err
	}
	if moves {
		err = t.shift(ctx, owner, 1, o.ExternalID)
	}
	return tag.RowsAffected() > 0, err
}

// shift adds the purchases among orders to a customer's engagement, or takes them away.
func (t *tracking) shift(ctx context.Context, customer string, sign float64, orders ...string) error {
	return t.q.ShiftEngagement(ctx, dbsqlc.ShiftEngagementParams{ExternalIds: orders, Sign: sign, CustomerID: customer})
}

func rank(c OrderChange) int {
	if c == OrderUpdated {
		return 1
	}
	return 0
}

func (t *tracking) insertOrders(ctx context.Context, orders []TrackedOrder) (map[string]bool, error) {
	n := len(orders)
	ids, customers, visitors, currencies := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	firsts, coupons, bases, changes := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	ats, received := make([]time.Time, n), make([]time.Time, n)
	totals, items, rests := make([]int64, n), make([]int32, n), make([]bool, n)
	for i := range orders {
		o := &orders[i]
		ids[i], customers[i], visitors[i], currencies[i] = o.ExternalID, string(o.CustomerID), o.Visitor, o.Total.Currency
		firsts[i], coupons[i], bases[i], changes[i] = o.FirstItem, o.Coupon, o.Of, string(o.Change)
		ats[i], received[i] = instant(o.At), instant(o.ReceivedAt)
		totals[i], items[i], rests[i] = o.Total.Amount, int32(o.Items), o.Remainder
	}
	if err := t.q.LockStats(ctx, customers); err != nil {
		return nil, err
	}
	rows, err := t.tx.Query(ctx, insertTrackedOrdersSQL, ids, customers, visitors, ats, totals, currencies, items, firsts, coupons, received, bases, rests, changes)
	if err != nil {
		return nil, err
	}
	added, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(added) == 0 {
		return nil, err
	}
	fresh := make(map[string]bool, len(added))
	for _, id := range added {
		fresh[id] = true
	}
	return fresh, t.q.AddOrdersToStats(ctx, added)
}
