package people

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// message is one entry of a Segment batch.
type message struct {
	Type       string         `json:"type"`
	UserID     string         `json:"userId"`
	MessageID  string         `json:"messageId"`
	Timestamp  string         `json:"timestamp"`
	Event      string         `json:"event,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
	Traits     map[string]any `json:"traits,omitempty"`
	Context    map[string]any `json:"context,omitempty"`
}

// events are the Segment calls of one act, named and shaped after the
// e-commerce specification.
func (p *Population) events(person *Person, a act) []message {
	stamp := a.at.UTC().Format("2006-01-02T15:04:05.000Z")
	ctx := map[string]any{"timezone": person.TimeZone, "library": map[string]any{"name": "sandbox-people", "version": "1"}}
	track := func(event, id string, properties map[string]any) message {
		return message{Type: "track", UserID: person.ExternalID, MessageID: "sim-" + id, Timestamp: stamp, Event: event, Properties: properties, Context: ctx}
	}
	switch a.kind {
	case actSignUp:
		traits := map[string]any{
			"email": person.Email, "firstName": person.FirstName, "lastName": person.LastName, "createdAt": stamp,
			"address": map[string]any{"country": person.Country, "state": person.Region}, "timezone": person.TimeZone,
			"email_consent": map[string]any{"state": person.Consent, "source": "sign-up form"},
		}
		if person.Phone != "" {
			traits["phone"] = person.Phone
		}
		id := person.ExternalID
		return []message{
			{Type: "identify", UserID: id, MessageID: "sim-identify-" + id, Timestamp: stamp, Traits: traits, Context: ctx},
			track("Signed Up", "signup-"+id, map[string]any{"type": "organic", "email": person.Email}),
		}
	case actVisit:
		id := fmt.Sprintf("view-%s-%d", person.ExternalID, a.at.Unix())
		return []message{track("Product Viewed", id, map[string]any{"name": a.goods[0].Name, "price": major(a.goods[0].Price), "currency": p.opts.Currency})}
	case actCart:
		return []message{track("Checkout Started", "cart-"+a.cart, map[string]any{
			"cart_id": a.cart, "value": major(a.value), "currency": p.opts.Currency, "products": products(a.goods)})}
	case actOrder:
		properties := map[string]any{"order_id": a.order, "total": major(a.value - a.off), "currency": p.opts.Currency, "products": products(a.goods)}
		if a.cart != "" {
			properties["cart_id"] = a.cart
		}
		if a.coupon != "" {
			properties["coupon"], properties["discount"] = a.coupon, major(a.off)
		}
		return []message{track("Order Completed", "order-"+a.order, properties)}
	}
	return nil
}

// major writes an amount with two decimals as a JSON number.
func major(minor int64) json.Number { return json.Number(fmt.Sprintf("%d.%02d", minor/100, minor%100)) }

func products(goods []Product) []map[string]any {
	out := make([]map[string]any, len(goods))
	for i, g := range goods {
		out[i] = map[string]any{"name": g.Name, "price": major(g.Price), "quantity": g.Quantity}
	}
	return out
}

const (
	maxEvents     = 1000
	maxBytes      = 400 << 10 // Segment's limit is 500 KB per batch
	postEvery     = 100 * time.Millisecond
	unsubscribers = 4
	leaveAttempts = 20 // of one unsubscribe: about a minute and a half
)

// poster sends events in batches, each until it is answered with 2xx, and
// one-click unsubscribes, which it gives up after leaveAttempts.
type poster struct {
	url, key string
	client   *http.Client
	log      *slog.Logger

	mu      sync.Mutex
	waiting []json.RawMessage
	leaving []string
	busy    int // events and unsubscribes under way
	posted  int
	left    int
	given   int // unsubscribes refused for good
}

func newPoster(gateway, key string, log *slog.Logger) *poster {
	return &poster{
		url: strings.TrimSuffix(gateway, "/") + "/v1/batch", key: key, log: log,
		client: &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

func (p *poster) add(messages ...message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		raw, err := json.Marshal(m)
		if err != nil {
			panic("people: events always marshal: " + err.Error())
		}
		p.waiting = append(p.waiting, raw)
	}
}

func (p *poster) unsubscribe(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = append(p.leaving, url)
}

// run posts until the context ends.
func (p *poster) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range unsubscribers {
		workers.Go(func() { p.leave(ctx) })
	}
	ticker := time.NewTicker(postEvery)
	defer ticker.Stop()
	for {
		p.flush(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// flush posts what is waiting.
func (p *poster) flush(ctx context.Context) {
	for ctx.Err() == nil {
		body, n := p.batch()
		if n == 0 {
			return
		}
		if !p.until(ctx, "post events", 0, func() error { return p.post(ctx, body) }) {
			return
		}
		p.mu.Lock()
		p.posted, p.busy = p.posted+n, p.busy-n
		p.mu.Unlock()
	}
}

// leave sends one-click unsubscribes, one at a time, until the context ends.
func (p *poster) leave(ctx context.Context) {
	ticker := time.NewTicker(postEvery)
	defer ticker.Stop()
	for {
		p.mu.Lock()
		url := ""
		if len(p.leaving) > 0 {
			url, p.leaving, p.busy = p.leaving[0], p.leaving[1:], p.busy+1
		}
		p.mu.Unlock()
		if url != "" {
			p.oneClick(ctx, url)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// batch takes the next events as one request body.
func (p *poster) batch() ([]byte, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, n := 0, 0
	for n < len(p.waiting) && n < maxEvents && (n == 0 || size+len(p.waiting[n]) < maxBytes) {
		size += len(p.waiting[n]) + 1
		n++
	}
	if n == 0 {
		return nil, 0
	}
	body := append([]byte(`{"batch":[`), bytes.Join(joined(p.waiting[:n]), []byte(","))...)
	p.waiting, p.busy = p.waiting[n:], p.busy+n
	return append(body, "]}"...), n
}

func joined(raw []json.RawMessage) [][]byte {
	out := make([][]byte, len(raw))
	for i, r := range raw {
		out[i] = r
	}
	return out
}

// errFinal marks an answer that repeating does not change.
var errFinal = errors.New("refused for good")

// until repeats with growing pauses until it succeeds, the context ends, the
// answer is final or the attempts (0 = any number) are used up; it reports
// success.
func (p *poster) until(ctx context.Context, what string, attempts int, do func() error) bool {
	wait := 100 * time.Millisecond
	for n := 1; ; n++ {
		err := do()
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case errors.Is(err, errFinal), n == attempts:
			p.log.Error(what, "error", err)
			return false
		}
		p.log.Warn(what+" failed, will be repeated", "pause", wait, "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		}
	}
}

func (p *poster) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(p.key, "")
	return p.do(req)
}

// oneClick unsubscribes as a mail client does (RFC 8058).
func (p *poster) oneClick(ctx context.Context, url string) {
	ok := p.until(ctx, "unsubscribe", leaveAttempts, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("List-Unsubscribe=One-Click"))
		if err != nil {
			return fmt.Errorf("%w: %w", errFinal, err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		err = p.do(req)
		var status statusError
		if errors.As(err, &status) && status < 500 && status != http.StatusTooManyRequests {
			return fmt.Errorf("%w: %w", errFinal, err)
		}
		return err
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	switch {
	case ok:
		p.left++
	case ctx.Err() == nil:
		p.given++
	}
}

type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

func (p *poster) do(req *http.Request) error {
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return statusError(resp.StatusCode)
	}
	return nil
}

// Activity counts what people did so far.
type Activity struct {
	Posted             int // events answered with 2xx
	Waiting            int // events and unsubscribes not yet answered
	Unsubscribed       int // one-click requests answered with 2xx
	UnsubscribesFailed int // refused for good
	Ahead              int // acts on the agenda
}

// Activity reads the counters.
func (p *Population) Activity() Activity {
	p.mu.Lock()
	ahead := len(p.agenda)
	p.mu.Unlock()
	p.poster.mu.Lock()
	defer p.poster.mu.Unlock()
	return Activity{Posted: p.poster.posted, Waiting: len(p.poster.waiting) + len(p.poster.leaving) + p.poster.busy, Unsubscribed: p.poster.left, UnsubscribesFailed: p.poster.given, Ahead: ahead}
}
