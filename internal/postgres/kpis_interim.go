package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// KPIs measures the few KPIs that rollouts need before there is a catalogue, and
// says of the others in the shipped programme that nothing measures them yet.
func (s *Store) KPIs(ctx context.Context, in measure.KPIQuery) (readings []measure.Reading, err error) {
	var row dbsqlc.InterimKPIsRow
	err = s.snapshot(ctx, "measure KPIs", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		row, err = q.InterimKPIs(ctx, dbsqlc.InterimKPIsParams{Since: instant(in.From), Until: instant(in.To), Journey: in.Journey})
		return err
	})
	if err != nil {
		return nil, err
	}
	rate := func(kpi string, hits, of int32) {
		r := measure.Reading{KPI: kpi, From: in.From, To: in.To, Numerator: float64(hits), Denominator: float64(of), Status: measure.OK}
		if of < 30 {
			r.Status, r.Why = measure.NotEnoughData, "fewer than 30"
		} else {
			r.Interval = measure.Proportion{N: int(of), Hits: int(hits)}.Wilson(measure.Level)
		}
		readings = append(readings, r)
	}
	rate("email_delivery_rate", row.Delivered, row.Settled)
	rate("hard_bounce_rate", row.Bounced, row.Settled)
	rate("spam_complaint_rate", row.Complained, row.Delivered)
	for _, kpi := range []string{"compliance_violations", "system_uptime", "manual_review_time", "manual_review_share", "conversion_rate", "email_open_rate",
		"sms_delivery_rate", "decision_latency_p95", "test_coverage", "creative_quality", "rpmt", "customer_lifetime_value", "churn_rate",
		"roi", "autonomous_decision_share"} {
		readings = append(readings, measure.Reading{KPI: kpi, From: in.From, To: in.To, Status: measure.NotEnoughData, Why: "not measured yet"})
	}
	return readings, nil
}
