package console

import (
	"context"
	"time"

	"touchstone/internal/measure"
	"touchstone/internal/report"
)

// light is where a metric stands against its goals: a word, never colour alone.
type light struct {
	Class string // good, fair, poor, none
	Word  string
	// Unsure: the interval's bounds do not stand where the estimate does.
	Unsure bool
}

// kpiRow is a metric with its reading.
type kpiRow struct {
	measure.KPI
	Value    string
	Interval string
	Counts   string // numerator of denominator
	Light    light
	Why      string // with not enough data
}

// kpiGroup is one heading of the table.
type kpiGroup struct {
	Title string
	Rows  []kpiRow
}

// groupKPIs puts readings to the metrics of a catalogue, in its order.
func groupKPIs(catalogue []measure.KPI, readings []measure.Reading, currency string) []kpiGroup {
	read := map[string]measure.Reading{}
	for _, r := range readings {
		read[r.KPI] = r
	}
	var groups []kpiGroup
	for _, k := range catalogue {
		if len(groups) == 0 || groups[len(groups)-1].Title != k.Group {
			groups = append(groups, kpiGroup{Title: k.Group})
		}
		last := &groups[len(groups)-1]
		last.Rows = append(last.Rows, kpiRowOf(k, read[k.ID], currency))
	}
	return groups
}

func kpiRowOf(k measure.KPI, r measure.Reading, currency string) kpiRow {
	row := kpiRow{KPI: k, Light: judge(k, r), Why: r.Why}
	if r.KPI == "" {
		row.Why = "not measured"
	}
	if r.KPI == "" || r.Status == measure.NotEnoughData {
		return row
	}
	row.Value = valueOf(k.Unit, r.Interval.Estimate, currency)
	if r.Interval.Low != r.Interval.High {
		row.Interval = valueOf(k.Unit, r.Interval.Low, currency) + " to " + valueOf(k.Unit, r.Interval.High, currency)
	}
	if k.Unit == measure.UnitShare {
		row.Counts = number(int(r.Numerator)) + " of " + number(int(r.Denominator))
	}
	return row
}

// Baselines and goals as text, empty where the plan names none.
func (r kpiRow) Goal(v *float64, currency string) string {
	if v == nil {
		return "–"
	}
	return valueOf(r.Unit, *v, currency)
}

// judge places a reading against the metric's goals.
func judge(k measure.KPI, r measure.Reading) light {
	if r.KPI == "" || r.Status == measure.NotEnoughData {
		return light{Class: "none", Word: "not enough data"}
	}
	if k.Target == nil {
		return light{Class: "none", Word: "no target"}
	}
	l := lightAt(k, r.Interval.Estimate)
	l.Unsure = lightAt(k, r.Interval.Low).Word != l.Word || lightAt(k, r.Interval.High).Word != l.Word
	return l
}

func lightAt(k measure.KPI, v float64) light {
	reaches := func(level *float64) bool {
		if level == nil {
			return false
		}
		if k.Better == measure.Lower {
			return v <= *level
		}
		return v >= *level
	}
	switch {
	case reaches(k.Stretch):
		return light{Class: "good", Word: "stretch goal reached"}
	case reaches(k.Target):
		return light{Class: "good", Word: "on target"}
	case reaches(k.Baseline):
		return light{Class: "fair", Word: "short of target"}
	case k.Baseline == nil:
		return light{Class: "poor", Word: "short of target"}
	}
	return light{Class: "poor", Word: "worse than baseline"}
}

// valueOf renders a value in its unit.
func valueOf(u measure.Unit, v float64, currency string) string {
	switch u {
	case measure.UnitShare:
		if v != 0 && v < 0.01 && v > -0.01 {
			return printer.Sprintf("%.2f%%", 100*v)
		}
		return percent(v)
	case measure.UnitMoney:
		return amountOf(v, currency)
	case measure.UnitDuration:
		return lasting(time.Duration(v * float64(time.Second)))
	case measure.UnitCount:
		return printer.Sprintf("%.0f", v)
	}
	return printer.Sprintf("%.2f", v)
}

// reportKPIs reads the metrics that a report has.
type reportKPIs struct{ r *report.Report }

// reportCatalogue describes them, with the goals of the measurement plan.
func reportCatalogue(r *report.Report) []measure.KPI {
	level := func(v float64) *float64 { return &v }
	g := r.RpMT.Goals
	share := func(id, title, group, definition string, better measure.Direction) measure.KPI {
		return measure.KPI{ID: id, Title: title, Group: group, Definition: definition, Unit: measure.UnitShare, Better: better}
	}
	with := func(k measure.KPI, baseline, target float64) measure.KPI {
		k.Baseline, k.Target = level(baseline), level(target)
		return k
	}
	money := func(id, title, definition string) measure.KPI {
		return measure.KPI{ID: id, Title: title, Group: "North star", Definition: definition, Unit: measure.UnitMoney, Better: measure.Higher,
			Baseline: level(g.Baseline), Target: level(g.Target), Stretch: level(g.Stretch)}
	}
	return []measure.KPI{
		money("rpmt_attributed", "RpMT, attributed", "Revenue credited to each order's last touch, per marketing touch."),
		money("rpmt_incremental", "RpMT, incremental", "Revenue that the holdout says would not have come in otherwise, per marketing touch."),
		share("conversion_treated", "Conversion, may be written to", "Conversion", "Customers with an order, of those who entered and may be written to.", measure.Higher),
		share("conversion_held", "Conversion, held out", "Conversion", "Customers with an order, of those who entered and receive nothing.", measure.Higher),
		with(share("open_rate", "E-mails opened by people", "Engagement", "Of delivered; machine opens are left out.", measure.Higher), 0.22, 0.286),
		with(share("click_rate", "E-mails clicked by people", "Engagement", "Of delivered; machine clicks are left out.", measure.Higher), 0.03, 0.0405),
		share("delivery_rate", "Delivered", "Deliverability", "Of touches sent.", measure.Higher),
		share("bounce_rate", "Bounced", "Deliverability", "Of touches sent.", measure.Lower),
		with(share("complaint_rate", "Complaints", "Deliverability", "Of delivered.", measure.Lower), 0.001, 0.0008),
		share("review_in_time", "Reviews decided in time", "Operations", "Within the agreed time, of those decided or expired.", measure.Higher),
		{ID: "review_time", Title: "Median review time", Group: "Operations", Definition: "From opening to a person's decision.", Unit: measure.UnitDuration, Better: measure.Lower, Target: level(300)},
	}
}

// KPIs returns the readings of the report, whatever is asked.
func (k reportKPIs) KPIs(context.Context, measure.KPIQuery) ([]measure.Reading, error) {
	r := k.r
	reading := func(id string, n, d float64, i measure.Interval, why string) measure.Reading {
		out := measure.Reading{KPI: id, From: r.From, To: r.To, Numerator: n, Denominator: d, Status: measure.OK, Interval: i}
		if why != "" {
			out.Status, out.Why, out.Interval = measure.NotEnoughData, why, measure.Interval{}
		}
		return out
	}
	exact := func(v float64) measure.Interval { return measure.Interval{Estimate: v, Low: v, High: v} }
	rate := func(id string, x report.Rate) measure.Reading {
		why := ""
		if x.Of == 0 {
			why = "nothing to count yet"
		}
		return reading(id, float64(x.Hits), float64(x.Of), x.Rate, why)
	}
	side := func(id string, x report.Side) measure.Reading {
		why := ""
		if x.Customers == 0 {
			why = "nobody yet"
		}
		return reading(id, float64(x.Buyers), float64(x.Customers), x.Conversion, why)
	}
	attributed := reading("rpmt_attributed", r.RpMT.Revenue.Major(), float64(r.RpMT.Touches), measure.Interval{}, "no touch was sent")
	if r.RpMT.Attributed != nil {
		attributed = reading("rpmt_attributed", r.RpMT.Revenue.Major(), float64(r.RpMT.Touches), exact(*r.RpMT.Attributed), "")
	}
	in := r.RpMT.Incremental
	incremental := reading("rpmt_incremental", in.Revenue.Interval.Estimate, float64(r.RpMT.Treated.Touches), in.PerTouch.Interval, in.PerTouch.Why)
	median := reading("review_time", 0, 0, exact(r.Reviews.MedianSeconds), "")
	if r.Reviews.Approved+r.Reviews.Rejected == 0 {
		median = reading("review_time", 0, 0, measure.Interval{}, "no review was decided")
	}
	return []measure.Reading{
		attributed, incremental, side("conversion_treated", r.RpMT.Treated), side("conversion_held", r.RpMT.HeldOut),
		rate("open_rate", r.Responses.Opened), rate("click_rate", r.Responses.Clicked), rate("delivery_rate", r.Responses.Delivered),
		rate("bounce_rate", r.Responses.Bounced), rate("complaint_rate", r.Responses.Complained), rate("review_in_time", r.Reviews.InTime), median,
	}, nil
}
