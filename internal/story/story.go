// Package story tells what happened to one customer and why: run by run, with
// every decision, what the guardrails said, what was sent and what became of it.
// The command line and the console tell the same story. Level 4.
package story

import (
	"context"
	"strconv"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// Story is everything that happened to one customer, run by run.
type Story struct {
	Customer  lifecycle.CustomerID `json:"customer"`
	External  string               `json:"external_id"`
	Stage     lifecycle.Stage      `json:"stage"`
	Zone      string               `json:"time_zone,omitempty"`
	Orders    int                  `json:"orders"`
	Revenue   lifecycle.Money      `json:"revenue"`
	LastOrder time.Time            `json:"last_order_at,omitzero"`
	Touches   int                  `json:"touches"`
	Consents  []Consent            `json:"consents"`
	Left      []string             `json:"left_topics"`
	Frequency lifecycle.Frequency  `json:"frequency,omitempty"`
	Runs      []Chapter            `json:"runs"`
	Outside   []Moment             `json:"outside"` // what belongs to no run

	location *time.Location
	currency string
}

// Consent is what a customer said about a channel.
type Consent struct {
	Channel lifecycle.Channel      `json:"channel"`
	State   lifecycle.ConsentState `json:"state"`
	At      time.Time              `json:"at"`
	Source  string                 `json:"source,omitempty"`
	Basis   lifecycle.Basis        `json:"basis,omitempty"`
}

// Says is the consent in words: channel, state, and what it rests on if it is implied.
func (c Consent) Says() string {
	text := string(c.Channel) + " " + string(c.State)
	if c.State == lifecycle.ConsentGranted && (c.Basis == lifecycle.BasisPurchase || c.Basis == lifecycle.BasisInquiry) {
		text += " (implied by " + string(c.Basis) + ")"
	}
	return text
}

// Chapter is one passage through one journey.
type Chapter struct {
	ID        lifecycle.RunID  `json:"id"`
	Journey   string           `json:"journey"`
	Version   int              `json:"version"`
	Campaign  string           `json:"campaign,omitempty"`
	Arm       ledger.Arm       `json:"arm"`
	Status    ledger.RunStatus `json:"status"`
	Step      string           `json:"step,omitempty"`
	DueAt     time.Time        `json:"due_at,omitzero"`
	EnteredAt time.Time        `json:"entered_at"`
	EndedAt   time.Time        `json:"ended_at,omitzero"`
	EndReason string           `json:"end_reason,omitempty"`
	Held      bool             `json:"held,omitempty"`
	Moments   []Moment         `json:"moments"`
}

// Moment is one thing that happened, with the log's entry when it is a decision.
type Moment struct {
	ledger.Moment
	Decision *Entry `json:"decision,omitempty"`
}

// Read tells a customer's story as of an instant of business time.
func Read(ctx context.Context, store *postgres.Store, customer lifecycle.Customer, b *brand.Brand, now time.Time) (Story, error) {
	profile, err := store.Profile(ctx, customer.ID)
	if err != nil {
		return Story{}, err
	}
	told := Story{
		Customer: customer.ID, External: customer.ExternalID, Zone: customer.TimeZone, Stage: profile.Stage(now, b.Stages),
		Orders: profile.Orders.Count, Revenue: profile.Orders.Revenue, LastOrder: profile.Orders.LastAt, Touches: profile.Touches.Count,
		Consents: []Consent{}, Left: append([]string{}, profile.Wishes.Left...), Frequency: profile.Wishes.Frequency, Runs: []Chapter{}, Outside: []Moment{}, location: time.UTC, currency: b.Currency,
	}
	if zone, err := time.LoadLocation(customer.TimeZone); err == nil && customer.TimeZone != "" {
		told.location = zone
	}
	for _, channel := range lifecycle.Channels {
		if c, ok := profile.Consents[channel]; ok {
			told.Consents = append(told.Consents, Consent{channel, c.State, c.At, c.Source, c.Basis})
		}
	}
	if err := told.chapters(ctx, store); err != nil {
		return Story{}, err
	}
	return told, nil
}

// chapters sorts what happened into the runs it belongs to.
func (told *Story) chapters(ctx context.Context, store *postgres.Store) error {
	runs, err := store.RunsOf(ctx, told.Customer)
	if err != nil {
		return err
	}
	index := map[lifecycle.RunID]int{}
	for i, r := range runs {
		index[r.ID] = i
		told.Runs = append(told.Runs, Chapter{
			ID: r.ID, Journey: r.Journey, Version: r.Version, Campaign: r.Campaign, Arm: r.Arm, Status: r.Status, Step: r.Step, DueAt: r.DueAt,
			EnteredAt: r.EnteredAt, EndedAt: r.EndedAt, EndReason: r.EndReason, Held: r.Held, Moments: []Moment{},
		})
	}
	moments, err := store.Timeline(ctx, told.Customer)
	if err != nil {
		return err
	}
	touches, reviews, err := store.Passages(ctx, told.Customer)
	if err != nil {
		return err
	}
	entries, err := store.Decisions(ctx, told.Customer)
	if err != nil {
		return err
	}
	log := map[string]Entry{}
	runOf := map[string][]lifecycle.RunID{} // by the reference of a moment
	for _, e := range entries {
		ref := "decision " + strconv.FormatInt(e.Seq, 10)
		log[ref] = EntryOf(e)
		runOf[ref] = []lifecycle.RunID{e.RunID}
	}
	for id, run := range touches {
		runOf[string(id)] = []lifecycle.RunID{run}
	}
	for id, of := range reviews {
		runOf[string(id)] = of
	}
	for _, r := range runs {
		runOf[string(r.ID)] = []lifecycle.RunID{r.ID}
	}
	for _, m := range moments {
		one := Moment{Moment: m}
		if entry, ok := log[m.Ref]; ok && m.Kind == "decision" {
			one.Decision = &entry
		}
		placed := false
		for _, run := range runOf[m.Ref] {
			if i, known := index[run]; known {
				told.Runs[i].Moments = append(told.Runs[i].Moments, one)
				placed = true
			}
		}
		if !placed {
			told.Outside = append(told.Outside, one)
		}
	}
	return nil
}

// Clock renders an instant on the customer's clock.
func (s Story) Clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(s.location).Format("2006-01-02 15:04")
}

// Reasons explain a moment that is a decision; other moments have none.
func (s Story) Reasons(m Moment) []string {
	if m.Decision == nil {
		return nil
	}
	return m.Decision.Explain(s.currency, s.location)
}
