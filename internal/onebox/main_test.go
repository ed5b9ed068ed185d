package onebox_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/control"
	"touchstone/internal/onebox"
	"touchstone/internal/sandbox"
	"touchstone/internal/telemetry"
)

// The tests of this package run against one box: PostgreSQL, the Temporal dev
// server with a file, the vendors' sandbox, the gateway and a worker, all real.
// Fault tests (TestFault...) run one after the other, because they break parts
// that all share; the end-to-end tests run side by side after them. Each test
// has journeys, campaigns and customers of its own.

func TestMain(m *testing.M) {
	if plan := os.Getenv(crashPlan); plan != "" {
		os.Exit(crashingWorker(plan))
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the box:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// house is the box with the doors that the tests use.
type house struct {
	*onebox.Box
	plane *control.Plane
	db    *pgxpool.Pool // for questions that only a test asks
	inbox *sync.Map     // what arrived in people's inboxes, by touch id
}

var shared sharedHouse

type sharedHouse struct {
	once  sync.Once
	house *house
	err   error
}

// open returns the shared house, starting it for the first test that asks.
func open(t *testing.T) *house {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL and Temporal")
	}
	shared.once.Do(func() { shared.house, shared.err = startHouse(context.Background()) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.house
}

func (s *sharedHouse) stop() error {
	if s.house == nil {
		return nil
	}
	s.house.db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.house.Stop(ctx)
}

// factor is the business time that passes per real time: the shortest wait of a
// journey, a minute, takes a second. Caps of a day do not free up in any test.
const factor = 60

func startHouse(ctx context.Context) (*house, error) {
	base := config.Defaults()
	base.GlobalHoldout = 0 // so that every test can count its customers
	log := slog.New(slog.DiscardHandler)
	if level := os.Getenv("TOUCHSTONE_TEST_LOG"); level != "" {
		var err error
		if log, err = telemetry.NewLogger(os.Stderr, level, "text"); err != nil {
			return nil, err
		}
	}
	inbox := &sync.Map{}
	box, err := onebox.Start(ctx, onebox.Options{
		Ephemeral: true, TemporalFile: true, Config: base, Brand: brand.Example(), Policy: guardrails.DefaultPolicy(), Seed: 1, Log: log,
		Sandbox: func(o *sandbox.Options) {
			o.EventDelay, o.BatchEvery = 100*time.Millisecond, 50*time.Millisecond
			o.OnDelivered = func(d sandbox.Delivered) []sandbox.Reaction {
				inbox.Store(d.TouchID, d)
				return nil
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if err := box.Run(ctx, clock.Scale{Base: time.Now(), Origin: time.Now().UTC(), Factor: factor}); err != nil {
		return nil, fmt.Errorf("%w; while stopping: %w", err, box.Stop(ctx))
	}
	db, err := pgxpool.New(ctx, box.Stack.DatabaseURL)
	if err != nil {
		return nil, err
	}
	return &house{Box: box, db: db, inbox: inbox, plane: &control.Plane{
		Store: box.Store, Temporal: box.Temporal, Brand: brand.Example(), Clock: box.Clock, Review: box.Config.Review,
	}}, nil
}

// eventually waits until ok reports true; what says what was waited for, and
// why it did not come.
func eventually(t *testing.T, limit time.Duration, what func() string, ok func() (bool, error)) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		done, err := ok()
		if done && err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("gave up after %s: %s (last error: %v)", limit, what(), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// say makes a constant text for eventually.
func say(text string) func() string { return func() string { return text } }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
