package ingest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"touchstone/internal/lifecycle"
)

// EventRow is an event before its customer is looked up.
type EventRow struct {
	ExternalID string // of the customer
	ID         lifecycle.EventID
	Name       string
	At         time.Time
	Source     string
	Properties json.RawMessage // a JSON object
}

var emptyObject = json.RawMessage("{}")

// event decodes the columns of an event.
func (p *plan) event(r *row) (*EventRow, error) {
	var e EventRow
	var err error
	if e.ExternalID, err = p.required("external_id", r, maxID); err != nil {
		return nil, err
	}
	if e.Name, err = p.required("name", r, maxName); err != nil {
		return nil, err
	}
	if e.At, err = p.instant("at", r); err != nil {
		return nil, err
	}
	if e.Source, err = p.text("source", r, maxShort); err != nil {
		return nil, err
	}
	if e.Source == "" {
		e.Source = "import"
	}
	if e.Properties, err = p.rest("properties", r); err != nil {
		return nil, err
	}
	if e.Properties == nil {
		e.Properties = emptyObject
	}
	messageID, err := p.text("message_id", r, maxMessage)
	if err != nil {
		return nil, err
	}
	e.ID = identify(messageID, &e, e.At)
	return &e, nil
}

// identify gives an event its id; stated is the instant as the source wrote it,
// before any correction.
func identify(messageID string, e *EventRow, stated time.Time) lifecycle.EventID {
	if messageID != "" {
		return EventIDOf(messageID)
	}
	return ContentEventID(e.ExternalID, e.Name, stated, e.Properties)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
