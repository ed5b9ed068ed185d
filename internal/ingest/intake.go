package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// Tracking is what the intake needs of the store; *postgres.Store is one.
type Tracking interface {
	Track(ctx context.Context, batch postgres.TrackBatch) (postgres.TrackResult, error)
	AddRejected(ctx context.Context, messages []postgres.RejectedMessage) error
	PruneRejected(ctx context.Context, before time.Time, keep int) (int, error)
}

// Doors of the tracking API whose messages name their own type.
const (
	DoorBatch  = "batch"
	DoorImport = "import" // history: instants as they stand, and no journey reacts
)

// Intake takes messages of the tracking API into the store and keeps those it has
// to refuse. It is safe for concurrent use.
type Intake struct {
	Store    Tracking
	Currency string // the brand's; ISO 4217
	Now      func() time.Time
	// Listens names the events some journey may react to.
	Listens func(ctx context.Context) ([]string, error)
	// Confirm reports whether a consent by somebody of a country counts only when it
	// has been confirmed; nil: none has to.
	Confirm func(c lifecycle.Consent, country string) bool
	// Keep and KeepFor bound the refused messages that are kept; 0 of both: none.
	Keep    int
	KeepFor time.Duration

	pruned atomic.Int64 // real time of the last pruning, seconds
}

// Parcel is what one request brings, on its way into the store.
type Parcel struct {
	Door, Key string // Key: the name of the write key
	SentAt    string // of the batch around the messages
	Received  time.Time
	Messages  []json.RawMessage

	// Rejected are the messages that could not be used, once it is written.
	Rejected []RejectedItem
	// New counts events, orders and merges that were not there before.
	New int

	tracked []postgres.Tracked
	index   []int // of tracked in Messages
}

// Size is how many messages of the parcel go to the store.
func (p *Parcel) Size() int { return len(p.tracked) }

// Decode reads the messages of a parcel; those it cannot read are rejected.
func (in *Intake) Decode(p *Parcel) {
	t := &Tracker{Currency: in.Currency, Now: p.Received, Source: "api", Archived: p.Door == DoorImport}
	kind := p.Door
	if kind == DoorBatch || kind == DoorImport {
		kind = ""
	}
	for i, raw := range p.Messages {
		m, err := t.Decode(raw, kind, p.SentAt)
		if err != nil {
			p.Rejected = append(p.Rejected, RejectedItem{i, err})
			continue
		}
		p.tracked, p.index = append(p.tracked, in.tracked(&m, p.Received, t.Archived)), append(p.index, i)
	}
}

// tracked is a message as the store takes it.
func (in *Intake) tracked(m *Message, received time.Time, quiet bool) postgres.Tracked {
	out := postgres.Tracked{User: m.Who.User, Visitor: m.Who.Visitor, At: m.Who.At, Former: m.Who.Former,
		FormerVisitor: m.Who.FormerVisitor, Quiet: quiet}
	who := m.Customer
	switch {
	case m.Order != nil:
		o := postgres.TrackedOrder{Change: m.Order.Change, Of: m.Order.Of, Remainder: m.Order.Remainder,
			OrderRow: ledger.OrderRow{Order: m.Order.Order, Coupon: m.Order.Coupon, ReceivedAt: received}}
		o.Event = bulkEvent(&m.Order.Event, "", received)
		out.Order, who = &o, m.Order.Who
	case m.Event != nil:
		e := bulkEvent(m.Event, "", received)
		out.Event = &e
	}
	switch {
	case who == nil:
	case who.Hint:
		out.TimeZone = who.Customer.TimeZone
	default:
		out.Traits = &postgres.Traits{Customer: who.Customer, Consents: slices.Clone(who.Consents)}
		for i, c := range out.Traits.Consents {
			if in.Confirm != nil && !quiet && in.Confirm(c, who.Customer.Country) {
				out.Traits.Consents[i].State = lifecycle.ConsentPending
			}
		}
	}
	return out
}

// Write commits decoded parcels in one transaction, with the messages that were
// refused. Nothing of them may be acknowledged before it returns without an error.
// Writing the same messages again changes nothing.
func (in *Intake) Write(ctx context.Context, parcels ...*Parcel) error {
	var all []postgres.Tracked
	var from []*Parcel
	var index []int
	for _, p := range parcels {
		all, index = append(all, p.tracked...), append(index, p.index...)
		for range p.tracked {
			from = append(from, p)
		}
	}
	if len(all) > 0 {
		listens, err := in.Listens(ctx)
		if err != nil {
			return err
		}
		result, err := in.track(ctx, all, listens)
		if err != nil {
			return err
		}
		for i, reason := range result.Refused {
			from[i].Rejected = append(from[i].Rejected, RejectedItem{index[i], &Rejection{Problem: reason}})
		}
		if result.New > 0 {
			for _, p := range parcels {
				p.New = result.New
			}
		}
	}
	return in.keep(ctx, parcels)
}

// track writes messages. Should the store refuse the data of a batch, the batch is
// halved until the message at fault stands alone: one bad message never takes
// others with it.
func (in *Intake) track(ctx context.Context, all []postgres.Tracked, listens []string) (postgres.TrackResult, error) {
	result, err := in.Store.Track(ctx, postgres.TrackBatch{Messages: all, Now: in.Now().UTC(), Listens: listens})
	if lifecycle.CodeOf(err) != lifecycle.Invalid {
		return result, err
	}
	if len(all) == 1 {
		return postgres.TrackResult{Refused: map[int]string{0: "is refused by the store"}}, nil
	}
	half := len(all) / 2
	if result, err = in.track(ctx, all[:half], listens); err != nil {
		return result, err
	}
	rest, err := in.track(ctx, all[half:], listens)
	if err != nil {
		return rest, err
	}
	if result.Refused == nil {
		result.Refused = map[int]string{}
	}
	for i, reason := range rest.Refused {
		result.Refused[half+i] = reason
	}
	result.New, result.Present = result.New+rest.New, result.Present+rest.Present
	return result, nil
}

// keep stores what was refused. What erased customers are said to have done is
// not kept.
func (in *Intake) keep(ctx context.Context, parcels []*Parcel) error {
	if in.Keep <= 0 {
		return nil
	}
	var rows []postgres.RejectedMessage
	for _, p := range parcels {
		for _, r := range p.Rejected {
			if r.Err.Error() == postgres.ErasedReason {
				continue
			}
			body := storedBody(p.Messages[r.Index])
			rows = append(rows, postgres.RejectedMessage{ReceivedAt: p.Received, Key: p.Key, Door: p.Door, SentAt: cut(p.SentAt, maxShort),
				ExternalID: userOf(p.Messages[r.Index]), Reason: r.Err.Error(), Body: body})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := in.Store.AddRejected(ctx, rows); err != nil {
		return err
	}
	now := time.Now().Unix()
	if last := in.pruned.Load(); now-last < 60 || !in.pruned.CompareAndSwap(last, now) {
		return nil
	}
	_, err := in.Store.PruneRejected(ctx, in.Now().Add(-in.KeepFor), in.Keep)
	return err
}

// storedBody is a refused message as it is kept: without a write key, and no longer
// than a message may be.
func storedBody(raw json.RawMessage) string {
	var object map[string]json.RawMessage
	if bytes.Contains(raw, []byte(`writeKey`)) {
		if json.Unmarshal(raw, &object) != nil {
			return "" // it cannot be read, and a key must not be kept
		}
		delete(object, "writeKey")
		if encoded, err := json.Marshal(object); err == nil {
			raw = encoded
		}
	}
	return cut(string(raw), MaxMessage)
}

// cut shortens a text to what a text column can keep.
func cut(s string, limit int) string {
	return string(bytes.ReplaceAll(bytes.ToValidUTF8([]byte(s[:min(len(s), limit)]), nil), []byte{0}, nil))
}

// userOf reads the user id of a message that may be refused for anything.
func userOf(raw json.RawMessage) string {
	var m struct {
		UserID json.RawMessage `json:"userId"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	user, _ := plainText(m.UserID) // absent: nobody to erase
	return cut(user, maxID)
}

// Retry tries a kept message again as if it came at its time. A message that is
// refused again keeps its place with the new reason, which is returned.
func (in *Intake) Retry(ctx context.Context, m postgres.RejectedMessage) (reason string, err error) {
	once := &Intake{Store: in.Store, Currency: in.Currency, Now: in.Now, Listens: in.Listens}
	p := &Parcel{Door: m.Door, Key: m.Key, SentAt: m.SentAt, Received: m.ReceivedAt, Messages: []json.RawMessage{json.RawMessage(m.Body)}}
	once.Decode(p)
	if err := once.Write(ctx, p); err != nil {
		return "", err
	}
	if len(p.Rejected) > 0 {
		return p.Rejected[0].Err.Error(), nil
	}
	return "", nil
}
