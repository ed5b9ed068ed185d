package pgtest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
)

func TestDatabaseIsEmptyAndGoneAfterwards(t *testing.T) {
	t.Parallel()
	var first string
	t.Run("first", func(t *testing.T) {
		first = pgtest.Database(t)
		execute(t, first, "create table mine ()")
		open, err := pgx.Connect(t.Context(), first) // a leaked connection must not keep the database
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = open.Close(context.Background()) }) // the server has closed it by then
	})
	if conn, err := pgx.Connect(t.Context(), first); err == nil {
		conn.Close(t.Context())
		t.Error("the database is still there after its test")
	}
	if n := count(t, pgtest.Database(t), "select count(*) from pg_class where relnamespace = 'public'::regnamespace"); n != 0 {
		t.Errorf("a new database holds %d relations", n)
	}
}

var migrations atomic.Int32

func migrate(ctx context.Context, url string) error {
	migrations.Add(1)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "create table seeded as select generate_series(1, 10) as n")
	return err
}

func migrateDifferently(context.Context, string) error { return nil }

func TestMigratedCopiesOneTemplate(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for i := range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			url := pgtest.Migrated(t, migrate)
			if n := count(t, url, "select count(*) from seeded"); n != 10 {
				t.Errorf("database %d has %d seeded rows, want 10: it is not a copy of its own", i, n)
			}
			execute(t, url, "delete from seeded")
		})
	}
	t.Cleanup(func() {
		t.Logf("8 databases in %s", time.Since(began))
		if n := migrations.Load(); n != 1 {
			t.Errorf("migrated %d times, want once", n)
		}
	})
}

func TestAnotherMigrationHasItsOwnTemplate(t *testing.T) {
	t.Parallel()
	if n := count(t, pgtest.Migrated(t, migrateDifferently), "select count(*) from pg_class where relname = 'seeded'"); n != 0 {
		t.Error("two migrations share a template")
	}
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, url, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
