package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// pipeline collects statements whose results nobody needs before the last one: they
// go to the database in one round trip. It stands in for a connection in the
// generated queries.
type pipeline struct {
	batch  pgx.Batch
	checks map[int]func(rows int) error // by place in the batch
}

var _ dbsqlc.DBTX = (*pipeline)(nil)

var errNeedsAnswer = lifecycle.Errorf(lifecycle.Internal, "a statement with an answer cannot be in a pipeline")

// Exec queues a statement. Its tag is empty: see expect.
func (p *pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query is for statements with an answer, which a pipeline has not.
func (p *pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errNeedsAnswer
}

// QueryRow is for statements with an answer, which a pipeline has not.
func (p *pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return errNeedsAnswer }

// check looks at how many rows the statement queued last has found.
func (p *pipeline) check(rows func(int) error) {
	if p.checks == nil {
		p.checks = map[int]func(int) error{}
	}
	p.checks[p.batch.Len()-1] = rows
}

// all is the check that a statement found every one of n things.
func all(n int, what string) func(int) error {
	return func(found int) error {
		if found == n {
			return nil
		}
		return lifecycle.Errorf(lifecycle.NotFound, "%d of %d %s do not exist", n-found, n, what)
	}
}

// pipelined is a transaction whose first statements go to the database together
// with its beginning; then does what needs their effect, and may be nil.
func (s *Store) pipelined(ctx context.Context, what string, queue func(*dbsqlc.Queries, *pipeline) error, then func(*dbsqlc.Queries) error) error {
	return translate(persist(func() error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // closes a connection that is still in a transaction
		p := &pipeline{}
		p.batch.Queue("begin")
		if err := queue(dbsqlc.New(p), p); err != nil {
			return err
		}
		err = p.run(ctx, conn.Conn())
		if err == nil && then != nil {
			err = then(dbsqlc.New(conn))
		}
		if err != nil {
			_, undone := conn.Exec(context.WithoutCancel(ctx), "rollback")
			return errors.Join(err, undone)
		}
		_, err = conn.Exec(ctx, "commit")
		return err
	}), what)
}

// run sends the batch and checks what its statements have found.
func (p *pipeline) run(ctx context.Context, conn *pgx.Conn) (err error) {
	results := conn.SendBatch(ctx, &p.batch)
	defer func() {
		if closing := results.Close(); err == nil {
			err = closing
		}
	}()
	for i := range p.batch.Len() {
		tag, err := results.Exec()
		if err != nil {
			return err
		}
		if check := p.checks[i]; check != nil {
			if err := check(int(tag.RowsAffected())); err != nil {
				return err
			}
		}
	}
	return nil
}
