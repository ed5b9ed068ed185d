package console

import (
	"time"

	"touchstone/internal/measure"
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
