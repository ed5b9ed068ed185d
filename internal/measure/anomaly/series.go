package anomaly

import (
	"time"
)

// Direction says which way a metric goes when something is wrong.
type Direction string

// Directions.
const (
	Low  Direction = "low"  // orders, opens: fewer are bad
	High Direction = "high" // complaints, bounces: more are bad
	Both Direction = "both"
)

// Series is one metric by the hour, without gaps.
type Series struct {
	Metric string
	Start  time.Time // beginning of the first hour
	// Values are counts per hour, or amounts with Amount set.
	Values []float64
	// Exposure is what the values are expected to be proportional to, scaled so
	// that one event is expected per unit, such as the opens that the messages sent
	// before may still bring; nil = every hour alike. Hours without exposure are
	// not judged.
	Exposure []float64
	// Special marks hours that are known to differ, such as holidays: they are
	// neither judged nor learnt from. nil = none.
	Special []bool
	// Amount says that values are not counts of events, such as revenue: then no
	// exact test applies and the robust one decides alone.
	Amount bool
	Bad    Direction
	// Zone is the clock that the customers live by; nil = UTC. The same hour of
	// the week is found on it, across changes to and from daylight saving time.
	Zone *time.Location
}

// at is the beginning of hour i.
func (s Series) at(i int) time.Time { return s.Start.Add(time.Duration(i) * time.Hour) }

// weeksBefore is the index of the same hour of the week, weeks earlier.
func (s Series) weeksBefore(i, weeks int) int {
	back := weeks * 7 * 24
	if s.Zone == nil {
		return i - back
	}
	_, now := s.at(i).In(s.Zone).Zone()
	_, then := s.at(i - back).In(s.Zone).Zone()
	return i - back + (now-then)/3600
}

// known reports whether hour i can be learnt from or judged.
func (s Series) known(i int) bool {
	return i >= 0 && i < len(s.Values) && !(s.Special != nil && s.Special[i]) && s.exposure(i) > 0
}

func (s Series) exposure(i int) float64 {
	if s.Exposure == nil {
		return 1
	}
	return s.Exposure[i]
}

// calibrated is how many events of evidence stand behind an exposure: it was made
// so that one event is expected per unit (see Exposure), which holds for an hour
// of the week without a past of its own.
const calibrated = 20

// past is what the same hours of the week before say about hour i.
type past struct {
	expected float64 // median rate of those hours times the exposure of hour i
	sum      float64 // of their values
	exposure float64 // of those hours
}

// past returns the baseline of hour i; ok is false with fewer than enough weeks.
func (s Series) past(i, weeks, enough int) (p past, ok bool) {
	rates := make([]float64, 0, 8)
	for w := 1; w <= weeks; w++ {
		j := s.weeksBefore(i, w)
		if !s.known(j) {
			continue
		}
		p.sum += s.Values[j]
		p.exposure += s.exposure(j)
		if s.Exposure == nil {
			rates = append(rates, s.Values[j])
		} else {
			rates = append(rates, (s.Values[j]+calibrated)/(s.exposure(j)+calibrated))
		}
	}
	if s.Exposure != nil {
		p.sum += calibrated
		p.exposure += calibrated
	}
	if len(rates) < enough {
		return p, false
	}
	p.expected = median(rates) * s.exposure(i)
	return p, true
}

// Holidays marks the hours of days, given as 2026-12-25, on the series' clock.
func Holidays(s Series, days []string) []bool {
	if len(days) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, day := range days {
		known[day] = true
	}
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	special := make([]bool, len(s.Values))
	for i := range special {
		special[i] = known[s.at(i).In(zone).Format(time.DateOnly)]
	}
	return special
}
