package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
	"touchstone/internal/segment"
)

// scopesLife is how long the scopes in force are used before they are read
// again: entries ask for them, and a stage lasts for days. A halt does not wait
// for it: it is a control.
const scopesLife = time.Second

// scopeCache keeps the scopes in force.
type scopeCache struct {
	mu   sync.Mutex
	last []ledger.Scope
	at   time.Time
}

// Scopes returns the stages of rollout programmes that are in force, as of a
// second ago at most.
func (s *Store) Scopes(ctx context.Context) ([]ledger.Scope, error) {
	s.scopes.mu.Lock()
	defer s.scopes.mu.Unlock()
	if time.Since(s.scopes.at) < scopesLife {
		return s.scopes.last, nil
	}
	rows, err := s.q.Scopes(ctx)
	if err != nil {
		return nil, translate(err, "read the rollout scopes")
	}
	s.scopes.last, s.scopes.at = nil, time.Now()
	for _, row := range rows {
		s.scopes.last = append(s.scopes.last, scopeOf(row))
	}
	return s.scopes.last, nil
}

// forget makes the next reader see what was just changed.
func (c *scopeCache) forget() {
	c.mu.Lock()
	c.at = time.Time{}
	c.mu.Unlock()
}

func scopeOf(row dbsqlc.RolloutScope) ledger.Scope {
	return ledger.Scope{Programme: row.Programme, Version: int(row.Version), Phase: row.Phase, Stage: row.Stage, Governs: row.Governs,
		Journeys: row.Journeys, Channels: typed[lifecycle.Channel](row.Channels), Agents: row.Agents, ReviewAll: row.Review == reviewAll,
		Share: row.Share, Cohort: row.Cohort, At: row.At}
}

// reviewAll is the value of rollout_scope.review that asks a person every time.
const reviewAll = "every-touch"

// inside is the condition, over customers c and customer_stats s, that a scope
// lets a customer through at an instant; its arguments are numbered from first.
// Every entry and every send is judged by it.
func (s *Store) inside(scope ledger.Scope, at time.Time, first int) (where string, args []any, err error) {
	where, args = fmt.Sprintf("bucket($%d::text, c.id) < $%d::float8", first, first+1), []any{scope.Salt(), scope.Share}
	if scope.Cohort == "" {
		return where, args, nil
	}
	cohort, err := segment.Compile(scope.Cohort)
	if err != nil {
		return "", nil, lifecycle.Errorf(lifecycle.Invalid, "%s: cohort: %w", scope, err)
	}
	condition, more, err := cohort.SQL(at, s.stages, first+2)
	if err != nil {
		return "", nil, lifecycle.Errorf(lifecycle.Invalid, "%s: cohort: %w", scope, err)
	}
	return where + " and (" + condition + ")", append(args, more...), nil
}

// admitting is the condition that every rollout in force lets a customer enter a
// journey at an instant; "" when none has a say.
func (s *Store) admitting(ctx context.Context, journey string, at time.Time, first int) (where string, args []any, err error) {
	scopes, err := s.Scopes(ctx)
	if err != nil {
		return "", nil, err
	}
	var all []string
	for _, scope := range scopes {
		if !scope.Rules(journey) {
			continue
		}
		if !scope.Runs(journey) {
			return "false", nil, nil
		}
		one, more, err := s.inside(scope, at, first+len(args))
		if err != nil {
			return "", nil, err
		}
		all, args = append(all, "("+one+")"), append(args, more...)
	}
	return strings.Join(all, " and "), args, nil
}

// admits reports whether a customer fulfils what admitting returned, its
// arguments numbered from 2. A customer who does not exist is for the entry
// itself to refuse.
func admits(ctx context.Context, tx pgx.Tx, customer lifecycle.CustomerID, where string, args []any) (admitted bool, err error) {
	if where == "" {
		return true, nil
	}
	err = tx.QueryRow(ctx, `select coalesce((select `+where+` from customers c join customer_stats s on s.customer_id = c.id
		where c.id = $1::uuid), true)`, append([]any{string(customer)}, args...)...).Scan(&admitted)
	return admitted, err
}

// CountScope counts the customers whom a scope lets through at an instant.
func (s *Store) CountScope(ctx context.Context, scope ledger.Scope, at time.Time) (int, error) {
	where, args, err := s.inside(scope, at, 1)
	if err != nil {
		return 0, err
	}
	return s.CountCohort(ctx, where, args)
}

// Admission returns what the rollouts in force hold back of these runs at an
// instant. Without a rollout it asks the database nothing.
func (s *Store) Admission(ctx context.Context, runs []lifecycle.RunID, at time.Time) (ledger.Admission, error) {
	var a ledger.Admission
	var err error
	if a.Scopes, err = s.Scopes(ctx); err != nil {
		return a, err
	}
	for _, scope := range a.Scopes {
		where, args, err := s.inside(scope, at, 3)
		if err != nil {
			return a, err
		}
		rows, err := s.pool.Query(ctx, `select r.id from (select unnest($1::uuid[]) as id) x join journey_runs r on r.id = x.id
			join customers c on c.id = r.customer_id join customer_stats s on s.customer_id = c.id
			where (cardinality($2::text[]) = 0 or r.journey = any($2::text[])) and not coalesce(`+where+`, false)`,
			append([]any{texts(runs), texts(scope.Governs)}, args...)...)
		if err != nil {
			return a, translate(err, "read who is outside a rollout")
		}
		outside, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return a, translate(err, "read who is outside a rollout")
		}
		for _, id := range outside {
			if a.Outside == nil {
				a.Outside = map[lifecycle.RunID]string{}
			}
			a.Outside[lifecycle.RunID(id)] = scope.String() + ": the customer is not part of it"
		}
	}
	return a, nil
}

// parkSQL takes pending runs outside a scope out of their campaign's pages: they
// keep their place, without a due time.
const parkSQL = `
with outside as (
	select r.id from journey_runs r join customers c on c.id = r.customer_id join customer_stats s on s.customer_id = c.id
	where r.status = 'pending' and r.due_at is not null and (cardinality($1::text[]) = 0 or r.journey = any($1::text[]))
	and not (coalesce(%s, false) and (cardinality($2::text[]) = 0 or r.journey = any($2::text[])))
	order by r.id limit $3 for update of r
)
update journey_runs r set held = true, due_at = null from outside o where r.id = o.id`

// releaseSQL is the inverse of parkSQL; with $5 also for runs with workflows of
// their own, which a send held back.
const releaseSQL = `
with inside as (
	select r.id from journey_runs r join customers c on c.id = r.customer_id join customer_stats s on s.customer_id = c.id
	where r.held and (r.status = 'pending' and r.due_at is null or $5::boolean and r.status = 'running')
	and (cardinality($1::text[]) = 0 or r.journey = any($1::text[]))
	and (cardinality($2::text[]) = 0 or r.journey = any($2::text[])) and r.id > $6::uuid and %s
	order by r.id limit $3 for update of r
)
update journey_runs r set held = false, due_at = case when r.status = 'pending' then $4::timestamptz else r.due_at end
from inside i where r.id = i.id
returning r.id, r.journey, r.customer_id, r.entry_key, r.campaign, r.status, r.durable`

// ParkOutside takes up to limit pending runs of customers outside a scope out of
// their campaigns' pages, and returns how many. They keep their place.
func (s *Store) ParkOutside(ctx context.Context, scope ledger.Scope, at time.Time, limit int) (int, error) {
	where, args, err := s.inside(scope, at, 4)
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.planned(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, fmt.Sprintf(parkSQL, where), append([]any{texts(scope.Governs), texts(scope.Journeys), limit}, args...)...)
		n = tag.RowsAffected()
		return err
	})
	return int(n), translate(err, "hold who is outside a rollout")
}

// ReleaseInside lets up to limit held runs of customers inside a scope go on, by
// id after the given one, and returns what their workflows are found by. Pending
// ones become due at once; durable ones, released only when asked for, must be
// woken.
func (s *Store) ReleaseInside(ctx context.Context, scope ledger.Scope, at time.Time, durable bool, limit int, after lifecycle.RunID) ([]ledger.Run, error) {
	where, args, err := s.inside(scope, at, 7)
	if err != nil {
		return nil, err
	}
	var runs []ledger.Run
	err = s.planned(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(releaseSQL, where),
			append([]any{texts(scope.Governs), texts(scope.Journeys), limit, instant(at), durable, orNoID(after)}, args...)...)
		if err != nil {
			return err
		}
		runs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r ledger.Run, err error) {
			err = row.Scan(&r.ID, &r.Journey, &r.CustomerID, &r.EntryKey, &r.Campaign, &r.Status, &r.Durable)
			return r, err
		})
		slices.SortFunc(runs, func(a, b ledger.Run) int { return cmp.Compare(a.ID, b.ID) })
		return err
	})
	return runs, translate(err, "release who is inside a rollout")
}
