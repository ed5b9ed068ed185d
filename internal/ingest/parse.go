package ingest

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"touchstone/internal/postgres"
)

// rawRow is one record as read.
type rawRow struct {
	line int64
	text []byte
	err  error // of the splitter
}

// parsedRow is one record decoded: messages to write, an order line to add up,
// a skip, or a refusal.
type parsedRow struct {
	rawRow
	skip  bool
	items []Message
	part  *orderLine
	fails []error // of single messages of a batch line
}

// parser decodes rows of one file. One parser serves one goroutine.
type parser struct {
	*plan
	csv     bool
	tracker *Tracker
	fields  []string
}

func (p *parser) parse(raw rawRow) parsedRow {
	out := parsedRow{rawRow: raw}
	if raw.err != nil {
		return out
	}
	if len(bytes.TrimSpace(raw.text)) == 0 {
		out.skip = true
		return out
	}
	if !utf8.Valid(raw.text) {
		out.err = reject("", "is not valid UTF-8")
		return out
	}
	if p.csv {
		r, err := p.plan.fields(string(raw.text), p.fields)
		if err != nil {
			out.err = err
			return out
		}
		p.fields = r.fields
		p.decode(&r, &out)
		return out
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw.text, &object); err != nil || object == nil {
		out.err = reject("", "is not a JSON object on one line")
		return out
	}
	if looksTracked(object) {
		p.tracked(raw.text, object, &out)
		return out
	}
	p.decode(&row{object: object}, &out)
	return out
}

// decode reads a row of ours through the mapping.
func (p *parser) decode(r *row, out *parsedRow) {
	if p.plan.skip != nil {
		v, err := evaluate(p.plan.skip, r)
		if err != nil {
			out.err = err
			return
		}
		if v.Value() == true {
			out.skip = true
			return
		}
	}
	var m Message
	var err error
	switch p.kind {
	case Customers:
		m.Customer, err = p.customer(r)
	case Events:
		m.Event, err = p.event(r)
	case Touches:
		m.Touch, err = p.touch(r)
	case Orders:
		var l *orderLine
		if l, err = p.order(r); err != nil {
			break
		}
		if p.lines {
			out.part = l
			return
		}
		var products []product
		if l.name != "" {
			products = []product{l.product()}
		}
		m.Order, err = l.row(products)
	}
	if err != nil {
		out.err = err
		return
	}
	out.items = []Message{m}
}

// tracked reads a tracking message or a batch of them, keeping what belongs to
// the kind that is imported: identify for customers, order events for orders,
// everything for events.
func (p *parser) tracked(raw []byte, object map[string]json.RawMessage, out *parsedRow) {
	messages, sentAt := []json.RawMessage{raw}, ""
	if object["batch"] != nil {
		var err error
		if messages, sentAt, err = SplitBatch(raw); err != nil {
			out.err = err
			return
		}
	}
	for _, raw := range messages {
		m, err := p.tracker.Decode(raw, "", sentAt)
		if err != nil {
			out.fails = append(out.fails, err)
			continue
		}
		if err := notInFiles(&m); err != nil {
			out.fails = append(out.fails, err)
			continue
		}
		keep := m.Event != nil || m.Order != nil || m.Customer != nil
		switch p.kind {
		case Customers:
			keep = m.Customer != nil && !m.Customer.Hint
		case Orders:
			keep = m.Order != nil
		case Touches:
			keep = false // tracking messages do not say what was sent
		}
		if keep {
			out.items = append(out.items, m)
		}
	}
	out.skip = len(out.items) == 0 && len(out.fails) == 0
}

// notInFiles refuses the tracking messages that only the store's identities make
// sense of: an import writes rows of customers who are known by the brand's id.
func notInFiles(m *Message) error {
	switch {
	case m.Who.User == "":
		return reject("userId", "is missing: send anonymous messages to /v1/import")
	case m.Who.Former != "":
		return reject("type", "is alias: send it to /v1/import")
	case m.Order != nil && (m.Order.Remainder || m.Order.Change == postgres.OrderUpdated):
		return reject("event", "changes an order by what is known of it: send it to /v1/import")
	}
	return nil
}
