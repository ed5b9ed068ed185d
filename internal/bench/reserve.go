package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"touchstone/internal/devstack"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

const (
	reservations = 4000 // measured, half of them by ours
	touchesOf    = 10   // earlier touches per customer
	reservers    = 16   // at once, in the crowded half
)

// seedTouches fills the ledger with what other customers and the ones that are
// measured received before, without indexes first: that is several times faster.
var seedTouches = []string{
	`alter table touches set unlogged`,
	`create temporary table made as select pg_get_indexdef(indexrelid) || ';' as sql, indexrelid::regclass::text as name from pg_index
	where indrelid = 'touches'::regclass and not indisprimary and not indisunique`,
	`do $$ declare i record; begin for i in select * from made loop execute 'drop index ' || i.name; end loop; end $$`,
	`insert into touches (id, key, run_id, customer_id, journey, version, step, channel, class, state, planned_at, reserved_at, sent_at, settled_at)
	select gen_random_uuid(), 'seed/' || i, md5('r' || i)::uuid, md5('c' || i / $2::int)::uuid, 'seed', 1, 'only', 'email', 'marketing', 'delivered', x.at, x.at, x.at, x.at
	from generate_series(1, $1::int) i cross join lateral (select $3::timestamptz - (i % $2::int + 1) * interval '3 days' as at) x`,
	`do $$ declare i record; begin for i in select * from made loop execute i.sql; end loop; end $$`,
}

// seedPlanned makes the customers that are measured, each with one planned touch.
var seedPlanned = []string{
	`insert into customers (id, external_id, created_at) select md5('c' || i)::uuid, 'r' || i, $2 from generate_series(1, $1::int) i`,
	`insert into touches (id, key, run_id, customer_id, journey, version, step, channel, class, state, planned_at)
	select md5('t' || i)::uuid, 'planned/' || i, md5('p' || i)::uuid, md5('c' || i)::uuid, 'reserve', 1, 'only', 'email', 'marketing', 'planned', $2
	from generate_series(1, $1::int) i`,
}

// byHand is the least a reservation can be: one statement with the customer's
// lock, the count over the index, and the update under the cap.
const byHand = `with locked as materialized (select pg_advisory_xact_lock(hashtextextended($2::text, 0)))
update touches t set state = 'sending', reserved_at = $3, sending_at = $3 from locked
where t.id = $1::uuid and t.state = 'planned' and 5 > (select count(*) from touches o
	where o.customer_id = $2::uuid and o.reserved_at > $3::timestamptz - interval '7 days')`

// reserve measures the reservation of a touch and its cap slots in a large ledger.
func (r *run) reserve(ctx context.Context) (err error) {
	r.say("reserve: %d reservations in a ledger of %d touches", reservations, r.Touches)
	stack, err := devstack.Start(ctx, devstack.Options{BinDir: r.Box.BinDir, Ephemeral: true, Postgres: true, Log: r.Box.Log, Progress: r.Box.Progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop(context.WithoutCancel(ctx))) }()
	if err := postgres.Migrate(ctx, stack.DatabaseURL); err != nil {
		return err
	}
	began := time.Now()
	if err := onConnection(ctx, stack.DatabaseURL, func(c *pgx.Conn) error { return r.seed(ctx, c) }); err != nil {
		return err
	}
	r.say("  filled in %s", time.Since(began).Round(time.Second))
	store, err := postgres.Open(ctx, stack.DatabaseURL, postgres.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	pool, err := pgxpool.New(ctx, stack.DatabaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	hand := func(ctx context.Context, t ledger.Reservation) error {
		tag, err := pool.Exec(ctx, byHand, string(t.Touch.ID), string(t.Touch.CustomerID), t.At)
		if err == nil && tag.RowsAffected() != 1 {
			err = fmt.Errorf("touch %s was not reserved", t.Touch.ID)
		}
		return err
	}
	ours := func(ctx context.Context, t ledger.Reservation) error {
		answers, err := store.Reserve(ctx, []ledger.Reservation{t})
		if err == nil && answers[0].Result != ledger.Granted {
			err = fmt.Errorf("touch %s: %s", t.Touch.ID, answers[0].Result)
		}
		return err
	}
	asked, err := toReserve(ctx, stack.DatabaseURL)
	if err != nil {
		return err
	}
	quarter := len(asked) / 4
	for i, workers := range []int{1, reservers} {
		share := asked[2*i*quarter:]
		mine, err := timed(ctx, workers, share[:quarter], ours)
		if err != nil {
			return err
		}
		theirs, err := timed(ctx, workers, share[quarter:2*quarter], hand)
		if err != nil {
			return err
		}
		r.latencies(mine, theirs, workers)
	}
	return nil
}

func (r *run) seed(ctx context.Context, c *pgx.Conn) error {
	for _, sql := range seedTouches {
		var args []any
		if sql == seedTouches[3] {
			args = []any{r.Touches, touchesOf, noon}
		}
		if _, err := c.Exec(ctx, sql, args...); err != nil {
			return err
		}
	}
	for _, sql := range seedPlanned {
		if _, err := c.Exec(ctx, sql, min(reservations, r.Touches/touchesOf), noon); err != nil {
			return err
		}
	}
	_, err := c.Exec(ctx, `analyze touches, customers, customer_stats`)
	return err
}

// toReserve are the planned touches, with the caps of the shipped policy that
// concern e-mail.
func toReserve(ctx context.Context, url string) (asked []ledger.Reservation, err error) {
	err = onConnection(ctx, url, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `select id::text, key, run_id::text, customer_id::text from touches where journey = 'reserve' order by id`)
		if err != nil {
			return err
		}
		asked, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.Reservation, error) {
			t := ledger.Reservation{At: noon, Caps: []ledger.CapWindow{
				{Cap: "email-daily", Channel: lifecycle.Email, Since: noon.Add(-24 * time.Hour), Limit: 1},
				{Cap: "email-weekly", Channel: lifecycle.Email, Since: noon.Add(-7 * 24 * time.Hour), Limit: 4},
				{Cap: "total-weekly", Since: noon.Add(-7 * 24 * time.Hour), Limit: 5},
			}}
			return t, row.Scan(&t.Touch.ID, &t.Touch.Key, &t.Touch.RunID, &t.Touch.CustomerID)
		})
		return err
	})
	return asked, err
}

// timed does each of the asked with so many workers and returns how long each took.
func timed(ctx context.Context, workers int, asked []ledger.Reservation, do func(context.Context, ledger.Reservation) error) ([]time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, t := range asked {
		group.Go(func() error {
			began := time.Now()
			err := do(ctx, t)
			d := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, d)
			return err
		})
	}
	return took, group.Wait()
}

func (r *run) latencies(ours, byHand []time.Duration, workers int) {
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}} {
		r.add(Line{
			Part: "reserve", What: fmt.Sprintf("cap reservation %s, %d at once", q.name, workers), Unit: "ms",
			Ours: milliseconds(percentile(ours, q.share)), Baseline: milliseconds(percentile(byHand, q.share)), Against: "one hand-written statement",
		})
	}
}
