package measure

import (
	"fmt"
	"math"
	"strconv"
)

// metric is a KPI together with how it is worked out.
type metric struct {
	KPI
	of    string // what the denominator counts, for people
	whole bool   // counts all customers: there is no reading for a part of the programme
	read  func(*Sums) figure
}

// figure is an estimate before it is held against its minimum.
type figure struct {
	numerator, denominator float64
	interval               Interval
	why                    string // why there is none
}

// Catalogue returns every KPI, in the order in which people read them, with the
// levels of the measurement and rollout plan.
func Catalogue() []KPI {
	var all []KPI
	for _, m := range metrics() {
		all = append(all, m.KPI)
	}
	return all
}

// Find returns the KPI of this id. ok is false when there is none.
func Find(kpis []KPI, id string) (k KPI, ok bool) {
	for _, k := range kpis {
		if k.ID == id {
			return k, true
		}
	}
	return KPI{}, false
}

func metrics() []metric {
	var all []metric
	for _, group := range [][]metric{northStar, conversion, engagement, efficiency, retention, quality, operation, learning, outcome} {
		all = append(all, group...)
	}
	return all
}

// Readings works out all KPIs, in the catalogue's order. The baselines are those
// that improvements are measured against.
func (s *Sums) Readings(baselines Baselines) []Reading {
	readings := make([]Reading, 0, len(metrics()))
	for _, m := range metrics() {
		r := Reading{KPI: m.ID, From: s.From, To: s.To}
		f := s.figure(m, baselines)
		r.Numerator, r.Denominator, r.Why = f.numerator, f.denominator, f.why
		if f.denominator < m.Minimum && (f.why == "" || f.denominator > 0) {
			r.Why = fmt.Sprintf("%s of %s %s needed", number(f.denominator), number(m.Minimum), m.of)
		}
		r.Status = NotEnoughData
		if r.Why == "" {
			r.Status, r.Interval = OK, f.interval
		}
		readings = append(readings, r)
	}
	return readings
}

func (s *Sums) figure(m metric, baselines Baselines) figure {
	switch {
	case s.AsOf.IsZero():
		return unknown("nothing has been summed up yet: the worker does it every hour, `touchstone kpi show` at once")
	case m.whole && s.cut():
		return unknown("it is about all customers: ask without --channel, --journey and --campaign")
	case m.ID == idImprovement:
		return s.improvement(baselines)
	}
	return m.read(s)
}

// number renders a count without an exponent.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

func unknown(format string, args ...any) figure { return figure{why: fmt.Sprintf(format, args...)} }

// share is a proportion with its Wilson interval.
func share(hits, n int64) figure {
	return figure{numerator: float64(hits), denominator: float64(n),
		interval: Proportion{N: int(n), Hits: int(hits)}.Wilson(Level)}
}

// total is a count or sum of which nothing was left to chance.
func total(v, over float64) figure {
	if over == 0 {
		return figure{}
	}
	return figure{numerator: v, denominator: over, interval: certain(v / over)}
}

func certain(v float64) Interval { return Interval{Estimate: v, Low: v, High: v, Level: Level} }

// mean is a mean of independent observations with its t interval.
func mean(of Sample, unit float64) figure {
	f := figure{numerator: of.Sum * unit, denominator: float64(of.N)}
	i, ok := of.MeanInterval(Level)
	if !ok {
		f.why = fmt.Sprintf("%d observed, 2 needed", of.N)
		return f
	}
	f.interval = i.Times(unit)
	return f
}

// ratio is a ratio of sums over blocks of customers.
func ratio(blocks []Pair) figure {
	var f figure
	for _, b := range blocks {
		f.numerator, f.denominator = f.numerator+b.X, f.denominator+b.Y
	}
	i, ok := RatioInterval(blocks, Level)
	if !ok && f.denominator != 0 {
		f.why = "all of it comes from customers of one block: too few for an interval"
		return f
	}
	f.interval = i
	return f
}

// times is the figure in another unit of its numerator.
func (f figure) times(factor float64) figure {
	f.numerator *= factor
	f.interval = f.interval.Times(factor)
	return f
}

// blocks pairs what each block of a channel contributes. Touches and their cost
// are known by day: where the period cuts a day, they are scaled to the period.
func (s *Sums) blocks(channel string, pair func(b BlockSums, touches, cost float64) Pair) []Pair {
	c := s.channel(channel)
	days := c.credit()
	touches, cost := part(c.Sent, days.Touches), part(c.Cost, days.Cost)
	pairs := make([]Pair, Blocks)
	for i, b := range c.Blocks {
		pairs[i] = pair(b, float64(b.Touches)*touches, float64(b.Cost)*cost)
	}
	return pairs
}

func part(of, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(of) / float64(whole)
}

// perTouch is attributed revenue per marketing touch of a channel.
func (s *Sums) perTouch(channel string) figure {
	return ratio(s.blocks(channel, func(b BlockSums, touches, _ float64) Pair {
		return Pair{X: float64(b.Revenue) * s.Unit, Y: touches}
	}))
}

// spent is what was paid for touches and for the copy of the period. Copy belongs
// to slots and channels, not to journeys and campaigns.
func (s *Sums) spent() (touches, copy float64) {
	touches = float64(s.channel("").Cost) * s.Unit
	if s.Journey == "" && s.Campaign == "" {
		copy = float64(s.Copy.Cost) * s.Unit
	}
	return touches, copy
}

// bySpend pairs, per block, something with what was spent: touches as they cost,
// generated copy in equal parts.
func (s *Sums) bySpend(pair func(b BlockSums, spent float64) Pair) figure {
	_, copied := s.spent()
	return ratio(s.blocks("", func(b BlockSums, _, cost float64) Pair {
		return pair(b, cost*s.Unit+copied/Blocks)
	}))
}

// lift is a figure of the comparison with the holdout, in major units.
func (s *Sums) lift(of func(Lift) Answer, over float64) figure {
	a := of(s.People.Programme.Lift(DefaultMinimum(), Level).InUnits(s.Unit))
	if !a.Known() {
		return unknown("%s", a.Why)
	}
	return figure{numerator: a.Interval.Estimate * over, denominator: over, interval: a.Interval}
}

// improvement is by how much the conversion rate exceeds its baseline.
func (s *Sums) improvement(baselines Baselines) figure {
	rate, known := Find(baselines.Catalogue(), idConversion)
	if !known || rate.Baseline == nil || *rate.Baseline <= 0 {
		return unknown("the conversion rate has no baseline above zero")
	}
	all := s.channel("")
	f := share(all.credit().Conversions, all.Sent)
	i := f.interval.Times(1 / *rate.Baseline)
	f.interval = Interval{Estimate: i.Estimate - 1, Low: i.Low - 1, High: i.High - 1, Level: i.Level}
	expected := *rate.Baseline * f.denominator
	f.numerator, f.denominator = f.numerator-expected, expected
	return f
}
