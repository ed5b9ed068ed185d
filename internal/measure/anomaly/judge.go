package anomaly

import (
	"math"
	"time"
)

// Rules are the detector's numbers.
type Rules struct {
	Weeks  int // same hours of the week that make the baseline
	Enough int // of them, at least
	Days   int // of residuals behind the spread
	Least  int // residuals, at least

	Single float64 // robust z beyond which one hour is an alarm
	Pair   float64 // beyond which two of three hours are
	Tail   float64 // exact probability that one hour must stay below as well
	Pairs  float64 // and each of two hours
	Floor  float64 // least effect of an hour that counts, as a share of what was expected
	Events float64 // an hour with fewer events, seen and expected, is no alarm
	Noise  float64 // spread of an amount, in log units, above which its hours say nothing

	Day      float64 // exact probability that a whole day must stay below
	DayFloor float64 // least effect of a day
	DayMost  float64 // expected events above which a day is left to the other rules

	Allowance  float64 // of the CUSUM: half the shift per hour it is tuned to, in standard deviations
	Limit      float64 // of the CUSUM, in standard deviations
	DriftFloor float64 // least mean effect since the drift began; lower, because hours add up

	Discovery float64 // share of false alarms among alarms, over all metrics of an hour
}

// DefaultRules are tuned on simulated years: see Trial.
func DefaultRules() Rules {
	return Rules{
		Weeks: 4, Enough: 3, Days: 28, Least: 14 * 24,
		Single: 4, Pair: 3, Tail: 2e-4, Pairs: 1e-2, Floor: 0.20, Events: 5, Noise: 0.5,
		Day: 1e-5, DayFloor: 0.50, DayMost: 1000,
		Allowance: 0.8, Limit: 6, DriftFloor: 0.10,
		Discovery: 0.01,
	}
}

// Status says what became of an hour.
type Status string

// Statuses.
const (
	OK            Status = "ok"
	Suspect       Status = "suspect" // an alarm, unless too many metrics were looked at: see Discoveries
	NotEnoughData Status = "not_enough_data"
	Skipped       Status = "skipped" // a special hour, or one without exposure
)

// The rules that can raise an alarm.
const (
	RuleSingle = "one hour"
	RulePair   = "two of three hours"
	RuleDrift  = "drift"
	RuleDay    = "a whole day"
)

// Hour is one judged hour.
type Hour struct {
	Metric    string    `json:"metric"`
	At        time.Time `json:"at"`
	Value     float64   `json:"value"`
	Expected  float64   `json:"expected"`
	Low       float64   `json:"low"` // of the band of two standard deviations, for drawing
	High      float64   `json:"high"`
	Z         float64   `json:"z"`      // robust; negative = below what was expected
	Drift     float64   `json:"drift"`  // CUSUM of the worse side
	Effect    float64   `json:"effect"` // share of what was expected: -0.3 = 30 % less
	P         float64   `json:"p"`      // how improbable, by the rule that raised it
	Rule      string    `json:"rule,omitempty"`
	Direction Direction `json:"direction,omitempty"` // with Suspect: Low or High
	Status    Status    `json:"status"`
}

// runIn is how many hours before the first judged one the CUSUM starts.
const runIn = 7 * 24

// Judge judges the hours of a series from an instant on. An hour is suspect when
// its robust z, its exact tail and its effect are all beyond the rules' limits,
// when those of two of three hours are beyond milder ones, or when small
// deviations to one side add up. Where hours hold too few events to say anything,
// the last 24 are judged together.
func Judge(s Series, since time.Time, r Rules) []Hour {
	first := max(int(math.Ceil(since.Sub(s.Start).Hours())), 0)
	if first >= len(s.Values) {
		return nil
	}
	sides := []*side{}
	for _, d := range []Direction{Low, High} {
		if s.Bad == d || s.Bad == Both {
			sides = append(sides, &side{direction: d, rules: r})
		}
	}
	residuals := &window{size: r.Days * 24}
	hours := make([]Hour, 0, len(s.Values)-first)
	for i := max(first-runIn-r.Days*24, 0); i < len(s.Values); i++ {
		h := Hour{Metric: s.Metric, At: s.at(i), Value: s.Values[i], P: 1, Status: Skipped}
		if s.known(i) {
			s.judge(i, r, &h, residuals, sides, i >= first-runIn)
		}
		if i >= first {
			hours = append(hours, h)
		}
	}
	return hours
}

// judge judges hour i and remembers its residual.
func (s Series) judge(i int, r Rules, h *Hour, residuals *window, sides []*side, running bool) {
	h.Status = NotEnoughData
	p, ok := s.past(i, r.Weeks, r.Enough)
	if !ok {
		return
	}
	residual := math.Log((h.Value + 0.5) / (p.expected + 0.5))
	if s.Amount && (h.Value <= 0 || p.expected <= 0) {
		residual = math.Log((max(h.Value, 0) + 0.01*p.expected + 0.5) / (1.01*max(p.expected, 0) + 0.5))
	}
	defer residuals.push(residual)
	h.Expected = p.expected
	if len(residuals.sorted) < r.Least || !running {
		return
	}
	usual := residuals.median()
	spread := residuals.spread(usual)
	if s.Amount && spread > r.Noise {
		return // a few orders of very different size: their number is judged instead
	}
	h.Status = OK
	h.Expected = max((p.expected+0.5)*math.Exp(usual)-0.5, 0)
	h.Low = max((p.expected+0.5)*math.Exp(usual-2*spread)-0.5, 0)
	h.High = (p.expected+0.5)*math.Exp(usual+2*spread) - 0.5
	h.Z = finite((residual - usual) / spread)
	h.Effect = math.Exp(residual-usual) - 1
	for _, side := range sides {
		side.add(h, residual-usual, tally{events: h.Value, before: p.sum, exposure: p.exposure,
			// What growth has added since the weeks of the baseline counts as exposure.
			now: s.exposure(i) * math.Exp(usual), exact: !s.Amount})
	}
}

// side looks at one direction, hour by hour.
type side struct {
	direction Direction
	rules     Rules
	sum       float64    // CUSUM
	shift     float64    // of the log residuals since the CUSUM was last 0
	hours     int        // since then
	recent    [3]outlier // the last three judged hours, oldest first
	day       []tally    // the last 24
}

// tally is what exact tests compare: events now and before, with their exposures.
// Without exact nothing can be said by counting.
type tally struct {
	events, now      float64
	before, exposure float64
	exact            bool
}

// tail is how probable so few (Low) or so many (High) events are when the rate is
// the same as before.
func (t tally) tail(d Direction) float64 {
	if !t.exact {
		return 0
	}
	share := t.now / (t.now + t.exposure)
	if d == High {
		return highTail(t.events, t.before, share)
	}
	return lowTail(t.events, t.before, share)
}

// expected is how many events the rate of before makes of the exposure now.
func (t tally) expected() float64 { return t.before / t.exposure * t.now }

// outlier is an hour as rules see it: scores are positive in the bad direction.
type outlier struct{ z, tail, effect, p, events float64 }

// add judges one more hour; the more improbable finding of the two sides stays.
func (d *side) add(h *Hour, residual float64, t tally) {
	r, sign := d.rules, -1.0
	if d.direction == High {
		sign = 1
	}
	z, tail := sign*h.Z, t.tail(d.direction)
	// The exact test and the robust one must agree: the milder counts.
	milder := min(z, -quantile(tail))
	o := outlier{z: z, tail: tail, effect: sign * h.Effect, p: normalTail(-milder), events: max(h.Value, h.Expected)}
	d.recent = [3]outlier{d.recent[1], d.recent[2], o}
	d.drift(milder, sign*residual)
	if d.sum > h.Drift {
		h.Drift = d.sum
	}
	find := func(rule string, p, effect float64) {
		if h.Status == Suspect && p >= h.P {
			return
		}
		h.Status, h.Rule, h.P, h.Direction = Suspect, rule, p, d.direction
		if rule == RuleDrift || rule == RuleDay {
			h.Effect = sign * effect
		}
	}
	if o.z > r.Single && o.tail <= r.Tail && o.effect >= r.Floor && o.events >= r.Events {
		find(RuleSingle, o.p, o.effect)
	}
	if beyond, p := d.pair(); beyond {
		find(RulePair, p, o.effect)
	}
	if beyond, p, effect := d.wholeDay(t); beyond {
		find(RuleDay, p, effect)
	}
	if mean := math.Expm1(sign*d.shift/float64(max(d.hours, 1))) * sign; d.sum > r.Limit && mean >= r.DriftFloor {
		// The reflected walk is beyond s in a share of about exp(-2ks) of all
		// hours (D. Siegmund, Sequential Analysis, 1985).
		find(RuleDrift, math.Exp(-2*r.Allowance*d.sum), mean)
	}
}

// wholeDay judges the last 24 hours as one, where they hold few events.
func (d *side) wholeDay(t tally) (beyond bool, p, effect float64) {
	if d.day = append(d.day, t); len(d.day) > 24 {
		d.day = d.day[1:]
	}
	if len(d.day) < 24 || !t.exact {
		return false, 1, 0
	}
	sum := tally{exact: true}
	for _, hour := range d.day {
		sum.events += hour.events
		sum.now += hour.now
		sum.before += hour.before
		sum.exposure += hour.exposure
	}
	expected := sum.expected()
	if max(expected, sum.events) > d.rules.DayMost || max(expected, sum.events) < d.rules.Events {
		return false, 1, 0
	}
	effect = (sum.events - expected) / max(expected, 1)
	if d.direction == Low {
		effect = -effect
	}
	p = sum.tail(d.direction)
	return p <= d.rules.Day && effect >= d.rules.DayFloor, p, effect
}

// pair reports whether this hour and one of the two before it are beyond the
// limits of a pair, and how probable that is by chance.
func (d *side) pair() (bool, float64) {
	r := d.rules
	counts := func(o outlier) bool {
		return o.z > r.Pair && o.tail <= r.Pairs && o.effect >= r.Floor && o.events >= r.Events
	}
	now := d.recent[2]
	if !counts(now) {
		return false, 1
	}
	for _, o := range d.recent[:2] {
		if counts(o) {
			worse := max(now.p, o.p)
			return true, 3*worse*worse - 2*worse*worse*worse
		}
	}
	return false, 1
}

// outlierBound limits what one hour adds to the CUSUM: a single wild hour is
// for the other rules.
const outlierBound = 4

// drift adds an hour to the CUSUM (E. S. Page, Biometrika 41, 1954). It is
// capped so that it comes down within hours when things are as usual again.
func (d *side) drift(z, shift float64) {
	d.sum = min(d.sum+min(z, outlierBound)-d.rules.Allowance, d.rules.Limit+outlierBound)
	d.shift += shift
	d.hours++
	if d.sum <= 0 {
		d.sum, d.shift, d.hours = 0, 0, 0
	}
}

// Run is how much time before the first judged hour the CUSUM reads.
func (Rules) Run() time.Duration { return runIn * time.Hour }
