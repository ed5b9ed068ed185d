package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
	"touchstone/internal/watch"
)

// GaugeQuery says what the gauges are about.
type GaugeQuery struct {
	Clock       clock.Clock
	Currency    string        // of Earned, ISO 4217; orders in others do not count
	Attribution time.Duration // of Earned: how long after a touch an order is credited to it
	Channels    []lifecycle.Channel
}

// Gauges sums up what the metrics endpoints show, from one snapshot. On a ledger
// of millions it reads the last four weeks by index.
func (s *Store) Gauges(ctx context.Context, in GaugeQuery) (watch.Gauges, error) {
	now, real := in.Clock.Now(), time.Now()
	day := instant(now.AddDate(0, 0, -1))
	g := watch.Gauges{
		Touches: map[watch.TouchGauge]int{}, Decisions: map[lifecycle.TouchState]int{}, Blocks: map[string]int{},
		Alerts: map[watch.AlertGauge]int{}, Violations: map[watch.Rule]int{}, Controls: map[ledger.ControlState]int{},
		Up: map[watch.Component]bool{}, CheckedAgo: -1,
	}
	var checked watch.State
	found, err := s.Setting(ctx, watch.SettingState, &checked)
	if err != nil {
		return g, err
	}
	if found {
		g.CheckedAgo = real.Sub(checked.CheckedAt)
	}
	controls, err := s.Controls(ctx)
	if err != nil {
		return g, err
	}
	for _, c := range controls {
		g.Controls[c.State]++
		g.Halted = g.Halted || c.Scope == ledger.ScopeGlobal && c.State == ledger.ControlHalted
	}
	err = s.snapshot(ctx, "sum up the gauges", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		touches, err := q.GaugeTouches(ctx, day)
		if err != nil {
			return err
		}
		for _, r := range touches {
			g.Touches[watch.TouchGauge{Channel: lifecycle.Channel(r.Channel), State: lifecycle.TouchState(r.State)}] = int(r.N)
		}
		decisions, err := q.GaugeDecisions(ctx, day)
		if err != nil {
			return err
		}
		for _, r := range decisions {
			g.Decisions[lifecycle.TouchState(strings.TrimPrefix(r.Kind, "touch."))] = int(r.N)
		}
		blocks, err := q.GaugeBlocks(ctx, day)
		if err != nil {
			return err
		}
		for _, r := range blocks {
			g.Blocks[r.Rule] = int(r.N)
		}
		alerts, err := q.GaugeAlerts(ctx)
		if err != nil {
			return err
		}
		for _, r := range alerts {
			g.Alerts[watch.AlertGauge{Kind: watch.Kind(r.Kind), Severity: watch.Severity(r.Severity)}] = int(r.N)
		}
		violations, err := q.GaugeViolations(ctx, instant(now.AddDate(0, 0, -30)))
		if err != nil {
			return err
		}
		for _, r := range violations {
			g.Violations[watch.Rule(r.Rule)] = int(r.N)
		}
		for _, channel := range in.Channels {
			counts, err := breakerCounts(ctx, q, channel, []time.Time{day})
			if err != nil {
				return err
			}
			counts[0].Window = 24 * time.Hour
			g.Breaker = append(g.Breaker, counts[0])
		}
		queues, err := q.GaugeQueues(ctx)
		if err != nil {
			return err
		}
		age := func(since time.Time) time.Duration {
			if since.Unix() == 0 {
				return 0
			}
			return max(real.Sub(since), 0)
		}
		g.Reviews, g.OldestReview = int(queues.Reviews), age(queues.OldestReview)
		g.Outbox, g.OutboxFailing, g.Notices = int(queues.Outbox), int(queues.OutboxFailing), int(queues.Notices)
		if queues.OldestEvent.Unix() != 0 {
			g.OldestEvent = max(real.Sub(in.Clock.Scale.RealAt(queues.OldestEvent)), 0)
		}
		beats, err := q.RecentHeartbeats(ctx, instant(real.Add(-5*time.Minute)))
		if err != nil {
			return err
		}
		for _, b := range beats { // the last per component stays
			g.Up[watch.Component(b.Component)] = b.Up
		}
		return nil
	})
	return g, err
}

// Earned sums up the revenue of the last four weeks, as far as it is credited to
// a marketing touch of those weeks.
func (s *Store) Earned(ctx context.Context, in GaugeQuery) (watch.Earned, error) {
	var earned watch.Earned
	err := s.snapshot(ctx, "sum up revenue", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		row, err := q.GaugeRevenue(ctx, dbsqlc.GaugeRevenueParams{Since: instant(in.Clock.Now().AddDate(0, 0, -28)), Currency: in.Currency, Attribution: interval(in.Attribution)})
		earned = watch.Earned{Revenue: lifecycle.Money{Amount: row.Revenue, Currency: in.Currency}, Touches: int(row.Touches)}
		return err
	})
	return earned, err
}
