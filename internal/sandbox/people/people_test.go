package people_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
	"touchstone/internal/sandbox/people"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func population(t testing.TB, change func(*people.Options)) *people.Population {
	t.Helper()
	opts := people.Options{Seed: 7, Count: 2000, Start: start, Days: 84, Offers: []lifecycle.Offer{
		{ID: "ten", Kind: lifecycle.PercentOff, Percent: 10, Code: "BACK10", Label: "10% off"},
		{ID: "twenty", Kind: lifecycle.PercentOff, Percent: 20, Code: "BACK20", Label: "20% off"},
	}}
	if change != nil {
		change(&opts)
	}
	p, err := people.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPopulationIsSeeded(t *testing.T) {
	t.Parallel()
	a, b := population(t, nil), population(t, nil)
	other := population(t, func(o *people.Options) { o.Seed = 8 })
	if len(a.People()) != 2240 {
		t.Fatalf("%d people, want 2000 and 12 %% newcomers", len(a.People()))
	}
	emails, same := map[string]bool{}, 0
	for i, p := range a.People() {
		if !reflect.DeepEqual(p, b.People()[i]) {
			t.Fatalf("person %d differs between equal seeds", i)
		}
		if p.Email == other.People()[i].Email {
			same++
		}
		if emails[p.Email] {
			t.Errorf("address used twice: %s", p.Email)
		}
		emails[p.Email] = true
		domain := p.Email[strings.IndexByte(p.Email, '@')+1:]
		if domain != "example.com" && domain != "example.net" && domain != "example.org" {
			t.Errorf("address %s is not on a reserved domain", p.Email)
		}
		if _, err := time.LoadLocation(p.TimeZone); err != nil {
			t.Errorf("zone: %v", err)
		}
	}
	if same > 20 {
		t.Errorf("another seed gave %d equal addresses", same)
	}
	if got, ok := a.Person(strings.ToUpper(a.People()[3].Email)); !ok || got.ExternalID != a.People()[3].ExternalID {
		t.Error("Person must find an address regardless of case")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	h := population(t, nil).History(365)
	if !reflect.DeepEqual(h, population(t, nil).History(365)) {
		t.Fatal("the same seed gave another history")
	}
	if len(h.Customers) != 2000 || len(h.Orders) < 4000 || len(h.Orders) > 16000 {
		t.Fatalf("%d customers, %d orders", len(h.Customers), len(h.Orders))
	}
	created, last, ids := map[string]time.Time{}, map[string]time.Time{}, map[string]bool{}
	for _, c := range h.Customers {
		created[c.ExternalID] = c.CreatedAt
	}
	for _, o := range h.Orders {
		if ids[o.OrderID] || o.Total <= 0 || o.Items < 1 || o.FirstItem == "" || !o.At.Before(start) {
			t.Fatalf("bad order %+v", o)
		}
		ids[o.OrderID] = true
		if o.At.Before(created[o.ExternalID]) {
			t.Fatalf("order %s at %v before sign-up %v", o.OrderID, o.At, created[o.ExternalID])
		}
		last[o.ExternalID] = o.At
	}
	lapsed := 0
	for _, at := range last {
		if start.Sub(at) > 90*24*time.Hour {
			lapsed++
		}
	}
	if lapsed < 500 || lapsed > 1000 {
		t.Errorf("%d of 2000 people lapsed, want a quarter to a half", lapsed)
	}

	var customers, orders bytes.Buffer
	if err := h.WriteCustomers(&customers); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteOrders(&orders); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		from   io.Reader
		rows   int
		header string
	}{
		"customers": {&customers, len(h.Customers), "external_id,email,first_name,last_name,phone,country,region,time_zone,created_at,consent_email,consent_at,consent_source"},
		"orders":    {&orders, len(h.Orders), "order_id,external_id,at,total,currency,items,first_item"},
	} {
		rows, err := csv.NewReader(f.from).ReadAll()
		if err != nil || len(rows) != f.rows+1 || strings.Join(rows[0], ",") != f.header {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
}

// delivered is a message that shows no offer, or the one with this code.
func delivered(p people.Person, at time.Time, code string) sandbox.Delivered {
	return sandbox.Delivered{TouchID: "t", To: p.Email, Subject: "Hello", Text: "Look " + code, HTML: "<p>Look</p>",
		Links: []string{"https://shop.example.com/"}, UnsubscribeURL: "https://mail.example.com/u/x", At: at}
}

// TestTruth sends messages to many people and compares the orders that happen
// with the documented effect, and with a twin population that gets nothing.
func TestTruth(t *testing.T) {
	t.Parallel()
	seasons := func(seed uint64, treat bool) (orders int, revenue float64, truth []people.Truth) {
		sink := newSink()
		server := httptest.NewServer(sink)
		defer server.Close()
		now := start.Add(100 * 24 * time.Hour)
		pop := population(t, func(o *people.Options) {
			o.Seed, o.Count, o.Days, o.GatewayURL, o.WriteKey = seed, 4000, 60, server.URL, "key"
			o.Clock = clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: now, Factor: 1}}
		})
		if treat {
			for round := range 4 {
				for i, p := range pop.People() {
					code := []string{"", "BACK10", "BACK20"}[(i+round)%3]
					d := delivered(p, start.Add(time.Duration(9+10*round)*24*time.Hour), code)
					d.UnsubscribeURL = ""
					pop.OnDelivered(d)
				}
			}
		}
		runUntilIdle(t, pop)
		truth = pop.Truth()
		o, r := sink.orders()
		return o, r, truth
	}
	var expected, variance, expectedRevenue, difference, differenceRevenue, realised float64
	for seed := range uint64(2) {
		treated, treatedRevenue, truth := seasons(seed+100, true)
		control, controlRevenue, none := seasons(seed+100, false)
		difference += float64(treated - control)
		differenceRevenue += treatedRevenue - controlRevenue
		for i, k := range truth {
			if none[i].Messages != 0 {
				t.Fatalf("%s: messages were counted without any", k.Kind)
			}
			expected += k.ExpectedOrders
			expectedRevenue += k.ExpectedRevenue
			realised += float64(k.Orders)
			variance += k.ExpectedOrders // of rare Bernoulli draws, at most
			if sd := math.Sqrt(k.ExpectedOrders + 1); math.Abs(float64(k.Orders)-k.ExpectedOrders) > 4.5*sd {
				t.Errorf("%s: %d caused orders, expected %.1f ± %.1f", k.Kind, k.Orders, k.ExpectedOrders, sd)
			}
		}
	}
	// Organic life is the same in both worlds, so the difference is the effect.
	if difference != realised {
		t.Errorf("treated minus untreated is %v orders, the population says it caused %v", difference, realised)
	}
	if math.Abs(difference-expected) > 4*math.Sqrt(variance) {
		t.Errorf("treated minus untreated: %v orders, expected %.1f ± %.1f", difference, expected, math.Sqrt(variance))
	}
	perOrder := expectedRevenue / expected
	if math.Abs(differenceRevenue-expectedRevenue) > 6*math.Sqrt(variance)*perOrder {
		t.Errorf("incremental revenue %.0f, expected %.0f", differenceRevenue, expectedRevenue)
	}
	if expected < 300 {
		t.Errorf("only %.0f orders expected: the test has no power", expected)
	}
	t.Logf("orders: difference %.0f, expected %.1f; revenue: difference %.0f, expected %.0f", difference, expected, differenceRevenue, expectedRevenue)
}

func TestRespond(t *testing.T) {
	t.Parallel()
	for _, p := range population(t, nil).People()[:200] {
		calm := p.Respond(people.Situation{})
		if want := p.Open * p.Click * p.Convert; math.Abs(calm.Order-want) > 1e-12 {
			t.Fatalf("order %v, want %v", calm.Order, want)
		}
		if offer := p.Respond(people.Situation{Share: 0.1}); offer.Order <= calm.Order {
			t.Fatal("an offer must raise the effect")
		}
		if busy := p.Respond(people.Situation{Week: 3}); busy.Open >= calm.Open || busy.Complain <= calm.Complain || busy.Unsubscribe <= calm.Unsubscribe {
			t.Fatal("messages per week must wear people out")
		}
		if cart := p.Respond(people.Situation{Cart: true}); cart.Order <= calm.Order {
			t.Fatal("an abandoned cart must raise the effect")
		}
		if p.Respond(people.Situation{CartLater: true}).Order != 0 || p.Respond(people.Situation{OptedOut: true}).Order != 0 {
			t.Fatal("no effect on people who come back anyway or have left")
		}
	}
}

// TestOrderOfArrival delivers to people in two different orders.
func TestOrderOfArrival(t *testing.T) {
	t.Parallel()
	at := start.Add(7 * 24 * time.Hour)
	reactions := func(backwards bool) map[string][]sandbox.Reaction {
		pop, out := population(t, func(o *people.Options) { o.Count = 300 }), map[string][]sandbox.Reaction{}
		all := pop.People()
		for i := range all {
			p := all[i]
			if backwards {
				p = all[len(all)-1-i]
			}
			out[p.Email] = pop.OnDelivered(delivered(p, at, "BACK10"))
		}
		return out
	}
	if !reflect.DeepEqual(reactions(false), reactions(true)) {
		t.Error("reactions depend on the order of arrival")
	}
	pop := population(t, nil)
	if pop.OnDelivered(sandbox.Delivered{To: "stranger@example.com", At: at}) != nil {
		t.Error("strangers must not react")
	}
}

// sink is a gateway that keeps what people send, refusing every tenth request.
type sink struct {
	mu     sync.Mutex
	calls  int
	seen   map[string]map[string]any
	repeat int
	left   []string
}

func newSink() *sink { return &sink{seen: map[string]map[string]any{}} }

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.calls%10 == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/u/") {
		s.left = append(s.left, r.URL.Path+" "+string(raw))
		return
	}
	user, _, _ := r.BasicAuth()
	var body struct {
		Batch []map[string]any `json:"batch"`
	}
	if err := json.Unmarshal(raw, &body); err != nil || r.URL.Path != "/v1/batch" || user != "key" || len(raw) > 500<<10 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, m := range body.Batch {
		id := fmt.Sprint(m["messageId"])
		if s.seen[id] != nil {
			s.repeat++
		}
		s.seen[id] = m
	}
}

func (s *sink) orders() (n int, revenue float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.seen {
		if m["event"] == "Order Completed" {
			n++
			revenue += m["properties"].(map[string]any)["total"].(float64)
		}
	}
	return n, revenue
}

// runUntilIdle runs the population until nothing is left to do.
func runUntilIdle(t *testing.T, pop *people.Population) {
	t.Helper()
	ctx, cancel := testContext(t)
	done := make(chan error, 1)
	go func() { done <- pop.Run(ctx) }()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if a := pop.Activity(); a.Ahead == 0 && a.Waiting == 0 && a.Posted > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still busy: %+v", pop.Activity())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
