package people

import (
	"math"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox/draw"
)

// Chance is what one message does to a person: unconditional probabilities in
// [0,1]. Order is the causal effect: the probability of an order that would not
// exist without the message.
type Chance struct {
	Open, Click, Order, Unsubscribe, Complain float64
}

// Situation is what the person is in when a message arrives.
type Situation struct {
	Week      int     // messages the person got in the seven days before
	Share     float64 // share of the order's value the message gives away, in [0,1]
	Cart      bool    // the person left a cart that they will not complete by themselves
	CartLater bool    // the person left a cart that they will complete anyway
	OptedOut  bool    // the person unsubscribed more than two days before
}

const (
	weariness     = 0.25 // each further message within a week takes this much off the log of the open rate
	cartPull      = 2.5  // an abandoned cart multiplies the conversion of a click
	mostConvert   = 0.9
	unwanted      = 0.3  // P(complaint) of a message after unsubscribing
	unsubscribeUp = 0.5  // Unsubscribe is multiplied by 1 + this * week²
	complainUp    = 0.8  // Complain likewise
	reactMean     = 5.0  // hours from delivery to a human open (gamma, shape 2)
	buyMean       = 14.0 // hours from click to the order it causes (gamma, shape 2)
)

// Respond gives the probabilities of one message in a situation. The order is
// nested in the click and the click in the open, so Order = Open * Click *
// Convert with
//
//	Open    = p.Open * exp(-0.25 * Week)
//	Click   = p.Click
//	Convert = p.Convert * (1 + Sensitivity * Share/10 %) * (2.5 with a cart), at most 0.9
//
// and zero for people who had opted out or will complete their cart anyway.
func (p *Person) Respond(in Situation) Chance {
	week := float64(in.Week)
	c := Chance{
		Open:        p.Open * math.Exp(-weariness*week),
		Unsubscribe: min(1, p.Unsubscribe*(1+unsubscribeUp*week*week)),
		Complain:    min(1, p.Complain*(1+complainUp*week*week)),
	}
	c.Click = c.Open * p.Click
	convert := p.Convert * (1 + p.Sensitivity*in.Share/0.10)
	if in.Cart {
		convert *= cartPull
	}
	c.Order = c.Click * min(convert, mostConvert)
	if in.CartLater || in.OptedOut {
		c.Order = 0
	}
	if in.OptedOut {
		c.Unsubscribe, c.Complain = 0, unwanted
	}
	return c
}

// Reply is what the person does with one message.
type Reply struct {
	Open, Click, Order, Unsubscribe, Complain                bool
	MachineAfter, OpenAfter, ClickAfter, OrderAfter, LeaveAt time.Duration // since delivery
	Value                                                    int64         // of the order, minor units, before the discount
	Goods                                                    []Product
}

// Reply draws the answer to the person's n-th message; it depends on seed,
// person, n and situation alone.
func (p *Person) Reply(seed uint64, n int, in Situation) Reply {
	s := draw.Of(seed, draw.Text("reply"), uint64(p.Index), uint64(n))
	c, u := p.Respond(in), s.Float()
	hours := func(mean float64) time.Duration {
		return time.Duration(s.Gamma(2, mean) * float64(time.Hour)).Truncate(time.Second)
	}
	r := Reply{
		Open: u < c.Open, Click: u < c.Click, Order: u < c.Order, Unsubscribe: s.Bool(c.Unsubscribe), Complain: s.Bool(c.Complain),
		MachineAfter: time.Duration(2+s.Int(60)) * time.Second, OpenAfter: hours(reactMean), Value: p.orderValue(&s),
	}
	r.ClickAfter = r.OpenAfter + time.Duration(10+s.Int(120))*time.Second
	r.OrderAfter = r.ClickAfter + hours(buyMean)
	r.LeaveAt = r.OpenAfter + time.Duration(5+s.Int(60))*time.Second
	r.Goods = goods(&s, r.Value)
	return r
}

// given is the share of an order's value an offer gives away, for an order of
// this value in minor units.
func given(o lifecycle.Offer, value int64) float64 {
	if value <= 0 {
		return 0
	}
	return float64(o.Cost(lifecycle.Money{Amount: value, Currency: o.Amount.Currency}).Amount) / float64(value)
}

// shows finds the offer whose code the message carries; the longest code wins,
// so that SAVE10 is not taken for SAVE1.
func shows(offers []lifecycle.Offer, parts ...string) (lifecycle.Offer, bool) {
	var found lifecycle.Offer
	for _, o := range offers {
		if o.Code == "" || len(o.Code) <= len(found.Code) {
			continue
		}
		for _, part := range parts {
			if strings.Contains(part, o.Code) {
				found = o
			}
		}
	}
	return found, found.Code != ""
}
