package report

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/measure/attribution"
)

// Kind says how long a periodic report looks back.
type Kind string

// Kinds of periodic reports.
const (
	Weekly  Kind = "weekly"  // KPIs against targets, under-performers, suggestions; a week from Monday
	Monthly Kind = "monthly" // also impact with tests, attribution, cost and return; a calendar month
)

// Period returns the last whole week (from Monday) or month before an instant,
// in UTC, half-open.
func (k Kind) Period(before time.Time) (from, to time.Time) {
	day := before.UTC().Truncate(24 * time.Hour)
	if k == Monthly {
		to = time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC)
		return to.AddDate(0, -1, 0), to
	}
	to = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	return to.AddDate(0, 0, -7), to
}

// Around returns the period that contains an instant.
func (k Kind) Around(at time.Time) (from, to time.Time) {
	if k == Monthly {
		return k.Period(at.AddDate(0, 0, 1-at.UTC().Day()).AddDate(0, 1, 0))
	}
	return k.Period(at.AddDate(0, 0, 7))
}

// PeriodicSource is the store that a periodic report reads from.
type PeriodicSource interface {
	Source
	EconomicsSource
	AttributionSource
	TouchGroups(ctx context.Context, in measure.Query) ([]measure.Group, error)
	KPIs(ctx context.Context, in measure.KPIQuery) ([]measure.Reading, error)
	programmeSource
	SavedReport(ctx context.Context, kind string, from time.Time) (ledger.ReportRow, error)
}

// Periodic is the report of a week or month. Its JSON form is stored, and is
// stable: names are added, never changed.
type Periodic struct {
	Kind        Kind         `json:"kind"`
	MadeAt      time.Time    `json:"made_at"` // business time
	KPIs        []KPILine    `json:"kpis"`
	Groups      []GroupLine  `json:"groups"`
	Suggestions []Suggestion `json:"suggestions"`
	Rollouts    []Programme  `json:"rollouts,omitempty"`
	Trend       []TrendPoint `json:"trend"`                 // earlier periods as reported then, and this one
	Return      *Return      `json:"return,omitempty"`      // monthly
	Attribution *Attribution `json:"attribution,omitempty"` // monthly, by agent
	Figures     *Report      `json:"figures"`
}

// KPILine is a KPI in the period, in the one before it, and against its target.
type KPILine struct {
	KPI      string            `json:"kpi"`
	Title    string            `json:"title"`
	Group    string            `json:"group"`
	Unit     measure.Unit      `json:"unit"`
	Better   measure.Direction `json:"better"`
	Baseline *float64          `json:"baseline,omitempty"`
	Target   *float64          `json:"target,omitempty"`
	Now      measure.Reading   `json:"now"`
	Before   measure.Reading   `json:"before"`
	Standing Standing          `json:"standing"`
}

// Standing is where a KPI is against its target.
type Standing string

// Standings. The interval decides: a KPI whose interval contains the target has
// neither met nor missed it.
const (
	Met      Standing = "met"
	Missed   Standing = "missed"
	Open     Standing = "open"
	NoTarget Standing = "no target"
	NoAnswer Standing = "not enough data"
)

// GroupLine compares the touches of a cohort, agent, journey, channel, offer or
// slot with all others of the dimension.
type GroupLine struct {
	By        string           `json:"by"`
	Name      string           `json:"name"`
	Touches   int              `json:"touches"`
	PerTouch  float64          `json:"per_touch"`  // attributed revenue, major units
	Converted measure.Interval `json:"converted"`  // share of touches that an order followed, Wilson
	Clicked   measure.Interval `json:"clicked"`    // share of touches in which a person clicked, Wilson
	Against   measure.Answer   `json:"difference"` // of revenue per touch to the rest, major units
}

// Under reports whether the group earns less per touch than the rest.
func (g GroupLine) Under() bool { return g.Against.Status == measure.OK && g.Against.Interval.High < 0 }

// Over reports whether the group earns more per touch than the rest.
func (g GroupLine) Over() bool { return g.Against.Status == measure.OK && g.Against.Interval.Low > 0 }

// Programme is what a rollout did in the period.
type Programme struct {
	Programme string                 `json:"programme"`
	Status    string                 `json:"status"` // when the report was made
	Stage     string                 `json:"stage"`
	Timeline  []ledger.RolloutMoment `json:"timeline"`
}

// TrendPoint is the key figure of one period.
type TrendPoint struct {
	From       time.Time `json:"from"`
	Attributed *float64  `json:"attributed"` // RpMT, major units
	Touches    int       `json:"touches"`
}

// PeriodicOptions say what to report, beyond the period.
type PeriodicOptions struct {
	Options                 // From, To, Ledger and Audit may stay empty
	Catalogue []measure.KPI // KPIs in the order in which they are shown
	MadeAt    time.Time
	Shop      *brand.Brand // its margin, costs and offers: what a month's return is computed with
}

// BuildPeriodic makes the report of the period that begins at From. Errors are
// those of Build.
func BuildPeriodic(ctx context.Context, source PeriodicSource, kind Kind, o PeriodicOptions) (*Periodic, error) {
	o.Minimum, o.AttributionWindow = cmp.Or(o.Minimum, measure.DefaultMinimum()), cmp.Or(o.AttributionWindow, DefaultAttributionWindow)
	figures, err := Build(ctx, source, o.Options)
	if err != nil {
		return nil, err
	}
	p := &Periodic{Kind: kind, MadeAt: o.MadeAt.UTC(), Figures: figures}
	if p.KPIs, err = kpiLines(ctx, source, o); err != nil {
		return nil, err
	}
	groups, err := source.TouchGroups(ctx, measure.Query{From: o.From, To: o.To, Attribution: o.AttributionWindow, Currency: o.Currency})
	if err != nil {
		return nil, err
	}
	p.Groups = groupLines(groups, o.Minimum, math.Pow10(-lifecycle.MinorDigits(o.Currency)))
	if p.Rollouts, err = programmes(ctx, source, o.From, o.To); err != nil {
		return nil, err
	}
	if p.Trend, err = trend(ctx, source, kind, figures); err != nil {
		return nil, err
	}
	if kind == Monthly {
		if p.Return, err = Economics(ctx, source, o.Shop, o.From, o.To, o.AttributionWindow, o.Minimum); err != nil {
			return nil, err
		}
		windows := brand.AttributionWindows{Default: brand.AttributionWindow{Sent: o.AttributionWindow}, Channel: o.Shop.Windows}
		if p.Attribution, err = Attribute(ctx, source, attribution.Options{From: o.From, To: o.To, By: attribution.ByAgent,
			Models: attribution.Models, Windows: windows}, o.Currency); err != nil {
			return nil, err
		}
	}
	p.Suggestions = suggestions(p)
	return p, nil
}

func kpiLines(ctx context.Context, source PeriodicSource, o PeriodicOptions) ([]KPILine, error) {
	now, err := source.KPIs(ctx, measure.KPIQuery{From: o.From, To: o.To})
	if err != nil {
		return nil, err
	}
	before, err := source.KPIs(ctx, measure.KPIQuery{From: o.From.Add(o.From.Sub(o.To)), To: o.From})
	if err != nil {
		return nil, err
	}
	of := func(readings []measure.Reading, id string) measure.Reading {
		i := slices.IndexFunc(readings, func(r measure.Reading) bool { return r.KPI == id })
		if i < 0 {
			return measure.Reading{KPI: id, Status: measure.NotEnoughData, Why: "nothing measures it"}
		}
		return readings[i]
	}
	lines := []KPILine{}
	for _, k := range o.Catalogue {
		line := KPILine{KPI: k.ID, Title: k.Title, Group: k.Group, Unit: k.Unit, Better: k.Better, Baseline: k.Baseline, Target: k.Target,
			Now: of(now, k.ID), Before: of(before, k.ID)}
		line.Standing = standing(line)
		lines = append(lines, line)
	}
	return lines, nil
}

func standing(k KPILine) Standing {
	switch {
	case k.Now.Status == measure.NotEnoughData:
		return NoAnswer
	case k.Target == nil:
		return NoTarget
	}
	worst, best := k.Now.Interval.Low, k.Now.Interval.High
	if k.Better == measure.Lower {
		worst, best = -best, -worst
	}
	target := *k.Target
	if k.Better == measure.Lower {
		target = -target
	}
	switch {
	case worst >= target:
		return Met
	case best < target:
		return Missed
	}
	return Open
}

// groupLines compares each group with the rest of its dimension. With k groups
// in a dimension each is tested at 1-(1-level)/k (Bonferroni), so that in twenty
// reports of equals about one names an under-performer.
func groupLines(groups []measure.Group, least measure.Minimum, unit float64) []GroupLine {
	total, count := map[string]measure.Group{}, map[string]int{}
	for _, g := range groups {
		total[g.By] = total[g.By].Add(g)
		count[g.By]++
	}
	lines := []GroupLine{}
	for _, g := range groups {
		all, k := total[g.By], count[g.By]
		rest := measure.Group{Converted: all.Converted - g.Converted, Revenue: measure.Sample{N: all.Revenue.N - g.Revenue.N,
			Sum: all.Revenue.Sum - g.Revenue.Sum, SumSquares: all.Revenue.SumSquares - g.Revenue.SumSquares}}
		lines = append(lines, GroupLine{
			By: g.By, Name: cmp.Or(g.Name, noName), Touches: g.Revenue.N, PerTouch: g.Revenue.Mean() * unit,
			Converted: measure.Proportion{N: g.Revenue.N, Hits: g.Converted}.Wilson(measure.Level),
			Clicked:   measure.Proportion{N: g.Revenue.N, Hits: g.Clicked}.Wilson(measure.Level),
			Against:   g.Against(rest, least, 1-(1-measure.Level)/float64(k)).Times(unit),
		})
	}
	return lines
}

func programmes(ctx context.Context, source programmeSource, from, to time.Time) ([]Programme, error) {
	rows, err := source.Rollouts(ctx)
	if err != nil {
		return nil, err
	}
	var all []Programme
	for _, row := range rows {
		moments, err := source.RolloutTimeline(ctx, row.Programme, from)
		if err != nil {
			return nil, err
		}
		moments = slices.DeleteFunc(moments, func(m ledger.RolloutMoment) bool { return !m.At.Before(to) })
		if len(moments) > 0 || row.EndedAt.IsZero() && row.StartedAt.Before(to) {
			all = append(all, Programme{Programme: row.Programme, Status: row.Status, Stage: row.Stage, Timeline: moments})
		}
	}
	return all, nil
}

// trendLength is how many periods a trend shows.
const trendLength = 12

// trend reads the key figure of earlier periods from their stored reports.
func trend(ctx context.Context, source PeriodicSource, kind Kind, r *Report) ([]TrendPoint, error) {
	points := []TrendPoint{{From: r.From, Attributed: r.RpMT.Attributed, Touches: r.RpMT.Touches}}
	for from := r.From; len(points) < trendLength; {
		from, _ = kind.Period(from)
		row, err := source.SavedReport(ctx, string(kind), from)
		if lifecycle.CodeOf(err) == lifecycle.NotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		earlier, err := ReadPeriodic(row.Body)
		if err != nil {
			return nil, err
		}
		points = append(points, TrendPoint{From: from, Attributed: earlier.Figures.RpMT.Attributed, Touches: earlier.Figures.RpMT.Touches})
	}
	slices.Reverse(points)
	return points, nil
}

// JSON writes the report as indented JSON.
func (p *Periodic) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(p)
}

// ReadPeriodic reads what JSON wrote.
func ReadPeriodic(body []byte) (*Periodic, error) {
	var p Periodic
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, lifecycle.Errorf(lifecycle.Internal, "decode a stored report: %w", err)
	}
	if p.Figures == nil {
		return nil, lifecycle.Errorf(lifecycle.Internal, "a stored report has no figures")
	}
	return &p, nil
}

// PeriodicStore is where periodic reports are made from and kept.
type PeriodicStore interface {
	PeriodicSource
	SaveReport(ctx context.Context, r ledger.ReportRow) error
}

// WritePeriodic makes the report of a period and keeps it. One that was kept for
// the same period before is replaced.
func WritePeriodic(ctx context.Context, store PeriodicStore, kind Kind, o PeriodicOptions) (*Periodic, error) {
	p, err := BuildPeriodic(ctx, store, kind, o)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return p, store.SaveReport(ctx, ledger.ReportRow{Kind: string(kind), From: o.From, To: o.To, MadeAt: p.MadeAt, Body: body})
}
