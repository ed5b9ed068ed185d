package clock_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/clock"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"3d": 3 * day, "1w": 7 * day, "2d12h": 60 * time.Hour, "36h": 36 * time.Hour, "1.5d": 36 * time.Hour, "90s": 90 * time.Second,
	} {
		if got, err := clock.ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "3", "d", "-3d", "3 days", "99999999w", "1y", "..d"} {
		if got, err := clock.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestFormatDurationRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, 3600*24*400).Draw(t, "seconds")) * time.Second
		got, err := clock.ParseDuration(clock.FormatDuration(want))
		if err != nil || got != want {
			t.Fatalf("%v -> %q -> %v, %v", want, clock.FormatDuration(want), got, err)
		}
	})
}

func TestParseSpeed(t *testing.T) {
	t.Parallel()
	if f, err := clock.ParseSpeed("1d=2s"); err != nil || f != 43200 {
		t.Errorf("1d=2s: %v, %v", f, err)
	}
	if f, err := clock.ParseSpeed(""); err != nil || f != 0 {
		t.Errorf("empty: %v, %v", f, err)
	}
	for _, text := range []string{"2s", "1d=", "=2s", "0s=2s", "1d=0s"} {
		if _, err := clock.ParseSpeed(text); err == nil {
			t.Errorf("ParseSpeed(%q): want an error", text)
		}
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	origin := time.Date(2020, 5, 1, 0, 0, 0, 0, time.UTC)
	s := clock.Scale{Base: base, Origin: origin, Factor: 43200}
	if got := s.At(base.Add(2 * time.Second)); !got.Equal(origin.Add(24 * time.Hour)) {
		t.Errorf("two real seconds are %v", got)
	}
	if got := s.Real(24 * time.Hour); got != 2*time.Second {
		t.Errorf("a day takes %v", got)
	}
	if real := base.Add(time.Hour); !(clock.Scale{}).At(real).Equal(real) {
		t.Error("the zero scale must be real time")
	}
}
