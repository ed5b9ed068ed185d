package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// Source is the store a report reads from.
type Source interface {
	// Figures sums up a period from one snapshot.
	Figures(ctx context.Context, in measure.Query) (measure.Figures, error)
	// Journeys returns the latest version of every journey.
	Journeys(ctx context.Context) ([]ledger.JourneyRow, error)
}

// journeySource knows the journeys.
type journeySource interface {
	Journeys(ctx context.Context) ([]ledger.JourneyRow, error)
}

// Defaults of Options.
const (
	DefaultAttributionWindow = 7 * 24 * time.Hour
	DefaultWindow            = 30 * 24 * time.Hour
)

// Options say what to report. The zero value of a field means its default.
type Options struct {
	From, To          time.Time     // business time, half-open; both are required
	Window            time.Duration // outcome window of journeys without a goal; 30 days
	AttributionWindow time.Duration // from a touch to an order credited to it; 7 days
	Brand             string        // the brand's name
	Currency          string        // ISO 4217; required
	Scale             clock.Scale   // of the business clock
	Simulated         bool          // the sandbox produced the responses
	Goals             measure.Goals
	Minimum           measure.Minimum
	// Results of the verifications, nil where one was not run.
	Ledger *ledger.LedgerReport
	Audit  *ledger.VerifyReport
}

// Build makes the report. Errors: Invalid for impossible options, and what the
// source returns.
func Build(ctx context.Context, source Source, o Options) (*Report, error) {
	if !o.From.Before(o.To) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "report: the period must begin before it ends, not from %s to %s", o.From, o.To)
	}
	if !lifecycle.ValidCurrency(o.Currency) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "report: currency %q is not an ISO 4217 code such as USD", o.Currency)
	}
	o.Window, o.AttributionWindow = cmp.Or(o.Window, DefaultWindow), cmp.Or(o.AttributionWindow, DefaultAttributionWindow)
	o.Goals, o.Minimum = cmp.Or(o.Goals, measure.DefaultGoals()), cmp.Or(o.Minimum, measure.DefaultMinimum())
	windows, err := goalWindows(ctx, source)
	if err != nil {
		return nil, err
	}
	figures, err := source.Figures(ctx, measure.Query{
		From: o.From, To: o.To, RealFrom: o.Scale.RealAt(o.From), RealTo: o.Scale.RealAt(o.To),
		Attribution: o.AttributionWindow, Window: o.Window, Windows: windows, Currency: o.Currency,
	})
	if err != nil {
		return nil, err
	}
	b := builder{Options: o, figures: figures, windows: windows, unit: math.Pow10(-lifecycle.MinorDigits(o.Currency))}
	return b.report(), nil
}

// goalWindows reads the outcome windows that journeys name with their goals.
func goalWindows(ctx context.Context, source journeySource) (map[string]time.Duration, error) {
	rows, err := source.Journeys(ctx)
	if err != nil {
		return nil, err
	}
	windows := map[string]time.Duration{}
	for _, row := range rows {
		definition, err := journey.Parse(row.Name, row.Source, journey.ParseOptions{})
		if err != nil {
			return nil, fmt.Errorf("report: journey %s version %d as stored: %w", row.Name, row.Version, err)
		}
		if definition.Goal != nil && definition.Goal.Within > 0 {
			windows[row.Name] = definition.Goal.Within
		}
	}
	return windows, nil
}

type builder struct {
	Options
	figures measure.Figures
	windows map[string]time.Duration
	unit    float64 // of a minor unit, in major units
}

func (b *builder) report() *Report {
	r := &Report{
		Brand: b.Brand, Currency: b.Currency, From: b.From.UTC(), To: b.To.UTC(), Simulated: b.Simulated,
		Windows:   Windows{Attribution: clock.FormatDuration(b.AttributionWindow), Outcome: clock.FormatDuration(b.Window)},
		Customers: Customers{Known: b.figures.Customers, Entered: b.figures.Entered},
		Orders: Orders{Count: b.figures.Orders, Refunds: b.figures.Refunds, Revenue: b.money(b.figures.Revenue),
			OtherCurrencies: b.figures.OtherOrders},
		RpMT: b.rpmt(), Weeks: b.weeks(), Credits: b.credits(),
		Touches: b.touches(), NotSent: b.figures.NotSent, Guardrails: b.guardrails(),
		Responses: b.responses(), Reviews: b.reviews(), Copy: b.copy(),
		Proof: Proof{Ledger: b.Ledger, Audit: b.Audit},
	}
	if b.Scale.Scaled() {
		r.Clock = "1 day in " + b.Scale.Real(24*time.Hour).Round(time.Millisecond).String()
	}
	for _, t := range b.figures.Trials {
		switch t.Scope {
		case measure.JourneyTrial:
			r.Journeys = append(r.Journeys, b.trial(t))
		case measure.CampaignTrial:
			r.Campaigns = append(r.Campaigns, b.trial(t))
		}
	}
	r.Notes = b.notes()
	return r
}

func (b *builder) money(minor int64) Money { return Money{Amount: minor, Currency: b.Currency} }

func (b *builder) rpmt() RpMT {
	total := measure.Total(b.figures.Cells)
	c := b.figures.Programme
	r := RpMT{
		Goals: b.Goals, Touches: total.Touches, Revenue: b.money(total.Revenue), Cost: b.money(total.Cost),
		Attributed: b.perTouch(total), Incremental: c.Lift(b.Minimum, measure.Level).InUnits(b.unit),
		Treated: b.side(c.Treated), HeldOut: b.side(c.Held),
	}
	if r.Attributed != nil {
		r.Judgement = b.Goals.Judge(*r.Attributed)
	}
	if r.Incremental.PerTouch.Known() {
		r.Increment = b.Goals.JudgeInterval(r.Incremental.PerTouch.Interval)
	}
	return r
}

func (b *builder) perTouch(c measure.Credit) *float64 {
	minor, ok := c.PerTouch()
	if !ok {
		return nil
	}
	major := minor * b.unit
	return &major
}

func (b *builder) side(a measure.Arm) Side {
	return Side{Customers: a.Revenue.N, Buyers: a.Converted, Revenue: b.money(int64(math.Round(a.Revenue.Sum))), Touches: a.Touches,
		Conversion: a.Conversion().Wilson(measure.Level)}
}

func (b *builder) weeks() []Week {
	n := int((b.To.Sub(b.From) + measure.Week - 1) / measure.Week)
	weeks := make([]Week, n)
	for i := range weeks {
		weeks[i] = Week{Number: i + 1, Start: b.From.Add(time.Duration(i) * measure.Week).UTC(), Attributed: b.money(0)}
	}
	for _, c := range b.figures.Cells {
		weeks[c.Week].Touches += c.Touches
		weeks[c.Week].Attributed.Amount += c.Revenue
	}
	return weeks
}

func (b *builder) credits() []Credits {
	dimensions := []struct {
		by    string
		value func(measure.Cell) string
	}{
		{"journey", func(c measure.Cell) string { return c.Journey }},
		{"campaign", func(c measure.Cell) string { return cmp.Or(c.Campaign, "(no campaign)") }},
		{"agent", func(c measure.Cell) string { return cmp.Or(c.Agent, "(no agent)") }},
		{"channel", func(c measure.Cell) string { return c.Channel }},
		{"offer", func(c measure.Cell) string { return cmp.Or(c.Offer, "(no offer)") }},
	}
	all := make([]Credits, len(dimensions))
	for i, d := range dimensions {
		all[i] = Credits{By: d.by, Lines: []CreditLine{}}
		for _, g := range measure.GroupBy(b.figures.Cells, d.value) {
			all[i].Lines = append(all[i].Lines, b.line(g))
		}
	}
	return all
}

func (b *builder) line(g measure.GroupCredit) CreditLine {
	return CreditLine{Name: g.Name, Touches: g.Touches, Orders: g.Orders, Revenue: b.money(g.Revenue), Cost: b.money(g.Cost),
		PerTouch: b.perTouch(g.Credit)}
}

func (b *builder) trial(t measure.Trial) Trial {
	c, control := t.Comparison()
	var mine []measure.Cell
	for _, cell := range b.figures.Cells {
		if t.Scope == measure.JourneyTrial && cell.Journey == t.Name || t.Scope == measure.CampaignTrial && cell.Campaign == t.Name {
			mine = append(mine, cell)
		}
	}
	out := Trial{
		Name: t.Name, Window: b.window(t), Entered: t.Runs[ledger.Treated], Runs: t.Runs, Open: t.Open,
		HeldOut: t.Runs[ledger.Holdout] + t.Runs[ledger.GlobalHoldout],
		Treated: b.side(c.Treated), Held: b.side(c.Held), Lift: c.Lift(b.Minimum, measure.Level).InUnits(b.unit),
		Credit: b.line(measure.GroupCredit{Name: t.Name, Credit: measure.Total(mine)}),
	}
	if c.Held.Revenue.N > 0 {
		out.Control = control
	}
	return out
}

// window is the outcome window of a trial, as people write it.
func (b *builder) window(t measure.Trial) string {
	return clock.FormatDuration(cmp.Or(b.windows[t.Journey], b.Window))
}

func (b *builder) touches() []Channel {
	byChannel := map[lifecycle.Channel]*Channel{}
	for _, t := range b.figures.Touches {
		c := byChannel[t.Channel]
		if c == nil {
			c = &Channel{Channel: t.Channel, States: map[lifecycle.TouchState]int{}}
			byChannel[t.Channel] = c
		}
		c.States[t.State] += t.Count
		if t.State.Sent() {
			c.Sent += t.Count
		} else {
			c.Other += t.Count
		}
	}
	channels := make([]Channel, 0, len(byChannel))
	for _, c := range byChannel {
		channels = append(channels, *c)
	}
	slices.SortFunc(channels, func(a, b Channel) int { return cmp.Compare(a.Channel, b.Channel) })
	return channels
}

func (b *builder) guardrails() []Rule {
	names := ruleNames()
	rules := make([]Rule, len(names))
	for i, name := range names {
		rules[i].Rule = name
	}
	for _, c := range b.figures.Rules {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.Rule == c.Rule })
		if i < 0 { // a rule of an older catalogue
			rules, i = append(rules, Rule{Rule: c.Rule}), len(rules)
		}
		switch c.Outcome {
		case lifecycle.Block:
			rules[i].Blocks += c.Findings
		case lifecycle.Defer:
			rules[i].Defers += c.Findings
		case lifecycle.Review:
			rules[i].Reviews += c.Findings
		}
	}
	return rules
}
