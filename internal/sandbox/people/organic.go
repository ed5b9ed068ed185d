package people

import (
	"fmt"
	"time"

	"touchstone/internal/sandbox/draw"
)

// act is something a person does of their own accord or because of a message.
type act struct {
	at     time.Time
	kind   actKind
	cart   string
	order  string
	value  int64 // minor units, before the discount
	off    int64 // discount, minor units
	coupon string
	goods  []Product
	cause  string // touch id of the message that caused it, empty = organic
	later  bool   // of a cart: it will be completed without any message
}

type actKind uint8

const (
	actSignUp actKind = iota
	actVisit
	actCart
	actOrder
	actUnsubscribe
)

// Product is an article of the simulated shop.
type Product struct {
	Name     string
	Price    int64 // minor units
	Quantity int
}

var catalogue = []string{
	"Linen apron", "Walnut cutting board", "Enamel kettle", "Beeswax candle", "Wool blanket", "Stoneware mug", "Cast-iron pan",
	"Olive oil soap", "Cotton tea towel", "Oak serving tray", "Copper watering can", "Glass carafe", "Ash wood spoon", "Leather notebook",
	"Brass bookmark", "Merino socks", "Ceramic planter", "Canvas tote", "Bread knife", "Rye sourdough kit",
}

// goods splits a value over one to four products.
func goods(s *draw.Stream, value int64) []Product {
	n := 1 + s.Int(4)
	out := make([]Product, 0, n)
	first := s.Int(len(catalogue))
	for i := range n {
		price := value / int64(n-i)
		value -= price
		out = append(out, Product{Name: catalogue[(first+i*7)%len(catalogue)], Price: price, Quantity: 1})
	}
	return out
}

// daily is everything the person does of their own accord on one day, in order
// of time. Day 0 begins at start; history has negative days. What happens on a
// day depends on seed, person and day alone.
func (p *Person) daily(seed uint64, start time.Time, number int) []act {
	midnight := start.Add(time.Duration(number) * day)
	if midnight.Add(day).Before(p.CreatedAt) {
		return nil
	}
	s := draw.Of(seed, draw.Text("day"), uint64(p.Index), uint64(int64(number)))
	slow := p.buysEvery(midnight) / p.OrderEvery // carts and visits thin out like orders
	order, cart, visit := s.Bool(1/p.buysEvery(midnight)), s.Bool(1/(p.CartEvery*slow)), s.Bool(1/(p.VisitEvery*slow))
	signsUp := !p.CreatedAt.Before(midnight) && p.CreatedAt.Before(midnight.Add(day))
	first := signsUp && p.Kind != Prospect && p.Kind != Newcomer // customers of old came with an order
	if !order && !cart && !visit && !signsUp {
		return nil
	}
	var acts []act
	if signsUp {
		acts = append(acts, act{at: p.CreatedAt, kind: actSignUp})
	}
	at := p.localTime(midnight, &s)
	if !signsUp && at.Add(-30*time.Minute).Before(p.CreatedAt) {
		return nil // the local day began before the person signed up
	}
	if signsUp && at.Before(p.CreatedAt) {
		at = p.CreatedAt.Add(time.Duration(s.Exponential(20) * float64(time.Minute))).Truncate(time.Second)
	}
	id := fmt.Sprintf("%s-%d", p.ExternalID, 10000+number)
	value := p.orderValue(&s)
	basket := goods(&s, value)
	switch {
	case order || first:
		paid := at.Add(time.Duration(3+s.Int(15)) * time.Minute)
		acts = append(acts, act{at: at.Add(-time.Duration(2+s.Int(20)) * time.Minute), kind: actVisit, goods: basket[:1]},
			act{at: at, kind: actCart, cart: "K" + id, value: value, goods: basket, later: true},
			act{at: paid, kind: actOrder, cart: "K" + id, order: "O" + id, value: value, goods: basket})
		if signsUp {
			acts[1].at = p.CreatedAt
		}
	case cart:
		returns := s.Bool(p.CartReturn)
		acts = append(acts, act{at: at.Add(-3 * time.Minute), kind: actVisit, goods: basket[:1]},
			act{at: at, kind: actCart, cart: "K" + id, value: value, goods: basket, later: returns})
		if signsUp {
			acts[1].at = p.CreatedAt
		}
		if returns {
			acts = append(acts, act{at: at.Add(time.Duration(s.Between(2, 30) * float64(time.Hour))).Truncate(time.Second), kind: actOrder,
				cart: "K" + id, order: "O" + id, value: value, goods: basket})
		}
	case visit:
		acts = append(acts, act{at: at, kind: actVisit, goods: basket[:1]})
	}
	return acts
}
