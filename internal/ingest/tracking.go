package ingest

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"touchstone/internal/lifecycle"
)

// Limits of the tracking API.
const (
	MaxMessage = 32 << 10  // bytes of one message
	MaxBatch   = 500 << 10 // bytes of one batch
	MaxCount   = 2500      // messages of one batch
)

// Tracker decodes messages of the tracking API as Segment's libraries send
// them: identify, track, page and screen.
type Tracker struct {
	Currency string    // the brand's; ISO 4217
	Now      time.Time // when the messages were received
	Source   string    // written into events
	// Archived messages come from a file: their instants are taken as they stand,
	// and each must have one.
	Archived bool

	zones zones
}

// Message is one decoded message: what it says about a customer, an event, an
// order with its event, or a touch of the past.
type Message struct {
	Customer *CustomerRow
	Event    *EventRow
	Order    *OrderRow
	Touch    *TouchRow
}

// wireMessage is a message as it arrives.
type wireMessage struct {
	Type              string                     `json:"type"`
	MessageID         string                     `json:"messageId"`
	UserID            json.RawMessage            `json:"userId"` // some sources send numbers
	AnonymousID       string                     `json:"anonymousId"`
	Event             string                     `json:"event"`
	Name              string                     `json:"name"`
	Timestamp         string                     `json:"timestamp"`
	OriginalTimestamp string                     `json:"originalTimestamp"`
	SentAt            string                     `json:"sentAt"`
	Properties        json.RawMessage            `json:"properties"`
	Traits            map[string]json.RawMessage `json:"traits"`
	Context           struct {
		Timezone string `json:"timezone"`
		Locale   string `json:"locale"`
		IP       string `json:"ip"`
		Agent    string `json:"userAgent"`
	} `json:"context"`
}

// looksTracked reports whether a JSON object is a tracking message or a batch
// of them rather than a row of ours.
func looksTracked(object map[string]json.RawMessage) bool {
	if batch, ok := object["batch"]; ok && len(batch) > 0 && batch[0] == '[' {
		return true
	}
	kind, _ := plainText(object["type"]) // absent: not tracked
	switch kind {
	case "identify", "track", "page", "screen", "alias", "group":
		return object["userId"] != nil || object["anonymousId"] != nil
	}
	return false
}

// SplitBatch returns the messages of {"batch":[...]}, with the sentAt of the
// batch. It checks the limits on count; each message is checked when decoded.
func SplitBatch(raw []byte) (messages []json.RawMessage, sentAt string, err error) {
	var b struct {
		Batch  []json.RawMessage `json:"batch"`
		SentAt string            `json:"sentAt"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, "", reject("", "is not a JSON object with a batch")
	}
	if b.Batch == nil {
		return nil, "", reject("batch", "is missing")
	}
	if len(b.Batch) > MaxCount {
		return nil, "", reject("batch", "has more than %d messages", MaxCount)
	}
	return b.Batch, b.SentAt, nil
}

// Decode reads one message. kind is the type the door implies ("track"), empty
// when the message names its own; sentAt is that of the batch around it.
func (t *Tracker) Decode(raw []byte, kind, sentAt string) (Message, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > MaxMessage {
		return Message{}, reject("", "is larger than %d KB", MaxMessage>>10)
	}
	if err := document("message", raw); err != nil {
		return Message{}, err
	}
	var w wireMessage
	if err := json.Unmarshal(raw, &w); err != nil {
		return Message{}, reject("", "has a field of the wrong type: %s", wrongType(err))
	}
	if kind != "" {
		w.Type = kind
	}
	if w.SentAt == "" {
		w.SentAt = sentAt
	}
	user, _ := plainText(w.UserID) // absent: refused below
	if user == "" {
		return Message{}, reject("userId", "is missing: only known customers can be written to")
	}
	if err := text("userId", user, maxID); err != nil {
		return Message{}, err
	}
	if err := text("messageId", w.MessageID, maxMessage); err != nil {
		return Message{}, err
	}
	at, stated, err := t.when(&w)
	if err != nil {
		return Message{}, err
	}
	switch w.Type {
	case "identify":
		c, err := t.identify(&w, user, at)
		return Message{Customer: c}, err
	case "track", "page", "screen":
		return t.track(&w, user, at, stated)
	}
	return Message{}, reject("type", "is not identify, track, page or screen")
}

func wrongType(err error) string {
	if e, ok := err.(*json.UnmarshalTypeError); ok && e.Field != "" {
		return e.Field + " is a " + e.Value
	}
	return "not a message"
}

// when returns the instant of the message corrected for a wrong clock at the
// sender, and the instant as it was stated. Correction is the one Segment
// documents: timestamp = receivedAt - (sentAt - originalTimestamp).
func (t *Tracker) when(w *wireMessage) (at, stated time.Time, err error) {
	name, s := "originalTimestamp", w.OriginalTimestamp
	if s == "" || (t.Archived && w.Timestamp != "") {
		name, s = "timestamp", w.Timestamp
	}
	if s == "" && t.Archived {
		return at, stated, reject("timestamp", "is missing")
	}
	if s == "" {
		return t.Now, t.Now, nil
	}
	var f instantFormat
	if stated, err = f.parse(s); err != nil {
		return at, stated, reject(name, "is not an RFC 3339 instant such as 2026-03-01T09:30:00Z")
	}
	stated = stated.UTC()
	at = stated
	if w.SentAt != "" && !t.Archived {
		sent, err := f.parse(w.SentAt)
		if err != nil {
			return at, stated, reject("sentAt", "is not an RFC 3339 instant such as 2026-03-01T09:30:00Z")
		}
		at = stated.Add(t.Now.Sub(sent)).UTC()
	}
	return at, stated, within(name, at, t.Now)
}

// track makes the event of a track, page or screen message, and the order of
// an order event.
func (t *Tracker) track(w *wireMessage, user string, at, stated time.Time) (Message, error) {
	e := EventRow{ExternalID: user, Name: w.Event, At: at, Source: t.Source, Properties: w.Properties}
	if w.Type != "track" {
		e.Name = map[string]string{"page": "Page Viewed", "screen": "Screen Viewed"}[w.Type]
		if w.Name != "" && len(bytes.TrimSpace(e.Properties)) == 0 {
			e.Properties = append(append([]byte(`{"name":`), quote(w.Name)...), '}')
		}
	}
	if err := required("event", e.Name, maxName); err != nil {
		return Message{}, err
	}
	if len(e.Properties) == 0 || string(e.Properties) == "null" {
		e.Properties = emptyObject
	}
	if err := document("properties", e.Properties); err != nil {
		return Message{}, err
	}
	e.ID = identify(w.MessageID, &e, stated)
	m := Message{}
	if z := w.Context.Timezone; z != "" && t.zones.zone("timezone", z) == nil {
		m.Customer = &CustomerRow{Customer: lifecycle.Customer{ExternalID: user, TimeZone: z}, Hint: true}
	}
	if w.Type == "track" && (e.Name == OrderCompleted || e.Name == OrderRefunded) {
		var err error
		if m.Order, err = t.order(&e); err != nil {
			return Message{}, err
		}
		m.Order.Who, m.Customer = m.Customer, nil
		return m, nil
	}
	m.Event = &e
	return m, nil
}

// orderProperties are those of Order Completed and Order Refunded that we use.
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

// order reads the order out of an order event. Both share the event id that an
// imported order of the same number has, so that the two doors never double. A
// refund is its own order, numbered after its event, with a negative total.
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
	sum, items, err := p.sum()
	if err != nil {
		return nil, err
	}
	total, err := money("total", sum, p.Currency)
	if err != nil {
		return nil, err
	}
	o := lifecycle.Order{ExternalID: orderID, At: e.At, Total: total, Items: items}
	if len(p.Products) > 0 {
		o.FirstItem = p.Products[0].Name
	}
	if e.Name == OrderRefunded {
		o.ExternalID = orderID + "/refund/" + string(e.ID)
		if o.Total.Amount > 0 {
			o.Total.Amount = -o.Total.Amount
		}
	} else if o.Total.Amount < 0 {
		return nil, reject("total", "is negative: send %s instead", OrderRefunded)
	}
	if err := text("name", o.FirstItem, maxWording); err != nil {
		return nil, err
	}
	event := *e
	event.ID = OrderEventID(o.ExternalID)
	return &OrderRow{ExternalID: e.ExternalID, Order: o, Coupon: p.Coupon, Event: event}, nil
}

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
		return products, 0, reject("total", "is missing: an order event needs total, revenue, or products with prices")
	}
	return products, count, nil
}
