package attribution

import (
	"slices"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Touch is a sent marketing touch. Opened and Clicked are zero when no person did.
type Touch struct {
	Group   string // the value of the dimension that is asked for, such as a channel
	Channel lifecycle.Channel
	Sent    time.Time
	Opened  time.Time
	Clicked time.Time
}

// Order is money that came in; a refund has a negative total.
type Order struct {
	At    time.Time
	Total int64 // minor units
}

// Customer is everything of one customer, each list oldest first.
type Customer struct {
	ID      lifecycle.CustomerID
	Touches []Touch
	Orders  []Order
}

// contact is a touch that may have led to an order, at the last moment that
// qualifies it.
type contact struct {
	touch int // index into Customer.Touches
	group int
	at    time.Time
}

// contacts appends to buf the touches before an order that have a moment (sent,
// opened or clicked) within its window, by their last such moment. Touches of the
// same moment stay in the order given.
func contacts(buf []contact, touches []Touch, groups []int, at time.Time, windows brand.AttributionWindows) []contact {
	for i, t := range touches {
		if !t.Sent.Before(at) {
			break
		}
		w := windows.Of(t.Channel)
		var last time.Time
		for _, moment := range [...]struct {
			at     time.Time
			window time.Duration
		}{{t.Sent, w.Sent}, {t.Opened, w.Opened}, {t.Clicked, w.Clicked}} {
			within := moment.window > 0 && !moment.at.IsZero() && moment.at.Before(at) && !moment.at.Before(at.Add(-moment.window))
			if within && moment.at.After(last) {
				last = moment.at
			}
		}
		if !last.IsZero() {
			buf = append(buf, contact{touch: i, group: groups[i], at: last})
		}
	}
	slices.SortStableFunc(buf, func(a, b contact) int { return a.at.Compare(b.at) })
	return buf
}
