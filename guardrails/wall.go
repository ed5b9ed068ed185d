package guardrails

import (
	"sync"
	"time"
)

// wallOf is what a clock on the wall of the zone shows at t, written as UTC so
// that it can be compared and added to without surprises.
func wallOf(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// firstFrom returns the first instant at or after from at which clocks of the
// zone show wall or later. In a gap that is the end of the gap; in a fold the
// first of the two occurrences that is not before from.
func firstFrom(from time.Time, zone *time.Location, wall time.Time) time.Time {
	for {
		local := from.In(zone)
		_, offset := local.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if at.Before(from) {
			at = from
		}
		_, end := local.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at.UTC()
		}
		from = end
	}
}

// maxOffset is more than any zone ever was ahead of UTC.
const maxOffset = 16 * time.Hour

// zoneCache keeps loaded zones, because loading one reads a file. Only names
// that exist are kept, so it cannot grow without bound.
type zoneCache struct{ zones sync.Map }

// zone returns the zone with this IANA name, nil when it is unknown or empty.
func (p *Policy) zone(name string) *time.Location {
	if name == "" || name == "Local" {
		return nil
	}
	if p.cache != nil {
		if z, ok := p.cache.zones.Load(name); ok {
			return z.(*time.Location)
		}
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil // unknown zone: every caller falls back to something stricter
	}
	if p.cache != nil {
		p.cache.zones.Store(name, z)
	}
	return z
}
