package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// BulkTouch is a touch that another system sent, or the entry of somebody whom it
// held out. Touches of the same journey, customer and entry are of one run.
type BulkTouch struct {
	Arm   ledger.Arm
	Entry string
	// Touch has customer, journey, campaign, step, agent, channel, class, offer and
	// cost; its State is accepted or what became of it. Held-out rows have customer,
	// journey and campaign only.
	Touch   lifecycle.Touch
	At      time.Time // when it was sent, or would have been
	Opened  time.Time // zero: no person did
	Clicked time.Time
}

// importSpace is the UUID name space of imported runs and touches: their ids are
// derived from what they are, so that a repeated import means the same rows.
var importSpace = uuid.MustParse("b6b44f7c-5f0e-49a5-8a3c-8d0d7e5b9c21")

// entryKey keeps imported entries apart from those of our own journeys.
func (t *BulkTouch) entryKey() string { return "import/" + t.Entry }

func (t *BulkTouch) run() string {
	return strings.Join([]string{t.Touch.Journey, strings.ToLower(string(t.Touch.CustomerID)), t.entryKey()}, "/")
}

func (t *BulkTouch) key() string { return t.run() + "/" + t.Touch.Step }

func derived(key string) string { return uuid.NewSHA1(importSpace, []byte(key)).String() }

// insertBulkRunsSQL gives every run it was asked for, with the arm that is stored.
// A run begins with the earliest row that is known of it.
const insertBulkRunsSQL = `
with given as (
    select distinct on (journey, customer_id, entry_key) *
    from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[])
        as u (id, journey, campaign, customer_id, entry_key, arm, at)
    order by journey, customer_id, entry_key, at
)
insert into journey_runs (id, journey, version, customer_id, entry_key, campaign, arm, status, entered_at, ended_at, end_reason)
select id, journey, 0, customer_id, entry_key, campaign, arm, 'ended', at, at, case arm when 'treated' then 'imported' else 'holdout' end
from given order by journey, customer_id, entry_key
on conflict (journey, customer_id, entry_key) do update set entered_at = least(journey_runs.entered_at, excluded.entered_at)
returning id::text, arm, xmax = 0`

// insertBulkTouchesSQL writes what sending a touch writes, with its history.
const insertBulkTouchesSQL = `
with given as (
    select distinct on (id) *
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::timestamptz[], $13::bigint[], $14::text[])
        as u (id, key, run_id, customer_id, journey, campaign, step, agent, channel, class, offer_id, at, cost, currency)
    order by id
), fresh as (
    insert into touches (id, key, run_id, customer_id, journey, version, campaign, step, agent, channel, class, offer_id, state,
        planned_at, reserved_at, sending_at, sent_at, settled_at, attempts, cost, currency)
    select id, key, run_id, customer_id, journey, 0, campaign, step, agent, channel, class, offer_id, 'accepted',
        at, at, at, at, at, 1, cost, currency
    from given order by id
    on conflict do nothing
    returning id, customer_id, class, sent_at
), history as (
    insert into touch_history (touch_id, at, state)
    select f.id, f.sent_at, s.state
    from fresh f cross join (values (1, 'sending'), (2, 'accepted')) s (n, state)
    order by f.id, s.n
), received as (
    select f.customer_id, count(*) as touches, max(f.sent_at) as last_at
    from fresh f where f.class = 'marketing' group by f.customer_id
), counted as (
    update customer_stats s set touches_count = s.touches_count + n.touches::int, last_touch_at = greatest(s.last_touch_at, n.last_at)
    from received n where s.customer_id = n.customer_id
)
select id::text from fresh`

// insertBulkTouches stores runs and touches and returns how many rows were new. Refused
// are the rows that contradict the arm of their run.
func insertBulkTouches(ctx context.Context, q *dbsqlc.Queries, tx pgx.Tx, touches []BulkTouch) (added int, refused []int, err error) {
	if len(touches) == 0 {
		return 0, nil, nil
	}
	customers := make([]string, len(touches))
	for i := range touches {
		customers[i] = string(touches[i].Touch.CustomerID)
	}
	if err := q.LockStats(ctx, customers); err != nil {
		return 0, nil, err
	}
	runs, err := insertBulkRuns(ctx, tx, touches)
	if err != nil {
		return 0, nil, err
	}
	var sent []*BulkTouch
	for i := range touches {
		t := &touches[i]
		r := runs[derived(t.run())]
		switch {
		case r == nil || r.arm != t.Arm:
			refused = append(refused, i)
		case t.Arm == ledger.Treated:
			sent = append(sent, t)
		case r.fresh:
			added++
			r.fresh = false // a second row of the same entry is there already
		}
	}
	fresh, err := insertSentTouches(ctx, tx, sent)
	if err != nil {
		return 0, nil, err
	}
	return added + len(fresh), refused, applyBulkOutcomes(ctx, q, sent, fresh)
}

type bulkRun struct {
	arm   ledger.Arm
	fresh bool
}

func insertBulkRuns(ctx context.Context, tx pgx.Tx, touches []BulkTouch) (map[string]*bulkRun, error) {
	n := len(touches)
	ids, journeys, campaigns, customers := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	entries, arms, ats := make([]string, n), make([]string, n), make([]time.Time, n)
	for i := range touches {
		t := &touches[i]
		ids[i], journeys[i], campaigns[i], customers[i] = derived(t.run()), t.Touch.Journey, t.Touch.Campaign, string(t.Touch.CustomerID)
		entries[i], arms[i], ats[i] = t.entryKey(), string(t.Arm), instant(t.At)
	}
	rows, err := tx.Query(ctx, insertBulkRunsSQL, ids, journeys, campaigns, customers, entries, arms, ats)
	if err != nil {
		return nil, err
	}
	runs := make(map[string]*bulkRun, n)
	var id, arm string
	var fresh bool
	_, err = pgx.ForEachRow(rows, []any{&id, &arm, &fresh}, func() error {
		runs[id] = &bulkRun{ledger.Arm(arm), fresh}
		return nil
	})
	return runs, err
}

// insertSentTouches returns the ids of those that were new.
func insertSentTouches(ctx context.Context, tx pgx.Tx, sent []*BulkTouch) (map[string]bool, error) {
	n := len(sent)
	if n == 0 {
		return nil, nil
	}
	ids, keys, runs, customers := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	journeys, campaigns, steps, agents := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	channels, classes, offers, currencies := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	ats, costs := make([]time.Time, n), make([]int64, n)
	for i, t := range sent {
		ids[i], keys[i], runs[i], customers[i] = derived(t.key()), t.key(), derived(t.run()), string(t.Touch.CustomerID)
		journeys[i], campaigns[i], steps[i], agents[i] = t.Touch.Journey, t.Touch.Campaign, t.Touch.Step, t.Touch.Agent
		channels[i], classes[i], offers[i] = string(t.Touch.Channel), string(t.Touch.Class), t.Touch.OfferID
		ats[i], costs[i], currencies[i] = instant(t.At), t.Touch.Cost.Amount, t.Touch.Cost.Currency
	}
	rows, err := tx.Query(ctx, insertBulkTouchesSQL, ids, keys, runs, customers, journeys, campaigns, steps, agents, channels, classes,
		offers, ats, costs, currencies)
	if err != nil {
		return nil, err
	}
	added, err := pgx.CollectRows(rows, pgx.RowTo[string])
	fresh := make(map[string]bool, len(added))
	for _, id := range added {
		fresh[id] = true
	}
	return fresh, err
}

// applyBulkOutcomes tells new touches what became of them, as a provider would.
func applyBulkOutcomes(ctx context.Context, q *dbsqlc.Queries, sent []*BulkTouch, fresh map[string]bool) error {
	kinds := map[lifecycle.TouchState]ledger.OutcomeKind{lifecycle.TouchDelivered: ledger.OutcomeDelivered,
		lifecycle.TouchBounced: ledger.OutcomeBounced, lifecycle.TouchComplained: ledger.OutcomeComplained}
	var rows []dbsqlc.ProviderEvent
	var keys []string
	for _, t := range sent {
		id := derived(t.key())
		if !fresh[id] {
			continue
		}
		delete(fresh, id) // the same touch may be given twice
		add := func(kind ledger.OutcomeKind, at time.Time) {
			key := "import/" + id + "/" + string(kind)
			keys = append(keys, key)
			rows = append(rows, dbsqlc.ProviderEvent{DedupeKey: key, TouchID: &id, Kind: string(kind), At: instant(at)})
		}
		if kind, known := kinds[t.Touch.State]; known {
			add(kind, t.At)
		}
		if !t.Opened.IsZero() {
			add(ledger.OutcomeOpened, t.Opened)
		}
		if !t.Clicked.IsZero() {
			add(ledger.OutcomeClicked, t.Clicked)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	if _, err := q.InsertProviderEvents(ctx, encoded); err != nil {
		return err
	}
	return applyProviderEvents(ctx, q, keys)
}
