package onebox_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// cart is the shipped cart recovery in minutes: it waits for the order of the
// same cart before it writes.
const cart = `entry: {event: Checkout Started, when: event.shop == "{name}", key: event.cart_id}
reentry: always
goal: {event: Order Completed, when: event.cart_id == entry.cart_id, within: 7d}
steps:
  - id: patience
    wait:
      event: Order Completed
      when: event.cart_id == entry.cart_id
      timeout: 4m
      on_timeout:
        - id: reminder
          touch: {slot: suite/note, brief: Say hello.}
`

// TestCartRecovery: events from the public door start journeys that wait for
// further events. An order of the same cart ends the wait without a message;
// two carts of one customer are two entries.
func TestCartRecovery(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("cart")
	h.listen(t, name, cart)
	ids := h.customers(t, name, "ada", 3)
	buyer, forgetful, both := ids[0], ids[1], ids[2]
	checkout := func(customer, cart string) {
		h.track(t, customer, "Checkout Started", map[string]any{"shop": name, "cart_id": cart, "value": 49.9})
	}
	order := func(customer, cart string) {
		h.track(t, customer, "Order Completed", map[string]any{"order_id": name + "-" + cart, "total": 49.9, "currency": "USD", "cart_id": cart})
	}
	checkout(buyer, "c1")
	checkout(forgetful, "c2")
	checkout(both, "c3")
	checkout(both, "c4")
	checkout(both, "c4") // the shop says it twice
	eventually(t, 20*time.Second, say("four runs"), func() (bool, error) {
		runs, err := h.unended(t, name)
		return len(runs) == 4, err
	})
	order(buyer, "c1")
	order(both, "c4")
	order(forgetful, "another cart")
	h.ended(t, name, 4, 40*time.Second)

	reason := map[string]string{}
	for _, id := range ids {
		for _, run := range h.runs(t, name, id) {
			if run.Arm != ledger.Treated || !run.Durable {
				t.Errorf("run %+v", run)
			}
			reason[run.EntryKey] = run.EndReason
		}
	}
	for cart, want := range map[string]string{"c1": "goal: Order Completed", "c2": "completed", "c3": "completed", "c4": "goal: Order Completed"} {
		if reason[cart] != want {
			t.Errorf("cart %s ended with %q, want %q", cart, reason[cart], want)
		}
	}
	h.reported(t, name)
	touches := h.touches(t, name)
	for _, x := range touches {
		if x.entryKey != "c2" && x.entryKey != "c3" || x.state != lifecycle.TouchDelivered {
			t.Errorf("touch of cart %s: %s %s", x.entryKey, x.state, x.reason)
		}
	}
	if len(touches) != 2 {
		t.Errorf("%d messages, want one each for c2 and c3", len(touches))
	}
	if letter := h.mail(t, name, "reminder", forgetful); !strings.Contains(letter.To, forgetful) || !letter.OneClick {
		t.Errorf("letter %+v", letter)
	}
}
