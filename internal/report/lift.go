package report

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/measure/attribution"
)

// LiftSource is the store that lift is read from.
type LiftSource interface {
	journeySource
	AttributionSource
	Cuts(ctx context.Context, in measure.CutQuery) ([]measure.Cut, error)
}

// LiftOptions say what to compare. The zero value of a field means its default.
type LiftOptions struct {
	From, To time.Time
	By       attribution.Dimension
	Journey  string // with cohort and week: only this journey, against its own holdout
	Campaign string // likewise
	Event    string // also compare the share of customers with this event
	Window   time.Duration
	Windows  brand.AttributionWindows
	Currency string
	Minimum  measure.Minimum
}

// LiftTable sets attributed beside incremental revenue per touch.
type LiftTable struct {
	By       attribution.Dimension `json:"by"`
	Currency string                `json:"currency"`
	From     time.Time             `json:"from"`
	To       time.Time             `json:"to"`
	Window   string                `json:"window"` // outcome window where a journey names no goal
	Rows     []LiftRow             `json:"rows"`
}

// LiftRow is one group. Estimates of money are in major units.
type LiftRow struct {
	Name string `json:"name"`
	// Attributed is by last touch over the period; nil where only a part of the
	// touches is compared.
	Attributed *CreditLine `json:"attributed,omitempty"`
	Control    ledger.Arm  `json:"control,omitempty"` // whom the treated are compared with
	Treated    *Side       `json:"treated,omitempty"`
	HeldOut    *Side       `json:"held_out,omitempty"`
	Open       int         `json:"open,omitempty"` // customers left out because their window is open
	// Lift is absent where chance did not decide who belongs to the group; Why says so.
	Lift     *measure.Lift `json:"lift,omitempty"`
	Response *Response     `json:"response,omitempty"`
	Why      string        `json:"why,omitempty"`
}

// Response compares the share of customers with an event.
type Response struct {
	Event      string             `json:"event"`
	Treated    measure.Proportion `json:"treated"`
	HeldOut    measure.Proportion `json:"held_out"`
	Difference measure.Answer     `json:"difference"`
}

// notDrawn says why agents and channels have no lift here.
const notDrawn = "an agent or channel is chosen, not drawn by chance: customers with it differ from those without; `touchstone attribution shapley` compares cells in which agents were switched by chance"

// Lift compares by intention to treat wherever chance drew the arms: journeys,
// campaigns, and what was known of a customer at entry (week, cohort).
func Lift(ctx context.Context, source LiftSource, o LiftOptions) (*LiftTable, error) {
	if !o.From.Before(o.To) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "lift: the period must begin before it ends, not from %s to %s", o.From, o.To)
	}
	o.Window, o.Minimum = cmp.Or(o.Window, DefaultWindow), cmp.Or(o.Minimum, measure.DefaultMinimum())
	query, err := o.query()
	if err != nil {
		return nil, err
	}
	t := &LiftTable{By: o.By, Currency: o.Currency, From: o.From.UTC(), To: o.To.UTC(), Window: clock.FormatDuration(o.Window), Rows: []LiftRow{}}
	credits := map[string]*CreditLine{}
	if query.Name == "" {
		if credits, err = o.credits(ctx, source); err != nil {
			return nil, err
		}
	}
	var cuts []measure.Cut
	if query.Scope != "" {
		if query.Windows, err = goalWindows(ctx, source); err != nil {
			return nil, err
		}
		if cuts, err = source.Cuts(ctx, query); err != nil {
			return nil, err
		}
	}
	for _, c := range cuts {
		row := o.row(c)
		row.Attributed = credits[row.Name]
		delete(credits, row.Name)
		t.Rows = append(t.Rows, row)
	}
	for name, credit := range credits {
		row := LiftRow{Name: name, Attributed: credit, Why: "nobody entered in the period"}
		if query.Scope == "" {
			row.Why = notDrawn
		}
		t.Rows = append(t.Rows, row)
	}
	slices.SortFunc(t.Rows, func(a, b LiftRow) int { return cmp.Compare(a.Name, b.Name) })
	return t, nil
}

// query is what to ask the store; it has no scope where chance drew nothing.
func (o LiftOptions) query() (measure.CutQuery, error) {
	q := measure.CutQuery{From: o.From, To: o.To, Currency: o.Currency, Window: o.Window, Event: o.Event, Scope: measure.ProgrammeTrial}
	if o.Journey != "" && o.Campaign != "" {
		return q, lifecycle.Errorf(lifecycle.Invalid, "lift: give a journey or a campaign, not both")
	}
	switch q.Name = cmp.Or(o.Journey, o.Campaign); {
	case o.Journey != "":
		q.Scope = measure.JourneyTrial
	case o.Campaign != "":
		q.Scope = measure.CampaignTrial
	}
	switch o.By {
	case attribution.ByWeek:
		q.By = measure.ByWeek
	case attribution.ByCohort:
		q.By = measure.ByCohort
	case attribution.ByJourney, attribution.ByCampaign:
		if scope := measure.Scope(o.By); q.Name == "" {
			q.Scope = scope
		} else if q.Scope != scope {
			return q, lifecycle.Errorf(lifecycle.Invalid, "lift by %s cannot be limited to a %s: ask by %s, cohort or week", o.By, q.Scope, q.Scope)
		}
	case attribution.ByAgent, attribution.ByChannel:
		if q.Name != "" {
			return q, lifecycle.Errorf(lifecycle.Invalid, "lift by %s cannot be limited to a %s: ask by %s, cohort or week", o.By, q.Scope, q.Scope)
		}
		q.Scope = ""
	default:
		return q, lifecycle.Errorf(lifecycle.Invalid, "lift cannot be asked by %q: use one of %v", o.By, attribution.Dimensions)
	}
	return q, nil
}

// credits are the attributed figures by group.
func (o LiftOptions) credits(ctx context.Context, source AttributionSource) (map[string]*CreditLine, error) {
	a, err := Attribute(ctx, source, attribution.Options{From: o.From, To: o.To, By: o.By, Models: []attribution.Model{attribution.Last}, Windows: o.Windows}, o.Currency)
	if err != nil {
		return nil, err
	}
	lines := map[string]*CreditLine{}
	for _, l := range a.Tables[0].Lines {
		if o.By == attribution.ByCampaign && l.Group == "" {
			continue // outside campaigns
		}
		line := &CreditLine{Name: l.Group, Touches: l.Touches, Orders: int(math.Round(l.Orders)), Revenue: Money{Amount: l.Revenue, Currency: o.Currency}}
		if l.Touches > 0 {
			rpmt := line.Revenue.Major() / float64(l.Touches)
			line.PerTouch = &rpmt
		}
		lines[l.Group] = line
	}
	return lines, nil
}

func (o LiftOptions) row(c measure.Cut) LiftRow {
	b := builder{Options: Options{Currency: o.Currency}}
	comparison, control := c.Comparison()
	lift := comparison.Lift(o.Minimum, measure.Level).InUnits(math.Pow10(-lifecycle.MinorDigits(o.Currency)))
	treated, held := b.side(comparison.Treated), b.side(comparison.Held)
	row := LiftRow{Name: cmp.Or(c.By, c.Name), Control: control, Treated: &treated, HeldOut: &held, Open: c.Open, Lift: &lift}
	if o.Event != "" {
		r := Response{Event: o.Event}
		r.Difference, r.Treated, r.HeldOut = c.Response(o.Minimum, measure.Level)
		row.Response = &r
	}
	return row
}
