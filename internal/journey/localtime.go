package journey

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TimeOfDay is minutes since local midnight, 0 to 1440.
type TimeOfDay int

// String renders "09:00"; the end of the day is "24:00".
func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", int(t)/60, int(t)%60) }

// ParseTimeOfDay reads "09:00". "24:00" is the end of the day.
func ParseTimeOfDay(s string) (TimeOfDay, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day, write it as 09:00", s)
	}
	return TimeOfDay(t.Hour()*60 + t.Minute()), nil
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func parseDay(s string) (time.Weekday, bool) {
	i := slices.Index(dayNames, s)
	return time.Weekday(i), i >= 0
}

// LocalTime is a time of day in the customer's zone, on some or all weekdays.
type LocalTime struct {
	At   TimeOfDay
	Days [7]bool // indexed by time.Weekday; none set = every day
}

// ParseLocalTime reads "10:00" or "mon 10:00" or "mon,wed 10:00".
func ParseLocalTime(s string) (LocalTime, error) {
	var l LocalTime
	clock := s
	if days, rest, found := strings.Cut(s, " "); found {
		clock = rest
		for name := range strings.SplitSeq(days, ",") {
			day, ok := parseDay(name)
			if !ok {
				return l, fmt.Errorf("%q is not a weekday, use mon, tue, wed, thu, fri, sat, sun", name)
			}
			l.Days[day] = true
		}
	}
	at, err := ParseTimeOfDay(clock)
	if err == nil && at == 24*60 {
		err = fmt.Errorf(`write midnight as "00:00"`)
	}
	l.At = at
	return l, err
}

// String renders "mon,wed 10:00".
func (l LocalTime) String() string {
	if names := daysText(l.Days); names != "" {
		return names + " " + l.At.String()
	}
	return l.At.String()
}

func daysText(days [7]bool) string {
	if days == ([7]bool{}) || days == everyDay {
		return ""
	}
	var names []string
	for i := range dayNames {
		if day := (i + 1) % 7; days[day] { // weeks start on Monday for people
			names = append(names, dayNames[day])
		}
	}
	return strings.Join(names, ",")
}

var everyDay = [7]bool{true, true, true, true, true, true, true}

// Next is the earliest instant >= t at which the clock in zone shows the time
// on one of the days. Where a clock change skips the time, the first instant
// after the gap counts; where it repeats the time, either showing counts. A nil
// zone is UTC; the result is in UTC.
func (l LocalTime) Next(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	days := l.Days
	if days == ([7]bool{}) {
		days = everyDay
	}
	for offset := -1; ; offset++ {
		date := civil(t.In(zone), offset)
		if !days[date.Weekday()] {
			continue
		}
		for _, at := range showings(date.Add(time.Duration(l.At)*time.Minute), zone) {
			if !at.Before(t) {
				return at
			}
		}
	}
}

// civil is the calendar date of a local time, days later, as a UTC midnight:
// calendar arithmetic without zones.
func civil(local time.Time, days int) time.Time {
	y, m, d := local.Date()
	return time.Date(y, m, d+days, 0, 0, 0, 0, time.UTC)
}

// showings are the instants at which the clock in zone shows the wall time
// (given as if it were UTC), in order: one, two where the clock is set back,
// and the end of the gap where it is set forward over the time.
func showings(wall time.Time, zone *time.Location) []time.Time {
	var found []time.Time
	var gap time.Time
	// Zones are within a day of UTC, so every candidate lies in this range.
	for at, end := wall.Add(-26*time.Hour), wall.Add(26*time.Hour); ; {
		_, offset := at.In(zone).Zone()
		begins, ends := at.In(zone).ZoneBounds()
		instant := wall.Add(-time.Duration(offset) * time.Second)
		if (begins.IsZero() || !instant.Before(begins)) && (ends.IsZero() || instant.Before(ends)) {
			found = append(found, instant)
		}
		if ends.IsZero() || ends.After(end) {
			break
		}
		_, next := ends.In(zone).Zone()
		lastShown, firstShown := ends.Add(time.Duration(offset)*time.Second), ends.Add(time.Duration(next)*time.Second)
		if !wall.Before(lastShown) && wall.Before(firstShown) {
			gap = ends.UTC()
		}
		at = ends
	}
	if len(found) == 0 && !gap.IsZero() {
		return []time.Time{gap}
	}
	return found
}
