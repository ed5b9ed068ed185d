package rollout

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// Condition is a comparison of a KPI with a number, such as
// "spam_complaint_rate < 0.1% at 95% over 3d".
type Condition struct {
	Source string        // as written
	KPI    string        // id in the catalogue
	Op     string        // < <= > >= == !=
	Value  float64       // in the KPI's unit: shares in [0,1], durations in seconds
	Level  float64       // confidence required, in (0,1); 0 = the estimate alone decides
	Over   time.Duration // business time looked back; 0 = since the stage began
}

var conditionForm = regexp.MustCompile(`^([a-z][a-z0-9_]*) ?(<=|>=|==|!=|<|>) ?([^ ]+)(?: at ([0-9.]+)%)?(?: over ([0-9a-z.]+))?$`)

// ParseCondition reads a condition. The error says what to write.
func ParseCondition(source string) (Condition, error) {
	c := Condition{Source: strings.Join(strings.Fields(source), " ")}
	parts := conditionForm.FindStringSubmatch(c.Source)
	if parts == nil {
		return c, lifecycle.Errorf(lifecycle.Invalid, "%q is not a condition: write a KPI, a comparison and a number, for example email_delivery_rate > 95%% at 95%%, or compliance_violations == 0", c.Source)
	}
	c.KPI, c.Op = parts[1], parts[2]
	var err error
	if c.Value, err = parseValue(parts[3]); err != nil {
		return c, err
	}
	if parts[5] != "" {
		if c.Over, err = clock.ParseDuration(parts[5]); err != nil || c.Over <= 0 {
			return c, lifecycle.Errorf(lifecycle.Invalid, "over %s in %q: give a length of time, for example over 3d", parts[5], c.Source)
		}
	}
	if parts[4] == "" {
		return c, nil
	}
	level, err := strconv.ParseFloat(parts[4], 64)
	if err != nil || level < 50 || level > 99.9 {
		return c, lifecycle.Errorf(lifecycle.Invalid, "confidence %s%% in %q: give 50%% to 99.9%%, for example at 95%%", parts[4], c.Source)
	}
	if c.Op == "==" || c.Op == "!=" {
		return c, lifecycle.Errorf(lifecycle.Invalid, "%q: %s is exact and takes no confidence: leave out at %s%%, or compare with < or >", c.Source, c.Op, parts[4])
	}
	c.Level = level / 100
	return c, nil
}

// parseValue reads 0.95, 95% or a length of time such as 5m, in seconds.
func parseValue(s string) (float64, error) {
	number, isPercent := strings.CutSuffix(s, "%")
	if v, err := strconv.ParseFloat(number, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		if isPercent {
			v /= 100
		}
		return v, nil
	}
	if d, err := clock.ParseDuration(s); err == nil {
		return d.Seconds(), nil
	}
	return 0, lifecycle.Errorf(lifecycle.Invalid, "%q is not a number: write for example 0.95, 95%% or 5m", s)
}

// Verdict says whether a condition holds.
type Verdict string

// Verdicts. Only Holds lets a programme go on, and only Fails steps it back or
// halts it; the other two wait.
const (
	Holds   Verdict = "holds"
	Fails   Verdict = "fails"
	Unclear Verdict = "unclear" // the interval contains the value: more data will tell
	NoData  Verdict = "no data"
)

// Finding is a condition with the reading it was judged by.
type Finding struct {
	Condition string           `json:"condition"`
	KPI       string           `json:"kpi"`
	Verdict   Verdict          `json:"verdict"`
	Interval  measure.Interval `json:"interval,omitzero"`
	Of        float64          `json:"of,omitempty"` // denominator of the reading
	Why       string           `json:"why,omitempty"`
	Else      Action           `json:"else,omitempty"` // of a guardrail metric
}

// Judge compares a reading with the condition. With a confidence the bound of
// the interval decides: "x > v" holds when the whole interval lies above v and
// fails when all of it lies at or below v.
func (c Condition) Judge(r measure.Reading, known bool) Finding {
	f := Finding{Condition: c.Source, KPI: c.KPI}
	switch {
	case !known:
		f.Verdict, f.Why = NoData, "no KPI of this name is measured"
		return f
	case r.Status == measure.NotEnoughData:
		f.Verdict, f.Why, f.Of = NoData, r.Why, r.Denominator
		return f
	}
	f.Interval, f.Of = r.Interval, r.Denominator
	low, high := r.Interval.Estimate, r.Interval.Estimate
	if c.Level > 0 {
		f.Interval = atLevel(r.Interval, c.Level)
		low, high = f.Interval.Low, f.Interval.High
	}
	switch best, worst := c.compare(high) || c.compare(low), c.compare(high) && c.compare(low); {
	case worst:
		f.Verdict = Holds
	case best:
		f.Verdict = Unclear
	default:
		f.Verdict = Fails
	}
	return f
}

func (c Condition) compare(x float64) bool {
	switch c.Op {
	case "<":
		return x < c.Value
	case "<=":
		return x <= c.Value
	case ">":
		return x > c.Value
	case ">=":
		return x >= c.Value
	case "==":
		return x == c.Value
	}
	return x != c.Value
}

// atLevel widens or narrows an interval to another confidence level: each side
// is scaled by the ratio of the normal quantiles, which is exact for normal
// estimates and close for the others.
func atLevel(i measure.Interval, level float64) measure.Interval {
	if i.Level == level || i.Level <= 0 || i.Level >= 1 {
		return i
	}
	quantile := func(l float64) float64 { return distuv.UnitNormal.Quantile(1 - (1-l)/2) }
	by := quantile(level) / quantile(i.Level)
	return measure.Interval{Estimate: i.Estimate, Low: i.Estimate - (i.Estimate-i.Low)*by, High: i.Estimate + (i.High-i.Estimate)*by, Level: level}
}

// Least is the fewest observations with which a rate can meet the condition at
// all, if every one of them goes well; 0 when it cannot be said. It solves the
// Wilson bound of a rate of 1 (or 0) for n: z²v/(1-v), or z²(1-v)/v.
func (c Condition) Least() int {
	if c.Level == 0 || c.Value <= 0 || c.Value >= 1 {
		return 0
	}
	z := distuv.UnitNormal.Quantile(1 - (1-c.Level)/2)
	odds := c.Value / (1 - c.Value)
	if strings.HasPrefix(c.Op, "<") {
		odds = 1 / odds
	}
	return int(math.Ceil(z * z * odds))
}
