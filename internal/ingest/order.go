package ingest

import (
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// OrderRow is an order with the event it stands for, before its customer is
// looked up. Who describes the customer, for the case that it is not known.
type OrderRow struct {
	ExternalID string // of the customer
	Order      lifecycle.Order
	Coupon     string
	Event      EventRow
	Who        *CustomerRow // nil when the source says nothing of the customer
	// Of tracked order events: see postgres.TrackedOrder.
	Change    postgres.OrderChange
	Of        string
	Remainder bool
}

// product is one line of an order as the event shows it.
type product struct {
	Name     string      `json:"name"`
	Quantity json.Number `json:"quantity,omitempty"`
	Price    json.Number `json:"price,omitempty"`
}

// maxProducts bounds the products an event lists; copy shows a handful.
const maxProducts = 20

// orderLine is a row of an orders file: a whole order, or one line of it.
type orderLine struct {
	orderID  string
	who      *CustomerRow
	at       time.Time
	total    decimal.Decimal
	currency string
	items    decimal.Decimal
	name     string
	coupon   string
}

// order decodes the columns of an order, or of one of its lines.
func (p *plan) order(r *row) (*orderLine, error) {
	l := &orderLine{}
	var err error
	if l.orderID, err = p.required("order_id", r, maxID); err != nil {
		return nil, err
	}
	if l.at, err = p.instant("at", r); err != nil {
		return nil, err
	}
	if l.currency, err = p.text("currency", r, maxShort); err != nil {
		return nil, err
	}
	if l.currency == "" {
		l.currency = p.currency
	}
	if err := currency("currency", l.currency, p.currency); err != nil {
		return nil, err
	}
	if l.total, err = p.values["total"].number("total", r); err != nil {
		return nil, err
	}
	if s, err := p.values["items"].get(r); err != nil {
		return nil, err
	} else if s != "" {
		if l.items, err = p.values["items"].number("items", r); err != nil {
			return nil, err
		}
	}
	if l.name, err = p.text("first_item", r, maxWording); err != nil {
		return nil, err
	}
	if l.coupon, err = p.text("coupon", r, maxShort); err != nil {
		return nil, err
	}
	if l.who, err = p.customer(r); err != nil {
		return nil, err
	}
	return l, nil
}

// product is the line as a product of its order.
func (l *orderLine) product() product {
	return product{Name: l.name, Quantity: json.Number(l.items.String())}
}

// row turns a whole order into what is stored.
func (l *orderLine) row(products []product) (*OrderRow, error) {
	total, err := money("total", l.total, l.currency)
	if err != nil {
		return nil, err
	}
	items := l.items.Abs().Round(0)
	if items.GreaterThan(decimal.NewFromInt(1e9)) {
		return nil, reject("items", "is out of range")
	}
	o := lifecycle.Order{
		ExternalID: l.orderID, At: l.at, Total: total, Items: int(items.IntPart()), FirstItem: l.name,
	}
	return newOrderRow(l.who.Customer.ExternalID, o, l.coupon, "import", products, l.who)
}

// newOrderRow completes an order with its event.
func newOrderRow(externalID string, o lifecycle.Order, coupon, source string, products []product, who *CustomerRow) (*OrderRow, error) {
	name := OrderCompleted
	if o.Total.Amount < 0 {
		name = OrderRefunded
	}
	properties, err := json.Marshal(struct {
		OrderID  string      `json:"order_id"`
		Total    json.Number `json:"total"`
		Currency string      `json:"currency"`
		Coupon   string      `json:"coupon,omitempty"`
		Items    int         `json:"items,omitempty"`
		Products []product   `json:"products,omitempty"`
	}{o.ExternalID, majorUnits(o.Total), o.Total.Currency, coupon, o.Items, products})
	if err != nil {
		return nil, reject("", "cannot be written as an event")
	}
	return &OrderRow{ExternalID: externalID, Order: o, Coupon: coupon, Who: who, Event: EventRow{
		ExternalID: externalID, ID: OrderEventID(o.ExternalID), Name: name, At: o.At, Source: source, Properties: properties,
	}}, nil
}

// majorUnits writes money as the decimal number the e-commerce events use.
func majorUnits(m lifecycle.Money) json.Number {
	return json.Number(decimal.New(m.Amount, -int32(lifecycle.MinorDigits(m.Currency))).String())
}
