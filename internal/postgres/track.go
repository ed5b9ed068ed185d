package postgres

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Tracked is one message of the tracking API: who it is about, when, and what it
// says. Customer ids of its event and order are filled in here.
type Tracked struct {
	User    string    // the brand's id; empty: a visitor who is not known yet
	Visitor string    // UUID made of the anonymous id; empty: none
	At      time.Time // when it happened, by the corrected clock of the sender
	Traits  *Traits
	// Quiet says that no journey reacts: it is history.
	Quiet bool
	// TimeZone is a hint: it gives way to whatever anybody states.
	TimeZone string
	// Former is an earlier id of User, and FormerVisitor the same as an anonymous
	// id: sources do not say which of the two it was.
	Former, FormerVisitor string
	Event                 *BulkEvent
	Order                 *TrackedOrder
}

// Traits are what a message states about a customer: fields and attributes that
// are not empty, and consents.
type Traits struct {
	Customer lifecycle.Customer
	Consents []lifecycle.Consent
}

// TrackBatch is what one transaction writes. Now is the business instant of
// reception. Listens names the events that go to the outbox.
type TrackBatch struct {
	Messages []Tracked
	Now      time.Time
	Listens  []string
}

// TrackResult says what became of a batch: how many events and orders were new,
// how many messages said what was known, and which were refused and why.
type TrackResult struct {
	New, Present int
	Refused      map[int]string
}

// routedLate is how old an anonymous event may be to reach journeys when its
// visitor becomes known.
const routedLate = 24 * time.Hour

// ErasedReason refuses messages about customers who were erased.
const ErasedReason = "userId belongs to a customer who was erased"

// Track writes messages in one transaction: customers who are not known yet are
// made, names and visitors are joined, profiles, consents, events, orders, carts
// and affinities follow. Everything is placed by the instants of the messages, so
// that neither their order nor their repetition changes what comes of them. See
// docs/events.md for the rules.
func (s *Store) Track(ctx context.Context, batch TrackBatch) (TrackResult, error) {
	var result TrackResult
	if err := s.ensureTracked(ctx, batch); err != nil {
		return result, err
	}
	err := s.transaction(ctx, "write messages", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		t := &tracking{TrackBatch: batch, q: q, tx: tx, refused: map[int]string{}, carts: map[string]bool{}}
		err := t.run(ctx)
		result = TrackResult{New: t.fresh, Present: t.present, Refused: t.refused}
		return err
	})
	return result, err
}

func (s *Store) ensureTracked(ctx context.Context, batch TrackBatch) error {
	instants := make([]time.Time, 0, len(batch.Messages))
	aliases := false
	for i := range batch.Messages {
		m := &batch.Messages[i]
		if m.Event != nil {
			instants = append(instants, m.Event.At)
		}
		if m.Order != nil {
			instants = append(instants, m.Order.Event.At)
		}
		if m.Traits != nil && len(m.Traits.Consents) > 0 {
			instants = append(instants, batch.Now) // who has to confirm is asked by an event
		}
		aliases = aliases || m.Former != ""
	}
	if err := s.ensure(ctx, eventsTable, instants...); err != nil || !aliases {
		return err
	}
	if err := s.ensure(ctx, historyTable, batch.Now); err != nil {
		return err
	}
	return s.ensure(ctx, decisionsTable, batch.Now)
}

// tracking is one batch being written.
type tracking struct {
	TrackBatch
	q       *dbsqlc.Queries
	tx      pgx.Tx
	names   map[string]*person         // by external id
	known   map[string]dbsqlc.Identity // visitors who are somebody's
	owners  map[string]string          // of visitors: customer ids
	carts   map[string]bool            // customers whose carts changed
	refused map[int]string
	fresh   int
	present int
}

// person is the customer behind one or several names.
type person struct {
	id, name      string // name: the external id that stands
	erased        bool
	aliased       time.Time // instant of the latest alias, zero: none
	zone          string
	zoneStated    int64 // as in customers.stated
	createdStated int64
}

func (t *tracking) run(ctx context.Context) error {
	if err := t.lockNames(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{t.findPeople, t.readVisitors, t.lockPeople, t.aliases, t.claims, t.profiles, t.consents, t.events} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if len(t.carts) == 0 {
		return nil
	}
	return t.q.RefreshCarts(ctx, dbsqlc.RefreshCartsParams{Customers: slices.Sorted(maps.Keys(t.carts)), Now: instant(t.Now)})
}

// lockNames makes batches that speak of the same people or orders queue up, so
// that each sees what the other wrote.
func (t *tracking) lockNames(ctx context.Context) error {
	buckets := map[int32]bool{}
	add := func(kind, name string) {
		if name == "" {
			return
		}
		buckets[bucketOf(kind+name)] = true
	}
	for i := range t.Messages {
		m := &t.Messages[i]
		add("user/", m.User)
		add("user/", m.Former)
		add("visitor/", m.Visitor)
		add("visitor/", m.FormerVisitor)
		if m.Order != nil {
			add("order/", cmp.Or(m.Order.Of, m.Order.ExternalID))
		}
	}
	return t.lockBuckets(ctx, "touchstone.tracked", buckets)
}

func (t *tracking) lockBuckets(ctx context.Context, space string, buckets map[int32]bool) error {
	_, err := t.tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext($1), k) from unnest($2::int[]) with ordinality u (k, n) order by n`,
		space, slices.Sorted(maps.Keys(buckets)))
	return err
}

// findPeople finds the customers behind all names, making those that are not
// known.
func (t *tracking) findPeople(ctx context.Context) error {
	heard := map[string]time.Time{} // the earliest instant
	for i := range t.Messages {
		m := &t.Messages[i]
		for _, name := range []string{m.User, m.Former} {
			if at, known := heard[name]; name != "" && (!known || m.At.Before(at)) {
				heard[name] = m.At
			}
		}
	}
	t.names = map[string]*person{}
	if len(heard) == 0 {
		return nil
	}
	if err := t.readPeople(ctx, heard); err != nil {
		return err
	}
	var missing []dbsqlc.Customer
	for _, name := range slices.Sorted(maps.Keys(heard)) {
		if t.names[name] != nil {
			continue
		}
		row, err := customerRow(lifecycle.Customer{ExternalID: name}, heard[name])
		if err != nil {
			return err
		}
		p := profile{Customer: row, stated: map[string]int64{}}
		p.stated[fieldCreatedAt] = hint(heard[name])
		if err := p.close(); err != nil {
			return err
		}
		missing = append(missing, p.Customer)
	}
	if len(missing) == 0 {
		return nil
	}
	encoded, err := batch(missing)
	if err != nil {
		return err
	}
	if err := t.q.AddCustomers(ctx, encoded); err != nil {
		return err
	}
	return t.readPeople(ctx, heard)
}

// lockPeople locks the customers of the batch, those who own its visitors included,
// so that no merge in another batch takes one away. Whoever changed hands meanwhile
// is read and locked again.
func (t *tracking) lockPeople(ctx context.Context) error {
	heard := map[string]time.Time{}
	for name := range t.names {
		heard[name] = time.Time{}
	}
	held := map[int32]bool{}
	for {
		wanted := map[int32]bool{}
		for _, p := range t.names {
			wanted[bucketOf(p.id)] = true
		}
		for _, i := range t.known {
			wanted[bucketOf(i.CustomerID)] = true
		}
		maps.DeleteFunc(wanted, func(b int32, _ bool) bool { return held[b] })
		if len(wanted) == 0 {
			return nil
		}
		if err := t.lockBuckets(ctx, "touchstone.people", wanted); err != nil {
			return err
		}
		maps.Copy(held, wanted)
		if err := t.readPeople(ctx, heard); err != nil {
			return err
		}
		if err := t.readVisitors(ctx); err != nil {
			return err
		}
	}
}

func bucketOf(id string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // it never fails
	return int32(h.Sum32() % lockBuckets)
}

// readVisitors reads who owns the visitors of the batch.
func (t *tracking) readVisitors(ctx context.Context) error {
	var visitors []string
	for i := range t.Messages {
		for _, v := range []string{t.Messages[i].Visitor, t.Messages[i].FormerVisitor} {
			if v != "" {
				visitors = append(visitors, v)
			}
		}
	}
	t.known = map[string]dbsqlc.Identity{}
	if len(visitors) == 0 {
		return nil
	}
	slices.Sort(visitors)
	rows, err := t.q.IdentitiesOf(ctx, slices.Compact(visitors))
	for _, row := range rows {
		t.known[row.VisitorID] = row
	}
	return err
}

func (t *tracking) readPeople(ctx context.Context, heard map[string]time.Time) error {
	if len(heard) == 0 {
		return nil
	}
	rows, err := t.q.NamedCustomers(ctx, slices.Sorted(maps.Keys(heard)))
	if err != nil {
		return err
	}
	people := map[string]*person{}
	for _, row := range rows {
		p := people[row.ID]
		if p == nil {
			p = &person{id: row.ID, name: row.ExternalID, erased: row.Erased, aliased: moment(row.AliasedAt), zone: row.TimeZone,
				zoneStated: row.ZoneStated, createdStated: row.CreatedStated}
			people[row.ID] = p
		}
		t.names[row.Name] = p
	}
	return nil
}

// subject is the customer a message is about: the visitor's id while nobody owns
// the visitor. It refuses messages about erased customers.
func (t *tracking) subject(i int) (id string, ok bool) {
	m := &t.Messages[i]
	if m.User == "" {
		if owner, known := t.owners[m.Visitor]; known {
			return owner, owner != ""
		}
		return m.Visitor, true
	}
	p := t.names[m.User]
	if p.erased {
		t.refused[i] = ErasedReason
		return "", false
	}
	return p.id, true
}

// events writes the orders and events of the batch.
func (t *tracking) events(ctx context.Context) error {
	var loud, quiet []BulkEvent
	orders := map[bool][]TrackedOrder{} // by quietness
	given := 0
	for i := range t.Messages {
		m := &t.Messages[i]
		id, ok := t.subject(i)
		if !ok {
			if t.refused[i] == "" {
				t.refused[i] = ErasedReason
			}
			continue
		}
		visitor := ""
		if m.User == "" {
			visitor = m.Visitor
		}
		switch {
		case m.Order != nil:
			o := *m.Order
			o.CustomerID, o.Event.CustomerID, o.Visitor, o.Event.Visitor = lifecycle.CustomerID(id), lifecycle.CustomerID(id), visitor, visitor
			orders[m.Quiet] = append(orders[m.Quiet], o)
			given++
		case m.Event != nil:
			e := *m.Event
			e.CustomerID, e.Visitor = lifecycle.CustomerID(id), visitor
			if m.Quiet {
				quiet = append(quiet, e)
			} else {
				loud = append(loud, e)
			}
			given++
		}
	}
	for _, part := range []struct {
		events  []BulkEvent
		orders  []TrackedOrder
		listens []string
	}{{loud, orders[false], t.Listens}, {quiet, orders[true], nil}} {
		with, err := t.orders(ctx, part.orders)
		if err != nil {
			return err
		}
		written, err := insertBulkEvents(ctx, t.tx, append(part.events, with...), BulkBatch{tracked: true, Listens: part.listens})
		if err != nil {
			return err
		}
		for _, id := range written.carts {
			t.carts[id] = true
		}
		t.fresh += written.fresh
		given -= written.fresh
	}
	t.present += given
	return nil
}
