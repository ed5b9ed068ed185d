package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// KPIRows returns up to n of the rows behind a KPI's reading, those in the
// numerator first. A KPI that no row is stored for has none. Errors: NotFound for
// an unknown KPI, Invalid for a period without a whole hour.
func (s *Store) KPIRows(ctx context.Context, kpi string, in measure.KPIQuery, n int) (rows []measure.Row, err error) {
	if _, known := measure.Find(measure.Catalogue(), kpi); !known {
		return nil, lifecycle.Errorf(lifecycle.NotFound, "no KPI %q: see `touchstone kpi list`", kpi)
	}
	sums, err := s.Sums(ctx, in)
	if err != nil || sums.AsOf.IsZero() {
		return nil, err
	}
	var scale clock.Scale
	if _, err := s.Setting(ctx, SettingClock, &scale); err != nil {
		return nil, err
	}
	err = s.snapshot(ctx, "read the rows behind a key figure", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		state, err := q.RollupState(ctx)
		if err != nil {
			return err
		}
		r := rowReader{q: q, in: sums.KPIQuery, currency: state.Currency, n: int32(n), scale: scale,
			attribution: time.Duration(state.Attribution.Microseconds) * time.Microsecond}
		rows, err = r.rows(ctx, kpi)
		return err
	})
	return rows, err
}

type rowReader struct {
	q           *dbsqlc.Queries
	in          measure.KPIQuery
	currency    string
	attribution time.Duration
	scale       clock.Scale
	n           int32
}

// touchRows says which touches count for a KPI, which of them are in the
// numerator, and of which channel they are.
var touchRows = map[string]struct{ counted, hit, channel string }{
	"email_open_rate":           {"delivered", "opened", "email"},
	"email_click_rate":          {"delivered", "clicked", "email"},
	"sms_open_rate":             {"delivered", "opened", "sms"},
	"push_click_rate":           {"delivered", "clicked", "push"},
	"spam_complaint_rate":       {"delivered", "complained", "email"},
	"hard_bounce_rate":          {"sent", "hard_bounced", "email"},
	"unsubscribe_rate":          {"delivered", "unsubscribed", "email"},
	"email_delivery_rate":       {"sent", "delivered", "email"},
	"sms_delivery_rate":         {"sent", "delivered", "sms"},
	"email_frequency":           {"sent", "sent", "email"},
	"guardrail_violation_rate":  {"judged", "blocked", ""},
	"manual_review_share":       {"judged", "reviewed", ""},
	"manual_review_reduction":   {"judged", "unreviewed", ""},
	"autonomous_decision_share": {"judged", "unreviewed", ""},
	"peak_hourly_touches":       {"sent", "sent", ""},
}

func (r rowReader) rows(ctx context.Context, kpi string) ([]measure.Row, error) {
	if t, of := touchRows[kpi]; of {
		return r.touches(ctx, t.counted, t.hit, t.channel)
	}
	switch kpi {
	case "rpmt", "conversion_rate", "conversion_improvement", "cost_per_acquisition", "marketing_efficiency_ratio":
		return r.credits(ctx, "")
	case "revenue_per_email":
		return r.credits(ctx, "email")
	case "revenue_per_sms":
		return r.credits(ctx, "sms")
	case "average_order_value":
		return r.orders(ctx)
	case "win_back_conversion_rate":
		return r.lapsed(ctx)
	case "compliance_violations":
		return r.violations(ctx)
	case "brand_tone_consistency":
		return r.offTone(ctx)
	case "customer_lifetime_value", "repeat_purchase_rate":
		return r.buyers(ctx, kpi, r.in.To.AddDate(0, 0, -365))
	case "retention_rate", "churn_rate":
		return r.buyers(ctx, kpi, r.in.To.AddDate(0, 0, -730))
	case "review_time", "review_in_time":
		return r.reviews(ctx, "", "")
	case "approval_quality":
		return r.reviews(ctx, "touch", "")
	case "llm_approval_rate":
		return r.reviews(ctx, "creative", "model")
	case "creative_quality":
		return r.creatives(ctx)
	case "campaign_launch_time", "test_coverage":
		return r.campaigns(ctx)
	case "rpmt_incremental", "return_on_investment", "annual_revenue_impact", "customer_coverage":
		return r.holdout(ctx)
	}
	return nil, nil
}

func (r rowReader) touches(ctx context.Context, counted, hit, channel string) ([]measure.Row, error) {
	if r.in.Channel != "" && channel != "" && r.in.Channel != channel {
		return nil, nil
	}
	if channel == "" {
		channel = r.in.Channel
	}
	rows, err := r.q.KPITouchRows(ctx, dbsqlc.KPITouchRowsParams{Counted: counted, Hit: hit, Since: r.in.From, Until: r.in.To,
		Channel: channel, Journey: r.in.Journey, Campaign: r.in.Campaign, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, t := range rows {
		out[i] = measure.Row{Table: "touches", ID: t.ID, At: t.At, Hit: t.Hit, Detail: t.Detail}
	}
	return out, err
}

func (r rowReader) credits(ctx context.Context, channel string) ([]measure.Row, error) {
	if channel == "" {
		channel = r.in.Channel
	}
	rows, err := r.q.KPICreditRows(ctx, dbsqlc.KPICreditRowsParams{Attribution: interval(r.attribution), Currency: r.currency,
		Since: r.in.From, Until: r.in.To, Channel: channel, Journey: r.in.Journey, Campaign: r.in.Campaign, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, o := range rows {
		out[i] = measure.Row{Table: "orders", ID: o.ID, At: o.At, Hit: true,
			Detail: fmt.Sprintf("%s credited to touch %s", r.money(o.Total), o.TouchID)}
	}
	return out, err
}

func (r rowReader) money(minor int64) lifecycle.Money {
	return lifecycle.Money{Amount: minor, Currency: r.currency}
}

func (r rowReader) orders(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPIOrderRows(ctx, dbsqlc.KPIOrderRowsParams{Currency: r.currency, Since: r.in.From, Until: r.in.To, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, o := range rows {
		out[i] = measure.Row{Table: "orders", ID: o.ID, At: o.At, Hit: true, Detail: r.money(o.Total).String()}
	}
	return out, err
}

func (r rowReader) buyers(ctx context.Context, kpi string, since time.Time) ([]measure.Row, error) {
	rows, err := r.q.KPIBuyerRows(ctx, dbsqlc.KPIBuyerRowsParams{Year: r.in.To.AddDate(0, 0, -365), Currency: r.currency,
		Since: since, Until: r.in.To, Before: kpi == "retention_rate" || kpi == "churn_rate", N: r.n})
	out := make([]measure.Row, len(rows))
	for i, b := range rows {
		hit := b.Recent > 0
		switch kpi {
		case "repeat_purchase_rate":
			hit = b.Recent > 1
		case "churn_rate":
			hit = b.Recent == 0
		}
		out[i] = measure.Row{Table: "customers", ID: b.ID, At: b.At, Hit: hit,
			Detail: fmt.Sprintf("%d orders for %s in twelve months, %d before", b.Recent, r.money(b.Total), b.Earlier)}
	}
	return out, err
}

func (r rowReader) lapsed(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPILapsedRows(ctx, dbsqlc.KPILapsedRowsParams{Currency: r.currency, Attribution: interval(r.attribution),
		Since: r.in.From, Until: r.in.To, Channel: r.in.Channel, Journey: r.in.Journey, Campaign: r.in.Campaign, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, t := range rows {
		out[i] = measure.Row{Table: "touches", ID: t.ID, At: t.At, Hit: t.Hit, Detail: "customer " + t.CustomerID}
	}
	return out, err
}

func (r rowReader) violations(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPIViolationRows(ctx, dbsqlc.KPIViolationRowsParams{Since: r.in.From, Until: r.in.To, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, t := range rows {
		out[i] = measure.Row{Table: "touches", ID: t.ID, At: t.At, Hit: true, Detail: t.Why}
	}
	return out, err
}

// offTone lists what is taken off the numerator.
func (r rowReader) offTone(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPIToneRows(ctx, dbsqlc.KPIToneRowsParams{Since: r.in.From, Until: r.in.To, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, t := range rows {
		out[i] = measure.Row{Table: "touches", ID: t.ID, At: t.At, Detail: "the tone rule objected"}
	}
	return out, err
}

func (r rowReader) reviews(ctx context.Context, kind, source string) ([]measure.Row, error) {
	rows, err := r.q.KPIReviewRows(ctx, dbsqlc.KPIReviewRowsParams{Kind: kind, Source: source, N: r.n,
		Since: instant(r.scale.RealAt(r.in.From)), Until: instant(r.scale.RealAt(r.in.To))})
	out := make([]measure.Row, len(rows))
	for i, v := range rows {
		hit := v.Status == "approved"
		if kind == "" {
			hit = v.InTime
		}
		out[i] = measure.Row{Table: "reviews", ID: v.ID, At: v.At, Hit: hit,
			Detail: fmt.Sprintf("%s of %s after %.0f s", v.Status, v.Kind, v.Seconds)}
	}
	return out, err
}

func (r rowReader) creatives(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPICreativeRows(ctx, dbsqlc.KPICreativeRowsParams{Since: r.in.From, Until: r.in.To, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, c := range rows {
		out[i] = measure.Row{Table: "creatives", ID: c.ID, At: c.At, Hit: c.Hit, Detail: c.Detail}
	}
	return out, err
}

func (r rowReader) campaigns(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPICampaignRows(ctx, dbsqlc.KPICampaignRowsParams{Since: r.in.From, Until: r.in.To, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, c := range rows {
		out[i] = measure.Row{Table: "campaigns", ID: c.ID, At: c.At, Hit: true, Detail: fmt.Sprintf("started after %.0f s", c.Seconds)}
	}
	return out, err
}

func (r rowReader) holdout(ctx context.Context) ([]measure.Row, error) {
	rows, err := r.q.KPIHoldoutRows(ctx, dbsqlc.KPIHoldoutRowsParams{Until: r.in.To, N: r.n})
	out := make([]measure.Row, len(rows))
	for i, h := range rows {
		arm := "treated"
		if h.HeldOut {
			arm = "held out"
		}
		out[i] = measure.Row{Table: "customers", ID: h.ID, At: h.At, Hit: !h.HeldOut,
			Detail: fmt.Sprintf("%s, %s since entering", arm, r.money(h.Revenue))}
	}
	return out, err
}
