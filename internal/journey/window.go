package journey

import "time"

// Window is when touches may go out, by the clock of the customer. The zero
// Window is always open. A window over midnight (From later than To) belongs to
// the day it opens on.
type Window struct {
	From, To TimeOfDay // open at From, closed at To; equal = the whole day
	Days     [7]bool   // indexed by time.Weekday; none set = every day
}

// Always reports whether the window never closes.
func (w Window) Always() bool {
	return w.From == w.To%(24*60) && (w.Days == [7]bool{} || w.Days == everyDay)
}

// String renders "mon,tue 09:00-20:00".
func (w Window) String() string {
	if w.Always() {
		return "always"
	}
	text := w.From.String() + "-" + w.To.String()
	if days := daysText(w.Days); days != "" {
		text = days + " " + text
	}
	return text
}

// Contains reports whether the window is open at an instant.
func (w Window) Contains(t time.Time, zone *time.Location) bool {
	if w.Always() {
		return true
	}
	if zone == nil {
		zone = time.UTC
	}
	days := w.Days
	if days == ([7]bool{}) {
		days = everyDay
	}
	local := t.In(zone)
	today := local.Weekday()
	yesterday := (today + 6) % 7
	minute := TimeOfDay(local.Hour()*60 + local.Minute())
	switch from, to := w.From, w.To; {
	case from == to: // the whole of the chosen days
		return days[today]
	case from < to:
		return days[today] && from <= minute && minute < to
	default:
		return days[today] && minute >= from || days[yesterday] && minute < to
	}
}

// searchDays bounds the search for an opening; a weekday comes every week, and
// no zone skips the same one for a year.
const searchDays = 400

// Next is the earliest instant >= t inside the window. It is t itself when the
// window is open then, else a whole minute. Where a clock change skips the
// opening, the window opens with the first instant after the gap, if that lies
// inside; a nil zone is UTC; the result is in UTC.
func (w Window) Next(t time.Time, zone *time.Location) time.Time {
	if w.Contains(t, zone) {
		return t.UTC()
	}
	if zone == nil {
		zone = time.UTC
	}
	// A closed window opens when the local clock reaches From, or when a clock
	// change carries the local time into it.
	opening := w.From
	if w.From == w.To {
		opening = 0
	}
	var best time.Time
	consider := func(at time.Time) {
		if !at.Before(t) && (best.IsZero() || at.Before(best)) && w.Contains(at, zone) {
			best = at.UTC()
		}
	}
	for offset := -1; offset < 2 || best.IsZero() && offset < searchDays; offset++ {
		date := civil(t.In(zone), offset)
		for _, at := range showings(date.Add(time.Duration(opening)*time.Minute), zone) {
			consider(at)
		}
	}
	for at := t; ; {
		_, ends := at.In(zone).ZoneBounds()
		if ends.IsZero() || ends.After(best) {
			return best
		}
		consider(ends)
		at = ends
	}
}
