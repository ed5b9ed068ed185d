package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// connectionsPerCore keeps the pool small: beyond about eight connections per
// core throughput does not grow and the slowest calls get much slower.
const connectionsPerCore = 8

// Options tune a Store. The zero value is right for production.
type Options struct {
	// MaxConnections of the pool; 0 = eight per core.
	MaxConnections int
	// Stages place holdouts in their response group; zero = the defaults.
	Stages lifecycle.StageThresholds
	// Application is the name shown in pg_stat_activity; empty = touchstone.
	Application string
}

// Store keeps everything in one PostgreSQL database. It is safe for concurrent
// use by any number of goroutines and processes.
type Store struct {
	pool       *pgxpool.Pool
	q          *dbsqlc.Queries
	stages     lifecycle.StageThresholds
	partitions months
	scopes     scopeCache
}

// Open connects to the database at url. The schema must have been migrated.
// Errors: Invalid for an unusable url, Unavailable when nobody answers.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "database url: %w", err)
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = connectionsPerCore * runtime.NumCPU()
	}
	if o.Stages == (lifecycle.StageThresholds{}) {
		o.Stages = lifecycle.DefaultStageThresholds()
	}
	if o.Application == "" {
		o.Application = "touchstone"
	}
	config.MaxConns = int32(o.MaxConnections)
	config.MaxConnLifetime = time.Hour
	config.MaxConnLifetimeJitter = 10 * time.Minute
	config.MaxConnIdleTime = 5 * time.Minute
	config.HealthCheckPeriod = 30 * time.Second
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	for name, value := range map[string]string{
		"application_name":                    o.Application,
		"timezone":                            "UTC",
		"statement_timeout":                   "5min", // verification of a large ledger takes minutes
		"lock_timeout":                        "30s",
		"idle_in_transaction_session_timeout": "5min",
		"jit":                                 "off", // compiling costs more than our queries take
		// The queries of one run are index lookups: planning them anew takes
		// several times as long as running them, and a plan made while a table
		// was small must not read all of it when it has grown. See planAnew.
		"plan_cache_mode":  "force_generic_plan",
		"enable_seqscan":   "off",
		"random_page_cost": "1.1", // solid state and mostly cached: an index beats reading all
	} {
		if _, given := config.ConnConfig.RuntimeParams[name]; !given {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	config.ConnConfig.Tracer = queryTracer{}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, translate(err, "open the database")
	}
	s := &Store{pool: pool, q: dbsqlc.New(pool), stages: o.Stages}
	if err := s.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for running calls and closes every connection.
func (s *Store) Close() { s.pool.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.q.Alive(ctx)
	return translate(err, "ping the database")
}

// attempts bounds how often a transaction is run again after the database chose
// it as the victim of a deadlock or serialisation failure.
const attempts = 4

// transaction runs work in one transaction and translates its error.
func (s *Store) transaction(ctx context.Context, what string, work func(q *dbsqlc.Queries, tx pgx.Tx) error) error {
	return translate(persist(func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return work(s.q.WithTx(tx), tx) })
	}), what)
}

// persist runs work again when the database chose it as a victim.
func persist(work func() error) error {
	for attempt := 1; ; attempt++ {
		err := work()
		if attempt == attempts || !isVictim(err) {
			return err
		}
	}
}

// snapshot runs work in one read-only transaction that sees a single instant.
func (s *Store) snapshot(ctx context.Context, what string, work func(q *dbsqlc.Queries, tx pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, planAnew); err != nil {
				return err
			}
			return work(s.q.WithTx(tx), tx)
		})
	return translate(err, what)
}

// planAnew is for statements over whole tables, whose best plan depends on the
// values asked for.
const planAnew = "set local plan_cache_mode = force_custom_plan; set local enable_seqscan = on"

// planned runs work, whose statements are planned anew, in one transaction.
func (s *Store) planned(ctx context.Context, work func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, planAnew); err != nil {
			return err
		}
		return work(tx)
	})
}

// lock serialises work on things of one kind until the transaction ends.
func lock[ID ~string](ctx context.Context, q *dbsqlc.Queries, kind string, ids ...ID) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = kind + "/" + strings.ToLower(string(id))
	}
	return q.LockNames(ctx, names)
}

// batch is the JSON form in which rows travel to the database.
func batch[Row any](rows []Row) (json.RawMessage, error) {
	b, err := json.Marshal(rows)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "encode rows: %w", err)
	}
	return withoutNUL(b), nil
}

// withoutNUL drops escaped NUL characters, which PostgreSQL cannot keep in text,
// from a JSON document.
func withoutNUL(document []byte) []byte {
	const escaped = `\u0000`
	if !bytes.Contains(document, []byte(escaped)) {
		return document
	}
	kept := make([]byte, 0, len(document))
	for i := 0; i < len(document); i++ {
		if document[i] != '\\' {
			kept = append(kept, document[i])
			continue
		}
		if bytes.HasPrefix(document[i:], []byte(escaped)) {
			i += len(escaped) - 1
			continue
		}
		kept = append(kept, document[i:i+2]...) // an escape is at least two bytes in valid JSON
		i++
	}
	return kept
}

func isVictim(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001")
}
