package story

import "testing"

func TestAmount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    float64
		currency string
		want     string
	}{{1234, "USD", "12.34 USD"}, {12.34, "USD", "0.1234 USD"}, {0, "USD", "0.00 USD"}, {500, "JPY", "500 JPY"}, {-250, "EUR", "-2.50 EUR"}} {
		if got := Amount(c.minor, c.currency); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}
