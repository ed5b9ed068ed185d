package realdata

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
	"touchstone/internal/sandbox/people"
)

// responder answers messages in place of the real customers, who cannot be
// asked any more: every one of them responds like the median lapsed person of
// package people, with Person.Respond as the model. Nothing else happens in the
// season: orders without a message are not simulated, so its revenue says
// nothing about the real customers.
type responder struct {
	seed   uint64
	offers []lifecycle.Offer
	median float64 // of an order's value, in major units

	mu        sync.Mutex
	messages  map[string][]time.Time // deliveries by address
	due       []purchase
	responses Responses
}

// Responses counts what was simulated.
type Responses struct {
	Opens, Clicks, Orders, Unsubscribes, Complaints int
}

type purchase struct {
	at         time.Time
	customer   string
	id         string
	total      int64 // minor units
	coupon     string
	firstGoods string
}

func newResponder() *responder { return &responder{seed: 1, messages: map[string][]time.Time{}} }

// person answers for the customer behind an address, with the medians of lapsed people.
func (r *responder) person(address string) *people.Person {
	h := fnv.New32a()
	io.WriteString(h, address) // never fails
	return &people.Person{
		Index: int(h.Sum32()), Kind: people.Lapsed, Open: 0.34, Click: 0.24, Convert: 0.22, Sensitivity: 1.1,
		Unsubscribe: 0.0025, Complain: 0.0002, OrderMedian: r.median, OrderSigma: 0.45,
	}
}

// OnDelivered plugs into sandbox.Options.
func (r *responder) OnDelivered(d sandbox.Delivered) []sandbox.Reaction {
	r.mu.Lock()
	defer r.mu.Unlock()
	earlier := r.messages[d.To]
	r.messages[d.To] = append(earlier, d.At)
	in := people.Situation{}
	for _, at := range earlier {
		if d.At.Sub(at) < 7*24*time.Hour {
			in.Week++
		}
	}
	p := r.person(d.To)
	offer, shown := r.offer(d)
	if shown {
		in.Share = share(offer, int64(100*p.MeanOrder()))
	}
	reply := p.Reply(r.seed, len(earlier), in)
	if reply.Order {
		r.buy(d, reply, offer)
	}
	return r.reactions(d, reply)
}

func (r *responder) reactions(d sandbox.Delivered, reply people.Reply) []sandbox.Reaction {
	var out []sandbox.Reaction
	if reply.Open {
		r.responses.Opens++
		out = append(out, sandbox.Reaction{Kind: sandbox.Open, After: reply.OpenAfter, UserAgent: "Mozilla/5.0", IP: "198.51.100.7"})
	}
	if reply.Click && len(d.Links) > 0 {
		r.responses.Clicks++
		out = append(out, sandbox.Reaction{Kind: sandbox.Click, After: reply.ClickAfter, URL: d.Links[0], UserAgent: "Mozilla/5.0", IP: "198.51.100.7"})
	}
	if reply.Unsubscribe {
		r.responses.Unsubscribes++
		out = append(out, sandbox.Reaction{Kind: sandbox.Unsubscribe, After: reply.LeaveAt})
	}
	if reply.Complain {
		r.responses.Complaints++
		out = append(out, sandbox.Reaction{Kind: sandbox.SpamReport, After: reply.LeaveAt})
	}
	return out
}

func (r *responder) buy(d sandbox.Delivered, reply people.Reply, offer lifecycle.Offer) {
	customer, _, _ := strings.Cut(strings.TrimPrefix(d.To, "customer-"), "@")
	value := lifecycle.Money{Amount: reply.Value, Currency: offer.Amount.Currency}
	p := purchase{
		at: d.At.Add(reply.OrderAfter), customer: customer, total: reply.Value, coupon: offer.Code,
		id: fmt.Sprintf("simulated-%s-%d", customer, len(r.messages[d.To])), firstGoods: reply.Goods[0].Name,
	}
	if offer.Code != "" {
		p.total -= offer.Cost(value).Amount
	}
	r.due = append(r.due, p)
}

// offer finds the offer whose code the message carries.
func (r *responder) offer(d sandbox.Delivered) (lifecycle.Offer, bool) {
	for _, o := range r.offers {
		if o.Code != "" && strings.Contains(d.Text, o.Code) {
			return o, true
		}
	}
	return lifecycle.Offer{}, false
}

// share is what an offer gives away of an order of this value.
func share(o lifecycle.Offer, value int64) float64 {
	return float64(o.Cost(lifecycle.Money{Amount: value, Currency: o.Amount.Currency}).Amount) / float64(value)
}

// take returns the purchases that are due.
func (r *responder) take(now time.Time) []purchase {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due, later []purchase
	for _, p := range r.due {
		if p.at.After(now) {
			later = append(later, p)
		} else {
			due = append(due, p)
		}
	}
	r.due, r.responses.Orders = later, r.responses.Orders+len(due)
	return due
}

func (r *responder) counted() Responses {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.responses
}

// shop posts orders to the gateway as a shop would.
type shop struct {
	url, key, currency string
	client             http.Client
}

func (s *shop) post(ctx context.Context, orders []purchase) error {
	var batch []map[string]any
	for _, p := range orders {
		batch = append(batch, map[string]any{
			"type": "track", "event": "Order Completed", "userId": p.customer, "messageId": p.id, "timestamp": p.at.UTC().Format(time.RFC3339Nano),
			"properties": map[string]any{
				"order_id": p.id, "total": json.Number(fmt.Sprintf("%d.%02d", p.total/100, p.total%100)), "currency": s.currency, "coupon": p.coupon,
				"products": []map[string]any{{"name": p.firstGoods, "quantity": 1}},
			},
		})
	}
	body, err := json.Marshal(map[string]any{"batch": batch})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/batch", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.key+":")))
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1000))
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || err != nil {
		return fmt.Errorf("the gateway answered %s to simulated orders: %s", res.Status, answer)
	}
	return nil
}
