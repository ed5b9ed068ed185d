package sendgrid

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// EventType is SendGrid's name of what happened to a message.
type EventType string

// Event types of the event webhook. Types not listed here are kept as they
// are named.
const (
	Processed        EventType = "processed"
	Deferred         EventType = "deferred"
	Delivered        EventType = "delivered"
	Bounce           EventType = "bounce"
	Dropped          EventType = "dropped"
	Open             EventType = "open"
	Click            EventType = "click"
	SpamReport       EventType = "spamreport"
	Unsubscribe      EventType = "unsubscribe"
	GroupUnsubscribe EventType = "group_unsubscribe"
	GroupResubscribe EventType = "group_resubscribe"
)

// Event is one entry of the event webhook.
type Event struct {
	Type       EventType
	At         time.Time         // as SendGrid stamped it, UTC
	TouchID    lifecycle.TouchID // empty for messages we did not send
	ProviderID string            // what Send returned: sg_message_id up to its first dot; asynchronous bounces lack it
	EventID    string            // differs between copies of one event: see Key
	Email      string            // personal data
	URL        string            // of a click
	Reason     string            // of a bounce, drop or deferral, as the receiving server said it
	Status     string            // enhanced SMTP status such as 5.1.1
	Hard       bool              // Bounce only: the address is dead; false means blocked for now
	Machine    bool              // an open made by a mail client's image proxy, not by a person
	UserAgent  string
	IP         string
	Categories []string
	// Key identifies the event however often it is posted: SHA-256, hex, over
	// touch id (else message id and address), type, second, URL and reason.
	// SendGrid repeats posts for a day with new event ids.
	Key string
}

// Suppresses reports whether the event forbids further marketing mail to the
// address, and why. A deferral, a block and a group resubscription do not.
func (e Event) Suppresses() (reason string, yes bool) {
	switch e.Type {
	case Bounce:
		return "hard bounce", e.Hard
	case SpamReport:
		return "spam complaint", true
	case Unsubscribe, GroupUnsubscribe:
		return "unsubscribed at the provider", true
	case Dropped:
		r := strings.ToLower(e.Reason)
		for _, word := range []string{"bounced", "invalid", "spam reporting", "unsubscribed"} {
			if strings.Contains(r, word) {
				return "dropped by the provider: " + word + " address", true
			}
		}
	}
	return "", false
}

// ParseEvents reads the body of an event webhook post. Verify the signature
// over the raw bytes first. Entries that cannot be read are left out and named
// in the error while the others are returned all the same: a post is retried
// as a whole, so one bad entry must not hide the rest.
func ParseEvents(body []byte) ([]Event, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "event webhook body is not a JSON array: %w", err)
	}
	events := make([]Event, 0, len(raw))
	var bad []error
	for i, r := range raw {
		e, err := parseEvent(r)
		if err != nil {
			bad = append(bad, fmt.Errorf("entry %d: %w", i, err))
			continue
		}
		events = append(events, e)
	}
	if err := errors.Join(bad...); err != nil {
		return events, lifecycle.Errorf(lifecycle.Invalid, "event webhook has %d unreadable of %d entries: %w", len(bad), len(raw), err)
	}
	return events, nil
}

func parseEvent(raw json.RawMessage) (Event, error) {
	var w struct {
		Event       string          `json:"event"`
		Timestamp   json.RawMessage `json:"timestamp"`
		TouchID     loose           `json:"touch_id"`
		MessageID   loose           `json:"sg_message_id"`
		EventID     loose           `json:"sg_event_id"`
		Email       loose           `json:"email"`
		URL         loose           `json:"url"`
		Reason      loose           `json:"reason"`
		Response    loose           `json:"response"`
		Status      loose           `json:"status"`
		Type        loose           `json:"type"`
		MachineOpen loose           `json:"sg_machine_open"`
		UserAgent   loose           `json:"useragent"`
		IP          loose           `json:"ip"`
		Category    stringOrList    `json:"category"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return Event{}, fmt.Errorf("not an event object: %w", err)
	}
	if w.Event == "" {
		return Event{}, errors.New("no event type")
	}
	at, err := parseTimestamp(w.Timestamp)
	if err != nil {
		return Event{}, err
	}
	providerID, _, _ := strings.Cut(string(w.MessageID), ".")
	e := Event{
		Type: EventType(w.Event), At: at,
		TouchID: lifecycle.TouchID(w.TouchID), ProviderID: providerID, EventID: string(w.EventID),
		Email: string(w.Email), URL: string(w.URL), Reason: string(w.Reason), Status: string(w.Status),
		Hard:      w.Event == string(Bounce) && w.Type != "blocked",
		Machine:   w.MachineOpen == "true" || w.MachineOpen == "1",
		UserAgent: string(w.UserAgent), IP: string(w.IP), Categories: w.Category,
	}
	if e.Reason == "" {
		e.Reason = string(w.Response)
	}
	e.Key = dedupeKey(e)
	return e, nil
}

func dedupeKey(e Event) string {
	subject := []string{"touch", string(e.TouchID)}
	if e.TouchID == "" {
		subject = []string{"message", e.ProviderID, strings.ToLower(e.Email)}
	}
	parts := append(subject, string(e.Type), strconv.FormatInt(e.At.Unix(), 10), e.URL, e.Reason)
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strconv.Itoa(len(p)))
		b.WriteByte(':')
		b.WriteString(p)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// parseTimestamp reads seconds or milliseconds since 1970, as a number or in
// quotes. Values above 1e11 are milliseconds: in seconds they would lie beyond
// the year 5000.
func parseTimestamp(raw json.RawMessage) (time.Time, error) {
	text := strings.Trim(string(raw), `"`)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v <= 0 || v > 1e14 {
		return time.Time{}, errors.New("timestamp is not seconds or milliseconds since 1970")
	}
	if v > 1e11 {
		return time.UnixMilli(int64(v)).UTC(), nil
	}
	whole, fraction := math.Modf(v)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

// loose is a scalar that arrives as string, number or boolean.
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*l = ""
	case string:
		*l = loose(v)
	case float64, bool:
		*l = loose(b)
	default:
		return errors.New("expected a text, number or boolean")
	}
	return nil
}

// stringOrList is a field SendGrid posts as one string or as an array.
type stringOrList []string

func (s *stringOrList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*s = nil
		if one != "" {
			*s = []string{one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}
