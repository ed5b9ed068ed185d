package guardrails

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// testZones have every kind of clock change: half an hour, at midnight, over
// the date line, none, and the extremes of the day.
var testZones = []string{
	"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata", "America/St_Johns",
	"Pacific/Kiritimati", "Etc/GMT+12", "Africa/Cairo", "Asia/Beirut", "America/Havana", "America/Sao_Paulo", "Pacific/Chatham", "Africa/Casablanca",
}

func mustZone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// instantIn draws an instant, more often than not close to a clock change of
// some test zone.
func instantIn(t *rapid.T) time.Time {
	base := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 20*365*24*3600).Draw(t, "second")) * time.Second)
	if rapid.IntRange(0, 3).Draw(t, "near a change") > 0 {
		zone := mustZone(t, rapid.SampledFrom(testZones).Draw(t, "changing zone"))
		if _, end := base.In(zone).ZoneBounds(); !end.IsZero() {
			base = end.Add(time.Duration(rapid.Int64Range(-36*3600, 36*3600).Draw(t, "from the change")) * time.Second)
		}
	}
	return base.UTC()
}

// allowedAt is the oracle: the clock on the wall shows an allowed minute.
func allowedAt(h Hours, t time.Time, zone *time.Location) bool {
	local := t.In(zone)
	minute := local.Hour()*60 + local.Minute()
	for _, s := range h.Days[local.Weekday()] {
		if minute >= s.From && minute < s.To {
			return true
		}
	}
	return false
}

func drawHours(t *rapid.T) Hours {
	var h Hours
	for d := range h.Days {
		for range rapid.IntRange(0, 2).Draw(t, "spans") {
			from := rapid.IntRange(0, minutesPerDay-1).Draw(t, "from")
			if to := rapid.IntRange(0, minutesPerDay).Draw(t, "to"); to != from {
				h.add(time.Weekday(d), Span{from, to}) // overnight when to is before from
			}
		}
	}
	return h
}

func TestHoursNextAgainstEveryMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHours(t)
		zone := mustZone(t, rapid.SampledFrom(testZones).Draw(t, "zone"))
		at := instantIn(t)
		got := h.Next(at, zone)
		want := at
		for limit := at.Add(15 * 24 * time.Hour); !allowedAt(h, want, zone); {
			want = want.Truncate(time.Minute).Add(time.Minute)
			if want.After(limit) {
				if !got.IsZero() {
					t.Fatalf("%v %v in %s: %v, want never", h, at, zone, got)
				}
				return
			}
		}
		if !got.Equal(want) {
			t.Fatalf("%v at %v in %s: %v, want %v", h, at.In(zone), zone, got.In(zone), want.In(zone))
		}
	})
}

func TestHoursOverClockChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone, at, want string
		hours                Hours
	}{
		{"the hour skipped in Berlin opens nothing that day", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", everyDay(2, 3)},
		{"a window that begins in the gap opens at its end", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", everyDay(2, 9)},
		{"the repeated hour counts both times", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T01:10:00Z", everyDay(2, 3)},
		{"closed between the repeats when the window ends inside", "America/New_York", "2026-11-01T05:45:00Z", "2026-11-01T06:00:00Z", Hours{Days: [7][]Span{0: {{60, 100}}}}},
		{"half an hour on Lord Howe", "Australia/Lord_Howe", "2026-10-03T15:00:00Z", "2026-10-03T15:30:00Z", everyDay(2, 9)},
		{"Samoa had no 30 December 2011", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T19:00:00Z", everyDay(9, 17)},
		{"overnight", "Asia/Kolkata", "2026-06-01T12:00:00Z", "2026-06-01T16:30:00Z", func() Hours { var h Hours; h.add(time.Monday, Span{22 * 60, 120}); return h }()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.hours.Next(at, mustZone(t, c.zone)).Format(time.RFC3339); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestHoursText(t *testing.T) {
	t.Parallel()
	if got, want := Strictest().String(), "Mon-Fri 10:00-18:00, Sat 10:00-17:00, Sun none"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := AnyTime().String(), "Mon-Sun 00:00-24:00"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFirstFromAgainstEveryMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(testZones).Draw(t, "zone"))
		from := instantIn(t).Truncate(time.Minute)
		wall := wallOf(from, zone).Add(time.Duration(rapid.IntRange(-600, 3000).Draw(t, "minutes")) * time.Minute)
		want := from
		for wallOf(want, zone).Before(wall) {
			want = want.Add(time.Minute)
		}
		if got := firstFrom(from, zone, wall); !got.Equal(want) {
			t.Fatalf("first from %v for %v in %s: %v, want %v", from, wall, zone, got, want)
		}
	})
}
