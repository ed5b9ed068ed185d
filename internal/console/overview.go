package console

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
	"touchstone/internal/report"
)

// period is a span of business time that ends now.
type period struct {
	Key    string // in addresses
	Title  string
	Length time.Duration
}

// periods are the spans that pages offer: those whose sums upkeep keeps.
var periods = []period{
	{"7d", "7 days", measure.OverviewPeriods[0]},
	{"28d", "28 days", measure.OverviewPeriods[1]},
	{"84d", "12 weeks", measure.OverviewPeriods[2]},
	{"364d", "52 weeks", measure.OverviewPeriods[3]},
}

// defaultPeriod is twelve weeks: long enough to compare, short enough to act on.
const defaultPeriod = 2

// periodOf reads the span a page was asked for.
func periodOf(c *call) (period, error) {
	key := c.r.URL.Query().Get("period")
	if key == "" {
		return periods[defaultPeriod], nil
	}
	for _, p := range periods {
		if p.Key == key {
			return p, nil
		}
	}
	return period{}, lifecycle.Errorf(lifecycle.Invalid, "period %q: choose one that the page offers", shorten(20, key))
}

// overview is everything on the first page, computed together from one instant.
type overview struct {
	Report *report.Report
	Goals  scale
	Rates  chart // RpMT by week
	Sides  chart // revenue per customer, treated and held out
	Groups []kpiGroup
}

// overviewView is the page.
type overviewView struct {
	Period  period
	Periods []period
	Result  result[overview]
}

func (s *Server) overviewPage(c *call) error {
	p, err := periodOf(c)
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "overview", page{Title: "Overview", Section: "overview",
		Data: overviewView{p, periods, s.figures.of(p.Length).get(first)}})
}

// overview computes the first page for a span that ends now.
func (s *Server) overview(ctx context.Context, length time.Duration) (overview, error) {
	to := s.Clock.Now()
	from := to.Add(-length)
	r, err := report.Build(ctx, s.Store, report.Options{
		From: from, To: to, AttributionWindow: s.Settings.AttributionWindow, Brand: s.Brand.Name,
		Currency: s.Brand.Currency, Scale: s.Clock.Scale, Simulated: s.Clock.Scale.Scaled(),
	})
	if err != nil {
		return overview{}, err
	}
	weeks, err := s.Store.Weeks(ctx, from, to, s.Brand.Currency)
	if err != nil {
		return overview{}, err
	}
	baselines, err := s.KPIs.Baselines(ctx)
	if err != nil {
		return overview{}, err
	}
	// Upkeep keeps the sums of these periods up to its last round.
	summed, err := s.KPIs.RolledUpTo(ctx)
	if err != nil {
		return overview{}, err
	}
	if summed.IsZero() {
		summed = to
	}
	readings, err := s.KPIs.KPIs(ctx, measure.KPIQuery{From: summed.Add(-length), To: summed})
	if err != nil {
		return overview{}, err
	}
	return overview{
		Report: r, Goals: scaleOf(r), Rates: rateChart(r), Sides: sideChart(weeks, from, s.Brand.Currency),
		Groups: groupKPIs(baselines.Catalogue(), readings, s.Brand.Currency),
	}, nil
}

// scale places both key figures on one line with the goals. Positions are in
// percent of its width.
type scale struct {
	Marks      []mark
	Attributed float64
	Known      bool // the attributed figure is
	Beyond     bool // and lies off the scale
	Low, High  float64
	Mid        float64
	Interval   bool // the incremental figure is
	Zero       float64
}

// mark is a goal on the scale.
type mark struct {
	At    float64
	Title string
	Value string
}

// scaleOf makes the scale. It reaches half beyond the stretch goal at most, so
// that the goals stay apart: what lies further off stands at its edge.
func scaleOf(r *report.Report) scale {
	g := r.RpMT.Goals
	in := r.RpMT.Incremental.PerTouch
	low, high := 0.0, g.Stretch
	if r.RpMT.Attributed != nil {
		low, high = min(low, *r.RpMT.Attributed), max(high, *r.RpMT.Attributed)
	}
	if in.Known() {
		low, high = min(low, in.Interval.Low), max(high, in.Interval.High)
	}
	low, high = 1.06*max(low, -g.Stretch/2), 1.06*min(high, 1.5*g.Stretch)
	at := func(v float64) float64 { return math.Round(1000*100*(min(max(v, low), high)-low)/(high-low)) / 1000 }
	s := scale{Zero: at(0), Marks: []mark{
		{at(g.Baseline), "baseline", decimalOf(g.Baseline, r.Currency)}, {at(g.Target), "target", decimalOf(g.Target, r.Currency)},
		{at(g.Stretch), "stretch", decimalOf(g.Stretch, r.Currency)},
	}}
	if a := r.RpMT.Attributed; a != nil {
		s.Known, s.Attributed, s.Beyond = true, at(*a), *a > high || *a < low
	}
	if in.Known() {
		s.Interval, s.Low, s.High, s.Mid = true, at(in.Interval.Low), at(in.Interval.High), at(in.Interval.Estimate)
	}
	return s
}

// chart is what the script draws, and what the table below says. Times are in
// seconds since 1970.
type chart struct {
	Unit    string   `json:"unit"`
	Digits  int      `json:"digits"`
	X       []int64  `json:"x"`
	Lines   []line   `json:"lines"`
	Goals   []goal   `json:"goals,omitempty"`
	Summary string   `json:"summary"`
	Starts  []string `json:"-"`
}

// line is one series; missing values are null.
type line struct {
	Name string     `json:"name"`
	Role string     `json:"role"` // main or held: how it is drawn
	Y    []*float64 `json:"y"`
	Low  []*float64 `json:"low,omitempty"`
	High []*float64 `json:"high,omitempty"`
}

// goal is a level that a chart shows.
type goal struct {
	Name string  `json:"name"`
	At   float64 `json:"at"`
}

// rateChart is attributed RpMT by whole weeks, with the goals.
func rateChart(r *report.Report) chart {
	c := chart{Unit: r.Currency, Digits: lifecycle.MinorDigits(r.Currency), Lines: []line{{Name: "RpMT", Role: "main"}}}
	for _, w := range r.Weeks {
		c.X, c.Starts = append(c.X, w.Start.Unix()), append(c.Starts, w.Start.Format("2 Jan 2006"))
		var y *float64
		if w.Touches > 0 {
			v := w.Attributed.Major() / float64(w.Touches)
			y = &v
		}
		c.Lines[0].Y = append(c.Lines[0].Y, y)
	}
	g := r.RpMT.Goals
	c.Goals = []goal{{"baseline", g.Baseline}, {"target", g.Target}, {"stretch", g.Stretch}}
	c.Summary = fmt.Sprintf("Attributed revenue per marketing touch by week, %d weeks, beside the goals.", len(r.Weeks))
	return c
}

// sideChart is revenue per customer and week of both sides of the programme, each
// mean with its interval.
func sideChart(weeks []postgres.WeekOf, from time.Time, currency string) chart {
	unit := math.Pow10(-lifecycle.MinorDigits(currency))
	c := chart{Unit: currency, Digits: lifecycle.MinorDigits(currency), Lines: []line{{Name: "may be written to", Role: "main"}, {Name: "held out", Role: "held"}}}
	for i, w := range weeks {
		start := from.Add(time.Duration(i) * measure.Week)
		c.X, c.Starts = append(c.X, start.Unix()), append(c.Starts, start.UTC().Format("2 Jan 2006"))
		for side, sample := range []measure.Sample{w.Treated, w.Held} {
			var y, low, high *float64
			if interval, ok := sample.MeanInterval(measure.Level); ok {
				interval = interval.Times(unit)
				y, low, high = &interval.Estimate, &interval.Low, &interval.High
			}
			l := &c.Lines[side]
			l.Y, l.Low, l.High = append(l.Y, y), append(l.Low, low), append(l.High, high)
		}
	}
	c.Summary = fmt.Sprintf("Revenue per customer and week, of customers who may be written to and of those held out, with 95%% intervals, %d weeks.", len(weeks))
	return c
}

// Cell renders one value of a chart for its table.
func (c chart) Cell(side, i int) string {
	l := c.Lines[side]
	if l.Y[i] == nil {
		return "–"
	}
	text := decimalOf(*l.Y[i], c.Unit)
	if l.Low != nil && l.Low[i] != nil {
		text += " (" + decimalOf(*l.Low[i], c.Unit) + " to " + decimalOf(*l.High[i], c.Unit) + ")"
	}
	return text
}

// Verdict says in words whether to believe an answer.
func (o overview) Verdict() string {
	a := o.Report.RpMT.Incremental.PerTouch
	switch a.Status {
	case measure.OK:
		if a.Interval.Estimate < 0 {
			return "a loss against the holdout"
		}
		return "a gain over the holdout"
	case measure.NotDistinguishable:
		return "not distinguishable from zero"
	}
	return "not enough data: " + a.Why
}
