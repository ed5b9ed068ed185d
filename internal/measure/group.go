package measure

import "fmt"

// Group sums up the marketing touches of a period that share one value of a
// dimension, with the revenue credited to them by last touch. Its unit is the
// touch.
type Group struct {
	By        string `json:"by"` // cohort, agent, journey, channel, offer or slot
	Name      string `json:"name"`
	Revenue   Sample `json:"revenue"`   // per touch, minor units, net of refunds
	Converted int    `json:"converted"` // touches that an order followed
	Clicked   int    `json:"clicked"`   // touches in which a person clicked
}

// Against compares the group's revenue per touch with that of the rest, the
// touches of all other groups of the dimension (Welch; minor units). Below the
// minimum, in touches and in touches that an order followed, there is no answer.
// Touches of one customer are taken as independent, which they are not quite:
// read a narrow miss as nothing.
func (g Group) Against(rest Group, least Minimum, level float64) Answer {
	for _, side := range []struct {
		what string
		Group
	}{{"its own", g}, {"other", rest}} {
		switch {
		case side.Revenue.N < max(least.Customers, 2):
			return Answer{Status: NotEnoughData, Why: fmt.Sprintf("%d %s touches, %d needed", side.Revenue.N, side.what, max(least.Customers, 2))}
		case side.Converted < least.Buyers:
			return Answer{Status: NotEnoughData, Why: fmt.Sprintf("%d %s touches with an order, %d needed", side.Converted, side.what, least.Buyers)}
		}
	}
	return answer(Welch(g.Revenue, rest.Revenue, level))
}

// Add returns both groups together, under the name of the first.
func (g Group) Add(other Group) Group {
	g.Revenue = g.Revenue.Add(other.Revenue)
	g.Converted += other.Converted
	g.Clicked += other.Clicked
	return g
}
