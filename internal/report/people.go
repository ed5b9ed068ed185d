package report

import (
	"cmp"
	"slices"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

func rate(hits, of int) Rate {
	return Rate{Hits: hits, Of: of, Rate: measure.Proportion{N: of, Hits: hits}.Wilson(measure.Level)}
}

func (b *builder) responses() Responses {
	var r Responses
	states := map[lifecycle.TouchState]int{}
	for _, t := range b.figures.Touches {
		if t.State.Sent() {
			states[t.State] += t.Count
			r.Sent += t.Count
		}
	}
	// A complaint proves delivery.
	delivered := states[lifecycle.TouchDelivered] + states[lifecycle.TouchComplained]
	r.Delivered, r.Bounced = rate(delivered, r.Sent), rate(states[lifecycle.TouchBounced], r.Sent)
	r.Complained = rate(states[lifecycle.TouchComplained], delivered)
	seen := b.figures.Responses
	r.Opened, r.Clicked = rate(seen.Opened, delivered), rate(seen.Clicked, delivered)
	r.MachineOpened, r.MachineClicked = seen.MachineOpened, seen.MachineClicked
	for _, w := range b.figures.Withdrawals {
		if w.Source != erasureSource {
			r.Unsubscribed += w.Count
		}
	}
	r.Withdrawals = b.figures.Withdrawals
	return r
}

// erasureSource is the source of consents that were withdrawn because the
// customer asked to be erased.
const erasureSource = "erasure"

func (b *builder) reviews() Reviews {
	r := Reviews{Kinds: map[string]int{},
		MedianSeconds: b.figures.ReviewTimes.Median.Seconds(), P95Seconds: b.figures.ReviewTimes.P95.Seconds()}
	inTime := 0
	for _, c := range b.figures.Reviews {
		r.Opened += c.Count
		r.Kinds[string(c.Kind)] += c.Count
		inTime += c.InTime
		switch c.Status {
		case lifecycle.ReviewApproved:
			r.Approved += c.Count
		case lifecycle.ReviewRejected:
			r.Rejected += c.Count
		case lifecycle.ReviewExpired:
			r.Expired += c.Count
		case lifecycle.ReviewAwaiting:
			r.Awaiting += c.Count
		}
		if c.Status == lifecycle.ReviewApproved || c.Status == lifecycle.ReviewRejected {
			i := slices.IndexFunc(r.DecidedBy, func(d Decider) bool { return d.Name == c.DecidedBy })
			if i < 0 {
				r.DecidedBy, i = append(r.DecidedBy, Decider{Name: c.DecidedBy}), len(r.DecidedBy)
			}
			r.DecidedBy[i].Count += c.Count
		}
	}
	slices.SortFunc(r.DecidedBy, func(a, b Decider) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	r.InTime = rate(inTime, r.Approved+r.Rejected+r.Expired)
	return r
}

func (b *builder) copy() Copy {
	c := Copy{Sources: map[string]int{}, Cost: []Money{}}
	for _, row := range b.figures.Copy {
		c.Creatives += row.Count
		c.Sources[string(row.Source)] += row.Count
		if row.Cost == 0 {
			continue
		}
		i := slices.IndexFunc(c.Cost, func(m Money) bool { return m.Currency == row.Currency })
		if i < 0 {
			c.Cost, i = append(c.Cost, Money{Currency: row.Currency}), len(c.Cost)
		}
		c.Cost[i].Amount += row.Cost
	}
	if len(c.Cost) == 0 {
		c.Cost = append(c.Cost, b.money(0))
	}
	return c
}
