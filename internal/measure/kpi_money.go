package measure

import "time"

// Cadences at which the plan looks at its metrics.
const (
	hourly  = time.Hour
	weekly  = Week
	monthly = 30 * 24 * time.Hour
)

// IDs that other KPIs refer to.
const (
	idConversion  = "conversion_rate"
	idImprovement = "conversion_improvement"
)

// Least denominators of touches and of buyers: enough for the intervals to hold
// with rates of a few per cent (the plan's minimum sample is a thousand).
const (
	leastTouches = 1000
	leastBuyers  = 30
)

func level(v float64) *float64 { return &v }

var northStar = []metric{
	{of: "marketing touches", KPI: KPI{
		ID: "rpmt", Title: "Revenue per marketing touch", Group: "North star",
		Definition: "Revenue attributed to marketing touches, net of refunds, per touch sent. An order belongs to the customer's last touch within the attribution window; orders of touches from before the period are left out.",
		Formula:    "attributed revenue / touches sent; delta method over 32 blocks of customers",
		Source:     "rollup_credits.revenue over rollup_touches.sent (orders; touches of class marketing)",
		Unit:       UnitMoney, Better: Higher, Baseline: level(0.45), Target: level(0.61), Stretch: level(1.05), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { return s.perTouch("") }},
	{of: "marketing touches", whole: true, KPI: KPI{
		ID: "rpmt_incremental", Title: "Incremental revenue per touch", Group: "North star",
		Definition: "Revenue that would not have come in without the touches, per touch sent to the treated: customers who may be written to against the always-on holdout, by intention to treat.",
		Formula:    "(mean revenue treated - mean revenue held out) x treated customers / their touches; Welch interval",
		Source:     "journey_runs.arm of the first run, orders.total, touches; the same as `touchstone report`",
		Unit:       UnitMoney, Better: Higher, Baseline: level(0.45), Target: level(0.61), Stretch: level(1.05), Cadence: hourly, Minimum: 1,
	}, read: func(s *Sums) figure {
		return s.lift(func(l Lift) Answer { return l.PerTouch }, float64(s.People.Programme.Treated.Touches))
	}},
}

var conversion = []metric{
	{of: "marketing touches", KPI: KPI{
		ID: idConversion, Title: "Conversion rate", Group: "Conversion and revenue",
		Definition: "Touches sent in the period to which an order of the period is credited (last touch), of all touches sent.",
		Formula:    "touches with a credited order / touches sent; Wilson",
		Source:     "rollup_credits.conversions over rollup_touches.sent",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.025), Target: level(0.031), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure {
		all := s.channel("")
		return share(all.credit().Conversions, all.Sent)
	}},
	{of: "orders", KPI: KPI{
		ID: "average_order_value", Title: "Average order value", Group: "Conversion and revenue",
		Definition: "Mean value of all orders in the brand's currency, refunds not counted. With a channel, journey or campaign: of the orders credited to it.",
		Formula:    "value of orders / orders; delta method over 32 blocks of customers",
		Source:     "rollup_orders.value, .orders; rollup_credits.value, .orders for a part",
		Unit:       UnitMoney, Better: Higher, Baseline: level(85), Target: level(95), Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if s.cut() {
			return ratio(s.blocks("", func(b BlockSums, _, _ float64) Pair { return Pair{float64(b.Value) * s.Unit, float64(b.Orders)} }))
		}
		pairs := make([]Pair, Blocks)
		for i, o := range s.Orders {
			pairs[i] = Pair{float64(o.Value) * s.Unit, float64(o.Orders)}
		}
		return ratio(pairs)
	}},
	{of: "buyers", whole: true, KPI: KPI{
		ID: "customer_lifetime_value", Title: "Customer lifetime value", Group: "Conversion and revenue",
		Definition: "Net revenue of the twelve months up to the period's end, per customer who ordered in them: the value of a year, observed and not projected.",
		Formula:    "net revenue of buyers / buyers, over twelve months; t interval, a customer is one observation",
		Source:     "orders",
		Unit:       UnitMoney, Better: Higher, Baseline: level(500), Target: level(700), Cadence: monthly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if why := s.history(year); why != "" {
			return unknown("%s", why)
		}
		return mean(s.People.LongTerm, s.Unit)
	}},
	{of: "e-mails", KPI: KPI{
		ID: "revenue_per_email", Title: "Revenue per e-mail", Group: "Conversion and revenue",
		Definition: "Attributed revenue per marketing e-mail sent.",
		Formula:    "revenue attributed to e-mails / e-mails sent; delta method over 32 blocks of customers",
		Source:     "rollup_credits.revenue over rollup_touches.sent of channel email",
		Unit:       UnitMoney, Better: Higher, Baseline: level(0.35), Target: level(0.50), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { return s.perTouch("email") }},
	{of: "text messages", KPI: KPI{
		ID: "revenue_per_sms", Title: "Revenue per SMS", Group: "Conversion and revenue",
		Definition: "Attributed revenue per marketing text message sent.",
		Formula:    "revenue attributed to text messages / text messages sent; delta method over 32 blocks of customers",
		Source:     "rollup_credits.revenue over rollup_touches.sent of channel sms",
		Unit:       UnitMoney, Better: Higher, Baseline: level(0.15), Target: level(0.25), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { return s.perTouch("sms") }},
}

var outcome = []metric{
	{of: "conversions expected at the baseline", KPI: KPI{
		ID: idImprovement, Title: "Conversion rate improvement", Group: "Outcome",
		Definition: "By how much the conversion rate exceeds its baseline. The baseline is taken as exact.",
		Formula:    "(conversions - expected at the baseline) / expected; Wilson bounds of the rate",
		Source:     "as conversion_rate; baseline of the plan or as locked",
		Unit:       UnitShare, Better: Higher, Target: level(0.20), Stretch: level(0.35), Cadence: weekly, Minimum: 20,
	}},
	{of: "money spent", whole: true, KPI: KPI{
		ID: "return_on_investment", Title: "Return on investment", Group: "Outcome",
		Definition: "Incremental revenue less what was spent, per unit spent. Spent is what is recorded: messages and generated copy. Offers redeemed, margins and salaries are not in it.",
		Formula:    "incremental revenue / spend - 1; Welch interval",
		Source:     "as rpmt_incremental; touches.cost, creatives.cost",
		Unit:       UnitRatio, Better: Higher, Target: level(10), Cadence: monthly,
	}, read: func(s *Sums) figure {
		touches, copied := s.spent()
		spent := touches + copied
		if spent <= 0 {
			return unknown("nothing was spent: no touch and no copy of the period has a recorded cost")
		}
		f := s.lift(func(l Lift) Answer { return l.Revenue }, 1)
		if f.why != "" {
			return f
		}
		i := f.interval.Times(1 / spent)
		f.interval = Interval{Estimate: i.Estimate - 1, Low: i.Low - 1, High: i.High - 1, Level: i.Level}
		f.numerator, f.denominator = f.numerator-spent, spent
		return f
	}},
	{of: "years", whole: true, KPI: KPI{
		ID: "annual_revenue_impact", Title: "Annual revenue impact", Group: "Outcome",
		Definition: "Incremental revenue of the period, as if a year went on like it.",
		Formula:    "incremental revenue / length of the period in years; Welch interval",
		Source:     "as rpmt_incremental",
		Unit:       UnitMoney, Better: Higher, Target: level(2_000_000), Cadence: monthly,
	}, read: func(s *Sums) figure {
		years := s.months() / 12
		return s.lift(func(l Lift) Answer { return l.Revenue.Times(1 / years) }, years)
	}},
}

const year = 365 * 24 * time.Hour

// history says what is missing when orders do not reach back so far.
func (s *Sums) history(back time.Duration) string {
	if since := s.To.Add(-back); s.People.FirstOrder.After(since) {
		return "orders are needed back to " + since.Format(time.DateOnly) + "; the first one is of " + s.People.FirstOrder.Format(time.DateOnly)
	}
	return ""
}
