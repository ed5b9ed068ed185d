package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Preferences are what a preference page shows of a customer.
type Preferences struct {
	Customer lifecycle.Customer
	Consents map[lifecycle.Channel]lifecycle.Consent
	Wishes   lifecycle.Wishes
	// Barred are the channels whose address is suppressed for another reason than
	// an unsubscribe: no yes brings them back.
	Barred []lifecycle.Channel
}

// Preferences returns what a customer chose. Unknown and erased are NotFound.
func (s *Store) Preferences(ctx context.Context, id lifecycle.CustomerID) (Preferences, error) {
	profile, err := s.Profile(ctx, id)
	if err != nil {
		return Preferences{}, err
	}
	if !profile.Customer.ErasedAt.IsZero() {
		return Preferences{}, lifecycle.Errorf(lifecycle.NotFound, "customer %s was erased", id)
	}
	p := Preferences{Customer: profile.Customer, Consents: profile.Consents, Wishes: profile.Wishes}
	rows, err := s.q.SuppressionsOf(ctx, string(id))
	if err != nil {
		return Preferences{}, translate(err, "read suppressions")
	}
	for _, r := range rows {
		if r.Reason != "unsubscribed" {
			p.Barred = append(p.Barred, lifecycle.Channel(r.Channel))
		}
	}
	return p, nil
}

// Choices are what a customer decided at one moment, by the preference page or by
// confirming. Channels and topics that are not named stay as they are.
type Choices struct {
	Customer  lifecycle.CustomerID
	At        time.Time
	Source    string              // "preference-centre"
	Consents  []lifecycle.Consent // state granted, pending or withdrawn; with proof
	Topics    []TopicChoice
	Frequency *lifecycle.Frequency // nil = as it is
	Wording   map[string]string    // shown for topics ("topic/news") and "frequency"
	Form      string
	IP        string
	UserAgent string

	// Event makes the event of a change; ids must be fresh. Listens as in BulkBatch.
	Event   func(name string, properties map[string]any) BulkEvent
	Listens []string
}

// TopicChoice says whether a customer wants to hear about a topic.
type TopicChoice struct {
	Topic string
	Left  bool
}

// Events of changed preferences.
const (
	Subscribed         = "Subscribed"   // to a channel
	Unsubscribed       = "Unsubscribed" // from a channel
	PreferencesUpdated = "Preferences Updated"
	ConsentConfirmed   = "Consent Confirmed"
)

// Choose stores what a customer decided, with history, events and a decision
// record, in one transaction. It returns the subjects that changed, none when
// everything was so already. Unknown and erased customers are NotFound.
func (s *Store) Choose(ctx context.Context, c Choices) (changed []string, err error) {
	if err := s.ensure(ctx, eventsTable, c.At); err != nil {
		return nil, err
	}
	if err := s.ensure(ctx, decisionsTable, c.At); err != nil {
		return nil, err
	}
	err = s.transaction(ctx, "change preferences", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		t := choosing{Choices: c, q: q, tx: tx}
		var err error
		if t.customer, err = present(ctx, q, c.Customer); err != nil {
			return err
		}
		if err := t.consents(ctx); err != nil {
			return err
		}
		if err := t.wishes(ctx); err != nil {
			return err
		}
		changed = t.changed
		return t.finish(ctx)
	})
	return changed, err
}

// choosing is one transaction of Choose.
type choosing struct {
	Choices
	q        *dbsqlc.Queries
	tx       pgx.Tx
	customer dbsqlc.Customer
	changed  []string
	events   []BulkEvent
}

func (t *choosing) event(name string, properties map[string]any) {
	e := t.Event(name, properties)
	e.CustomerID = t.Customer
	t.events = append(t.events, e)
}

// consents applies the choices about channels.
func (t *choosing) consents(ctx context.Context) error {
	rows, err := t.q.ConsentsNow(ctx, string(t.Customer))
	if err != nil {
		return err
	}
	now := map[lifecycle.Channel]lifecycle.Consent{}
	for _, row := range rows {
		c := consentOf(row)
		now[c.Channel] = c
	}
	for _, c := range t.Consents {
		c.At, c.Source, c.Form, c.IP, c.UserAgent = t.At, t.Source, t.Form, t.IP, t.UserAgent
		before := now[c.Channel]
		if c.At.Before(before.At) {
			c.At = before.At.Add(time.Microsecond) // said after it, whatever the clocks say
		}
		properties := map[string]any{"channel": string(c.Channel), "source": t.Source}
		if c.State == lifecycle.ConsentWithdrawn {
			news, err := withdraw(ctx, t.q, t.tx, t.customer, c)
			if err != nil {
				return err
			}
			if news {
				t.changed = append(t.changed, string(c.Channel))
				t.event(Unsubscribed, properties)
			}
			continue
		}
		if before.State == lifecycle.ConsentGranted || before.State == c.State {
			continue
		}
		if _, err := importConsents(ctx, t.tx, []dbsqlc.Consent{consentRow(t.Customer, c)}); err != nil {
			return err
		}
		if err := lift(ctx, t.q, t.Customer, c.Channel, t.At); err != nil {
			return err
		}
		t.changed = append(t.changed, string(c.Channel))
		if c.State == lifecycle.ConsentPending {
			t.event(ConsentRequested, properties)
		} else {
			t.event(Subscribed, properties)
		}
	}
	return nil
}

// wishes applies the choices about topics and frequency.
func (t *choosing) wishes(ctx context.Context) error {
	row, err := t.q.WishesOf(ctx, string(t.Customer))
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	left, frequency := row.LeftTopics, row.Frequency
	if left == nil {
		left = []string{}
	}
	before := len(t.changed)
	for _, choice := range t.Topics {
		subject, state := "topic/"+choice.Topic, "joined"
		i := slices.Index(left, choice.Topic)
		switch {
		case choice.Left == (i >= 0):
			continue
		case choice.Left:
			left, state = append(left, choice.Topic), "left"
		default:
			left = slices.Delete(left, i, i+1)
		}
		if err := t.record(ctx, subject, state); err != nil {
			return err
		}
	}
	if t.Frequency != nil && string(*t.Frequency) != frequency {
		frequency = string(*t.Frequency)
		if err := t.record(ctx, "frequency", frequency); err != nil {
			return err
		}
	}
	if len(t.changed) == before {
		return nil
	}
	slices.Sort(left)
	t.event(PreferencesUpdated, map[string]any{"left_topics": left, "frequency": frequency, "source": t.Source})
	return t.q.SaveWishes(ctx, dbsqlc.SaveWishesParams{CustomerID: string(t.Customer), LeftTopics: left, Frequency: frequency, At: instant(t.At)})
}

func (t *choosing) record(ctx context.Context, subject, state string) error {
	t.changed = append(t.changed, subject)
	return t.q.AddConsentRecord(ctx, dbsqlc.AddConsentRecordParams{CustomerID: string(t.Customer), Subject: subject, State: state, At: instant(t.At),
		Source: t.Source, Wording: t.Wording[subject], Form: t.Form, Ip: t.IP, UserAgent: t.UserAgent})
}

// finish writes events and the decision record, last in the transaction.
func (t *choosing) finish(ctx context.Context) error {
	if len(t.changed) == 0 {
		return nil
	}
	listens := append([]string{ConsentRequested}, t.Listens...)
	if _, err := insertBulkEvents(ctx, t.tx, t.events, BulkBatch{Listens: listens}); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"changed": t.changed, "source": t.Source, "form": t.Form})
	if err != nil {
		return lifecycle.Errorf(lifecycle.Internal, "encode changed preferences: %w", err)
	}
	return appendRecords(ctx, t.q, []ledger.Record{{At: t.At, Kind: "preferences.changed", Actor: "customer", CustomerID: t.Customer,
		Subject: t.Source, Body: body}})
}

// Confirmation is a customer's word that a pending consent is meant.
type Confirmation struct {
	Customer      lifecycle.CustomerID
	Channel       lifecycle.Channel
	Address       string // beginning of the hash of the address that was asked, as hexadecimal digits
	At            time.Time
	IP, UserAgent string
	Event         BulkEvent // written when it is news; its customer is filled in
	Listens       []string  // as in BulkBatch
}

// DoubleOptIn is the source of consents that were confirmed.
const DoubleOptIn = "double opt-in"

// Confirm makes a pending consent a yes, with the event and the decision record,
// in one transaction. It reports false when nothing is pending: confirmed before,
// withdrawn since, or asked of another address than the present one. Unknown and
// erased customers are NotFound.
func (s *Store) Confirm(ctx context.Context, c Confirmation) (confirmed bool, err error) {
	if err := s.ensure(ctx, eventsTable, c.Event.At); err != nil {
		return false, err
	}
	if err := s.ensure(ctx, decisionsTable, c.At); err != nil {
		return false, err
	}
	body, err := json.Marshal(map[string]string{"channel": string(c.Channel), "source": DoubleOptIn})
	if err != nil {
		return false, lifecycle.Errorf(lifecycle.Internal, "encode a confirmation: %w", err)
	}
	err = s.transaction(ctx, "confirm a consent", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		confirmed = false
		if _, err := present(ctx, q, c.Customer); err != nil {
			return err
		}
		_, err := q.ConfirmConsent(ctx, dbsqlc.ConfirmConsentParams{At: instant(c.At), Source: DoubleOptIn, Ip: c.IP, UserAgent: c.UserAgent,
			CustomerID: string(c.Customer), Channel: string(c.Channel), Address: c.Address})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		confirmed = true
		if err := lift(ctx, q, c.Customer, c.Channel, c.At); err != nil {
			return err
		}
		c.Event.CustomerID = c.Customer
		if _, err := insertBulkEvents(ctx, tx, []BulkEvent{c.Event}, BulkBatch{Listens: c.Listens}); err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{{At: c.At, Kind: "consent.confirmed", Actor: "customer",
			CustomerID: c.Customer, Subject: string(c.Channel), Body: body}})
	})
	return confirmed && err == nil, err
}
