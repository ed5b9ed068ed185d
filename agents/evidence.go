package agents

import "touchstone/internal/lifecycle"

// Cell counts the responses of one group of customers to one kind of touch.
// A conversion counts when it falls into the touch's attribution window; for
// the held-out, into the window the touch would have had.
type Cell struct {
	Group   string // lifecycle stage at the time
	Journey string
	Channel lifecycle.Channel // empty for the held-out, who get nothing
	OfferID string            // empty = no offer

	Touched            int
	TouchedConversions int
	Held               int
	HeldConversions    int
}

// counts is a number of trials and how many of them converted.
type counts struct{ n, conversions int }

func (c counts) add(n, conversions int) counts { return counts{c.n + n, c.conversions + conversions} }
func (c counts) minus(d counts) counts         { return counts{c.n - d.n, c.conversions - d.conversions} }
func (c counts) rate() float64                 { return float64(c.conversions) / float64(c.n) }

// arm is what was tried on whom; the zero Group, then the zero Journey, widen
// it to the journey and to the brand.
type arm struct {
	group, journey string
	channel        lifecycle.Channel
	offer          string
}

// Evidence holds the observed responses with the sums of every level, built
// once and shared by many decisions. The zero value is no evidence.
type Evidence struct {
	touched map[arm]counts
	held    map[arm]counts // channel and offer empty
}

// NewEvidence sums cells. Cells with the same key add up; cells with negative
// counts or more conversions than customers are left out.
func NewEvidence(cells []Cell) Evidence {
	e := Evidence{touched: map[arm]counts{}, held: map[arm]counts{}}
	for _, c := range cells {
		if c.TouchedConversions < 0 || c.TouchedConversions > c.Touched || c.HeldConversions < 0 || c.HeldConversions > c.Held {
			continue
		}
		for _, level := range [][2]string{{c.Group, c.Journey}, {"", c.Journey}, {"", ""}} {
			if c.Touched > 0 {
				k := arm{level[0], level[1], c.Channel, c.OfferID}
				e.touched[k] = e.touched[k].add(c.Touched, c.TouchedConversions)
			}
			if c.Held > 0 {
				k := arm{group: level[0], journey: level[1]}
				e.held[k] = e.held[k].add(c.Held, c.HeldConversions)
			}
			if level[0] == "" && level[1] == "" {
				break
			}
		}
	}
	return e
}
