package activities_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/agents"
	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/channel"
	"touchstone/internal/clock"
	"touchstone/internal/copywriter"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// noon is a Monday at ten in New York, where the customers live.
var noon = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// oneTouch is the simplest journey.
const oneTouch = `
journey: winback
title: Win back
agent: campaign
entry: {segment: orders.count > 0, every: 1d}
reentry: {after: 30d}
goal: {event: Order Completed, within: 30d}
fallback: template
exit:
  - event: Unsubscribed
steps:
  - id: nudge
    touch: {channels: [email], offers: [none], brief: Say hello again.}
`

// fixture is the activities on a store in memory, with one customer on one run.
type fixture struct {
	*activities.Journeys
	t        *testing.T
	store    *store
	provider *provider
	starter  *starter
}

func newFixture(t *testing.T, definition string) *fixture {
	t.Helper()
	b := brand.Example()
	f := &fixture{t: t, store: newStore(), provider: &provider{answers: map[lifecycle.TouchID]error{}, sent: map[lifecycle.TouchID]int{}}, starter: &starter{}}
	f.Journeys = &activities.Journeys{
		Runs: f.store, Ledger: f.store, Creatives: f.store, Reviews: f.store, Controls: f.store, Evidence: f.store, Due: f.store,
		Definitions: f.store, Brand: b, Policy: guardrails.DefaultPolicy(), Agent: agents.ByName, Renderer: copywriter.NewRenderer(),
		Links: links{}, Providers: map[lifecycle.Channel]activities.Provider{lifecycle.Email: f.provider}, Starter: f.starter,
		ReviewSLA: 5 * time.Minute, Concurrency: 4, Log: slog.New(slog.DiscardHandler),
	}
	def := f.define(definition, 1)
	for _, step := range def.Touches() {
		for _, offer := range append([]string{""}, step.Touch.Offers...) {
			if offer != journey.NoOffer {
				f.template(def, step, offer)
			}
		}
	}
	f.customer("c-1")
	f.enter("c-1", "run-1", def.Name)
	return f
}

// define stores a journey definition under a version.
func (f *fixture) define(source string, version int) *journey.Definition {
	f.t.Helper()
	def, err := journey.Parse("test.yaml", []byte(strings.TrimSpace(source)+"\n"), journey.ParseOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.store.definitions[fmt.Sprintf("%s/%d", def.Name, version)] = def
	return def
}

// template stores the shipped, approved copy of a step.
func (f *fixture) template(def *journey.Definition, step journey.Step, offerID string) {
	f.t.Helper()
	order := copywriter.Brief{Slot: step.Touch.Slot, Journey: def.Name, Step: step.ID, Goal: step.Touch.Brief, Channel: lifecycle.Email, Variants: 1, Brand: f.Brand}
	if offer, ok := f.Brand.Offer(offerID); ok {
		order.Offer = &offer
	}
	written, err := copywriter.NewTemplates(func() time.Time { return noon }).Write(f.t.Context(), order)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, c := range written {
		c.Status, c.ApprovedBy = lifecycle.CreativeApproved, "jane"
		f.store.creatives = append(f.store.creatives, c)
	}
}

// customer stores somebody who may be written to.
func (f *fixture) customer(id lifecycle.CustomerID) {
	f.store.profiles[id] = lifecycle.Profile{
		Customer: lifecycle.Customer{
			ID: id, ExternalID: "x-" + string(id), Email: string(id) + "@mail.example", FirstName: "Ada", LastName: "Lovelace",
			Country: "US", Region: "NY", TimeZone: "America/New_York", CreatedAt: noon.Add(-300 * day),
		},
		Consents: map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon.Add(-200 * day), Source: "checkout"}},
		Orders: lifecycle.OrderStats{
			Count: 3, Revenue: lifecycle.Money{Amount: 20_000, Currency: f.Brand.Currency}, FirstAt: noon.Add(-300 * day), LastAt: noon.Add(-100 * day), LastItem: "Linen Shirt",
		},
		Engagement: lifecycle.Engagement{Weight: 1, At: noon.Add(-10 * day)},
	}
}

// enter puts a customer on a journey.
func (f *fixture) enter(customer lifecycle.CustomerID, run lifecycle.RunID, name string) *ledger.Run {
	r := &ledger.Run{ID: run, Journey: name, Version: 1, CustomerID: customer, EntryKey: "2026-03", Arm: ledger.Treated, Status: ledger.RunRunning, Durable: true, EnteredAt: noon}
	f.store.runs[run], f.store.order = r, append(f.store.order, run)
	return r
}

// event adds something that customer c-1 did.
func (f *fixture) event(name string, at time.Time, properties map[string]any) {
	events := f.store.events["c-1"]
	f.store.events["c-1"] = append(events, lifecycle.Event{
		ID: lifecycle.EventID(fmt.Sprintf("event-%d", len(events)+1)), CustomerID: "c-1", Name: name, At: at, Properties: properties,
	})
}

func (f *fixture) prepare(at time.Time) activities.Next {
	f.t.Helper()
	next, err := f.Prepare(f.t.Context(), activities.Step{RunID: "run-1", Now: at})
	if err != nil {
		f.t.Fatal(err)
	}
	return next
}

func (f *fixture) deliver(touch lifecycle.TouchID, at time.Time) activities.Next {
	f.t.Helper()
	next, err := f.Deliver(f.t.Context(), activities.DeliverInput{Step: activities.Step{RunID: "run-1", Now: at}, TouchID: touch})
	if err != nil {
		f.t.Fatal(err)
	}
	return next
}

// planned prepares run-1 and returns what is to be delivered.
func (f *fixture) planned() activities.Next {
	f.t.Helper()
	next := f.prepare(noon)
	f.wantTouch("nudge", lifecycle.TouchPlanned, "")
	f.wantNext(next, activities.ActionDeliver, "nudge", noon)
	return next
}

func (f *fixture) wantNext(got activities.Next, action activities.Action, step string, at time.Time) {
	f.t.Helper()
	if got.Action != action || got.Step != step || !got.At.Equal(at) {
		f.t.Fatalf("next: got %s at %q on %v (%s), want %s at %q on %v", got.Action, got.Step, got.At, got.Reason, action, step, at)
	}
}

func (f *fixture) wantEnd(got activities.Next, reason string) {
	f.t.Helper()
	if got.Action != activities.ActionEnd || !strings.Contains(got.Reason, reason) {
		f.t.Fatalf("next: got %+v, want the end with %q", got, reason)
	}
	if run := f.store.runs["run-1"]; run.Status != ledger.RunEnded || run.EndReason != got.Reason || run.EndedAt.IsZero() {
		f.t.Errorf("the run is stored as %+v", *run)
	}
}

// wantTouch checks the ledger row of a step of run-1.
func (f *fixture) wantTouch(step string, state lifecycle.TouchState, reason string) lifecycle.Touch {
	f.t.Helper()
	touch := f.store.step("run-1", step)
	if touch == nil {
		f.t.Fatalf("there is no touch for step %s", step)
	}
	if touch.State != state || !strings.Contains(touch.Reason, reason) {
		f.t.Errorf("the touch of %s is %s (%s), want %s with %q", step, touch.State, touch.Reason, state, reason)
	}
	return *touch
}

func (f *fixture) wantSent(times int) {
	f.t.Helper()
	if got := f.provider.calls(); got != times {
		f.t.Errorf("the provider was called %d times, want %d", got, times)
	}
}

// provider counts calls and answers as told.
type provider struct {
	mu       sync.Mutex
	answers  map[lifecycle.TouchID]error // by touch
	always   error                       // for all others
	onSend   func()
	sent     map[lifecycle.TouchID]int
	messages []lifecycle.Message
}

func (p *provider) Send(_ context.Context, m lifecycle.Message) (channel.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[m.TouchID]++
	p.messages = append(p.messages, m)
	if p.onSend != nil {
		p.onSend()
	}
	if err, told := p.answers[m.TouchID]; told {
		return channel.Receipt{}, err
	}
	if p.always != nil {
		return channel.Receipt{}, p.always
	}
	return channel.Receipt{ProviderID: "provider-" + string(m.TouchID)}, nil
}

func (p *provider) Lookup(context.Context, lifecycle.TouchID) (channel.Receipt, channel.Presence, error) {
	return channel.Receipt{}, channel.Unknown, nil
}

func (p *provider) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.messages)
}

// starter remembers what was started and woken.
type starter struct {
	mu        sync.Mutex
	journeys  []lifecycle.RunID
	reviews   []lifecycle.ReviewID
	woken     []string // run and signal
	campaigns []string
}

func (s *starter) StartJourney(_ context.Context, runs []ledger.Run, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		s.journeys = append(s.journeys, r.ID)
	}
	return nil
}

func (s *starter) StartReview(_ context.Context, item lifecycle.ReviewItem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.reviews, item.ID) {
		s.reviews = append(s.reviews, item.ID)
	}
	return nil
}

func (s *starter) Wake(_ context.Context, runs []ledger.Run, signal, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		s.woken = append(s.woken, string(r.ID)+" "+signal)
	}
	return nil
}

func (s *starter) WakeCampaigns(_ context.Context, names []string, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.campaigns = append(s.campaigns, names...)
	return nil
}

type links struct{}

func (links) Unsubscribe(customer lifecycle.CustomerID, c lifecycle.Channel) string {
	return "https://shop.example/u/" + base64.RawURLEncoding.EncodeToString([]byte(string(customer)+" "+string(c)))
}

func (links) Confirm(customer lifecycle.CustomerID, c lifecycle.Channel, address string) string {
	return fmt.Sprintf("https://shop.example/c/%s-%s", c, base64.RawURLEncoding.EncodeToString([]byte(string(customer)+address)))
}

// season is a scale on which a day takes two seconds.
var season = clock.Scale{Base: noon, Origin: noon, Factor: 43200}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
