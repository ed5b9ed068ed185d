package measure

var quality = []metric{
	{of: "delivered e-mails", KPI: KPI{
		ID: "spam_complaint_rate", Title: "Spam complaint rate", Group: "Quality and compliance",
		Definition: "Delivered marketing e-mails that were reported as spam.",
		Formula:    "e-mails complained about / e-mails delivered; Wilson",
		Source:     "rollup_touches.complained, .delivered",
		Unit:       UnitShare, Better: Lower, Baseline: level(0.003), Target: level(0.001), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("email"); return share(c.Complained, c.Delivered) }},
	{of: "e-mails", KPI: KPI{
		ID: "hard_bounce_rate", Title: "Hard bounce rate", Group: "Quality and compliance",
		Definition: "Marketing e-mails whose address does not exist. Temporary refusals are not in it.",
		Formula:    "hard bounces / e-mails sent; Wilson",
		Source:     "rollup_touches.hard_bounced, .sent (provider_events of kind bounced)",
		Unit:       UnitShare, Better: Lower, Baseline: level(0.03), Target: level(0.01), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("email"); return share(c.HardBounced, c.Sent) }},
	{of: "e-mails", KPI: KPI{
		ID: "unsubscribe_rate", Title: "Unsubscribe rate", Group: "Quality and compliance",
		Definition: "Marketing e-mails after which the provider reports an unsubscription.",
		Formula:    "unsubscriptions / e-mails delivered; Wilson",
		Source:     "rollup_touches.unsubscribed, .delivered",
		Unit:       UnitShare, Better: Lower, Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("email"); return share(c.Unsubscribed, c.Delivered) }},
	{of: "customers on the list", whole: true, KPI: KPI{
		ID: "list_decay_rate", Title: "List decay rate", Group: "Quality and compliance",
		Definition: "Customers lost to e-mail per month: consent withdrawn, address dead, or a complaint. Erasures are not in it.",
		Formula:    "customers lost / (reachable + lost) / months; Wilson bounds of the share",
		Source:     "consents, provider_events of kinds bounced, complained, unsubscribed",
		Unit:       UnitShare, Better: Lower, Baseline: level(0.005), Target: level(0.002), Cadence: weekly, Minimum: leastTouches,
	}, read: func(s *Sums) figure {
		return share(int64(s.People.ListLost), int64(s.People.ListLost+s.People.Reachable)).times(1 / s.months())
	}},
	{of: "months with touches", whole: true, KPI: KPI{
		ID: "compliance_violations", Title: "Compliance violations", Group: "Quality and compliance",
		Definition: "Marketing touches per month that went out although consent was withdrawn, the address suppressed or the customer erased by then. Other rules are checked by `touchstone ledger verify`.",
		Formula:    "violations / months",
		Source:     "touches against consents, suppressions, customers.erased_at",
		Unit:       UnitCount, Better: Lower, Baseline: level(5), Target: level(0), Cadence: hourly,
	}, read: func(s *Sums) figure {
		if s.channel("").Sent == 0 {
			return unknown("no marketing touch was sent")
		}
		return total(float64(s.People.Violations), s.months())
	}},
	{of: "touches judged", whole: true, KPI: KPI{
		ID: "brand_tone_consistency", Title: "Brand tone consistency", Group: "Quality and compliance",
		Definition: "Touches to which the tone rule had no objection, of all that the guardrails judged.",
		Formula:    "1 - touches with a tone objection / touches judged; Wilson",
		Source:     "decision_log verdicts over rollup_touches.touches - .skipped",
		Unit:       UnitShare, Better: Higher, Baseline: level(0.80), Target: level(0.95), Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		n := s.channel("").judged()
		return share(max(n-int64(s.People.OffTone), 0), n)
	}},
}

var operation = []metric{
	{of: "e-mails", KPI: KPI{
		ID: "email_delivery_rate", Title: "E-mail delivery rate", Group: "Operation",
		Definition: "Marketing e-mails that reached the mailbox provider, of all sent. What is still under way counts as not delivered.",
		Formula:    "e-mails delivered / e-mails sent; Wilson",
		Source:     "rollup_touches.delivered, .sent",
		Unit:       UnitShare, Better: Higher, Target: level(0.95), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("email"); return share(c.Delivered, c.Sent) }},
	{of: "text messages", KPI: KPI{
		ID: "sms_delivery_rate", Title: "SMS delivery rate", Group: "Operation",
		Definition: "Marketing text messages that reached the handset, of all sent.",
		Formula:    "text messages delivered / text messages sent; Wilson",
		Source:     "rollup_touches.delivered, .sent of channel sms",
		Unit:       UnitShare, Better: Higher, Target: level(0.98), Cadence: hourly, Minimum: leastTouches,
	}, read: func(s *Sums) figure { c := s.channel("sms"); return share(c.Delivered, c.Sent) }},
	{of: "touches judged", KPI: KPI{
		ID: "guardrail_violation_rate", Title: "Guardrail violation rate", Group: "Operation",
		Definition: "Touches that a guardrail blocked, of all that were judged. They did not go out.",
		Formula:    "touches blocked / touches judged; Wilson",
		Source:     "rollup_touches.blocked, .touches - .skipped",
		Unit:       UnitShare, Better: Lower, Cadence: hourly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure { c := s.channel(""); return share(c.Blocked, c.judged()) }},
	{of: "touches judged", KPI: KPI{
		ID: "manual_review_share", Title: "Manual review share", Group: "Operation",
		Definition: "Touches that waited for a person, of all that were judged. Phase 1 reviews all of them.",
		Formula:    "touches reviewed / touches judged; Wilson",
		Source:     "rollup_touches.reviewed, .touches - .skipped (touch_history in_review)",
		Unit:       UnitShare, Better: Lower, Baseline: level(1), Target: level(0.20), Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure { c := s.channel(""); return share(min(c.Reviewed, c.judged()), c.judged()) }},
	{of: "touches judged", KPI: KPI{
		ID: "manual_review_reduction", Title: "Reduction in manual reviews", Group: "Operation",
		Definition: "Touches that needed no person, against Phase 1, in which all did.",
		Formula:    "1 - manual review share; Wilson",
		Source:     "as manual_review_share",
		Unit:       UnitShare, Better: Higher, Target: level(0.70), Cadence: weekly, Minimum: leastBuyers,
	}, read: unreviewed},
	{of: "touches judged", KPI: KPI{
		ID: "autonomous_decision_share", Title: "Autonomous decision share", Group: "Operation",
		Definition: "Touches that were decided without a person, of all that were judged.",
		Formula:    "1 - manual review share; Wilson",
		Source:     "as manual_review_share",
		Unit:       UnitShare, Better: Higher, Target: level(0.95), Cadence: weekly, Minimum: leastBuyers,
	}, read: unreviewed},
	{of: "reviews decided", KPI: KPI{
		ID: "review_time", Title: "Manual review time", Group: "Operation",
		Definition: "Time from opening a review to a person's decision, on the wall clock.",
		Formula:    "mean of decision - opening; t interval",
		Source:     "reviews.opened_at, .decided_at",
		Unit:       UnitDuration, Better: Lower, Target: level(300), Cadence: hourly, Minimum: 5,
	}, read: func(s *Sums) figure { return mean(s.Reviews.Seconds, 1) }},
	{of: "reviews decided", KPI: KPI{
		ID: "review_in_time", Title: "Reviews in time", Group: "Operation",
		Definition: "Reviews that a person decided before they were due.",
		Formula:    "reviews decided in time / reviews decided; Wilson",
		Source:     "reviews.decided_at, .due_at",
		Unit:       UnitShare, Better: Higher, Cadence: hourly, Minimum: 5,
	}, read: func(s *Sums) figure { return share(int64(s.Reviews.InTime), int64(s.Reviews.Seconds.N)) }},
	{of: "customers", whole: true, KPI: KPI{
		ID: "customer_coverage", Title: "Customer coverage", Group: "Operation",
		Definition: "Known customers who have entered a journey as treated by the period's end. The phases aim at 5 %, 50 % and 100 % less the holdout.",
		Formula:    "customers treated / customers known; Wilson",
		Source:     "journey_runs.arm, customers",
		Unit:       UnitShare, Better: Higher, Cadence: weekly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure { return share(int64(s.People.Treated), int64(s.People.Customers)) }},
	{of: "hours", KPI: KPI{
		ID: "peak_hourly_touches", Title: "Peak touches in an hour", Group: "Operation",
		Definition: "The most touches of all classes that went out in one hour of the period.",
		Formula:    "max over hours of touches sent",
		Source:     "rollup_touches.sent",
		Unit:       UnitCount, Better: Higher, Cadence: hourly,
	}, read: func(s *Sums) figure {
		if s.Peak == 0 {
			return unknown("no touch was sent")
		}
		return total(float64(s.Peak), 1)
	}},
	{of: "minutes", whole: true, KPI: KPI{
		ID: "uptime", Title: "System uptime", Group: "Operation",
		Definition: "Minutes in which the least available of engine, gateway, database and worker answered. Minutes in which nobody looked count as down.",
		Formula:    "minutes up / minutes since first observed; Wilson",
		Source:     "heartbeats",
		Unit:       UnitShare, Better: Higher, Target: level(0.99), Stretch: level(0.999), Cadence: hourly, Minimum: 60,
	}, read: func(s *Sums) figure { return share(int64(s.Service.Uptime.Hits), int64(s.Service.Uptime.N)) }},
	{of: "decisions", whole: true, KPI: KPI{
		ID: "system_latency_p95", Title: "System latency (p95)", Group: "Operation",
		Definition: "Time from a decision being due to its being made, 95th percentile, on the wall clock.",
		Formula:    "95th percentile of decided - due, to the upper bound of its bucket",
		Source:     "latencies",
		Unit:       UnitDuration, Better: Lower, Target: level(2), Cadence: hourly, Minimum: leastBuyers,
	}, read: func(s *Sums) figure {
		if s.Service.Decisions == 0 {
			return unknown("no decision was timed in the period")
		}
		// The percentile itself is the figure; its denominator is how many it is of.
		return figure{numerator: s.Service.DecisionP95 * float64(s.Service.Decisions), denominator: float64(s.Service.Decisions), interval: certain(s.Service.DecisionP95)}
	}},
}

func unreviewed(s *Sums) figure {
	c := s.channel("")
	return share(max(c.judged()-c.Reviewed, 0), c.judged())
}

var learning = []metric{
	{of: "campaigns", KPI: KPI{
		ID: "test_coverage", Title: "A/B test coverage", Group: "Creative and experiments",
		Definition: "Campaigns that tried several creatives for the same slot, channel and offer, of those created in the period that have started.",
		Formula:    "campaigns with variants / campaigns started; Wilson",
		Source:     "campaigns, touches.creative_id",
		Unit:       UnitShare, Better: Higher, Target: level(0.80), Cadence: weekly, Minimum: 5,
	}, read: func(s *Sums) figure { return share(int64(s.Tested), int64(s.Launches.N)) }},
	{KPI: KPI{
		ID: "test_significance_rate", Title: "A/B test significance rate", Group: "Creative and experiments",
		Definition: "Concluded tests with a distinguishable winner, of all concluded.",
		Formula:    "tests with a winner / tests concluded; Wilson",
		Source:     "results of experiments",
		Unit:       UnitShare, Better: Higher, Cadence: monthly,
	}, read: func(*Sums) figure {
		return unknown("no result of an experiment is stored; nearest: the trials of `touchstone report`, journeys and campaigns against their holdouts")
	}},
	{of: "reviews of model copy", KPI: KPI{
		ID: "llm_approval_rate", Title: "LLM copy approval rate", Group: "Creative and experiments",
		Definition: "Reviews of copy by a language model that a person approved. A person's edit turns the copy into that person's.",
		Formula:    "approved / approved and rejected; Wilson",
		Source:     "reviews of kind creative, creatives.source = model",
		Unit:       UnitShare, Better: Higher, Cadence: weekly, Minimum: 5,
	}, read: func(s *Sums) figure { return share(int64(s.Reviews.ModelApproved), int64(s.Reviews.Model)) }},
	{of: "creatives", KPI: KPI{
		ID: "creative_quality", Title: "Creative quality score", Group: "Creative and experiments",
		Definition: "Copy written in the period by a model or a person that was approved as it was written, of all that was decided on: rejected, edited and withdrawn copy counts against it. No other score is stored.",
		Formula:    "creatives approved / creatives decided on; Wilson",
		Source:     "creatives.status, .source",
		Unit:       UnitShare, Better: Higher, Target: level(0.85), Cadence: weekly, Minimum: 5,
	}, read: func(s *Sums) figure { return share(int64(s.Copy.Approved), int64(s.Copy.Decided)) }},
	{of: "touch reviews decided", KPI: KPI{
		ID: "approval_quality", Title: "Decision approval rate", Group: "Creative and experiments",
		Definition: "Touches that a person looked at and approved. Until an audit sample of unreviewed decisions is stored, these are the ones that guardrails sent to a person, so it reads lower than the quality of all.",
		Formula:    "touch reviews approved / touch reviews decided; Wilson",
		Source:     "reviews of kind touch",
		Unit:       UnitShare, Better: Higher, Target: level(0.99), Cadence: weekly, Minimum: 5,
	}, read: func(s *Sums) figure { return share(int64(s.Reviews.TouchesApproved), int64(s.Reviews.Touches)) }},
	{KPI: KPI{
		ID: "churn_prediction_auc", Title: "Churn prediction accuracy", Group: "Creative and experiments",
		Definition: "Probability that a customer who churned had been given a higher risk than one who did not.",
		Formula:    "area under the ROC curve",
		Source:     "predictions and their outcomes",
		Unit:       UnitShare, Better: Higher, Cadence: monthly,
	}, read: func(*Sums) figure {
		return unknown("no prediction is stored; nearest: retention_rate")
	}},
}
