package measure

var engagement = []metric{
	{of: "delivered e-mails", KPI: KPI{
		ID: "email_open_rate", Title: "E-mail open rate", Group: "Engagement",
		Definition: "Delivered marketing e-mails of the period that a person has opened since. Opens by mail proxies and scanners are left out, so it reads lower than rates that count them.",
		Formula:    "e-mails opened by people / e-mails delivered; Wilson",
		Source:     "rollup_touches.opened, .delivered (touches.opened_at: provider_events that are not machine)",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.22), Target: level(0.286), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("email"); return share(c.Opened, c.Delivered) }},
	{of: "delivered e-mails", KPI: KPI{
		ID: "email_click_rate", Title: "E-mail click rate", Group: "Engagement",
		Definition: "Delivered marketing e-mails of the period in which a person has clicked since. Clicks by link scanners are left out.",
		Formula:    "e-mails clicked by people / e-mails delivered; Wilson",
		Source:     "rollup_touches.clicked, .delivered",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.03), Target: level(0.0405), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("email"); return share(c.Clicked, c.Delivered) }},
	{of: "delivered text messages", KPI: KPI{
		ID: "sms_open_rate", Title: "SMS open rate", Group: "Engagement",
		Definition: "Delivered text messages that a provider reports as opened. Text messages have no open signal of their own; the nearest measurable figure is their click rate.",
		Formula:    "text messages opened / text messages delivered; Wilson",
		Source:     "rollup_touches.opened, .delivered of channel sms",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.35), Target: level(0.45), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure {
		c := s.channel("sms")
		if c.Delivered > 0 && c.Opened == 0 {
			return unknown("no provider reports opens of text messages; see the clicks of channel sms instead")
		}
		return share(c.Opened, c.Delivered)
	}},
	{of: "delivered push messages", KPI: KPI{
		ID: "push_click_rate", Title: "Push click rate", Group: "Engagement",
		Definition: "Delivered push messages that a person has tapped.",
		Formula:    "push messages clicked / push messages delivered; Wilson",
		Source:     "rollup_touches.clicked, .delivered of channel push",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.05), Target: level(0.07), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("push"); return share(c.Clicked, c.Delivered) }},
}

var efficiency = []metric{
	{of: "orders", KPI: KPI{
		ID: "cost_per_acquisition", Title: "Cost per acquisition", Group: "Efficiency",
		Definition: "What was spent per credited order. Spent is what is recorded: messages and generated copy. Offers redeemed and salaries are not in it.",
		Formula:    "spend / orders credited to touches; delta method over 32 blocks of customers",
		Source:     "touches.cost, creatives.cost over rollup_credits.orders",
		Unit:       UnitMoney, Better: Lower, Baseline: level(45), Target: level(30), Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if touches, copied := s.spent(); touches+copied <= 0 {
			return unknown("nothing was spent: no touch and no copy of the period has a recorded cost")
		}
		return s.bySpend(func(b BlockSums, spent float64) Pair { return Pair{spent, float64(b.Orders)} })
	}},
	{of: "money spent", KPI: KPI{
		ID: "marketing_efficiency_ratio", Title: "Marketing efficiency ratio", Group: "Efficiency",
		Definition: "Attributed revenue per unit spent. Spent is what is recorded: messages and generated copy.",
		Formula:    "attributed revenue / spend; delta method over 32 blocks of customers",
		Source:     "rollup_credits.revenue over touches.cost, creatives.cost",
		Unit:       UnitRatio, Better: Higher, Baseline: level(2), Target: level(3.5), Cadence: weekly,
	}, read: func(s *Sums) figure {
		if touches, copied := s.spent(); touches+copied <= 0 {
			return unknown("nothing was spent: no touch and no copy of the period has a recorded cost")
		}
		return s.bySpend(func(b BlockSums, spent float64) Pair { return Pair{float64(b.Revenue) * s.Unit, spent} })
	}},
	{of: "customers written to", KPI: KPI{
		ID: "email_frequency", Title: "E-mail frequency", Group: "Efficiency",
		Definition: "Marketing e-mails per month to each customer who got any in the period. A period much shorter than a month overstates it: nobody gets less than one.",
		Formula:    "e-mails sent / customers written to / months",
		Source:     "touches of channel email",
		Unit:       UnitCount, Better: Lower, Baseline: level(8), Target: level(5), Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		return total(float64(s.People.Emails), float64(s.People.Emailed)).times(1 / s.months())
	}},
	{of: "campaigns started", KPI: KPI{
		ID: "campaign_launch_time", Title: "Campaign launch time", Group: "Efficiency",
		Definition: "Time from creating a campaign to its start, copy and approvals included. Business time.",
		Formula:    "mean of start - creation; t interval",
		Source:     "campaigns.created_at, .started_at",
		Unit:       UnitDuration, Better: Lower, Baseline: level(5 * 86400), Target: level(1.5 * 86400), Cadence: weekly, Minimum: 2,
	}, read: func(s *Sums) figure { return mean(s.Launches, 1) }},
}

var retention = []metric{
	{of: "customers active before", whole: true, KPI: KPI{
		ID: "churn_rate", Title: "Churn rate", Group: "Retention and loyalty",
		Definition: "Customers who ordered in the year before last, counted back from the period's end, and not in the last.",
		Formula:    "1 - retention rate; Wilson",
		Source:     "orders of 24 months",
		Unit:       UnitShare, Better: Lower, Baseline: level(0.05), Target: level(0.04), Cadence: monthly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if why := s.history(2 * year); why != "" {
			return unknown("%s", why)
		}
		return share(int64(s.People.ActiveBefore-s.People.Retained), int64(s.People.ActiveBefore))
	}},
	{of: "customers active before", whole: true, KPI: KPI{
		ID: "retention_rate", Title: "Retention rate (12 months)", Group: "Retention and loyalty",
		Definition: "Customers who ordered in the year before last, counted back from the period's end, and in the last as well.",
		Formula:    "customers who ordered in both years / in the first; Wilson",
		Source:     "orders of 24 months",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.95), Target: level(0.96), Cadence: monthly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if why := s.history(2 * year); why != "" {
			return unknown("%s", why)
		}
		return share(int64(s.People.Retained), int64(s.People.ActiveBefore))
	}},
	{of: "lapsed customers", KPI: KPI{
		ID: "win_back_conversion_rate", Title: "Win-back conversion rate", Group: "Retention and loyalty",
		Definition: "Customers who were written to while lapsed and ordered within the attribution window of such a touch.",
		Formula:    "lapsed customers who ordered / lapsed customers written to; Wilson",
		Source:     "touches.group_key = lapsed, orders",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.08), Target: level(0.15), Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure { return share(int64(s.People.WonBack), int64(s.People.Lapsed)) }},
	{of: "buyers", whole: true, KPI: KPI{
		ID: "repeat_purchase_rate", Title: "Repeat purchase rate", Group: "Retention and loyalty",
		Definition: "Customers with two orders or more, of those with any, in the twelve months up to the period's end.",
		Formula:    "repeat buyers / buyers; Wilson",
		Source:     "orders of 12 months",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.65), Target: level(0.75), Cadence: monthly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if why := s.history(year); why != "" {
			return unknown("%s", why)
		}
		return share(int64(s.People.Repeated), int64(s.People.LongTerm.N))
	}},
}
