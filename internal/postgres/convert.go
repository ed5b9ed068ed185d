package postgres

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"touchstone/internal/lifecycle"
)

// noID fills uuid columns of batch rows that the statement does not read.
const noID = "00000000-0000-0000-0000-000000000000"

// newID returns a version 7 UUID.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", lifecycle.Errorf(lifecycle.Internal, "make an id: %w", err)
	}
	return id.String(), nil
}

// instant is t as the database keeps it: UTC, rounded to microseconds.
func instant(t time.Time) time.Time { return t.UTC().Round(time.Microsecond) }

// stamp is instant for columns in which a zero time is null.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	at := instant(t)
	return &at
}

// moment is the inverse of stamp.
func moment(p *time.Time) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.UTC()
}

// optional is null for an empty id or text.
func optional[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// given is the inverse of optional.
func given[S ~string](p *string) S {
	if p == nil {
		return ""
	}
	return S(*p)
}

// orNoID is for cursors: everything comes after the empty one.
func orNoID[S ~string](s S) string {
	if s == "" {
		return noID
	}
	return string(s)
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func typed[S ~string](list []string) []S {
	out := make([]S, len(list))
	for i, s := range list {
		out[i] = S(s)
	}
	return out
}

// object encodes attributes and properties; nil is {}.
func object(m map[string]any) (json.RawMessage, error) {
	if len(m) == 0 {
		return json.RawMessage("{}"), nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "encode properties: %w", err)
	}
	return b, nil
}

func fromObject(b json.RawMessage) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, lifecycle.Errorf(lifecycle.Internal, "decode properties: %w", err)
	}
	if len(m) == 0 {
		return nil, nil
	}
	return m, nil
}

func interval(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}
