package ingest

import (
	"bytes"
	"encoding/json"
	"time"

	"touchstone/internal/lifecycle"
)

// Limits of the tracking API.
const (
	MaxMessage = 32 << 10  // bytes of one message
	MaxBatch   = 500 << 10 // bytes of one batch
	MaxCount   = 2500      // messages of one batch
)

// Tracker decodes messages of the tracking API as Segment's libraries send
// them: identify, track, page, screen, group and alias.
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
	Who      Who // of tracking messages
	Customer *CustomerRow
	Event    *EventRow
	Order    *OrderRow
	Touch    *TouchRow
}

// Who says whom a tracking message is about, and when it happened.
type Who struct {
	User    string // the brand's id; empty: only a visitor
	Visitor string // UUID made of the anonymous id; empty: none
	At      time.Time
	// Former is an earlier id of User in an alias, and FormerVisitor the same read
	// as an anonymous id.
	Former, FormerVisitor string
}

// VisitorID identifies a visitor by the anonymous id of the source, which is not
// kept.
func VisitorID(anonymousID string) string { return string(derive("visitor", anonymousID)) }

// wireMessage is a message as it arrives.
type wireMessage struct {
	Type              string                     `json:"type"`
	MessageID         string                     `json:"messageId"`
	UserID            json.RawMessage            `json:"userId"` // some sources send numbers
	AnonymousID       json.RawMessage            `json:"anonymousId"`
	PreviousID        json.RawMessage            `json:"previousId"`
	GroupID           json.RawMessage            `json:"groupId"`
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
	who, err := w.who()
	if err != nil {
		return Message{}, err
	}
	if err := text("messageId", w.MessageID, maxMessage); err != nil {
		return Message{}, err
	}
	at, stated, err := t.when(&w)
	if err != nil {
		return Message{}, err
	}
	who.At = at
	m, err := t.decode(&w, who, stated)
	m.Who = who
	return m, err
}

func (t *Tracker) decode(w *wireMessage, who Who, stated time.Time) (Message, error) {
	switch w.Type {
	case "track", "page", "screen":
		return t.track(w, who, stated)
	case "identify", "group", "alias":
	default:
		return Message{}, reject("type", "is not identify, track, page, screen, group or alias")
	}
	if who.User == "" {
		return Message{}, reject("userId", "is missing: a visitor has no profile until there is an id")
	}
	switch w.Type {
	case "group":
		c, err := w.group(who.User)
		return Message{Customer: c}, err
	case "alias":
		return Message{}, nil // all is said in Who
	}
	c, err := t.identify(w, who.User, who.At)
	return Message{Customer: c}, err
}

// who reads whom the message is about.
func (w *wireMessage) who() (Who, error) {
	var who Who
	anonymous, previous := "", ""
	for _, f := range []struct {
		name string
		raw  json.RawMessage
		into *string
	}{{"userId", w.UserID, &who.User}, {"anonymousId", w.AnonymousID, &anonymous}, {"previousId", w.PreviousID, &previous}} {
		*f.into, _ = plainText(f.raw) // absent reads as empty
		if err := text(f.name, *f.into, maxID); err != nil {
			return who, err
		}
	}
	if who.User == "" && anonymous == "" {
		return who, reject("userId", "and anonymousId are missing: one of them says whom the message is about")
	}
	if anonymous != "" {
		who.Visitor = VisitorID(anonymous)
	}
	if w.Type != "alias" {
		return who, nil
	}
	if previous == "" {
		return who, reject("previousId", "is missing: it says who userId was before")
	}
	if previous == who.User {
		return who, reject("previousId", "is the userId itself")
	}
	who.Former, who.FormerVisitor = previous, VisitorID(previous)
	return who, nil
}

// group keeps the group and its traits as attributes of the customer: group_id,
// and group_ before the name of each trait.
func (w *wireMessage) group(user string) (*CustomerRow, error) {
	id, _ := plainText(w.GroupID) // absent: refused by required
	if err := required("groupId", id, maxID); err != nil {
		return nil, err
	}
	c := &CustomerRow{Customer: lifecycle.Customer{ExternalID: user, Attributes: map[string]any{"group_id": id}}}
	for name, raw := range w.Traits {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, reject("traits", "is not valid JSON")
		}
		if name != "id" {
			c.Customer.Attributes["group_"+name] = v
		}
	}
	return c, nil
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
func (t *Tracker) track(w *wireMessage, who Who, stated time.Time) (Message, error) {
	e := EventRow{ExternalID: who.User, Name: w.Event, At: who.At, Source: t.Source, Properties: w.Properties}
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
	if w.MessageID == "" && who.User == "" {
		e.ID = ContentEventID("visitor/"+who.Visitor, e.Name, stated, e.Properties)
	}
	m := Message{}
	if z := w.Context.Timezone; who.User != "" && z != "" && t.zones.zone("timezone", z) == nil {
		m.Customer = &CustomerRow{Customer: lifecycle.Customer{ExternalID: who.User, TimeZone: z}, Hint: true}
	}
	if orderChanges[e.Name] != "" && w.Type == "track" {
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
