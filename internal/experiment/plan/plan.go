package plan

import (
	"math"
	"time"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/multiple"
	"touchstone/internal/experiment/sequential"
	"touchstone/internal/lifecycle"
)

// Looks say when a test is looked at.
type Looks string

// Schedules of looks, all from the shortest duration on.
const (
	Daily  Looks = "daily"
	Weekly Looks = "weekly"
	Once   Looks = "once" // at the end
)

// Floors and defaults, of the measurement and rollout plan.
const (
	DefaultAlpha    = 0.05
	DefaultPower    = 0.80
	DefaultPerArm   = 1000 // units per variant, at least
	DefaultShortest = 7    // days, at least
	DefaultLongest  = 28   // days, at most
	day             = 24 * time.Hour
	century         = 36_525 // days
	assumedDays     = 28     // of looks, where the traffic is not known
	mostLooks       = 90     // in a plan; more change the sample by less than one in a thousand
)

// Request is what is to be planned. Zero values mean the defaults.
type Request struct {
	Metric      Metric        `json:"metric"`
	Lift        float64       `json:"lift"`                   // relative; the smallest that matters
	Alpha       float64       `json:"alpha"`                  // two-sided, for all challengers together
	Power       float64       `json:"power"`                  // for each challenger
	Control     float64       `json:"control"`                // share of the units
	Challengers []float64     `json:"challengers"`            // shares of the units
	Looks       Looks         `json:"looks"`                  // of group-sequential decisions
	PerDay      float64       `json:"per_day,omitzero"`       // units that enter a day, in all arms; 0 = not known
	Window      time.Duration `json:"window,omitzero"`        // until a unit's outcome is complete
	PerArm      int           `json:"least_per_arm"`          // floor
	Shortest    int           `json:"shortest"`               // days, floor
	Longest     int           `json:"longest"`                // days in which units may enter; whole weeks count
	Alternative []Metric      `json:"alternatives,omitempty"` // more frequent metrics that could be tested instead
}

// Plan is a test's sample and time, or why there can be none.
type Plan struct {
	Request
	// PerComparison is the two-sided level of each challenger against the control,
	// so that all together have Alpha (Dunnett).
	PerComparison float64 `json:"per_comparison"`
	Critical      float64 `json:"critical"` // z of PerComparison
	// OneLook is what each arm would need with one look at the end and equal arms of
	// one challenger: the figure of textbooks.
	OneLook   int     `json:"one_look_per_arm"`
	LookCount int     `json:"look_count"`
	Inflation float64 `json:"inflation"` // of the sample, for looking more than once
	// Units are those of the control, then of each challenger, at most: a test with a
	// clear effect ends sooner.
	Units    []int   `json:"units"`
	Total    int     `json:"total"`
	Expected float64 `json:"expected"` // mean total when the lift is true
	// Days are whole weeks in which units enter; 0 when the traffic is not known.
	Days     int           `json:"days,omitzero"`
	Ends     time.Duration `json:"ends,omitzero"` // until the last outcome is complete; 0 beyond a hundred years
	Cadence  Cadence       `json:"cadence,omitzero"`
	Feasible bool          `json:"feasible"` // within Longest, or the traffic is not known
	// Why says in words why the test is refused, and Offers what to do instead.
	Why        string  `json:"why,omitempty"`
	Detectable float64 `json:"detectable,omitzero"` // smallest lift found with Power within Longest
	Achieved   float64 `json:"achieved,omitzero"`   // power for Lift within Longest
	Offers     []Offer `json:"offers,omitempty"`
	// Suggested is the control's share that needs the fewest units: √m/(√m+m).
	Suggested float64 `json:"suggested_control"`
}

// withDefaults fills what was not said.
func (r Request) withDefaults() Request {
	set := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&r.Alpha, DefaultAlpha)
	set(&r.Power, DefaultPower)
	if len(r.Challengers) == 0 {
		r.Control, r.Challengers = 0.5, []float64{0.5}
	}
	if r.Looks == "" {
		r.Looks = Daily
	}
	for _, d := range []struct {
		v *int
		d int
	}{{&r.PerArm, DefaultPerArm}, {&r.Shortest, DefaultShortest}, {&r.Longest, DefaultLongest}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if r.Metric.Kind == "" {
		r.Metric.Kind = estimate.Proportion
	}
	return r
}

// check refuses what cannot be planned. The error is Invalid.
func (r Request) check() error {
	refuse := func(format string, args ...any) error { return lifecycle.Errorf(lifecycle.Invalid, format, args...) }
	m := r.Metric
	switch {
	case !(m.Baseline > 0):
		return refuse("baseline %v: give the control's measured rate or mean, above 0", m.Baseline)
	case m.Kind == estimate.Proportion && m.Baseline >= 1:
		return refuse("baseline %v: a rate is below 1; write 2.5 %% as 0.025", m.Baseline)
	case m.Kind != estimate.Proportion && !(m.SD > 0):
		return refuse("%s: give the standard deviation between units, it decides the sample of a mean", m.Kind)
	case !(r.Lift > 0) || math.IsInf(r.Lift, 0):
		return refuse("lift %v: give the smallest relative lift that matters, above 0; write 15 %% as 0.15", r.Lift)
	case m.Kind == estimate.Proportion && m.Baseline*(1+r.Lift) >= 1:
		return refuse("lift %v of a rate of %v would be above 1", r.Lift, m.Baseline)
	case !(m.Correlation > -1 && m.Correlation < 1):
		return refuse("correlation %v: between -1 and 1, both excluded", m.Correlation)
	case !(r.Alpha > 0 && r.Alpha < 0.5):
		return refuse("alpha %v: between 0 and 0.5, for example 0.05", r.Alpha)
	case !(r.Power > 0.5 && r.Power < 1):
		return refuse("power %v: between 0.5 and 1, for example 0.8", r.Power)
	case !(r.PerDay >= 0) || math.IsInf(r.PerDay, 0):
		return refuse("%v units a day: not negative", r.PerDay)
	case r.PerArm < 0 || r.Shortest < 1 || r.Longest < r.Shortest:
		return refuse("from %d to %d days: the longest must not be below the shortest", r.Shortest, r.Longest)
	case len(r.Challengers) > 20:
		return refuse("%d challengers: at most 20", len(r.Challengers))
	}
	total := r.Control
	for _, share := range append([]float64{r.Control}, r.Challengers...) {
		if !(share > 0 && share < 1) {
			return refuse("share %v of an arm: above 0 and below 1", share)
		}
	}
	for _, share := range r.Challengers {
		total += share
	}
	if math.Abs(total-1) > 1e-9 {
		return refuse("the shares of the arms add up to %v: make them add up to 1", total)
	}
	return nil
}

// Make plans a test. The error is Invalid and says what is missing; a test that
// takes too long is no error but a plan that is not Feasible.
func Make(r Request) (Plan, error) {
	r = r.withDefaults()
	if err := r.check(); err != nil {
		return Plan{}, err
	}
	m := float64(len(r.Challengers))
	p := Plan{
		Request: r, PerComparison: multiple.PerComparison(r.Control, r.Challengers, r.Alpha),
		OneLook: up(r.Metric.Size(r.Lift, 1, r.Alpha, r.Power)), Suggested: math.Sqrt(m) / (math.Sqrt(m) + m),
	}
	p.Critical = quantile(1 - p.PerComparison/2)
	if err := p.size(); err != nil {
		return Plan{}, err
	}
	if r.PerDay == 0 {
		p.Feasible = true
		return p, nil
	}
	p.Days = p.days()
	if p.Days < century {
		p.Ends = time.Duration(p.Days)*day + r.Window
	}
	p.Cadence = cadence(p.Days, r.Longest)
	available := r.PerDay * float64(r.Longest)
	p.Detectable = finite(r.Metric.Detectable(available*r.Control/p.Inflation, p.weakest(), p.PerComparison, r.Power))
	p.Achieved = r.Metric.Power(r.Lift, available*r.Control/p.Inflation, p.weakest(), p.PerComparison)
	if p.Feasible = p.Days <= r.Longest; !p.Feasible {
		p.refuse(available)
	}
	return p, nil
}

// size works out the sample. Looks and days depend on each other; a few rounds
// settle both.
func (p *Plan) size() error {
	control := p.Metric.Size(p.Lift, p.weakest(), p.PerComparison, p.Power)
	p.Inflation = 1
	for range 4 {
		p.total(control)
		information := p.information()
		if len(information) == p.LookCount {
			break
		}
		b, err := sequential.Plan(information, sequential.OBrienFleming(p.PerComparison))
		if err != nil {
			return err
		}
		drift := b.Drift(p.Power)
		p.LookCount = len(b.Critical)
		fixed := quantile(1-p.PerComparison/2) + quantile(p.Power)
		p.Inflation = drift * drift / (fixed * fixed)
		p.total(control)
		p.Expected = min(b.Expected(drift), 1) * float64(p.Total)
	}
	return nil
}

// total sets the units of each arm from those of a control with one look.
func (p *Plan) total(control float64) {
	smallest := p.Control
	for _, share := range p.Challengers {
		smallest = min(smallest, share)
	}
	all := max(control*p.Inflation/p.Control, float64(p.PerArm)/smallest)
	p.Units, p.Total = []int{up(all * p.Control)}, 0
	for _, share := range p.Challengers {
		p.Units = append(p.Units, up(all*share))
	}
	for _, n := range p.Units {
		p.Total += n
	}
}

// weakest is the size of the smallest challenger relative to the control.
func (p *Plan) weakest() float64 {
	k := math.Inf(1)
	for _, share := range p.Challengers {
		k = min(k, share/p.Control)
	}
	return k
}

// information is the share of the sample that is in at each look.
func (p *Plan) information() []float64 {
	days := assumedDays
	if p.PerDay > 0 {
		days = p.days()
	}
	first, step := p.Shortest, max(1, days/mostLooks)
	switch p.Looks {
	case Weekly:
		first, step = wholeWeeks(float64(p.Shortest)), wholeWeeks(float64(step))
	case Once:
		first = days
	}
	var information []float64
	for d := first; d < days; d += step {
		if i := float64(d) / float64(days); i < 1-sequential.Smallest {
			information = append(information, i)
		}
	}
	return append(information, 1)
}

// days are the whole weeks in which enough units enter.
func (p *Plan) days() int { return wholeWeeks(max(float64(p.Total)/p.PerDay, float64(p.Shortest))) }

// wholeWeeks rounds days up to weeks, so that every weekday counts the same.
func wholeWeeks(days float64) int {
	if days > 7*1e6 {
		return 7 * 1e6
	}
	return 7 * int(math.Ceil(days/7-1e-9))
}

// Cadence is how often such tests can be run one after the other.
type Cadence string

// Cadences of the measurement and rollout plan, by volume.
const (
	EveryWeek     Cadence = "weekly"
	EveryTwoWeeks Cadence = "bi-weekly"
	EveryMonth    Cadence = "monthly"
	Pooled        Cadence = "pooled" // too little volume alone: test groups together
)

func cadence(days, longest int) Cadence {
	switch {
	case days <= 7:
		return EveryWeek
	case days <= 14:
		return EveryTwoWeeks
	case days <= max(longest, 28):
		return EveryMonth
	}
	return Pooled
}

func up(n float64) int { return int(math.Ceil(n - 1e-6)) }

// finite is 0 for what JSON cannot say.
func finite(v float64) float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	return v
}
