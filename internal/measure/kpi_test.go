package measure_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"touchstone/internal/measure"
)

var from = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// sums of a period in which nothing is missing but what a test takes away.
func sums() *measure.Sums {
	s := &measure.Sums{KPIQuery: measure.KPIQuery{From: from, To: from.AddDate(0, 0, 30)}, AsOf: from.AddDate(0, 0, 30), Currency: "USD", Unit: 0.01,
		Channels: map[string]measure.ChannelSums{}, Peak: 90}
	for _, channel := range []string{"email", "sms", "push"} {
		c := measure.ChannelSums{Touches: 4000, Skipped: 200, Blocked: 300, Sent: 3200, Delivered: 3100, HardBounced: 20, Complained: 3,
			Unsubscribed: 6, Opened: 900, Clicked: 200, Reviewed: 400, Cost: 3200}
		for i := range c.Blocks {
			c.Blocks[i] = measure.BlockSums{Touches: 100, Cost: 100, Orders: 3, Conversions: 3, Value: 20_000 + int64(i)*10, Revenue: 19_000 + int64(i)*10}
		}
		s.Channels[channel] = c
	}
	for i := range s.Orders {
		s.Orders[i] = measure.OrderSums{Orders: 20, Value: 170_000 + int64(i)*100}
	}
	return s
}

func reading(t *testing.T, s *measure.Sums, id string, b measure.Baselines) measure.Reading {
	t.Helper()
	for _, r := range s.Readings(b) {
		if r.KPI == id {
			return r
		}
	}
	t.Fatalf("no reading of %s", id)
	return measure.Reading{}
}

// The plan names 22 supporting metrics beside the north star, with these levels.
func TestCatalogueHoldsThePlan(t *testing.T) {
	t.Parallel()
	plan := map[string][2]float64{
		"conversion_rate": {0.025, 0.031}, "average_order_value": {85, 95}, "customer_lifetime_value": {500, 700}, "revenue_per_email": {0.35, 0.5},
		"revenue_per_sms": {0.15, 0.25}, "email_open_rate": {0.22, 0.286}, "email_click_rate": {0.03, 0.0405}, "sms_open_rate": {0.35, 0.45},
		"push_click_rate": {0.05, 0.07}, "cost_per_acquisition": {45, 30}, "marketing_efficiency_ratio": {2, 3.5}, "email_frequency": {8, 5},
		"campaign_launch_time": {5 * 86400, 1.5 * 86400}, "churn_rate": {0.05, 0.04}, "retention_rate": {0.95, 0.96}, "win_back_conversion_rate": {0.08, 0.15},
		"repeat_purchase_rate": {0.65, 0.75}, "spam_complaint_rate": {0.003, 0.001}, "hard_bounce_rate": {0.03, 0.01}, "list_decay_rate": {0.005, 0.002},
		"compliance_violations": {5, 0}, "brand_tone_consistency": {0.8, 0.95},
		"rpmt": {0.45, 0.61}, "rpmt_incremental": {0.45, 0.61},
	}
	word := regexp.MustCompile(`^[a-z][a-z0-9_]+$`)
	seen := map[string]bool{}
	for _, k := range measure.Catalogue() {
		if !word.MatchString(k.ID) || seen[k.ID] || k.Title == "" || k.Group == "" || k.Definition == "" || k.Formula == "" || k.Source == "" || k.Cadence <= 0 {
			t.Errorf("%+v lacks something, or is there twice", k)
		}
		seen[k.ID] = true
		if k.Baseline != nil && k.Target != nil && k.ID != "compliance_violations" && (*k.Target > *k.Baseline) != (k.Better == measure.Higher) {
			t.Errorf("%s: the target %v is worse than the baseline %v", k.ID, *k.Target, *k.Baseline)
		}
		if want, named := plan[k.ID]; named {
			if k.Baseline == nil || k.Target == nil || *k.Baseline != want[0] || *k.Target != want[1] {
				t.Errorf("%s: baseline %v and target %v, the plan says %v", k.ID, k.Baseline, k.Target, want)
			}
			delete(plan, k.ID)
		}
	}
	if len(plan) > 0 {
		t.Errorf("the catalogue lacks %v", plan)
	}
	if k, _ := measure.Find(measure.Catalogue(), "rpmt"); *k.Stretch != 1.05 {
		t.Errorf("stretch %v", *k.Stretch)
	}
}

func TestReadings(t *testing.T) {
	t.Parallel()
	s := sums()
	if r := reading(t, s, "rpmt", measure.Baselines{}); r.Status != measure.OK || r.Denominator != 9600 || r.Numerator != 3*(32*190+49.6) ||
		r.Interval.Low >= r.Interval.Estimate || r.Interval.Estimate != r.Numerator/r.Denominator {
		t.Errorf("%+v", r)
	}
	if r := reading(t, s, "conversion_rate", measure.Baselines{}); r.Numerator != 288 || r.Interval != (measure.Proportion{N: 9600, Hits: 288}).Wilson(0.95) {
		t.Errorf("%+v", r)
	}
	if r := reading(t, s, "conversion_improvement", measure.Baselines{}); !near(r.Interval.Estimate, 0.2, 1e-9) || !near(r.Numerator/r.Denominator, 0.2, 1e-9) {
		t.Errorf("3.0 %% is 20 %% more than 2.5 %%: %+v", r)
	}
	own := measure.Baselines{Levels: map[string]measure.Reading{"conversion_rate": {Interval: measure.Interval{Estimate: 0.02}}}}
	if r := reading(t, s, "conversion_improvement", own); !near(r.Interval.Estimate, 0.5, 1e-9) {
		t.Errorf("3.0 %% is 50 %% more than a measured 2.0 %%: %+v", r)
	}
	// Blocks are known by day: a period that cuts days scales them.
	for name, c := range s.Channels {
		for i := range c.Blocks {
			c.Blocks[i].Touches *= 2
		}
		s.Channels[name] = c
	}
	if r := reading(t, s, "rpmt", measure.Baselines{}); !near(r.Denominator, 9600, 1e-12) {
		t.Errorf("scaled to the period: %+v", r)
	}
}

func TestNotEnoughData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id, why string
		change  func(*measure.Sums)
	}{
		{"rpmt", "nothing has been summed up yet", func(s *measure.Sums) { s.AsOf = time.Time{} }},
		{"rpmt", "999 of 1000 marketing touches needed", func(s *measure.Sums) {
			c := s.Channels["email"]
			c.Sent = 999
			s.Channels = map[string]measure.ChannelSums{"email": c}
		}},
		{"rpmt_incremental", "0 held-out customers, 30 needed", func(*measure.Sums) {}},
		{"rpmt_incremental", "all customers", func(s *measure.Sums) { s.Journey = "winback" }},
		{"sms_open_rate", "no provider reports opens", func(s *measure.Sums) {
			c := s.Channels["sms"]
			c.Opened = 0
			s.Channels["sms"] = c
		}},
		{"cost_per_acquisition", "nothing was spent", func(s *measure.Sums) {
			for name, c := range s.Channels {
				c.Cost = 0
				s.Channels[name] = c
			}
		}},
		{"churn_rate", "orders are needed back to", func(s *measure.Sums) { s.People.FirstOrder = from }},
		{"uptime", "0 of 60 minutes needed", func(*measure.Sums) {}},
		{"system_latency_p95", "no decision was timed", func(*measure.Sums) {}},
		{"peak_hourly_touches", "no touch was sent", func(s *measure.Sums) { s.Peak = 0 }},
	} {
		s := sums()
		c.change(s)
		if r := reading(t, s, c.id, measure.Baselines{}); r.Status != measure.NotEnoughData || !strings.Contains(r.Why, c.why) || r.Interval != (measure.Interval{}) {
			t.Errorf("%s: %+v, want %q and no interval", c.id, r, c.why)
		}
	}
	empty := &measure.Sums{KPIQuery: sums().KPIQuery, AsOf: from}
	for _, r := range empty.Readings(measure.Baselines{}) {
		if r.Status != measure.NotEnoughData || r.Why == "" {
			t.Errorf("of nothing, %s is %+v", r.KPI, r)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	rate, _ := measure.Find(measure.Catalogue(), "email_open_rate")           // 22 % to 28.6 %
	complaints, _ := measure.Find(measure.Catalogue(), "spam_complaint_rate") // 0.3 % to 0.1 %
	delivery, _ := measure.Find(measure.Catalogue(), "email_delivery_rate")   // no baseline, 95 %
	blocked, _ := measure.Find(measure.Catalogue(), "guardrail_violation_rate")
	for _, c := range []struct {
		kpi            measure.KPI
		low, value, up float64
		light          measure.Light
		sure           bool
	}{
		{rate, 0.29, 0.30, 0.31, measure.Green, true},
		{rate, 0.28, 0.286, 0.30, measure.Green, false},
		{rate, 0.23, 0.25, 0.27, measure.Amber, true},
		{rate, 0.20, 0.22, 0.24, measure.Red, false},
		{complaints, 0.0001, 0.0005, 0.0009, measure.Green, true},
		{complaints, 0.0005, 0.002, 0.0035, measure.Amber, false},
		{complaints, 0.0031, 0.004, 0.005, measure.Red, true},
		{delivery, 0.96, 0.97, 0.98, measure.Green, true},
		{delivery, 0.90, 0.91, 0.92, measure.Amber, true},
		{blocked, 0.1, 0.2, 0.3, measure.Grey, false},
	} {
		r := measure.Reading{Status: measure.OK, Interval: measure.Interval{Estimate: c.value, Low: c.low, High: c.up}}
		if light, sure := c.kpi.Judge(r); light != c.light || sure != c.sure {
			t.Errorf("%s at %v: %s, sure %v; want %s, %v", c.kpi.ID, c.value, light, sure, c.light, c.sure)
		}
	}
	if light, sure := rate.Judge(measure.Reading{Status: measure.NotEnoughData}); light != measure.Grey || sure {
		t.Errorf("without data: %s", light)
	}
	// A measured baseline takes the place of the plan's.
	own := measure.BaselinesOf([]measure.Reading{{KPI: "email_open_rate", Status: measure.OK, Interval: measure.Interval{Estimate: 0.26}},
		{KPI: "email_click_rate", Status: measure.NotEnoughData}}, "ada", from)
	measured, _ := measure.Find(own.Catalogue(), "email_open_rate")
	if *measured.Baseline != 0.26 || len(own.Levels) != 1 || *rate.Baseline != 0.22 {
		t.Errorf("baseline %v of %+v; the plan's is %v", *measured.Baseline, own, *rate.Baseline)
	}
}
