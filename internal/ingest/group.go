package ingest

import (
	"container/list"
	"hash/maphash"
)

// remembered is how many finished orders a group keeps in mind, as 8-byte
// hashes, to notice a line that comes too late.
const remembered = 1 << 18

// grouper adds the lines of one order up. An order is finished once no line of
// it was seen for window rows. Memory is bounded by the orders within the window.
type grouper struct {
	window int
	row    int
	open   map[string]*list.Element
	byLast *list.List // of *openOrder, the one idle for longest first
	seed   maphash.Seed
	closed map[uint64]struct{}
	ring   []uint64
	next   int
}

type openOrder struct {
	orderLine
	products  []product
	firstLine int64 // of the file
	lastRow   int
}

func newGrouper(window int) *grouper {
	return &grouper{window: window, open: map[string]*list.Element{}, byLast: list.New(),
		seed: maphash.MakeSeed(), closed: map[uint64]struct{}{}}
}

// add takes one line. It is rejected when it contradicts its order or comes
// after the order was finished.
func (g *grouper) add(l *orderLine, fileLine int64) error {
	if el, ok := g.open[l.orderID]; ok {
		o := el.Value.(*openOrder)
		if o.who.Customer.ExternalID != l.who.Customer.ExternalID {
			return reject("order_id", "is shared by lines of different customers")
		}
		o.total = o.total.Add(l.total)
		o.items = o.items.Add(l.items)
		if o.coupon == "" {
			o.coupon = l.coupon
		}
		if o.name == "" {
			o.name = l.name
		}
		if l.name != "" && len(o.products) < maxProducts {
			o.products = append(o.products, l.product())
		}
		o.lastRow = g.row
		g.byLast.MoveToBack(el)
		return nil
	}
	if _, late := g.closed[maphash.String(g.seed, l.orderID)]; late {
		return reject("order_id", "appears again more than %d rows after its order ended: sort the file by order or raise window", g.window)
	}
	o := &openOrder{orderLine: *l, firstLine: fileLine, lastRow: g.row}
	if l.name != "" {
		o.products = []product{l.product()}
	}
	g.open[l.orderID] = g.byLast.PushBack(o)
	return nil
}

// tick counts one row of the file and returns the orders that ended with it.
func (g *grouper) tick() []*openOrder {
	g.row++
	return g.finish(g.row - g.window)
}

// finish ends every order without a line since the given row.
func (g *grouper) finish(before int) []*openOrder {
	var done []*openOrder
	for el := g.byLast.Front(); el != nil; el = g.byLast.Front() {
		o := el.Value.(*openOrder)
		if o.lastRow >= before {
			break
		}
		g.byLast.Remove(el)
		delete(g.open, o.orderID)
		g.remember(o.orderID)
		done = append(done, o)
	}
	return done
}

func (g *grouper) remember(orderID string) {
	h := maphash.String(g.seed, orderID)
	g.closed[h] = struct{}{}
	if len(g.ring) < remembered {
		g.ring = append(g.ring, h)
		return
	}
	delete(g.closed, g.ring[g.next])
	g.ring[g.next] = h
	g.next = (g.next + 1) % remembered
}

// firstOpen is the earliest file line an unfinished order stands on, or 0.
func (g *grouper) firstOpen() int64 {
	first := int64(0)
	for el := g.byLast.Front(); el != nil; el = el.Next() {
		if l := el.Value.(*openOrder).firstLine; first == 0 || l < first {
			first = l
		}
	}
	return first
}
