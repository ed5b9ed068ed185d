package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// noon is the business instant at which most tests happen.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// bench is a store on a database of its own, with shorthands that fail the test.
type bench struct {
	*postgres.Store
	t   testing.TB
	url string
	raw *pgxpool.Pool // the database behind the store's back
}

func setup(t testing.TB) bench {
	t.Helper()
	return open(t, pgtest.Migrated(t, postgres.Migrate))
}

func open(t testing.TB, url string) bench {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	raw, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)
	return bench{s, t, url, raw}
}

// must fails the test on an error.
func (b bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// exec runs SQL behind the store's back.
func (b bench) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.raw.Exec(context.Background(), sql, args...)
	b.must(err)
}

// query returns one value.
func query[T any](b bench, sql string, args ...any) (value T) {
	b.t.Helper()
	b.must(b.raw.QueryRow(context.Background(), sql, args...).Scan(&value))
	return value
}

// customers creates n customers and returns their ids in order.
func (b bench) customers(n int) []lifecycle.CustomerID {
	b.t.Helper()
	externals, rows := make([]string, n), make([]lifecycle.Customer, n)
	for i := range n {
		externals[i] = fmt.Sprintf("c%06d", i)
		rows[i] = lifecycle.Customer{ExternalID: externals[i], Email: externals[i] + "@example.com", Phone: fmt.Sprintf("+1555%07d", i),
			FirstName: "Ada", TimeZone: "Europe/Berlin", Attributes: map[string]any{"vip": i%2 == 0}, CreatedAt: noon.Add(-100 * day)}
	}
	_, err := b.UpsertCustomers(b.t.Context(), rows, nil, noon)
	b.must(err)
	ids, err := b.CustomerIDs(b.t.Context(), externals)
	b.must(err)
	ordered := make([]lifecycle.CustomerID, n)
	for i, e := range externals {
		ordered[i] = ids[e]
	}
	return ordered
}

func id() string { return uuid.Must(uuid.NewV7()).String() }

// enter starts a customer on a journey that nobody is held out of.
func (b bench) enter(customer lifecycle.CustomerID, journey, key string) ledger.Run {
	b.t.Helper()
	run, entered, err := b.Enter(b.t.Context(), ledger.Entry{RunID: lifecycle.RunID(id()), Journey: journey, Version: 1,
		CustomerID: customer, EntryKey: key, At: noon, Always: true})
	b.must(err)
	if !entered {
		b.t.Fatalf("customer %s did not enter %s", customer, journey)
	}
	return run
}

// touch is a planned marketing e-mail of a run's step.
func touch(run ledger.Run, step string) lifecycle.Touch {
	return lifecycle.Touch{ID: lifecycle.TouchID(id()), Key: fmt.Sprintf("%s/%s/%s/%s", run.Journey, run.CustomerID, run.EntryKey, step),
		RunID: run.ID, CustomerID: run.CustomerID, Journey: run.Journey, Version: run.Version, Campaign: run.Campaign, Step: step,
		Agent: "test", Channel: lifecycle.Email, Class: lifecycle.Marketing, Tags: []string{"promo"}, Slot: "hello",
		Content: "hash", State: lifecycle.TouchPlanned, PlannedAt: noon}
}

// plan stores touches and moves nothing else.
func (b bench) plan(touches ...lifecycle.Touch) {
	b.t.Helper()
	plans := make([]ledger.Plan, len(touches))
	for i, t := range touches {
		plans[i] = ledger.Plan{Touch: t, Group: "active", At: t.PlannedAt}
	}
	b.must(b.SavePlans(b.t.Context(), plans, nil))
}

// planned stores a new customer's run with one planned touch.
func (b bench) planned(customer lifecycle.CustomerID, step string) lifecycle.Touch {
	b.t.Helper()
	t := touch(b.enter(customer, "winback", id()), step)
	b.plan(t)
	return t
}

// reserve asks for one touch.
func (b bench) reserve(t lifecycle.Touch, at time.Time, caps ...ledger.CapWindow) ledger.Reserved {
	b.t.Helper()
	got, err := b.Reserve(b.t.Context(), []ledger.Reservation{{Touch: t, At: at, Caps: caps}})
	b.must(err)
	return got[0]
}

// settle settles one touch.
func (b bench) settle(t lifecycle.Touch, state lifecycle.TouchState, at time.Time) {
	b.t.Helper()
	b.must(b.Settle(b.t.Context(), []ledger.Settlement{{TouchID: t.ID, State: state, At: at, ProviderID: "p-" + string(t.ID),
		Cost: lifecycle.Money{Amount: 1, Currency: "USD"}}}, nil, nil))
}

// send takes a touch through sending and accepted.
func (b bench) send(t lifecycle.Touch, at time.Time, caps ...ledger.CapWindow) {
	b.t.Helper()
	if r := b.reserve(t, at, caps...); r.Result != ledger.Granted {
		b.t.Fatalf("touch %s: %+v, want granted", t.ID, r)
	}
	b.settle(t, lifecycle.TouchAccepted, at)
}

// state reads a touch's state.
func (b bench) state(t lifecycle.Touch) lifecycle.TouchState {
	b.t.Helper()
	got, err := b.Touch(b.t.Context(), t.ID)
	b.must(err)
	return got.State
}

// erase empties what is personal about a customer.
func (b bench) erase(customer lifecycle.CustomerID, at time.Time) ledger.Erased {
	b.t.Helper()
	done, err := b.EraseCustomer(b.t.Context(), customer, at)
	b.must(err)
	return done
}

// verified fails the test unless ledger and decision log verify.
func (b bench) verified() {
	b.t.Helper()
	report, err := b.VerifyLedger(b.t.Context())
	b.must(err)
	if !report.OK {
		b.t.Fatalf("the ledger does not verify: %+v", report.Problems)
	}
	chain, err := b.VerifyDecisions(b.t.Context())
	b.must(err)
	if !chain.OK {
		b.t.Fatalf("the decision log does not verify: %+v", chain)
	}
}

func wantCode(t testing.TB, err error, code lifecycle.Code) {
	t.Helper()
	if got := lifecycle.CodeOf(err); got != code {
		t.Fatalf("error %v has code %q, want %q", err, got, code)
	}
}
