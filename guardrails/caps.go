package guardrails

import (
	"sort"
	"time"

	"touchstone/internal/lifecycle"
)

// CapWindow is one cap as the reservation in the database must hold it: among
// the customer's marketing touches in a slot-holding state, on Channel and with
// Tag where given, reserved at or after Since, there must be fewer than Limit.
type CapWindow struct {
	Cap     string
	Channel lifecycle.Channel
	Tag     string
	Since   time.Time
	Limit   int // already reduced by the slots kept for higher priority
}

// Windows returns the caps that count this touch at t.At, none when its class
// is exempt.
func (p *Policy) Windows(t Touch) []CapWindow {
	if !t.marketing() {
		return nil
	}
	p = p.At(t.At)
	zone := p.zone(t.Customer.Customer.TimeZone)
	var windows []CapWindow
	for _, c := range p.capsFor(t) {
		windows = append(windows, CapWindow{
			Cap: c.Name, Channel: c.Channel, Tag: c.Tag, Since: c.since(t.At, zone), Limit: c.limitFor(t.Priority),
		})
	}
	return windows
}

// capsFor lists the caps with a limit that count the touch: the policy's, the
// customer's own wish for fewer messages, and those of the law where it counts texts.
func (p *Policy) capsFor(t Touch) []Cap {
	var list []Cap
	for _, c := range p.Caps {
		if c.Limit != nil && (c.Channel == "" || c.Channel == t.Channel) && (c.Tag == "" || t.hasTag(c.Tag)) {
			list = append(list, c)
		}
	}
	if per := t.Customer.Wishes.Frequency.Per(); per > 0 {
		one := 1
		list = append(list, Cap{Name: "customer-wish", Limit: &one, Per: per})
	}
	if t.Channel == lifecycle.SMS {
		rows, _ := jurisdictions(t.Customer.Customer)
		for _, j := range rows {
			if j.PerDay > 0 {
				list = append(list, Cap{Name: "law-" + j.Name, Channel: lifecycle.SMS, Limit: &j.PerDay, Per: 24 * time.Hour})
			}
		}
	}
	return list
}

// counts reports whether an earlier touch uses a slot of the cap.
func (c Cap) counts(r lifecycle.TouchRecord) bool {
	if !r.State.HoldsSlot() || r.Class == lifecycle.Transactional || r.Class == lifecycle.Reply {
		return false
	}
	if c.Channel != "" && c.Channel != r.Channel {
		return false
	}
	if c.Tag == "" {
		return true
	}
	for _, tag := range r.Tags {
		if tag == c.Tag {
			return true
		}
	}
	return false
}

func (c Cap) limitFor(priority int) int {
	if priority >= c.PriorityFrom || c.KeepForPriority == 0 {
		return *c.Limit
	}
	return max(*c.Limit-c.KeepForPriority, 0)
}

// resolution of the ledger's instants.
const resolution = time.Microsecond

// since is the first instant that shares a window with at. A touch exactly Per
// ago has left a rolling window. Without a zone a calendar window is the
// longest one any zone could have.
func (c Cap) since(at time.Time, zone *time.Location) time.Time {
	if c.Calendar == "" || zone == nil {
		return at.UTC().Truncate(resolution).Add(resolution - c.longest())
	}
	wall := c.periodStart(wallOf(at, zone))
	return firstFrom(wall.Add(-maxOffset), zone, wall)
}

// longest is the length of the window, for a calendar period the longest there
// is, an hour for the clock change included.
func (c Cap) longest() time.Duration {
	const day = 24 * time.Hour
	switch c.Calendar {
	case "day":
		return day + time.Hour
	case "week":
		return 7*day + time.Hour
	case "month":
		return 31*day + time.Hour
	}
	return c.Per
}

// periodStart is the first moment of the wall's day, week (Monday) or month.
func (c Cap) periodStart(wall time.Time) time.Time {
	y, m, d := wall.Date()
	switch c.Calendar {
	case "week":
		d -= (int(wall.Weekday()) + 6) % 7
	case "month":
		d = 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func (c Cap) nextPeriod(wall time.Time) time.Time {
	y, m, d := c.periodStart(wall).Date()
	switch c.Calendar {
	case "day":
		d++
	case "week":
		d += 7
	case "month":
		m++
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// used lists the instants of earlier touches that share a window with at, oldest first.
func (c Cap) used(recent []lifecycle.TouchRecord, at time.Time, zone *time.Location) []time.Time {
	since := c.since(at, zone)
	var list []time.Time
	for _, r := range recent {
		if c.counts(r) && !r.At.Before(since) {
			list = append(list, r.At)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Before(list[j]) })
	return list
}

// frees is the first instant after at at which fewer than limit of the used
// touches share a window. limit is at least 1 and at most len(used).
func (c Cap) frees(used []time.Time, limit int, at time.Time, zone *time.Location) time.Time {
	leaving := used[len(used)-limit]
	if c.Calendar == "" || zone == nil {
		return leaving.Add(c.longest())
	}
	from := at
	if leaving.After(from) {
		from = leaving
	}
	return firstFrom(from, zone, c.nextPeriod(wallOf(leaving, zone)))
}
