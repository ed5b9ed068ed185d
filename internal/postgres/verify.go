package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// touchesSQL streams every touch with its history, customer by customer, in the
// order in which the states were committed.
const touchesSQL = `select t.id, t.customer_id, t.run_id, t.channel, t.class, t.tags, t.state, t.caps, coalesce(r.status, ''),
	coalesce(h.seq, 0), coalesce(h.at, t.planned_at), coalesce(h.state, ''), m.moves
from touches t left join journey_runs r on r.id = t.run_id left join touch_history h on h.touch_id = t.id
left join (select touch_id, jsonb_agg(jsonb_build_object('seq', seq, 'was', customer_id) order by seq) as moves from touch_moves group by touch_id) m
	on m.touch_id = t.id
order by t.customer_id, h.seq`

// VerifyLedger proves from the rows, without trusting the code that wrote them:
// no key is there twice; no touch went to its provider again without a definite
// refusal in between; what was accepted had been reserved and sent; no frequency
// cap was exceeded at the moment of any reservation; every touch belongs to a
// run, none is left open by a run that ended; every state is the last of a legal
// history. It reads everything: a minute for a few million touches.
func (s *Store) VerifyLedger(ctx context.Context) (ledger.LedgerReport, error) {
	a := newAudit()
	err := s.snapshot(ctx, "verify the ledger", func(_ *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local statement_timeout = 0"); err != nil {
			return err
		}
		if err := a.stream(ctx, tx); err != nil {
			return err
		}
		if err := a.list(ctx, tx, "key-once", "key %s is there %d times",
			`select min(id::text), key, count(*) from touches group by key having count(*) > 1`); err != nil {
			return err
		}
		if err := a.list(ctx, tx, "no-touch-lost", "history as %s, %d entries, without a touch",
			`select h.touch_id::text, min(h.state), count(*) from touch_history h
			left join touches t on t.id = h.touch_id where t.id is null group by h.touch_id`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select count(*) from provider_events where touch_id is null`).Scan(&a.report.Foreign)
	})
	a.report.OK = len(a.report.Problems) == 0
	return a.report, err
}

// audit replays histories and collects what does not fit.
type audit struct {
	report  ledger.LedgerReport
	current lifecycle.CustomerID
	touches map[lifecycle.TouchID]*replayed
	history []entry
}

// replayed is a touch at some point of the replay of its customer's history.
type replayed struct {
	id      lifecycle.TouchID
	run     lifecycle.RunID
	channel lifecycle.Channel
	class   lifecycle.MessageClass
	tags    []string
	stored  lifecycle.TouchState
	caps    []ledger.CapWindow
	status  ledger.RunStatus
	taken   int64 // sequence number at which it took its cap slots for the last time
	moves   []move

	state      lifecycle.TouchState // "" before the first entry
	reservedAt time.Time
	called     bool // sent to the provider and not definitely refused since
	wasCalled  bool
}

// move says whose a touch was up to an entry of the histories: merges move touches.
type move struct {
	Seq int64                `json:"seq"`
	Was lifecycle.CustomerID `json:"was"`
}

// owner is whose the touch was, empty for the customer it belongs to now.
func (t *replayed) owner(seq int64) lifecycle.CustomerID {
	for _, m := range t.moves {
		if m.Seq > seq {
			return m.Was
		}
	}
	return ""
}

type entry struct {
	touch lifecycle.TouchID
	seq   int64
	at    time.Time
	state lifecycle.TouchState
}

func newAudit() *audit {
	return &audit{report: ledger.LedgerReport{ByState: map[lifecycle.TouchState]int{}}, touches: map[lifecycle.TouchID]*replayed{}}
}

func (a *audit) stream(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, touchesSQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t replayed
		var e entry
		var customer lifecycle.CustomerID
		if err := rows.Scan(&t.id, &customer, &t.run, &t.channel, &t.class, &t.tags, &t.stored, &t.caps, &t.status,
			&e.seq, &e.at, &e.state, &t.moves); err != nil {
			return err
		}
		if customer != a.current {
			a.replay()
			a.current = customer
		}
		known := a.touches[t.id]
		if known == nil {
			known = &t
			a.touches[t.id] = known
		}
		if e.state == "" {
			continue
		}
		e.touch = t.id
		a.history = append(a.history, e)
		if e.state == lifecycle.TouchSending {
			known.taken = e.seq
		}
	}
	a.replay()
	return rows.Err()
}

// replay judges one customer's touches and forgets them.
func (a *audit) replay() {
	for _, e := range a.history {
		a.step(a.touches[e.touch], e)
	}
	for _, t := range a.touches {
		a.report.Touches++
		a.report.ByState[t.stored]++
		switch {
		case t.state == "":
			a.problem(t, "history-complete", "it is %s without any history", t.stored)
		case t.state != t.stored:
			a.problem(t, "history-complete", "it is %s, its history ends with %s", t.stored, t.state)
		}
		if t.stored.Sent() && !t.wasCalled {
			a.problem(t, "reserved-first", "it is %s but was never reserved and sent", t.stored)
		}
		switch {
		case t.status == "":
			a.problem(t, "run-known", "its run does not exist")
		case t.status == ledger.RunEnded && t.stored.Open():
			a.problem(t, "accounted-for", "it is still %s though its run has ended", t.stored)
		}
	}
	clear(a.touches)
	a.history = a.history[:0]
}

func (a *audit) step(t *replayed, e entry) {
	replanned := e.state == t.state && t.state.Open() && t.state != lifecycle.TouchReserved
	first := t.state == "" && (e.state == lifecycle.TouchSending || !e.state.HoldsSlot() && e.state != lifecycle.TouchRefused)
	sentAgain := e.state == lifecycle.TouchSending && t.called
	switch {
	case sentAgain:
		a.problem(t, "sent-once", "it went to its provider again at %s", e.at.UTC().Format(time.RFC3339))
	case !first && !replanned && !ledger.MayMove(t.state, e.state):
		a.problem(t, "legal-moves", "it went from %s to %s", nameOr(string(t.state), "nothing"), e.state)
	}
	switch e.state {
	case lifecycle.TouchSending: // reserved by the same statement
		t.reservedAt = e.at
		if e.seq == t.taken && t.stored.HoldsSlot() {
			a.caps(t)
		}
		t.called, t.wasCalled = true, true
	case lifecycle.TouchDeferred:
		t.called = false
	}
	t.state = e.state
}

// caps counts again what the reservation of t had to stay below.
func (a *audit) caps(t *replayed) {
	for _, w := range t.caps {
		a.report.Caps++
		n := 0
		for _, o := range a.touches {
			if o.id != t.id && o.state.HoldsSlot() && o.class == lifecycle.Marketing && o.reservedAt.After(w.Since) &&
				o.owner(t.taken) == t.owner(t.taken) &&
				(w.Channel == "" || o.channel == w.Channel) && (w.Tag == "" || slices.Contains(o.tags, w.Tag)) {
				n++
			}
		}
		if n >= w.Limit {
			a.problem(t, "caps-kept", "cap %s allows %d since %s and %d were taken when it was reserved",
				w.Cap, w.Limit, w.Since.UTC().Format(time.RFC3339), n)
		}
	}
}

// mostProblems is how many problems a report lists.
const mostProblems = 100

func (a *audit) problem(t *replayed, rule, format string, args ...any) {
	a.add(ledger.Problem{Rule: rule, TouchID: t.id, RunID: t.run, Detail: fmt.Sprintf(format, args...)})
}

func (a *audit) add(p ledger.Problem) {
	if len(a.report.Problems) >= mostProblems {
		a.report.Omitted++
		return
	}
	a.report.Problems = append(a.report.Problems, p)
}

// list adds a problem per row of (touch id, text, count).
func (a *audit) list(ctx context.Context, tx pgx.Tx, rule, format, sql string) error {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, text string
		var n int
		if err := rows.Scan(&id, &text, &n); err != nil {
			return err
		}
		a.add(ledger.Problem{Rule: rule, TouchID: lifecycle.TouchID(id), Detail: fmt.Sprintf(format, text, n)})
	}
	return rows.Err()
}
