package segment_test

import (
	"testing"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	env := segment.Env{Now: now, Stages: lifecycle.DefaultStageThresholds(), Event: map[string]any{"value": 12.5}, Profile: lifecycle.Profile{
		Customer: lifecycle.Customer{Country: "US", Email: "a@example.com"},
		Orders:   lifecycle.OrderStats{Count: 2, LastAt: now.Add(-36 * 60 * 60 * 1e9)},
	}}
	e := compile(t, `stage == "new" || orders.count > 1 && orders.count < 9 && orders.days_since_last > 1 && customer.country == "US" && has(customer.region) && customer.has_email && event.value > 3 && attributes.x == "y"`)
	const want = "stage = active, orders.count = 2, orders.days_since_last = 1.5, customer.country = US, customer.region is missing, customer.has_email = true, event.value = 12.5, attributes.x is missing"
	if got := e.Explain(env); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
