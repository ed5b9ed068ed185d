package attribution

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// Dimension is what touches are grouped by.
type Dimension string

// Dimensions. With ByWeek a touch counts in the week in which it was sent and
// revenue in the week in which it came.
const (
	ByAgent    Dimension = "agent"
	ByChannel  Dimension = "channel"
	ByJourney  Dimension = "journey"
	ByCampaign Dimension = "campaign"
	ByCohort   Dimension = "cohort" // lifecycle stage when the touch was planned
	ByWeek     Dimension = "week"
)

// Dimensions lists them all.
var Dimensions = []Dimension{ByAgent, ByChannel, ByJourney, ByCampaign, ByCohort, ByWeek}

// Options say what to divide and how.
type Options struct {
	From, To  time.Time // of touches and orders, half-open, business time
	By        Dimension
	Models    []Model
	Windows   brand.AttributionWindows
	Resamples int    // bootstrap samples behind the intervals; 0 = no intervals
	Seed      uint64 // of the bootstrap
	Level     float64
	Minimum   measure.Minimum // customers touched, and buyers credited, per group with an interval
}

// Line is what one group got.
type Line struct {
	Group   string  `json:"group"`
	Touches int     `json:"touches"` // sent in the period
	Orders  float64 `json:"orders"`  // credited in parts; refunds not counted
	Revenue int64   `json:"revenue"` // minor units, net of refunds
	// RevenueInterval is around Revenue, in minor units; PerTouch is Revenue over
	// Touches (attributed RpMT).
	RevenueInterval measure.Answer `json:"revenue_interval"`
	PerTouch        measure.Answer `json:"per_touch"`
}

// Table is the result of one model. Lines add up to Total exactly.
type Table struct {
	Model Model  `json:"model"`
	Lines []Line `json:"lines"`
	Total Line   `json:"total"`
	// Why says what kept the model from an answer.
	Why string `json:"why,omitempty"`
}

// Result is one division of the period's revenue by several models.
type Result struct {
	By     Dimension `json:"by"`
	Tables []Table   `json:"tables"`
	// Orders and Revenue of the period without any contact are nobody's.
	UnattributedOrders  int   `json:"unattributed_orders"`
	UnattributedRevenue int64 `json:"unattributed_revenue"`
	Customers           int   `json:"customers"` // with a touch or an order
}

// Attribution divides revenue customer by customer.
type Attribution struct {
	options Options
	groups  map[string]int
	names   []string
	touches []sum // by group
	buyers  []int // by group: customers with a credited order
	reached []int // by group: customers touched
	sums    map[Model][]credit
	orders  sum // attributed, all groups
	revenue sum
	// attributed is revenue's total without rounding.
	attributed int64
	chain      chain
	taken      []sum // by edge of the chain
	result     Result
	resampler  resampler

	// Scratch, reused from customer to customer.
	of      []int // group of each touch
	path    []contact
	used    []bool // touches that are in some order's path
	weights []float64
	parts   []int64
	mine    map[Model]map[int]*share
	steps   map[int]float64 // edges of this customer
}

// sum is a total with its resampled counterparts.
type sum struct {
	total   float64
	samples []float64
}

// share is what one customer brought a group.
type share struct {
	orders  float64
	revenue int64
}

// credit adds shares up.
type credit struct {
	orders  float64
	revenue int64
	samples []float64 // of revenue
}

// New prepares a division. Errors: Invalid for options that cannot be.
func New(o Options) (*Attribution, error) {
	switch {
	case !slices.Contains(Dimensions, o.By):
		return nil, lifecycle.Errorf(lifecycle.Invalid, "attribution cannot be divided by %q: use one of %v", o.By, Dimensions)
	case !o.From.Before(o.To):
		return nil, lifecycle.Errorf(lifecycle.Invalid, "attribution: the period must begin before it ends, not from %s to %s", o.From, o.To)
	case o.Resamples < 0 || o.Resamples > 10_000:
		return nil, lifecycle.Errorf(lifecycle.Invalid, "attribution: %d bootstrap samples: give 0 for no intervals, up to 10000", o.Resamples)
	}
	o.Level, o.Minimum = cmp.Or(o.Level, measure.Level), cmp.Or(o.Minimum, measure.DefaultMinimum())
	a := &Attribution{options: o, groups: map[string]int{}, sums: map[Model][]credit{}, mine: map[Model]map[int]*share{}, steps: map[int]float64{},
		resampler: resampler{seed: o.Seed, weights: make([]float64, o.Resamples)}, result: Result{By: o.By}}
	for _, m := range o.Models {
		if m != Markov {
			a.mine[m] = map[int]*share{}
		}
	}
	return a, nil
}

// Add takes one customer. Touches and orders outside the period are left out by
// the caller.
func (a *Attribution) Add(c Customer) {
	a.result.Customers++
	a.of = a.of[:0]
	for _, t := range c.Touches {
		a.of = append(a.of, a.group(t.Group, t.Sent))
	}
	a.used = slices.Grow(a.used[:0], len(c.Touches))[:len(c.Touches)]
	clear(a.used)
	var w []float64
	if a.options.Resamples > 0 {
		w = a.resampler.draw(c.ID)
	}
	met := map[int]bool{} // groups credited with an order of this customer
	for _, o := range c.Orders {
		a.order(c, o, w, met)
	}
	a.walk(c)
	a.settle(w, met)
}

// group numbers a group; by week, revenue and touches go to the week of at.
func (a *Attribution) group(name string, at time.Time) int {
	if a.options.By == ByWeek {
		name = measure.WeekOf(a.options.From, at)
	}
	g, known := a.groups[name]
	if known {
		return g
	}
	g = len(a.names)
	a.groups[name], a.names = g, append(a.names, name)
	a.touches = append(a.touches, a.newSum())
	a.buyers, a.reached = append(a.buyers, 0), append(a.reached, 0)
	for m := range a.mine {
		a.sums[m] = append(a.sums[m], credit{samples: make([]float64, a.options.Resamples)})
	}
	return g
}

func (a *Attribution) newSum() sum { return sum{samples: make([]float64, a.options.Resamples)} }

// order divides one order by every model that looks at orders.
func (a *Attribution) order(c Customer, o Order, w []float64, met map[int]bool) {
	a.path = contacts(a.path[:0], c.Touches, a.of, o.At, a.options.Windows)
	if len(a.path) == 0 {
		if o.Total > 0 {
			a.result.UnattributedOrders++
		}
		a.result.UnattributedRevenue += o.Total
		return
	}
	bought := 0.0
	if o.Total > 0 {
		bought = 1
	}
	a.orders.add(bought, w)
	a.revenue.add(float64(o.Total), w)
	a.attributed += o.Total
	if a.options.By == ByWeek {
		week := a.group("", o.At)
		for i := range a.path {
			a.path[i].group = week
		}
	}
	if o.Total > 0 {
		for _, p := range a.path {
			a.used[p.touch] = true
			met[p.group] = true
		}
	}
	for m, mine := range a.mine {
		a.weights = m.weights(a.weights, a.path, o.At)
		a.parts = split(a.parts, o.Total, a.weights)
		for i, p := range a.path {
			if a.weights[i] == 0 {
				continue
			}
			s := mine[p.group]
			if s == nil {
				s = &share{}
				mine[p.group] = s
			}
			s.orders += bought * a.weights[i]
			s.revenue += a.parts[i]
		}
	}
	if o.Total > 0 {
		a.follow(converted)
	}
}

// follow counts the edges of the current path.
func (a *Attribution) follow(end int) {
	if !slices.Contains(a.options.Models, Markov) {
		return
	}
	at := atStart
	for _, p := range a.path {
		a.steps[a.chain.index(at, p.group)]++
		at = p.group
	}
	a.steps[a.chain.index(at, end)]++
}

// walk follows the touches that no order came of: one path that is lost.
func (a *Attribution) walk(c Customer) {
	a.path = a.path[:0]
	for i := range c.Touches {
		if !a.used[i] {
			a.path = append(a.path, contact{touch: i, group: a.of[i]})
		}
	}
	if len(a.path) > 0 {
		a.follow(lost)
	}
}

// settle adds what the customer brought to the sums, weighted by w in each
// resample.
func (a *Attribution) settle(w []float64, met map[int]bool) {
	touched := map[int]float64{}
	for _, g := range a.of {
		touched[g]++
	}
	for g, n := range touched {
		a.reached[g]++
		a.touches[g].add(n, w)
	}
	for g := range met {
		a.buyers[g]++
	}
	for m, mine := range a.mine {
		for g, s := range mine {
			into := &a.sums[m][g]
			into.orders += s.orders
			into.revenue += s.revenue
			for b, n := range w {
				into.samples[b] += n * float64(s.revenue)
			}
		}
		clear(mine)
	}
	for e, n := range a.steps {
		for len(a.taken) <= e {
			a.taken = append(a.taken, a.newSum())
		}
		a.taken[e].add(n, w)
	}
	clear(a.steps)
}

func (s *sum) add(v float64, w []float64) {
	s.total += v
	if v == 0 {
		return
	}
	if s.samples == nil {
		s.samples = make([]float64, len(w))
	}
	for b, n := range w {
		s.samples[b] += n * v
	}
}

// Result sums up. It may be called once.
func (a *Attribution) Result() Result {
	for _, m := range a.options.Models {
		if m == Markov {
			a.result.Tables = append(a.result.Tables, a.markov())
		} else {
			a.result.Tables = append(a.result.Tables, a.table(m, a.sums[m]))
		}
	}
	return a.result
}

// markov divides all attributed revenue by removal effects.
func (a *Attribution) markov() Table {
	if a.options.By == ByWeek {
		return Table{Model: Markov, Why: "a week cannot be removed from a path: ask by agent, channel, journey, campaign or cohort"}
	}
	counts := make([]float64, len(a.taken))
	for i, t := range a.taken {
		counts[i] = t.total
	}
	shares, ok := a.chain.shares(len(a.names), counts)
	if !ok {
		return Table{Model: Markov, Why: "no order of the period followed a touch"}
	}
	sums := make([]credit, len(a.names))
	parts := split(nil, a.attributed, shares)
	for g := range sums {
		sums[g] = credit{orders: a.orders.total * shares[g], revenue: parts[g], samples: make([]float64, a.options.Resamples)}
	}
	for b := range a.options.Resamples {
		for i, t := range a.taken {
			counts[i] = t.samples[b]
		}
		sample, ok := a.chain.shares(len(a.names), counts)
		for g := range sums {
			if !ok {
				sums[g].samples[b] = math.NaN()
				continue
			}
			sums[g].samples[b] = a.revenue.samples[b] * sample[g]
		}
	}
	return a.table(Markov, sums)
}

// table turns sums into lines, groups in the order of their names.
func (a *Attribution) table(m Model, sums []credit) Table {
	t := Table{Model: m, Total: Line{Group: "total"}}
	total := credit{samples: make([]float64, a.options.Resamples)}
	touches := a.newSum()
	buyers, reached := 0, 0
	for g, name := range a.names {
		line := a.line(name, sums[g], a.touches[g], a.reached[g], a.buyers[g])
		t.Lines = append(t.Lines, line)
		total.orders += sums[g].orders
		total.revenue += sums[g].revenue
		touches.total += a.touches[g].total
		for b := range total.samples {
			total.samples[b] += sums[g].samples[b]
			touches.samples[b] += a.touches[g].samples[b]
		}
		buyers, reached = buyers+a.buyers[g], reached+a.reached[g]
	}
	slices.SortFunc(t.Lines, func(x, y Line) int { return cmp.Compare(x.Group, y.Group) })
	t.Total = a.line("total", total, touches, reached, buyers)
	return t
}

func (a *Attribution) line(name string, c credit, touches sum, reached, buyers int) Line {
	l := Line{Group: name, Touches: int(touches.total), Orders: c.orders, Revenue: c.revenue}
	if why := a.few(touches, reached, buyers); why != "" {
		l.RevenueInterval = measure.Answer{Status: measure.NotEnoughData, Why: why}
		l.PerTouch = l.RevenueInterval
		return l
	}
	l.RevenueInterval = answer(percentile(float64(c.revenue), c.samples, a.options.Level))
	ratio := make([]float64, len(c.samples))
	for b, r := range c.samples {
		ratio[b] = r / touches.samples[b]
	}
	l.PerTouch = answer(percentile(float64(c.revenue)/touches.total, ratio, a.options.Level))
	return l
}

// few says what an interval lacks.
func (a *Attribution) few(touches sum, reached, buyers int) string {
	switch least := a.options.Minimum; {
	case a.options.Resamples == 0:
		return "no resamples were asked for"
	case touches.total == 0:
		return "no touch was sent in the period"
	case reached < least.Customers:
		return fmt.Sprintf("%d customers touched, %d needed", reached, least.Customers)
	case buyers < least.Buyers:
		return fmt.Sprintf("%d buyers credited, %d needed", buyers, least.Buyers)
	}
	return ""
}

// answer gives a status to an interval of something that is not a difference:
// zero in it means nothing special.
func answer(i measure.Interval, ok bool) measure.Answer {
	if !ok {
		return measure.Answer{Status: measure.NotEnoughData, Why: "too many resamples had no touch"}
	}
	return measure.Answer{Status: measure.OK, Interval: i}
}
