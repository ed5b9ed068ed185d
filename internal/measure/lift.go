package measure

import (
	"cmp"
	"fmt"
)

// Arm sums up one side of a comparison. Its unit is the customer, because
// customers are what the arms were drawn for: a customer counts once, however
// many runs, touches and orders there are.
type Arm struct {
	Revenue   Sample `json:"revenue"`   // per customer, net of refunds, within the outcome window
	Converted int    `json:"converted"` // customers with at least one order in it
	Touches   int    `json:"touches"`   // marketing touches sent to them in it
}

// Conversion is the share of customers with an order.
func (a Arm) Conversion() Proportion { return Proportion{N: a.Revenue.N, Hits: a.Converted} }

// Comparison sets those who may be written to against those held out by chance.
type Comparison struct {
	Treated Arm `json:"treated"`
	Held    Arm `json:"held_out"`
}

// Status says whether an estimate may be believed.
type Status string

// Statuses.
const (
	// OK: the interval does not contain zero.
	OK Status = "ok"
	// NotDistinguishable: the interval contains zero; the effect may be nothing.
	NotDistinguishable Status = "not_distinguishable"
	// NotEnoughData: too little to state an interval; there is none.
	NotEnoughData Status = "not_enough_data"
)

// Answer is an estimate together with whether to believe it.
type Answer struct {
	Status   Status   `json:"status"`
	Interval Interval `json:"interval,omitzero"` // absent with NotEnoughData
	Why      string   `json:"why,omitempty"`     // with NotEnoughData: what is missing
}

// Known reports whether there is an interval to show.
func (a Answer) Known() bool { return a.Status == OK || a.Status == NotDistinguishable }

// Times is the answer in another unit.
func (a Answer) Times(factor float64) Answer {
	a.Interval = a.Interval.Times(factor)
	return a
}

// Minimum is the least that a comparison needs before an interval is stated.
// Money per customer is mostly nothing with a few large values. Where a small
// arm happens to hold hardly any of those, its variance looks small as well, and
// the interval promises more than it holds: of comparisons of equals with five
// or ten buyers held out, one in eight looks like a gain, with twenty one in
// fourteen, and from about thirty on 93 in 100 intervals or more hold what they
// promise (TestAACoversZero, TestAAOfSmallHoldouts). What decides is the number of
// buyers, not of customers.
type Minimum struct {
	Customers int // in each arm
	Buyers    int // customers with an order, in each arm; for money only
}

// DefaultMinimum is 30 customers and 30 with an order, in each arm.
func DefaultMinimum() Minimum { return Minimum{Customers: 30, Buyers: 30} }

// Lift is what the touches changed, each figure with its interval. Money is in
// the unit of Arm.Revenue.
type Lift struct {
	// PerCustomer is the difference of mean revenue per customer (Welch).
	PerCustomer Answer `json:"per_customer"`
	// Revenue is PerCustomer times the customers treated: what would not have
	// come in without the touches.
	Revenue Answer `json:"revenue"`
	// PerTouch is Revenue per marketing touch sent to the treated: incremental
	// RpMT. The number of touches is taken as given; it adds no uncertainty.
	PerTouch Answer `json:"per_touch"`
	// Conversion is the difference of conversion rates (Newcombe), which holds
	// with few buyers as well.
	Conversion Answer `json:"conversion"`
}

// Lift answers by intention to treat: customers are compared by the arm that was
// drawn for them, whether or not they were written to.
func (c Comparison) Lift(least Minimum, level float64) Lift {
	var l Lift
	if why := c.few(least); why != "" {
		l.Conversion = Answer{Status: NotEnoughData, Why: why}
	} else {
		l.Conversion = answer(Newcombe(c.Treated.Conversion(), c.Held.Conversion(), level))
	}
	if why := cmp.Or(c.few(least), c.rare(least)); why != "" {
		none := Answer{Status: NotEnoughData, Why: why}
		l.PerCustomer, l.Revenue, l.PerTouch = none, none, none
		return l
	}
	l.PerCustomer = answer(Welch(c.Treated.Revenue, c.Held.Revenue, level))
	l.Revenue = l.PerCustomer.Times(float64(c.Treated.Revenue.N))
	l.PerTouch = Answer{Status: NotEnoughData, Why: "no touch was sent to the treated customers"}
	if c.Treated.Touches > 0 && l.Revenue.Known() {
		l.PerTouch = l.Revenue.Times(1 / float64(c.Treated.Touches))
	}
	return l
}

// InUnits converts the money figures, for example from minor to major units.
func (l Lift) InUnits(factor float64) Lift {
	l.PerCustomer, l.Revenue, l.PerTouch = l.PerCustomer.Times(factor), l.Revenue.Times(factor), l.PerTouch.Times(factor)
	return l
}

// few says which arm has too few customers.
func (c Comparison) few(least Minimum) string {
	customers := max(least.Customers, 2)
	switch {
	case c.Held.Revenue.N < customers:
		return fmt.Sprintf("%d held-out customers, %d needed", c.Held.Revenue.N, customers)
	case c.Treated.Revenue.N < customers:
		return fmt.Sprintf("%d treated customers, %d needed", c.Treated.Revenue.N, customers)
	}
	return ""
}

// rare says in which arm too few customers bought.
func (c Comparison) rare(least Minimum) string {
	switch {
	case c.Held.Converted < least.Buyers:
		return fmt.Sprintf("%d held-out buyers, %d needed", c.Held.Converted, least.Buyers)
	case c.Treated.Converted < least.Buyers:
		return fmt.Sprintf("%d treated buyers, %d needed", c.Treated.Converted, least.Buyers)
	}
	return ""
}

func answer(i Interval, ok bool) Answer {
	switch {
	case !ok:
		return Answer{Status: NotEnoughData, Why: "too few customers for an interval"}
	case i.SpansZero():
		return Answer{Status: NotDistinguishable, Interval: i}
	}
	return Answer{Status: OK, Interval: i}
}
