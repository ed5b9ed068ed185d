package measure

import (
	"cmp"
	"slices"
)

// Credit is what a group of marketing touches cost and, by last touch, brought
// in: every order counts, refunds as negative ones, for the customer's last sent
// marketing touch within the attribution window before it, and for nothing else.
// So the credits of any grouping add up to the same total.
type Credit struct {
	Touches int   `json:"touches"` // marketing touches sent
	Orders  int   `json:"orders"`  // orders credited, refunds not counted
	Revenue int64 `json:"revenue"` // minor units, net of refunds
	Cost    int64 `json:"cost"`    // of sending, minor units
	Opened  int   `json:"opened"`  // touches that a person opened
	Clicked int   `json:"clicked"` // touches in which a person clicked
}

// Add returns the credit of both groups together.
func (c Credit) Add(other Credit) Credit {
	return Credit{
		Touches: c.Touches + other.Touches, Orders: c.Orders + other.Orders, Revenue: c.Revenue + other.Revenue,
		Cost: c.Cost + other.Cost, Opened: c.Opened + other.Opened, Clicked: c.Clicked + other.Clicked,
	}
}

// PerTouch is attributed revenue per marketing touch (attributed RpMT) in minor
// units. ok is false when there was no touch.
func (c Credit) PerTouch() (rpmt float64, ok bool) {
	if c.Touches == 0 {
		return 0, false
	}
	return float64(c.Revenue) / float64(c.Touches), true
}

// Cell is the credit of the touches that share all of these. A touch counts in
// the week in which it was sent, revenue in the week in which it came.
type Cell struct {
	Journey  string
	Campaign string // empty outside campaigns
	Agent    string
	Channel  string
	Offer    string // empty = no offer
	Week     int    // since the beginning of the period, from 0
	Credit
}

// GroupCredit is the credit of one value of a dimension.
type GroupCredit struct {
	Name string `json:"name"`
	Credit
}

// Total adds up cells.
func Total(cells []Cell) Credit {
	var sum Credit
	for _, c := range cells {
		sum = sum.Add(c.Credit)
	}
	return sum
}

// GroupBy adds up cells by a dimension, in the order of its values.
func GroupBy(cells []Cell, dimension func(Cell) string) []GroupCredit {
	sums := map[string]Credit{}
	for _, c := range cells {
		name := dimension(c)
		sums[name] = sums[name].Add(c.Credit)
	}
	groups := make([]GroupCredit, 0, len(sums))
	for name, sum := range sums {
		groups = append(groups, GroupCredit{Name: name, Credit: sum})
	}
	slices.SortFunc(groups, func(a, b GroupCredit) int { return cmp.Compare(a.Name, b.Name) })
	return groups
}
