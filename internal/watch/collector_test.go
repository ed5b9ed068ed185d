package watch_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

func TestCollectorShowsTheGauges(t *testing.T) {
	t.Parallel()
	reads := 0
	c := &watch.Collector{Breaker: watch.DefaultBreaker(), Log: slog.New(slog.DiscardHandler),
		Read: func(context.Context) (watch.Gauges, error) {
			if reads++; reads == 1 {
				return watch.Gauges{}, errors.New("connection refused")
			}
			return watch.Gauges{
				Touches:  map[watch.TouchGauge]int{{Channel: lifecycle.Email, State: lifecycle.TouchDelivered}: 7},
				Alerts:   map[watch.AlertGauge]int{{Kind: watch.KindBreaker, Severity: watch.Critical}: 1},
				Controls: map[ledger.ControlState]int{ledger.ControlHalted: 1}, Halted: true, OldestReview: 90 * time.Second, CheckedAgo: -1,
				Violations: map[watch.Rule]int{"ledger/sent-once": 1, "ledger/caps-kept": 2, watch.RuleConsent: 4},
				Breaker:    []watch.Counts{{Channel: lifecycle.Email, Sent: 1000, Delivered: 990, Complained: 99, Bounced: 10}, {Channel: lifecycle.SMS}},
			}, nil
		},
		Earned: func(context.Context) (watch.Earned, error) {
			return watch.Earned{Revenue: lifecycle.Money{Amount: 4500, Currency: "USD"}, Touches: 100}, nil
		},
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	if err := testutil.GatherAndCompare(registry, strings.NewReader("# HELP touchstone_gauges_read 1 when the figures of the business could be read from the database.\n# TYPE touchstone_gauges_read gauge\ntouchstone_gauges_read 0\n"), "touchstone_gauges_read"); err != nil {
		t.Error(err)
	}
	want := `
# HELP touchstone_alerts_open Open alerts.
# TYPE touchstone_alerts_open gauge
touchstone_alerts_open{kind="breaker",severity="critical"} 1
# HELP touchstone_breaker_rate Share of the last day's messages complained about or bounced hard.
# TYPE touchstone_breaker_rate gauge
touchstone_breaker_rate{channel="email",rate="bounces"} 0.01
touchstone_breaker_rate{channel="email",rate="complaints"} 0.1
# HELP touchstone_halted 1 while everything is halted.
# TYPE touchstone_halted gauge
touchstone_halted 1
# HELP touchstone_rpmt Revenue per marketing touch over the last 28 days of business time, major units.
# TYPE touchstone_rpmt gauge
touchstone_rpmt{currency="USD"} 0.45
# HELP touchstone_violations_month Compliance violations found in the last 30 days of business time.
# TYPE touchstone_violations_month gauge
touchstone_violations_month{rule="consent"} 4
touchstone_violations_month{rule="ledger"} 3
`
	for range 3 {
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "touchstone_alerts_open", "touchstone_breaker_rate", "touchstone_halted", "touchstone_rpmt", "touchstone_violations_month", "touchstone_watch_age_seconds"); err != nil {
			t.Error(err)
		}
	}
	if reads != 2 {
		t.Errorf("the database was asked %d times", reads)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%+v %v", problems, err)
	}
}
