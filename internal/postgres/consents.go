package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// SetConsent stores a customer's statement about a channel unless a later one is
// stored; at the same instant a withdrawal wins. The statement is kept in the
// history in any case. An unknown customer is NotFound.
func (s *Store) SetConsent(ctx context.Context, customer lifecycle.CustomerID, c lifecycle.Consent) error {
	return s.RecordConsent(ctx, customer, c)
}

// RecordConsent is SetConsent for what a person enters, with records for the
// decision log. A yes lifts what an earlier unsubscribe suppressed.
func (s *Store) RecordConsent(ctx context.Context, customer lifecycle.CustomerID, c lifecycle.Consent, records ...ledger.Record) error {
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	return s.transaction(ctx, "save a consent", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := q.LockCustomer(ctx, string(customer)); err != nil {
			return err
		}
		if _, err := importConsents(ctx, tx, []dbsqlc.Consent{consentRow(customer, c)}); err != nil {
			return err
		}
		if c.State == lifecycle.ConsentGranted && len(records) > 0 {
			if err := lift(ctx, q, customer, c.Channel, c.At); err != nil {
				return err
			}
		}
		return appendRecords(ctx, q, records)
	})
}

func lift(ctx context.Context, q *dbsqlc.Queries, customer lifecycle.CustomerID, channel lifecycle.Channel, at time.Time) error {
	_, err := q.LiftUnsubscribe(ctx, dbsqlc.LiftUnsubscribeParams{CustomerID: string(customer), Channel: string(channel), At: instant(at)})
	return err
}

// Suppress forbids an address on a channel for good. Only its hash is kept. For
// push and web the address is the customer's id.
func (s *Store) Suppress(ctx context.Context, channel lifecycle.Channel, address, reason, source string, at time.Time) error {
	if address == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "name the address to suppress")
	}
	err := s.q.Suppress(ctx, dbsqlc.SuppressParams{Channel: string(channel), Address: address, Reason: reason, Source: source, At: instant(at)})
	return translate(err, "suppress an address")
}

// ConsentHistory returns everything a customer ever said about channels, topics
// and the frequency, oldest first.
func (s *Store) ConsentHistory(ctx context.Context, customer lifecycle.CustomerID) ([]lifecycle.ConsentRecord, error) {
	rows, err := s.q.ConsentRecordsOf(ctx, string(customer))
	if err != nil {
		return nil, translate(err, "read the consent history")
	}
	list := make([]lifecycle.ConsentRecord, len(rows))
	for i, r := range rows {
		list[i] = lifecycle.ConsentRecord{ID: r.ID, Customer: customer, Subject: r.Subject, State: r.State, Basis: lifecycle.Basis(r.Basis),
			At: r.At.UTC(), RecordedAt: r.RecordedAt.UTC(), Source: r.Source, Wording: r.Wording, Form: r.Form, IP: r.Ip,
			UserAgent: r.UserAgent, ConfirmedAt: moment(r.ConfirmedAt)}
	}
	return list, nil
}

// importConsentsSQL stores statements. The latest counts; at the same instant a
// withdrawal does. Asking somebody to confirm does not undo a yes. What does not
// count is kept in the history all the same; what counts gets there by a trigger.
const importConsentsSQL = `
with given as (
    select b.* from jsonb_populate_recordset(null::consents, $1::jsonb) b
    join customers c on c.id = b.customer_id and c.erased_at is null
), latest as (
    select distinct on (g.customer_id, g.channel) g.* from given g
    order by g.customer_id, g.channel, g.at desc, g.state = 'withdrawn' desc
), saved as (
    insert into consents (customer_id, channel, state, at, source, wording, ip, basis, form, user_agent, confirmed_at)
    select l.customer_id, l.channel, l.state, l.at, l.source, l.wording, l.ip, l.basis, l.form, l.user_agent, l.confirmed_at
    from latest l order by l.customer_id, l.channel
    on conflict (customer_id, channel) do update set state = excluded.state, at = excluded.at,
        source = excluded.source, wording = excluded.wording, ip = excluded.ip, basis = excluded.basis,
        form = excluded.form, user_agent = excluded.user_agent, confirmed_at = excluded.confirmed_at
    where (excluded.at > consents.at or (excluded.at = consents.at and excluded.state = 'withdrawn'))
        and not (excluded.state = 'pending' and consents.state = 'granted')
    returning customer_id, channel, state, at
), superseded as (
    insert into consent_records (customer_id, subject, state, basis, at, source, wording, form, ip, user_agent, confirmed_at)
    select g.customer_id, g.channel, g.state, g.basis, g.at, g.source, g.wording, g.form, g.ip, g.user_agent, g.confirmed_at
    from given g where not exists (select from saved s
        where s.customer_id = g.customer_id and s.channel = g.channel and s.at = g.at and s.state = g.state)
    order by g.customer_id, g.channel, g.at
    on conflict do nothing
)
select s.customer_id::text, s.channel, s.state from saved s order by 1, 2`

// statement is a consent that counts from now on.
type statement struct {
	customer lifecycle.CustomerID
	channel  lifecycle.Channel
	state    lifecycle.ConsentState
}

// importConsents stores statements and returns those that count from now on.
func importConsents(ctx context.Context, tx pgx.Tx, consents []dbsqlc.Consent) ([]statement, error) {
	encoded, err := batch(consents)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, importConsentsSQL, encoded)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (st statement, err error) {
		err = row.Scan(&st.customer, &st.channel, &st.state)
		return st, err
	})
}

// ConsentRequested is the event of a consent that waits for its confirmation: it
// starts the journey that asks for it.
const ConsentRequested = "Consent Requested"

// saveConsents stores consents by external id; those of unknown customers are
// an error, because proof of consent must not get lost.
func saveConsents(ctx context.Context, q *dbsqlc.Queries, tx pgx.Tx, consents []ledger.ConsentRow, at time.Time) error {
	if len(consents) == 0 {
		return nil
	}
	externals := make([]string, len(consents))
	for i, c := range consents {
		externals[i] = c.ExternalID
	}
	known, err := q.CustomerIDs(ctx, externals)
	if err != nil {
		return err
	}
	ids := make(map[string]lifecycle.CustomerID, len(known))
	for _, row := range known {
		ids[row.ExternalID] = lifecycle.CustomerID(row.ID)
	}
	said := newStatements()
	var rows []dbsqlc.Consent
	for _, c := range consents {
		id := ids[c.ExternalID]
		if id == "" {
			return lifecycle.Errorf(lifecycle.NotFound, "a consent names the unknown customer %q: import the customer first", c.ExternalID)
		}
		rows = append(rows, consentRow(id, c.Consent))
		said.add(id, c)
	}
	counting, err := importConsents(ctx, tx, rows)
	if err != nil {
		return err
	}
	return said.follow(ctx, q, tx, counting, at)
}

// statements are what a batch says of consents.
type statements struct {
	live map[statement]bool // said just now, not read from a file
	acts map[statement]bool // acts of consent, which lift what an unsubscribe suppressed
}

func newStatements() statements {
	return statements{live: map[statement]bool{}, acts: map[statement]bool{}}
}

func (s statements) add(id lifecycle.CustomerID, c ledger.ConsentRow) {
	st := statement{id, c.Channel, c.State}
	s.live[st] = s.live[st] || c.Live
	s.acts[st] = s.acts[st] || c.Act()
}

// follow does what follows from the statements that count from now on: whoever has
// to confirm is asked, and a yes lifts what an earlier unsubscribe suppressed.
func (s statements) follow(ctx context.Context, q *dbsqlc.Queries, tx pgx.Tx, counting []statement, at time.Time) error {
	var asked []BulkEvent
	for _, st := range counting {
		if st.state == lifecycle.ConsentPending && s.live[st] {
			asked = append(asked, requested(st, at))
		}
		if s.acts[st] {
			if err := lift(ctx, q, st.customer, st.channel, at); err != nil {
				return err
			}
		}
	}
	_, err := insertBulkEvents(ctx, tx, asked, BulkBatch{Listens: []string{ConsentRequested}})
	return err
}

// requested is the event that asks a customer to confirm. Its id is made of what
// it says, so that a repeated batch asks once.
func requested(st statement, at time.Time) BulkEvent {
	properties, err := json.Marshal(map[string]string{"channel": string(st.channel)})
	if err != nil {
		panic("postgres: a channel must marshal: " + err.Error())
	}
	name := ConsentRequested + "/" + string(st.customer) + "/" + string(st.channel) + "/" + instant(at).Format(time.RFC3339Nano)
	return BulkEvent{ID: lifecycle.EventID(uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String()), CustomerID: st.customer,
		Name: ConsentRequested, At: at, ReceivedAt: at, Source: "consent", Properties: properties}
}

func consentRow(customer lifecycle.CustomerID, c lifecycle.Consent) dbsqlc.Consent {
	basis := c.Basis
	if basis == "" {
		basis = lifecycle.BasisExpress
	}
	return dbsqlc.Consent{CustomerID: string(customer), Channel: string(c.Channel), State: string(c.State), At: instant(c.At),
		Source: c.Source, Wording: c.Wording, Ip: c.IP, Basis: string(basis), Form: c.Form, UserAgent: c.UserAgent, ConfirmedAt: stamp(c.ConfirmedAt)}
}

func consentOf(row dbsqlc.Consent) lifecycle.Consent {
	return lifecycle.Consent{Channel: lifecycle.Channel(row.Channel), State: lifecycle.ConsentState(row.State), At: row.At.UTC(),
		Source: row.Source, Wording: row.Wording, IP: row.Ip, Basis: lifecycle.Basis(row.Basis), Form: row.Form,
		UserAgent: row.UserAgent, ConfirmedAt: moment(row.ConfirmedAt)}
}
