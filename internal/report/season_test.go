package report_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/clock"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/experiment"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
	"touchstone/internal/report"
)

const day = 24 * time.Hour

// The period of the season, and the wall-clock instants of its clock: a day in
// two seconds.
var (
	from  = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	to    = from.Add(12 * measure.Week)
	scale = clock.Scale{Base: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), Origin: from, Factor: 43200}
)

// Rows as the test inserts them; the expected figures are counted over these.
type (
	runRow struct {
		id, journey, campaign, customer, key string
		arm                                  ledger.Arm
		at                                   time.Time
	}
	touchRow struct {
		id, run, customer, journey, campaign, agent, channel, class, offer, reason string
		state                                                                      lifecycle.TouchState
		planned, sent                                                              time.Time
		cost                                                                       int64
		opened, clicked                                                            bool
	}
	orderRow struct {
		id, customer, currency string
		at                     time.Time
		total                  int64
	}
	providerRow struct {
		key, touch string
		kind       ledger.OutcomeKind
		machine    bool
		at         time.Time
	}
	reviewRow struct {
		kind, status, by    string
		opened, due, decide time.Time
	}
	creativeRow struct {
		source, status, currency string
		cost                     int64
		at                       time.Time
	}
	withdrawalRow struct {
		customer, channel, source string
		at                        time.Time
	}
)

// season is a small programme with a true effect, drawn from a seed.
type season struct {
	r           *rand.Rand
	customers   []string
	runs        []runRow
	touches     []touchRow
	orders      []orderRow
	provider    []providerRow
	reviews     []reviewRow
	creatives   []creativeRow
	withdrawals []withdrawalRow
	decisions   []ledger.Record
}

// journeys of the season, with the outcome windows that their goals name.
var journeySources = map[string]string{
	"welcome": "journey: welcome\nagent: campaign\nentry: {event: Signed Up}\nholdout: 10%\nsteps:\n  - id: hello\n    touch: {channels: [email], brief: Say hello.}\n",
	"winback": "journey: winback\nagent: winback\nentry: {segment: stage == \"lapsed\"}\nholdout: 10%\ngoal: {event: Order Completed, within: 21d}\nsteps:\n  - id: nudge\n    touch: {channels: [email], brief: What is new.}\n",
	"cart":    "journey: cart\nagent: winback\nentry: {event: Checkout Started}\nholdout: 10%\ngoal: {event: Order Completed, within: 7d}\nsteps:\n  - id: remind\n    touch: {channels: [email], brief: The cart is still there.}\n",
}

func windowOf(journey string) time.Duration {
	return map[string]time.Duration{"winback": 21 * day, "cart": 7 * day}[journey]
}

func id(parts ...any) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(fmt.Sprint(parts...))).String()
}

func newSeason(seed uint64, customers int) *season {
	s := &season{r: rand.New(rand.NewPCG(seed, seed))}
	for i := range customers {
		c := id("customer", i)
		s.customers = append(s.customers, c)
		for week := -10; week < 14; week++ {
			if s.r.Float64() < 0.05 {
				s.order(c, s.within(from.Add(time.Duration(week)*measure.Week), measure.Week))
			}
		}
		if s.r.Float64() < 0.6 {
			s.enter(c, "welcome", "", "", s.within(from.Add(-14*day), 98*day))
		}
		if s.r.Float64() < 0.5 {
			s.enter(c, "winback", "", "", s.within(from.Add(-7*day), 80*day))
		}
		for n := range s.r.IntN(4) {
			if i%3 == 0 {
				s.enter(c, "cart", "", fmt.Sprint("cart-", n), s.within(from.Add(-7*day), 95*day))
			}
		}
		if i%4 == 1 {
			s.enter(c, "winback", "spring", "spring", s.within(from.Add(28*day), day))
		}
		if i%40 == 7 {
			s.enter(c, "welcome", "tiny", "tiny", s.within(from.Add(30*day), day))
		}
		if i%25 == 3 {
			s.withdrawals = append(s.withdrawals, withdrawalRow{c, "email", []string{"one-click", "provider", "erasure"}[s.r.IntN(3)], s.within(from.Add(-7*day), 98*day)})
		}
	}
	s.people()
	return s
}

// within draws an instant, to the second.
func (s *season) within(since time.Time, span time.Duration) time.Time {
	return since.Add(time.Duration(s.r.Int64N(int64(span/time.Second))) * time.Second)
}

func (s *season) order(customer string, at time.Time) {
	o := orderRow{id: id("order", len(s.orders)), customer: customer, currency: "USD", at: at,
		total: int64(math.Round(5000 * math.Exp(0.6*s.r.NormFloat64())))}
	switch n := s.r.IntN(100); {
	case n < 2:
		o.currency = "EUR"
	case n < 6:
		o.total = -o.total / 2
	}
	s.orders = append(s.orders, o)
}

func (s *season) enter(customer, journey, campaign, key string, at time.Time) {
	arm := ledger.Treated
	switch {
	case experiment.Bucket("holdout", customer) < 0.15:
		arm = ledger.GlobalHoldout
	case experiment.Bucket("holdout/"+journey, customer) < 0.10:
		arm = ledger.Holdout
	}
	run := runRow{id("run", len(s.runs)), journey, campaign, customer, key, arm, at}
	s.runs = append(s.runs, run)
	if arm != ledger.Treated {
		return
	}
	for n := range 1 + s.r.IntN(3) {
		s.touch(run, at.Add(time.Duration(n)*4*day).Add(time.Hour))
	}
}

// outcomes of a touch, drawn by weight.
var touchEnds = []struct {
	state  lifecycle.TouchState
	weight int
	reason string
}{
	{lifecycle.TouchDelivered, 70, ""}, {lifecycle.TouchBounced, 2, ""}, {lifecycle.TouchComplained, 1, ""}, {lifecycle.TouchAccepted, 3, ""},
	{lifecycle.TouchUnconfirmed, 1, ""}, {lifecycle.TouchSending, 1, ""}, {lifecycle.TouchReserved, 1, ""},
	{lifecycle.TouchSkipped, 6, "the agent chose not to touch: expected value -0.12"}, {lifecycle.TouchBlocked, 5, "consent: withdrawn on 3 May"},
	{lifecycle.TouchDeferred, 4, "frequency-cap: 5 of 5 in 7d"}, {lifecycle.TouchRejected, 1, "a person said no"},
	{lifecycle.TouchRefused, 1, "given up after 5 attempts: 503"}, {lifecycle.TouchInReview, 2, "review-required: always"}, {lifecycle.TouchPlanned, 2, ""},
}

func (s *season) touch(run runRow, at time.Time) {
	draw := s.r.IntN(100)
	i := 0
	for draw >= touchEnds[i].weight {
		draw -= touchEnds[i].weight
		i++
	}
	end := touchEnds[i]
	t := touchRow{id: id("touch", len(s.touches)), run: run.id, customer: run.customer, journey: run.journey, campaign: run.campaign,
		agent: map[string]string{"welcome": "campaign"}[run.journey], channel: "email", class: "marketing", reason: end.reason, state: end.state,
		planned: at.Add(-time.Duration(s.r.IntN(90)) * time.Minute), sent: at}
	if t.agent == "" {
		t.agent = "winback"
	}
	if s.r.IntN(10) == 0 {
		t.channel = "sms"
	}
	if s.r.IntN(12) == 0 {
		t.class = "transactional"
	}
	if s.r.IntN(3) == 0 {
		t.offer = []string{"ten-percent", "free-shipping"}[s.r.IntN(2)]
	}
	if t.state.Sent() {
		t.cost = 1 + int64(s.r.IntN(2))
	}
	if t.state == lifecycle.TouchDelivered || t.state == lifecycle.TouchComplained || t.state == lifecycle.TouchBounced {
		s.responses(&t)
	}
	if t.state.Sent() && s.r.Float64() < 0.13 {
		s.order(t.customer, s.within(at.Add(time.Hour), 5*day))
	}
	s.touches = append(s.touches, t)
	s.decide(t)
}

func (s *season) responses(t *touchRow) {
	report := func(kind ledger.OutcomeKind, machine bool, at time.Time) {
		s.provider = append(s.provider, providerRow{id("event", len(s.provider)), t.id, kind, machine, at})
	}
	report(ledger.OutcomeDelivered, false, t.sent.Add(time.Minute))
	if s.r.IntN(10) < 4 {
		report(ledger.OutcomeOpened, true, t.sent.Add(2*time.Minute))
	}
	if s.r.IntN(10) < 3 {
		t.opened = true
		for range 1 + s.r.IntN(2) {
			report(ledger.OutcomeOpened, false, s.within(t.sent.Add(time.Hour), 3*day))
		}
	}
	if s.r.IntN(20) == 0 {
		t.clicked = true
		report(ledger.OutcomeClicked, false, s.within(t.sent.Add(time.Hour), 3*day))
	}
	if s.r.IntN(30) == 0 {
		report(ledger.OutcomeClicked, true, t.sent.Add(3*time.Minute))
	}
}

// decide writes what the decision log says of a touch.
func (s *season) decide(t touchRow) {
	verdict := lifecycle.Verdict{Outcome: lifecycle.Allow, Findings: []lifecycle.Finding{{Rule: "length", Outcome: lifecycle.Allow, Reason: "a note"}}}
	object := func(outcome lifecycle.Outcome, rules ...string) {
		verdict.Outcome = outcome
		for _, rule := range rules {
			verdict.Findings = append(verdict.Findings, lifecycle.Finding{Rule: rule, Outcome: outcome, Reason: "limit"})
		}
	}
	kind, times := "touch."+string(t.state), 1
	switch t.state {
	case lifecycle.TouchBlocked:
		object(lifecycle.Block, "consent", "suppression")
	case lifecycle.TouchDeferred:
		object(lifecycle.Defer, "frequency-cap")
		times = 1 + s.r.IntN(3)
	case lifecycle.TouchInReview:
		object(lifecycle.Review, "review-required")
	case lifecycle.TouchSkipped:
		verdict = lifecycle.Verdict{}
	default:
		kind = "touch.planned"
	}
	body, err := json.Marshal(map[string]any{"step": "one", "verdict": verdict})
	if err != nil {
		panic(err)
	}
	for n := range times {
		s.decisions = append(s.decisions, ledger.Record{At: t.planned.Add(time.Duration(n) * time.Hour), Kind: kind, Actor: "agent/x",
			CustomerID: lifecycle.CustomerID(t.customer), TouchID: lifecycle.TouchID(t.id), Subject: t.journey + "/one", Body: body})
	}
}

// people draws reviews and copy. Reviews are stamped by the wall clock.
func (s *season) people() {
	wall := scale.RealAt(from)
	for i := range 20 {
		opened := wall.Add(time.Duration(i-2) * 10 * time.Second)
		r := reviewRow{kind: "creative", status: "approved", by: "simulated reviewer", opened: opened, due: opened.Add(5 * time.Minute),
			decide: opened.Add(time.Duration(700+s.r.IntN(9000)) * time.Millisecond)}
		switch {
		case i%7 == 3:
			r.status, r.by, r.decide = "awaiting", "", time.Time{}
		case i%7 == 4:
			r.status, r.by, r.decide = "expired", "", opened.Add(24*time.Hour)
		case i%7 == 5:
			r.status, r.by, r.kind, r.decide = "rejected", "ana", "touch", opened.Add(6*time.Minute)
		}
		s.reviews = append(s.reviews, r)
	}
	for i := range 12 {
		c := creativeRow{source: "template", status: "approved", currency: "USD", at: from.Add(time.Duration(i-1) * 5 * day)}
		if i%3 == 0 {
			c.source, c.cost = "model", int64(2+i)
		}
		s.creatives = append(s.creatives, c)
	}
}

// store inserts the season into a database of its own.
func (s *season) store(t testing.TB) *postgres.Store {
	t.Helper()
	return s.storeWith(t, nil)
}

// storeWith places orders with codes, by order id.
func (s *season) storeWith(t testing.TB, coupons map[string]string) *postgres.Store {
	t.Helper()
	ctx := context.Background()
	url := pgtest.Migrated(t, postgres.Migrate)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	load := func(table string, columns []string, rows [][]any) {
		t.Helper()
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	var rows [][]any
	for i, c := range s.customers {
		rows = append(rows, []any{c, fmt.Sprint("c", i), from.Add(-100 * day)})
	}
	load("customers", []string{"id", "external_id", "created_at"}, rows)
	rows = nil
	for _, r := range s.runs {
		rows = append(rows, []any{r.id, r.journey, 1, r.customer, r.key, r.campaign, string(r.arm), "ended", r.at})
	}
	load("journey_runs", []string{"id", "journey", "version", "customer_id", "entry_key", "campaign", "arm", "status", "entered_at"}, rows)
	rows = nil
	for i, x := range s.touches {
		var sending, sent, reserved, opened, clicked any
		if x.state.HoldsSlot() {
			reserved = x.sent
		}
		if x.state.Sent() {
			sending = x.sent
			if x.state != lifecycle.TouchSending {
				sent = x.sent
			}
		}
		if x.opened {
			opened = x.sent.Add(time.Hour)
		}
		if x.clicked {
			clicked = x.sent.Add(time.Hour)
		}
		rows = append(rows, []any{x.id, fmt.Sprint("key/", i), x.run, x.customer, x.journey, 1, x.campaign, "one", x.agent, x.channel, x.class,
			x.offer, string(x.state), x.reason, x.planned, reserved, sending, sent, x.cost, "USD", opened, clicked})
	}
	load("touches", []string{"id", "key", "run_id", "customer_id", "journey", "version", "campaign", "step", "agent", "channel", "class",
		"offer_id", "state", "reason", "planned_at", "reserved_at", "sending_at", "sent_at", "cost", "currency", "opened_at", "clicked_at"}, rows)
	rows = nil
	for _, o := range s.orders {
		rows = append(rows, []any{o.id, o.customer, o.at, o.total, o.currency, o.at, coupons[o.id]})
	}
	load("orders", []string{"external_id", "customer_id", "at", "total", "currency", "received_at", "coupon"}, rows)
	rows = nil
	for _, p := range s.provider {
		rows = append(rows, []any{p.key, p.touch, string(p.kind), p.machine, p.at})
	}
	load("provider_events", []string{"dedupe_key", "touch_id", "kind", "machine", "at"}, rows)
	rows = nil
	for i, r := range s.reviews {
		var decided any
		if !r.decide.IsZero() {
			decided = r.decide
		}
		rows = append(rows, []any{id("review", i), fmt.Sprint("review/", i), r.kind, id("creative", i), "hash", r.status, r.by, r.opened, r.due, decided})
	}
	load("reviews", []string{"id", "workflow_id", "kind", "creative_id", "content_hash", "status", "decided_by", "opened_at", "due_at", "decided_at"}, rows)
	rows = nil
	for i, c := range s.creatives {
		rows = append(rows, []any{id("creative", i), "slot", "email", map[string]any{}, fmt.Sprint("hash", i), c.source, c.status, c.cost, c.currency, c.at})
	}
	load("creatives", []string{"id", "slot", "channel", "parts", "content_hash", "source", "status", "cost", "currency", "created_at"}, rows)
	rows = nil
	for _, w := range s.withdrawals {
		rows = append(rows, []any{w.customer, w.channel, "withdrawn", w.at, w.source})
	}
	load("consents", []string{"customer_id", "channel", "state", "at", "source"}, rows)

	store, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	for name, source := range journeySources {
		if _, _, err := store.SaveJourney(ctx, name, []byte(source), "hash", nil, "", "test", from); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.AppendDecisions(ctx, s.decisions); err != nil {
		t.Fatal(err)
	}
	return store
}

func options() report.Options {
	return report.Options{From: from, To: to, Brand: "Larkspur Home", Currency: "USD", Scale: scale, Simulated: true,
		Ledger: &ledger.LedgerReport{OK: true, Touches: 5000, Caps: 12345},
		Audit:  &ledger.VerifyReport{OK: true, Entries: 6789}}
}
