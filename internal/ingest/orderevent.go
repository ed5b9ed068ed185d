package ingest

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/shopspring/decimal"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// orderChanges are the events that change orders, named as in the Segment
// e-commerce specification, and what each does.
var orderChanges = map[string]postgres.OrderChange{
	OrderCompleted: postgres.OrderPlaced,
	OrderUpdated:   postgres.OrderUpdated,
	OrderRefunded:  postgres.OrderReduced,
	OrderCancelled: postgres.OrderReduced,
}

// orderProperties are those of order events that we use.
type orderProperties struct {
	OrderID  json.RawMessage `json:"order_id"`
	Total    json.RawMessage `json:"total"`
	Revenue  json.RawMessage `json:"revenue"`
	Value    json.RawMessage `json:"value"`
	Currency string          `json:"currency"`
	Coupon   string          `json:"coupon"`
	Products []struct {
		Name     string          `json:"name"`
		Quantity json.RawMessage `json:"quantity"`
		Price    json.RawMessage `json:"price"`
	} `json:"products"`
}

// order reads the order out of an order event. An order and its event share the
// event id that an imported order of the same number has, so that the two doors
// never double. A refund is its own order, numbered after its event, with a
// negative total; one that states no amount, and a cancellation, take back all
// that is left of the order.
func (t *Tracker) order(e *EventRow) (*OrderRow, error) {
	var p orderProperties
	if err := json.Unmarshal(e.Properties, &p); err != nil {
		return nil, reject("properties", "have a field of the wrong type: %s", wrongType(err))
	}
	orderID, _ := plainText(p.OrderID) // absent: refused by required
	if err := required("order_id", orderID, maxID-60); err != nil {
		return nil, err
	}
	if p.Currency == "" {
		p.Currency = t.Currency
	}
	p.Currency = strings.ToUpper(p.Currency)
	if err := currency("currency", p.Currency, t.Currency); err != nil {
		return nil, err
	}
	if err := text("coupon", p.Coupon, maxShort); err != nil {
		return nil, err
	}
	out := &OrderRow{ExternalID: e.ExternalID, Coupon: p.Coupon, Event: *e, Change: orderChanges[e.Name]}
	sum, items, err := p.sum()
	out.Remainder = e.Name == OrderCancelled || e.Name == OrderRefunded && errors.Is(err, errNoTotal)
	if err != nil && !out.Remainder {
		return nil, err
	}
	total, err := money("total", sum, p.Currency)
	if err != nil {
		return nil, err
	}
	o := &out.Order
	*o = lifecycle.Order{ExternalID: orderID, At: e.At, Total: total, Items: items}
	if len(p.Products) > 0 {
		o.FirstItem = p.Products[0].Name
	}
	switch {
	case e.Name == OrderCancelled:
		o.ExternalID = orderID + "/cancelled"
	case e.Name == OrderRefunded:
		o.ExternalID = orderID + "/refund/" + string(e.ID)
		o.Total.Amount = min(o.Total.Amount, -o.Total.Amount)
	case o.Total.Amount < 0:
		return nil, reject("total", "is negative: send %s instead", OrderRefunded)
	}
	if out.Change == postgres.OrderReduced {
		out.Of = orderID
	}
	if out.Remainder {
		o.Total.Amount = 0 // follows from the order: see the store
	}
	if err := text("name", o.FirstItem, maxWording); err != nil {
		return nil, err
	}
	if e.Name == OrderCompleted || e.Name == OrderRefunded {
		out.Event.ID = OrderEventID(o.ExternalID)
	}
	return out, nil
}

// errNoTotal says that an order event states no amount.
var errNoTotal = reject("total", "is missing: an order event needs total, revenue, or products with prices")

// sum is the order's total: total, else revenue, else value, else what its
// products come to; and the number of items.
func (p *orderProperties) sum() (decimal.Decimal, int, error) {
	products, items := decimal.Zero, decimal.Zero
	priced := len(p.Products) > 0
	for _, line := range p.Products {
		quantity := decimal.NewFromInt(1)
		if s, ok := plainText(line.Quantity); ok {
			var err error
			if quantity, err = parseDecimal("quantity", s, false); err != nil {
				return products, 0, err
			}
		}
		items = items.Add(quantity)
		s, ok := plainText(line.Price)
		if !ok {
			priced = false
			continue
		}
		price, err := parseDecimal("price", s, false)
		if err != nil {
			return products, 0, err
		}
		products = products.Add(price.Mul(quantity))
	}
	if items.Abs().GreaterThan(decimal.NewFromInt(1e9)) {
		return products, 0, reject("quantity", "is out of range")
	}
	count := int(items.Abs().Round(0).IntPart())
	for _, raw := range []json.RawMessage{p.Total, p.Revenue, p.Value} {
		if s, ok := plainText(raw); ok {
			d, err := parseDecimal("total", s, false)
			return d, count, err
		}
	}
	if !priced {
		return products, count, errNoTotal
	}
	return products, count, nil
}
