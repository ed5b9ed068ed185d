package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// InterimCatalogue describes the KPIs that are measured before there is a
// catalogue.
func InterimCatalogue() []measure.KPI {
	share := func(id, title string, better measure.Direction, baseline, target float64) measure.KPI {
		return measure.KPI{ID: id, Title: title, Group: "Quality & compliance", Unit: measure.UnitShare, Better: better, Baseline: &baseline, Target: &target}
	}
	return []measure.KPI{
		share("email_delivery_rate", "E-mail delivery rate", measure.Higher, 0.95, 0.95),
		share("hard_bounce_rate", "Hard bounce rate", measure.Lower, 0.03, 0.01),
		share("spam_complaint_rate", "Spam complaint rate", measure.Lower, 0.003, 0.001),
	}
}

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
