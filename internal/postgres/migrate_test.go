package postgres_test

import (
	"sync"
	"testing"
	"time"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			if err := postgres.Migrate(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	b := open(t, url)
	if version := query[int](b, "select version from schema_version"); version < 1 {
		t.Errorf("schema version %d", version)
	}
	b.exec("update schema_version set version = 9999")
	wantCode(t, postgres.Migrate(t.Context(), url), lifecycle.Conflict)
}

// The SQL functions say the same as the Go rules they mirror.
func TestRulesAgree(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, from := range lifecycle.TouchStates {
		if got := query[bool](b, "select touch_holds_slot($1)", string(from)); got != from.HoldsSlot() {
			t.Errorf("touch_holds_slot(%s) = %v", from, got)
		}
		for _, to := range lifecycle.TouchStates {
			if got, want := query[bool](b, "select touch_may_move($1, $2)", string(from), string(to)), ledger.MayMove(from, to); got != want {
				t.Errorf("touch_may_move(%s, %s) = %v, ledger.MayMove says %v", from, to, got, want)
			}
		}
	}
	halved := query[float64](b, "select engagement_left($1::timestamptz, $2::timestamptz)", noon, noon.Add(lifecycle.EngagementHalfLife))
	if halved != 0.5 {
		t.Errorf("after one half-life %v is left", halved)
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var callers sync.WaitGroup
	for range 8 {
		other, err := postgres.Open(t.Context(), b.url, postgres.Options{MaxConnections: 2})
		b.must(err)
		t.Cleanup(other.Close)
		callers.Go(func() {
			if err := other.EnsurePartitions(t.Context(), noon, noon.Add(90*day)); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := query[int](b, "select count(*) from pg_inherits where inhparent = 'events'::regclass"); n != 4 {
		t.Errorf("%d months from March to June", n)
	}
	_, err := b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: lifecycle.CustomerID(id()), Name: "x",
		At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}}, nil)
	wantCode(t, err, lifecycle.Invalid)
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1", postgres.Options{})
	wantCode(t, err, lifecycle.Unavailable)
	_, err = postgres.Open(t.Context(), "postgres://[", postgres.Options{})
	wantCode(t, err, lifecycle.Invalid)
	b := setup(t)
	_, err = b.Run(t.Context(), lifecycle.RunID(id()))
	wantCode(t, err, lifecycle.NotFound)
	_, err = b.Run(t.Context(), "not an id")
	wantCode(t, err, lifecycle.Invalid)
	b.Close()
	wantCode(t, b.Ping(t.Context()), lifecycle.Unavailable)
}

// A connection that the server ends is Unavailable, and the next call works.
func TestServerEndsConnections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(b.Ping(t.Context()))
	b.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'touchstone'")
	if err := b.Ping(t.Context()); err != nil {
		wantCode(t, err, lifecycle.Unavailable)
	}
	b.must(b.Ping(t.Context()))
}
