// Package clock tells the time of the business: the real one, or a scaled one
// in which a season passes in minutes. All code outside workflows asks a
// Clock; workflow code applies the Scale in its input to the workflow clock.
package clock

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Scale maps real instants to business instants:
// business = Origin + (real - Base) * Factor. The zero Scale is real time.
type Scale struct {
	Base   time.Time `json:"base,omitzero"`
	Origin time.Time `json:"origin,omitzero"`
	Factor float64   `json:"factor,omitempty"`
}

// Scaled reports whether business time differs from real time.
func (s Scale) Scaled() bool { return s.Factor != 0 }

// At returns the business instant of a real instant, in UTC.
func (s Scale) At(real time.Time) time.Time {
	if !s.Scaled() {
		return real.UTC()
	}
	return s.Origin.Add(time.Duration(float64(real.Sub(s.Base)) * s.Factor)).UTC()
}

// RealAt returns the real instant at which it is business instant t.
func (s Scale) RealAt(t time.Time) time.Time {
	if !s.Scaled() {
		return t
	}
	return s.Base.Add(time.Duration(float64(t.Sub(s.Origin)) / s.Factor))
}

// Real returns how long a business duration takes in real time.
func (s Scale) Real(business time.Duration) time.Duration {
	if !s.Scaled() {
		return business
	}
	return time.Duration(float64(business) / s.Factor)
}

// Business returns how much business time passes in a real duration.
func (s Scale) Business(real time.Duration) time.Duration {
	if !s.Scaled() {
		return real
	}
	return time.Duration(float64(real) * s.Factor)
}

// Clock tells the business time.
type Clock struct{ Scale Scale }

// Now is the current business instant in UTC.
func (c Clock) Now() time.Time { return c.Scale.At(time.Now()) }

// ParseSpeed reads "1d=2s": so much business time passes in so much real time.
// It returns the factor; "" and "1" mean real time and return 0.
func ParseSpeed(s string) (float64, error) {
	if s == "" || s == "1" {
		return 0, nil
	}
	left, right, found := strings.Cut(s, "=")
	if !found {
		return 0, fmt.Errorf("speed %q: write it as business=real, for example 1d=2s", s)
	}
	business, err := ParseDuration(left)
	if err != nil {
		return 0, fmt.Errorf("speed %q: %w", s, err)
	}
	real, err := ParseDuration(right)
	if err != nil {
		return 0, fmt.Errorf("speed %q: %w", s, err)
	}
	if business <= 0 || real <= 0 {
		return 0, fmt.Errorf("speed %q: both sides must be longer than zero", s)
	}
	return float64(business) / float64(real), nil
}

// ParseDuration reads a Go duration with the additional units d (24 hours) and
// w (7 days): "3d", "1w", "36h", "2d12h".
func ParseDuration(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	if rest == "" {
		return 0, fmt.Errorf("empty duration: write for example 3d or 12h")
	}
	var total time.Duration
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if i <= 0 {
			return 0, fmt.Errorf("duration %q: write a number and a unit (w, d, h, m, s), for example 3d or 12h", s)
		}
		number, tail := rest[:i], rest[i:]
		j := strings.IndexFunc(tail, func(r rune) bool { return (r >= '0' && r <= '9') || r == '.' })
		if j < 0 {
			j = len(tail)
		}
		unit := tail[:j]
		rest = tail[j:]
		days := map[string]float64{"d": 1, "w": 7}[unit]
		if days == 0 {
			d, err := time.ParseDuration(number + unit)
			if err != nil {
				return 0, fmt.Errorf("duration %q: write a number and a unit (w, d, h, m, s), for example 3d or 12h", s)
			}
			total += d
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n*days > 36500 {
			return 0, fmt.Errorf("duration %q: %s%s is not a length of time under 100 years", s, number, unit)
		}
		total += time.Duration(n * days * float64(24*time.Hour))
	}
	return total, nil
}

// FormatDuration is the inverse of ParseDuration: whole days as "3d", anything
// else in Go's format.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return d.String()
}
