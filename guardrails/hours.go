package guardrails

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Span is a part of a day in minutes from midnight by the clock on the wall;
// To is exclusive, 1440 is the end of the day.
type Span struct{ From, To int }

// Hours says when sending is allowed, per weekday (index time.Weekday). An
// instant is allowed when the clock on the wall shows an allowed minute: an
// hour that a clock change skips allows nothing, one that it repeats counts
// both times. The zero Hours never allow anything.
type Hours struct{ Days [7][]Span }

// AnyTime allows every minute.
func AnyTime() Hours {
	var h Hours
	for d := range h.Days {
		h.Days[d] = []Span{{0, minutesPerDay}}
	}
	return h
}

const minutesPerDay = 24 * 60

func everyDay(from, to int) Hours {
	var h Hours
	for d := range h.Days {
		h.Days[d] = []Span{{from * 60, to * 60}}
	}
	return h
}

// on returns the hours with one day changed to full hours; from = to closes it.
func (h Hours) on(day time.Weekday, from, to int) Hours {
	h.Days[day] = nil
	if from < to {
		h.Days[day] = []Span{{from * 60, to * 60}}
	}
	return h
}

// Strictest are the hours for customers whose zone or jurisdiction is unknown:
// 10:00-18:00 Monday to Friday, Saturday to 17:00, nothing on Sunday.
func Strictest() Hours { return everyDay(10, 18).on(time.Saturday, 10, 17).on(time.Sunday, 0, 0) }

// Next returns the first instant at or after t that the hours allow on clocks
// of the zone, and the zero time when they never do. Hours are a SendWindow.
func (h Hours) Next(t time.Time, zone *time.Location) time.Time {
	for limit := t.Add(16 * 24 * time.Hour); t.Before(limit); {
		local := t.In(zone)
		_, offset := local.Zone()
		ahead := time.Duration(offset) * time.Second
		wall, ok := h.nextWall(t.UTC().Add(ahead))
		if !ok {
			return time.Time{}
		}
		at := wall.Add(-ahead)
		_, end := local.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
	return time.Time{}
}

// nextWall is Next on a wall that never changes its offset.
func (h Hours) nextWall(wall time.Time) (time.Time, bool) {
	day := wall.Truncate(24 * time.Hour)
	for range 8 {
		for _, s := range h.Days[day.Weekday()] {
			from := day.Add(time.Duration(s.From) * time.Minute)
			if to := day.Add(time.Duration(s.To) * time.Minute); !wall.Before(to) {
				continue
			}
			if from.Before(wall) {
				from = wall
			}
			return from, true
		}
		day = day.Add(24 * time.Hour)
	}
	return time.Time{}, false
}

// add allows a span on a weekday; To at or before From reaches into the next day.
func (h *Hours) add(day time.Weekday, s Span) {
	if s.To > s.From {
		h.Days[day] = insert(h.Days[day], s)
		return
	}
	h.Days[day] = insert(h.Days[day], Span{s.From, minutesPerDay})
	if s.To > 0 {
		next := (day + 1) % 7
		h.Days[next] = insert(h.Days[next], Span{0, s.To})
	}
}

// insert keeps spans sorted and apart.
func insert(spans []Span, s Span) []Span {
	all := append(append([]Span(nil), spans...), s)
	sort.Slice(all, func(i, j int) bool { return all[i].From < all[j].From })
	merged := all[:1]
	for _, s := range all[1:] {
		if last := &merged[len(merged)-1]; s.From <= last.To {
			last.To = max(last.To, s.To)
		} else {
			merged = append(merged, s)
		}
	}
	return merged
}

// String lists the hours: "Mon-Fri 10:00-18:00, Sat 10:00-17:00, Sun none".
func (h Hours) String() string {
	week := []time.Weekday{1, 2, 3, 4, 5, 6, 0}
	var parts []string
	for i := 0; i < len(week); {
		j := i
		for j+1 < len(week) && spansText(h.Days[week[j+1]]) == spansText(h.Days[week[i]]) {
			j++
		}
		name := week[i].String()[:3]
		if j > i {
			name += "-" + week[j].String()[:3]
		}
		parts = append(parts, name+" "+spansText(h.Days[week[i]]))
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

func spansText(spans []Span) string {
	if len(spans) == 0 {
		return "none"
	}
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
	}
	return strings.Join(parts, " and ")
}
