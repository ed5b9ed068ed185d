package journey_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/journey"
)

var zones = []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Chatham", "America/Santiago", "Pacific/Kiritimati"}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// nearChange draws an instant within a few days of a clock change of the zone,
// or anywhere.
func nearChange(z *time.Location) *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Date(rapid.IntRange(2005, 2027).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 364).Draw(t, "day"))
		if _, ends := at.In(z).ZoneBounds(); !ends.IsZero() && rapid.Bool().Draw(t, "change") {
			at = ends
		}
		return at.Add(time.Duration(rapid.Int64Range(-3*86400e6, 2*86400e6).Draw(t, "micros")) * time.Microsecond)
	})
}

func days() *rapid.Generator[[7]bool] {
	return rapid.Custom(func(t *rapid.T) (d [7]bool) {
		for i := range d {
			d[i] = rapid.IntRange(0, 2).Draw(t, "open") == 0
		}
		return d
	})
}

// everyMinute is the oracle: the first instant at or after t, t itself or a
// whole minute, for which open says yes.
func everyMinute(t time.Time, open func(time.Time) bool) time.Time {
	if open(t) {
		return t
	}
	for at := t.Truncate(time.Minute).Add(time.Minute); at.Before(t.AddDate(0, 0, 25)); at = at.Add(time.Minute) {
		if open(at) {
			return at
		}
	}
	return time.Time{}
}

func TestWindowNext(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		minute := rapid.OneOf(rapid.IntRange(0, 1439), rapid.IntRange(0, 240), rapid.SampledFrom([]int{0, 120, 150, 180, 540, 1200}))
		w := journey.Window{From: journey.TimeOfDay(minute.Draw(t, "from")), To: journey.TimeOfDay(minute.Draw(t, "to")), Days: days().Draw(t, "days")}
		if rapid.IntRange(0, 9).Draw(t, "whole") == 0 {
			w.From, w.To = 0, 24*60
		}
		at := nearChange(z).Draw(t, "at")
		none := w.Days == [7]bool{}
		got := w.Next(at, z)
		// The oracle asks the wall clock in words of its own.
		want := everyMinute(at, func(u time.Time) bool {
			local := u.In(z)
			m := local.Hour()*60 + local.Minute()
			today, yesterday := none || w.Days[local.Weekday()], none || w.Days[(local.Weekday()+6)%7]
			if w.From == w.To {
				return today
			}
			if w.From < w.To {
				return today && m >= int(w.From) && m < int(w.To)
			}
			return today && m >= int(w.From) || yesterday && m < int(w.To)
		})
		if !got.Equal(want) {
			t.Fatalf("%s in %s from %s: got %s, want %s", w, z, at.In(z), got.In(z), want.In(z))
		}
		if again := w.Next(got, z); !again.Equal(got) {
			t.Fatalf("not stable: %s then %s", got, again)
		}
		if !got.Equal(got.Truncate(time.Microsecond)) {
			t.Fatalf("%s is finer than microseconds", got)
		}
	})
}

func TestLocalTimeNext(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		l := journey.LocalTime{At: journey.TimeOfDay(rapid.OneOf(rapid.IntRange(0, 1439), rapid.IntRange(0, 200)).Draw(t, "at")), Days: days().Draw(t, "days")}
		at := nearChange(z).Draw(t, "from")
		none := l.Days == [7]bool{}
		got := l.Next(at, z)
		if got.Before(at) {
			t.Fatalf("%s is before %s", got, at)
		}
		// The oracle: the first whole minute whose clock shows the time, or that
		// follows a minute from which the clock jumped over it.
		first := at.Truncate(time.Minute)
		if first.Before(at) {
			first = first.Add(time.Minute)
		}
		for u := first; ; u = u.Add(time.Minute) {
			if u.After(at.AddDate(0, 0, 25)) {
				t.Fatalf("oracle found nothing, got %s", got)
			}
			wall := func(u time.Time) time.Time { // without zone
				y, mo, d := u.In(z).Date()
				return time.Date(y, mo, d, u.In(z).Hour(), u.In(z).Minute(), 0, 0, time.UTC)
			}
			hit := false
			for skipped := wall(u.Add(-time.Minute)).Add(time.Minute); !hit && !skipped.After(wall(u)); skipped = skipped.Add(time.Minute) {
				jump := !skipped.Equal(wall(u))
				hit = skipped.Hour()*60+skipped.Minute() == int(l.At) && (none || l.Days[skipped.Weekday()]) && (!jump || skipped.Before(wall(u)))
			}
			if wall(u).Before(wall(u.Add(-time.Minute)).Add(time.Minute)) { // set back
				hit = wall(u).Hour()*60+wall(u).Minute() == int(l.At) && (none || l.Days[wall(u).Weekday()])
			}
			if hit {
				if !got.Equal(u) {
					t.Fatalf("%s in %s from %s: got %s, want %s", l, z, at.In(z), got.In(z), u.In(z))
				}
				return
			}
		}
	})
}

func TestTimeText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"00:00", "09:30", "23:59", "24:00"} {
		if got, err := journey.ParseTimeOfDay(text); err != nil || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "9:00", "24:01", "12:60", "noon", "09:00 "} {
		if got, err := journey.ParseTimeOfDay(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
	for _, text := range []string{"10:00", "mon 10:00", "mon,sun 23:15"} {
		if got, err := journey.ParseLocalTime(text); err != nil || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"24:00", "monday 10:00", "mon", "mon,mox 10:00"} {
		if got, err := journey.ParseLocalTime(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
	w := journey.Window{From: 540, To: 1200, Days: [7]bool{false, true, true}}
	if w.String() != "mon,tue 09:00-20:00" || w.Always() || !(journey.Window{}).Always() {
		t.Errorf("window %s", w)
	}
}
