package guardrails

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
)

func limitOf(n int) *int { return &n }

// firstOfPeriod is the oracle for calendar windows: the first minute whose wall
// date is in the period of at, looking back minute by minute.
func firstOfPeriod(c Cap, at time.Time, zone *time.Location) time.Time {
	period := c.periodStart(wallOf(at, zone))
	first := at.Truncate(time.Minute)
	for back := first; back.After(first.Add(-49 * time.Hour)); back = back.Add(-time.Minute) {
		if c.periodStart(wallOf(back, zone)).Equal(period) {
			first = back
		}
	}
	return first
}

func TestCalendarDayStartsAgainstEveryMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(testZones).Draw(t, "zone"))
		at := instantIn(t)
		c := Cap{Calendar: "day", Limit: limitOf(1)}
		if got, want := c.since(at, zone), firstOfPeriod(c, at, zone); !got.Equal(want) {
			t.Fatalf("day of %v in %s since %v, want %v", at.In(zone), zone, got.In(zone), want.In(zone))
		}
	})
}

func TestCalendarPeriods(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ calendar, zone, at, want string }{
		{"day", "Pacific/Kiritimati", "2026-06-01T11:00:00Z", "2026-06-01T10:00:00Z"},
		{"day", "Etc/GMT+12", "2026-06-01T11:00:00Z", "2026-05-31T12:00:00Z"},
		{"week", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z"}, // Sunday of the change belongs to Monday the 23rd
		{"week", "Europe/Berlin", "2026-03-30T12:00:00Z", "2026-03-29T22:00:00Z"},
		{"month", "America/New_York", "2026-03-31T12:00:00Z", "2026-03-01T05:00:00Z"},
		{"month", "America/New_York", "2026-04-01T03:59:00Z", "2026-03-01T05:00:00Z"},
		{"day", "Pacific/Apia", "2011-12-31T12:00:00Z", "2011-12-31T10:00:00Z"},
		{"day", "Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z"}, // midnight is skipped: the day begins at 01:00
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		cp := Cap{Calendar: c.calendar, Limit: limitOf(1)}
		if got := cp.since(at, mustZone(t, c.zone)).Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s at %s since %s, want %s", c.calendar, c.zone, c.at, got, c.want)
		}
	}
}

// A customer without a zone is never counted more loosely than in any zone.
func TestCalendarWithoutZoneIsStrictest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := instantIn(t)
		c := Cap{Calendar: rapid.SampledFrom([]string{"day", "week", "month"}).Draw(t, "calendar"), Limit: limitOf(1)}
		for _, name := range testZones {
			if zoned := c.since(at, mustZone(t, name)); zoned.Before(c.since(at, nil).Add(-resolution)) {
				t.Fatalf("%s at %v: %s counts since %v, no zone since %v", c.Calendar, at, name, zoned, c.since(at, nil))
			}
		}
	})
}

// The finding's Until is the first minute at which the ledger's own count,
// written down independently, is below the limit.
func TestCapsAgainstBruteForce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultPolicy().clone()
		c := Cap{Name: "drawn", Limit: limitOf(rapid.IntRange(1, 4).Draw(t, "limit"))}
		if rapid.Bool().Draw(t, "rolling") {
			c.Per = time.Duration(rapid.IntRange(1, 100).Draw(t, "hours")) * time.Hour
		} else {
			c.Calendar = "day"
		}
		p.Caps = []Cap{c}
		zone := mustZone(t, rapid.SampledFrom(testZones).Draw(t, "zone"))
		touch := good()
		touch.At = instantIn(t).Truncate(time.Minute)
		touch.Customer.Customer.TimeZone = zone.String()
		for range rapid.IntRange(0, 6).Draw(t, "touches") {
			touch.Recent = append(touch.Recent, lifecycle.TouchRecord{
				Channel: lifecycle.Email, At: touch.At.Add(-time.Duration(rapid.IntRange(0, 120*60).Draw(t, "age")) * time.Minute),
				State: rapid.SampledFrom([]lifecycle.TouchState{lifecycle.TouchDelivered, lifecycle.TouchReserved, lifecycle.TouchRefused}).Draw(t, "state"),
			})
		}
		full := func(at time.Time) bool {
			n := 0
			for _, r := range touch.Recent {
				if !r.State.HoldsSlot() {
					continue
				}
				shares := at.Sub(r.At) < c.Per
				if c.Calendar != "" {
					shares = !r.At.Before(firstOfPeriod(c, at, zone))
				}
				if shares {
					n++
				}
			}
			return n >= *c.Limit
		}
		findings := frequencyCapRule.Check(touch, p, nil)
		if !full(touch.At) {
			if len(findings) != 0 {
				t.Fatalf("not full, but %+v", findings)
			}
			return
		}
		if len(findings) != 1 {
			t.Fatalf("full, but %d findings", len(findings))
		}
		until := findings[0].Until
		if full(until) {
			t.Fatalf("still full at %v", until)
		}
		if before := until.Add(-time.Minute); before.After(touch.At) && !full(before) {
			t.Fatalf("already free at %v, not only at %v", before, until)
		}
	})
}

func TestLimitZeroAndUnsetDiffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit *int
		want  lifecycle.Outcome
	}{{nil, lifecycle.Allow}, {limitOf(0), lifecycle.Block}, {limitOf(1), lifecycle.Allow}} {
		p := DefaultPolicy().clone()
		p.Caps = []Cap{{Name: "x", Limit: c.limit, Per: time.Hour}}
		v := judge(good(), p, nil, func(r *Rule) bool { return r.Name == "frequency-cap" })
		if v.Outcome != c.want {
			t.Errorf("limit %v: %+v", c.limit, v)
		}
		windows := p.Windows(good())
		if (c.limit == nil) != (len(windows) == 0) {
			t.Errorf("limit %v: windows %+v", c.limit, windows)
		}
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy()
	touch := good()
	touch.Tags = []string{"promotion"}
	got := p.Windows(touch)
	want := []CapWindow{
		{"email-daily", lifecycle.Email, "", touch.At.Add(-24*time.Hour + time.Microsecond), 1},
		{"email-weekly", lifecycle.Email, "", touch.At.Add(-7*24*time.Hour + time.Microsecond), 4},
		{"total-weekly", "", "", touch.At.Add(-7*24*time.Hour + time.Microsecond), 5},
		{"promotion-weekly", "", "promotion", touch.At.Add(-7*24*time.Hour + time.Microsecond), 3},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	touch.Class = lifecycle.Transactional
	if got := p.Windows(touch); got != nil {
		t.Errorf("receipts: %+v", got)
	}
	text("FL", "12:00")(&touch)
	touch.Class = lifecycle.Marketing
	found := false
	for _, w := range p.Windows(touch) {
		found = found || w.Cap == "law-US-FL" && w.Limit == 3
	}
	if !found {
		t.Errorf("Florida counts texts: %+v", p.Windows(touch))
	}
}

func TestWindowsKeepSlotsForPriority(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy().clone()
	keepLast(p)
	for priority, want := range map[int]int{0: 1, 8: 1, 9: 2, 10: 2} {
		touch := good()
		touch.Priority = priority
		if got := p.Windows(touch)[0].Limit; got != want {
			t.Errorf("priority %d: limit %d, want %d", priority, got, want)
		}
	}
}
