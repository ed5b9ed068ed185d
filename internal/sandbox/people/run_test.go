package people_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/sandbox/people"
)

func testContext(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// TestSeason lets a season pass at once and looks at the events.
func TestSeason(t *testing.T) {
	t.Parallel()
	sink := newSink()
	server := httptest.NewServer(sink)
	defer server.Close()
	pop := population(t, func(o *people.Options) {
		o.GatewayURL, o.WriteKey = server.URL, "key"
		o.Clock = clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: start.Add(120 * 24 * time.Hour), Factor: 1}}
	})
	for _, p := range pop.People()[:2000] {
		d := delivered(p, start.Add(30*24*time.Hour), "BACK20")
		d.UnsubscribeURL = server.URL + "/u/" + p.ExternalID
		for range 6 { // six messages at once: people leave
			pop.OnDelivered(d)
		}
	}
	runUntilIdle(t, pop)
	sink.mu.Lock()
	defer sink.mu.Unlock()
	counts := map[string]int{}
	carts := map[string]bool{}
	coupons := 0
	for id, m := range sink.seen {
		name, _ := m["event"].(string)
		if m["type"] == "identify" {
			name = "identify"
			traits := m["traits"].(map[string]any)
			consent, _ := traits["email_consent"].(map[string]any)
			if traits["email"] == "" || traits["firstName"] == "" || consent["state"] != "granted" {
				t.Fatalf("identify without traits: %v", m)
			}
		}
		counts[name]++
		if m["userId"] == "" || len(id) > 100 {
			t.Fatalf("bad message %v", m)
		}
		at, err := time.Parse(time.RFC3339, m["timestamp"].(string))
		if err != nil || at.Before(start.Add(-24*time.Hour)) || at.After(start.Add(110*24*time.Hour)) {
			t.Fatalf("time stamp %v, %v", m["timestamp"], err)
		}
		properties, _ := m["properties"].(map[string]any)
		if name == "Checkout Started" {
			carts[properties["cart_id"].(string)] = true
		}
		if c, ok := properties["coupon"].(string); ok {
			coupons++
			if c != "BACK20" || properties["discount"].(float64) <= 0 {
				t.Errorf("coupon order %v", properties)
			}
		}
	}
	for name, least := range map[string]int{"identify": 230, "Signed Up": 230, "Product Viewed": 3000, "Checkout Started": 2000, "Order Completed": 1500} {
		if counts[name] < least {
			t.Errorf("%d × %s, want at least %d", counts[name], name, least)
		}
	}
	if orders := counts["Order Completed"]; orders >= counts["Checkout Started"] || coupons == 0 {
		t.Errorf("%d orders for %d carts, %d with a coupon", orders, counts["Checkout Started"], coupons)
	}
	for _, m := range sink.seen {
		if m["event"] == "Order Completed" {
			if cart, ok := m["properties"].(map[string]any)["cart_id"].(string); ok && !carts[cart] {
				t.Errorf("order of a cart that was never started: %v", cart)
			}
		}
	}
	if len(sink.left) < 20 || !strings.HasSuffix(sink.left[0], " List-Unsubscribe=One-Click") {
		t.Errorf("%d one-click unsubscribes", len(sink.left))
	}
	if a := pop.Activity(); a.UnsubscribesFailed != 0 {
		t.Errorf("%d unsubscribes failed", a.UnsubscribesFailed)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		population(b, nil)
	}
}
