package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/activities"
	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/internal/watch"
)

// post is a watch on a database of its own, with a webhook that remembers.
type post struct {
	*activities.Watch
	t       *testing.T
	store   *postgres.Store
	raw     *pgxpool.Pool
	options Options
	told    chan string
	status  atomic.Int64
}

func newPost(t *testing.T, change func(*Options)) *post {
	t.Helper()
	url := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	raw, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)
	p := &post{t: t, store: store, raw: raw, told: make(chan string, 100)}
	p.status.Store(http.StatusOK)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := int(p.status.Load()); status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.told <- string(body)
	}))
	t.Cleanup(hook.Close)
	p.options = Options{Config: config.Defaults(), Store: store, Brand: brand.Example(), Policy: guardrails.DefaultPolicy(), Log: slog.New(slog.DiscardHandler),
		Providers: map[lifecycle.Channel]activities.Provider{lifecycle.Email: nil}}
	p.options.Config.Watch.Webhook = hook.URL
	if change != nil {
		change(&p.options)
	}
	p.rebuild()
	return p
}

// rebuild is a new worker process.
func (p *post) rebuild() {
	p.t.Helper()
	keeper, err := newWatch(p.options, func() time.Time { return time.Now().UTC() })
	if err != nil {
		p.t.Fatal(err)
	}
	p.Watch = keeper
}

// look keeps watch for one check.
func (p *post) look() activities.WatchResult {
	p.t.Helper()
	result, err := p.KeepWatch(p.t.Context(), activities.WatchInput{})
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

func (p *post) exec(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.raw.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatal(err)
	}
}

// send stores n messages that went out an hour ago and arrived, and of them so
// many complaints.
func (p *post) send(prefix string, n, complaints int, ago time.Duration) {
	p.t.Helper()
	at := time.Now().UTC().Add(-ago)
	p.exec(`select ensure_partitions('{events,touch_history,decision_log}', $1, $1)`, at)
	p.exec(`insert into customers (id, external_id, email, time_zone, created_at)
		select new_id(), $1 || i, $1 || i || '@example.com', 'America/New_York', $3::timestamptz - interval '1 year' from generate_series(1, $2::int) i`, prefix, n, at)
	p.exec(`insert into consents (customer_id, channel, state, at) select id, 'email', 'granted', created_at from customers where external_id like $1 || '%'`, prefix)
	p.exec(`insert into journey_runs (id, journey, version, customer_id, arm, status, entered_at) select id, 'winback', 1, id, 'treated', 'running', $2
		from customers where external_id like $1 || '%'`, prefix, at)
	p.exec(`insert into touches (id, key, run_id, customer_id, journey, version, step, channel, state, planned_at, reserved_at, sending_at, sent_at, settled_at, attempts)
		select id, 'winback/' || id, id, id, 'winback', 1, 'nudge', 'email', case when row_number() over (order by id) <= $3::int then 'complained' else 'delivered' end, $2, $2, $2, $2, $2, 1
		from customers where external_id like $1 || '%'`, prefix, at, complaints)
	p.exec(`insert into touch_history (touch_id, at, state) select t.id, t.sent_at, s.state from touches t join customers c on c.id = t.customer_id,
		unnest(array['planned', 'reserved', 'sending', 'accepted', t.state]) with ordinality s(state, n) where c.external_id like $1 || '%' order by t.id, s.n`, prefix)
}

// control is the global one.
func (p *post) control() ledger.Control {
	p.t.Helper()
	controls, err := p.store.Controls(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range controls {
		if c.Scope == ledger.ScopeGlobal {
			return c
		}
	}
	return ledger.Control{State: ledger.ControlRunning}
}

// resume is what a person does.
func (p *post) resume() {
	p.t.Helper()
	controller := NewController(p.store, nil, func() time.Time { return time.Now().UTC() })
	if err := controller.Control(p.t.Context(), ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlRunning, By: "jane"}); err != nil {
		p.t.Fatal(err)
	}
}

// hears returns the next notice.
func (p *post) hears(words ...string) {
	p.t.Helper()
	select {
	case text := <-p.told:
		for _, w := range words {
			if !strings.Contains(text, w) {
				p.t.Errorf("the notice lacks %q:\n%s", w, text)
			}
		}
	default:
		p.t.Errorf("nobody was told of %v", words)
	}
}

func (p *post) hearsNothing() {
	p.t.Helper()
	select {
	case text := <-p.told:
		p.t.Errorf("told without need:\n%s", text)
	default:
	}
}

func TestComplaintSpikeHaltsUntilAPersonResumes(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	p.send("good", 2000, 1, 3*time.Hour)
	if r := p.look(); r.Checks != 1 || r.Opened != 0 || p.control().State != ledger.ControlRunning {
		t.Fatalf("a healthy programme: %+v, %+v", r, p.control())
	}
	p.hearsNothing()
	p.send("spike", 1000, 30, 10*time.Minute)
	began := time.Now()
	r := p.look()
	c := p.control()
	if c.State != ledger.ControlHalted || c.By != activities.WatchActor || !strings.Contains(c.Reason, "30 of 1000 messages delivered in the last hour") || r.Halted != c.Reason || r.Open != 1 {
		t.Fatalf("%+v\n%+v", r, c)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("one check took %s: with the pause between checks a halt would take longer than a minute", took)
	}
	p.hears("CRITICAL", "spam complaint rate", "touchstone resume", `"limit":0.001`)
	if r := p.look(); r.Opened+r.Closed != 0 || r.Halted != "" {
		t.Errorf("the same again: %+v", r)
	}
	p.hearsNothing()
	proof, err := p.store.VerifyDecisions(t.Context())
	if err != nil || !proof.OK || proof.Entries != 1 {
		t.Errorf("the halt is in the decision log: %+v %v", proof, err)
	}
	// The rate falls; the halt and its alert stay.
	p.exec("update touches set sent_at = sent_at - interval '30 days'")
	if r := p.look(); r.Closed != 0 || p.control().State != ledger.ControlHalted {
		t.Errorf("%+v", r)
	}
	p.exec("update touches set sent_at = sent_at + interval '30 days'")
	p.resume()
	if r := p.look(); r.Closed != 1 || r.Halted != "" || p.control().State != ledger.ControlRunning {
		t.Errorf("after the resumption: %+v, %+v", r, p.control())
	}
	p.hears("RECOVERED")
	// What was resumed is judged by what it sends from then on.
	p.exec("update controls set at = at - interval '2 hours'")
	p.send("again", 1000, 30, 5*time.Minute)
	if r := p.look(); r.Halted == "" {
		t.Errorf("a second spike: %+v", r)
	}
	p.hears("CRITICAL")
}

func TestAnyViolationHaltsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	p.send("c", 300, 0, 5*time.Minute)
	p.look()
	p.send("d", 1, 0, 5*time.Minute)
	p.exec("update journey_runs set arm = 'holdout' where customer_id = (select id from customers where external_id = 'd1')")
	r := p.look()
	if c := p.control(); c.State != ledger.ControlHalted || !strings.Contains(c.Reason, "compliance violation: holdout") || r.Halted == "" {
		t.Fatalf("%+v\n%+v", r, c)
	}
	p.hears("holdout", "touchstone resume")
	p.resume()
	if r := p.look(); r.Halted != "" || r.Closed != 1 {
		t.Errorf("a violation that a person has seen halts nothing again: %+v", r)
	}
	p.hears("RECOVERED")
	// A crash between finding it and halting must not lose it.
	violation := watch.Violation{TouchID: "0198c0de-0000-7000-8000-000000000001", Rule: watch.RuleConsent, At: time.Now(), FoundAt: time.Now(), Detail: "d"}
	if _, err := p.store.SaveViolations(t.Context(), []watch.Violation{violation}); err != nil {
		t.Fatal(err)
	}
	if r := p.look(); r.Halted == "" {
		t.Errorf("%+v", r)
	}
}

func TestTheLedgersProofHalts(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	p.send("c", 10, 0, 40*time.Hour) // longer ago than what is inspected touch by touch
	p.exec("insert into touch_history (touch_id, at, state) select id, sent_at, 'sending' from touches limit 1")
	p.look()
	if r := p.look(); !strings.Contains(r.Halted, "ledger/sent-once") {
		t.Errorf("%+v, %+v", r, p.control())
	}
	var state watch.State
	if _, err := p.store.Setting(t.Context(), watch.SettingState, &state); err != nil || state.Verified.IsZero() || state.CheckedAt.IsZero() || state.Judged.IsZero() {
		t.Errorf("%+v %v", state, err)
	}
}

func TestQuietHoursAreJudgedByTheGuardrail(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	local := time.Now().In(zone)
	// The message left five minutes ago; hours of the policy that end before then.
	left := local.Add(-5 * time.Minute)
	policy := func(from, to time.Time) *guardrails.Policy {
		source := strings.Replace(string(guardrails.DefaultPolicySource()), "hours: {}", fmt.Sprintf("hours: {email: {daily: %s-%s}}", from.Format("15:04"), to.Format("15:04")), 1)
		parsed, err := guardrails.ParsePolicy("test.yaml", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	p.send("c", 5, 0, 5*time.Minute)
	again := func() { p.exec("update settings set value = value - 'horizon' where key = $1", watch.SettingState) }
	p.Policy, p.InForce = policy(left.Add(-2*time.Hour), left.Add(time.Hour)), time.Time{}
	if r := p.look(); r.Halted != "" {
		t.Fatalf("inside the hours: %+v", r)
	}
	p.Policy, p.InForce = policy(left.Add(-2*time.Hour), left.Add(-time.Hour)), time.Now()
	again()
	if r := p.look(); r.Halted != "" {
		t.Fatalf("sent before this policy was in force: %+v", r)
	}
	p.InForce = time.Time{}
	again()
	if r := p.look(); !strings.Contains(r.Halted, "quiet-hours") || !strings.Contains(r.Halted, "5 email touches") {
		t.Errorf("%+v", r)
	}
}

func TestAPersonsHaltIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	if err := p.store.SetControl(t.Context(), ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlHalted, Reason: "wrong prices", By: "tom"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	p.send("spike", 1000, 30, 10*time.Minute)
	if r := p.look(); r.Halted != "" || r.Open != 1 || p.control().By != "tom" {
		t.Errorf("%+v, %+v", r, p.control())
	}
}

func TestNoticesWaitForTheirService(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	p.status.Store(http.StatusServiceUnavailable)
	p.send("spike", 1000, 30, 10*time.Minute)
	if r := p.look(); r.Halted == "" {
		t.Fatal("a service for notices that is down must not keep the breaker from its work")
	}
	p.hearsNothing()
	p.status.Store(http.StatusOK)
	p.exec("update alert_notices set retry_at = now()")
	p.look()
	p.hears("CRITICAL")
	p.look()
	p.hearsNothing()
}

func TestDownComponentsAreAnAlert(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	var beats []watch.Heartbeat
	for i := range 4 {
		beats = append(beats, watch.Heartbeat{Component: watch.Gateway, Minute: time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(i) * time.Minute), Up: i == 3},
			watch.Heartbeat{Component: watch.Worker, Minute: time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(i) * time.Minute), Up: true})
	}
	if err := p.store.SaveHeartbeats(t.Context(), beats); err != nil {
		t.Fatal(err)
	}
	if r := p.look(); r.Opened != 0 {
		t.Errorf("it answered four minutes ago: %+v", r)
	}
	p.exec("update heartbeats set up = false where component = 'gateway'")
	if r := p.look(); r.Opened != 1 || r.Halted != "" {
		t.Errorf("%+v", r)
	}
	p.hears("the gateway does not answer")
}

func TestAnomaliesOpenAlerts(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil)
	p.exec(`insert into customers (id, external_id, created_at) select new_id(), 'x', now()`)
	// Ten weeks of a hundred orders an hour, and none in the last three hours.
	p.exec(`insert into orders (external_id, customer_id, at, total, currency, received_at)
		select 'o' || h || '-' || i, (select id from customers), date_trunc('hour', now()) - h * interval '1 hour' + interval '1 minute', 5000, 'USD', now()
		from generate_series(4, 70 * 24) h, generate_series(1, 90 + (h * 7) % 20) i`)
	r := p.look()
	if r.Opened != 2 || r.Halted != "" { // orders and revenue
		t.Fatalf("%+v", r)
	}
	p.look() // tells what the check before found
	p.hears("WARNING", "orders: fewer than at this hour of the week")
	p.hears("revenue: fewer")
	p.look()
	p.hearsNothing()
}

type brokenStore struct{ *postgres.Store }

func (brokenStore) SaveHeartbeats(context.Context, []watch.Heartbeat) error {
	return errors.New("connection refused")
}

func TestProberKeepsWhatItCannotStore(t *testing.T) {
	t.Parallel()
	post := newPost(t, nil)
	times, err := NewStopwatch(nil)
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	p := &prober{store: brokenStore{post.store}, times: times, log: slog.New(slog.DiscardHandler), probes: map[watch.Component]func(context.Context) error{
		watch.Database: func(context.Context) error { return down }, watch.Worker: func(context.Context) error { return nil },
		watch.Gateway: probeHTTP("http://127.0.0.1:1/healthz"),
	}}
	start := time.Now().Add(-3 * time.Minute)
	times.record(watch.LatencyDecision, 300*time.Millisecond)
	p.round(t.Context(), start)
	p.round(t.Context(), start.Add(time.Minute))
	if len(p.kept) != 6 {
		t.Fatalf("kept %+v", p.kept)
	}
	p.store = post.store
	p.probes[watch.Database] = post.store.Ping
	p.round(t.Context(), start.Add(2*time.Minute))
	if len(p.kept) != 0 {
		t.Errorf("kept %+v", p.kept)
	}
	levels, err := post.store.Levels(t.Context(), start.Truncate(time.Minute), start.Truncate(time.Minute).Add(3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	up := map[watch.Component]int{}
	for _, u := range levels.Uptimes {
		up[u.Component] = u.Share.Hits
		if u.Share.N != 3 || u.Unobserved != 0 {
			t.Errorf("%+v", u)
		}
	}
	if up[watch.Database] != 1 || up[watch.Worker] != 3 || up[watch.Gateway] != 0 {
		t.Errorf("%+v", levels.Uptimes)
	}
	if len(levels.Timings) != 1 || levels.Timings[0].N != 1 {
		t.Errorf("%+v", levels.Timings)
	}
	stopping, cancel := context.WithCancel(t.Context())
	cancel()
	p.round(stopping, start.Add(5*time.Minute))
	for _, b := range p.kept {
		if b.Component != watch.Worker {
			t.Errorf("stopping says something about %+v", b)
		}
	}
}

// The week is counted again within one activity when business time has moved on:
// on a fast clock an activity lasts for months.
func TestAFastClockCountsTheWeekAgain(t *testing.T) {
	t.Parallel()
	base := time.Now().UTC()
	p := newPost(t, func(o *Options) {
		o.Scale = clock.Scale{Base: base, Origin: base, Factor: 86400} // a day in a second
	})
	p.send("good", 300, 0, 0)
	// A business day later complaints come in: too late for the day's window.
	late := time.AfterFunc(time.Second, func() {
		if _, err := p.raw.Exec(context.Background(), `update touches set state = 'complained' where id in (select id from touches limit 30)`); err != nil {
			t.Error(err)
		}
	})
	defer late.Stop()
	result, err := p.KeepWatch(t.Context(), activities.WatchInput{For: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if result.Checks < 2 || p.control().State != ledger.ControlHalted {
		t.Errorf("%+v, %+v", result, p.control())
	}
}
