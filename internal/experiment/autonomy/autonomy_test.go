package autonomy_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/experiment/autonomy"
)

// scipy.stats.binom.cdf: the least n with P(X <= k; n, 0.01) <= 0.05.
func TestNeededAgreesWithScipy(t *testing.T) {
	t.Parallel()
	for errors, want := range []int{299, 473, 628, 773} {
		if got := autonomy.Needed(errors, autonomy.DefaultRule()); got != want {
			t.Errorf("%d errors: %d, want %d", errors, got, want)
		}
	}
}

// past makes items with falling scores and errors at the given ranks.
func past(n int, wrong ...int) []autonomy.Judged {
	items := make([]autonomy.Judged, n)
	for i := range items {
		items[i].Score = 1 - float64(i)/float64(n)
	}
	for _, i := range wrong {
		items[i].Wrong = true
	}
	return items
}

func TestCertifyStopsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	grid := []float64{0.5, 0.8, 0.9, 0.7, 0.6}
	c := autonomy.Certify(past(5000, 250, 900, 1600, 1601, 1602, 1603, 1604, 1605, 1606, 1607, 1608, 1609, 1610, 1611, 1612), grid, autonomy.DefaultRule())
	// 0.9: 500 with 1 error; 0.8: 1,000 with 2; 0.7: 1,500 with 2; 0.6: 2,000 with 15.
	if !c.Valid || c.Threshold != 0.7 || c.Errors != 2 || c.Approved < 1500 || math.Abs(c.Coverage()-0.3) > 0.001 {
		t.Errorf("%+v", c)
	}
	if c := autonomy.Certify(past(5000, 1, 2, 3, 4, 5, 6, 7, 8), grid, autonomy.DefaultRule()); c.Valid {
		t.Errorf("errors at the top were certified: %+v", c)
	}
	if c := autonomy.Certify(past(200), grid, autonomy.DefaultRule()); c.Valid {
		t.Errorf("200 items were certified: %+v", c)
	}
	if c := autonomy.Certify(nil, autonomy.Grid(), autonomy.DefaultRule()); c.Valid || c.Coverage() != 0 {
		t.Errorf("nothing was certified: %+v", c)
	}
	if c := autonomy.Certify(past(5000, 900), grid, autonomy.Rule{Risk: 0.01, Delta: 0.05, Tiers: 4}); !c.Valid || c.P > 0.0125 {
		t.Errorf("of four tiers: %+v", c)
	}
}

// Wealth is the product of bets, and a fair game when exactly Risk are wrong: its
// expectation after one item is one (Ville's condition).
func TestMonitorBetsFairly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, want := autonomy.NewMonitor(0.01), 1.0
		for _, wrong := range rapid.SliceOf(rapid.Bool()).Draw(t, "items") {
			if expected := 0.01*m.See(true).Wealth + 0.99*m.See(false).Wealth; math.Abs(expected-m.Wealth) > 1e-9*m.Wealth {
				t.Fatalf("expected wealth %v of %v", expected, m.Wealth)
			}
			if wrong {
				want *= 2.98
			} else {
				want *= 0.98
			}
			m = m.See(wrong)
		}
		if math.Abs(m.Wealth-want) > 1e-9*want {
			t.Fatalf("wealth %v, want %v", m.Wealth, want)
		}
	})
	m := autonomy.NewMonitor(0.01)
	for range 3 {
		m = m.See(true)
	}
	for range 500 {
		m = m.See(false)
	}
	if !m.Tripped() || m.Errors != 3 || m.Audited != 503 {
		t.Errorf("after three errors at once: %+v", m)
	}
}
