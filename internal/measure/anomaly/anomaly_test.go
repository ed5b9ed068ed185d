package anomaly_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"touchstone/internal/measure/anomaly"
)

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const weeks = 10

// course makes weeks of Poisson counts around a daily course.
func course(rate float64, bad anomaly.Direction) anomaly.Series {
	source := rand.New(rand.NewPCG(5, uint64(rate*1000)))
	s := anomaly.Series{Metric: "m", Start: monday, Values: make([]float64, weeks*7*24), Bad: bad}
	for i := range s.Values {
		s.Values[i] = distuv.Poisson{Lambda: rate * (1 + 0.8*math.Sin(2*math.Pi*float64(i%24)/24)), Src: source}.Rand()
	}
	return s
}

// last judges the last n hours.
func last(s anomaly.Series, n int) []anomaly.Hour {
	return anomaly.Judge(s, s.Start.Add(time.Duration(len(s.Values)-n)*time.Hour), anomaly.DefaultRules())
}

func TestOutageAndSpike(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bad    anomaly.Direction
		factor float64
		want   anomaly.Direction
	}{
		"orders stop":             {anomaly.Low, 0, anomaly.Low},
		"orders double":           {anomaly.Low, 2, ""},
		"complaints triple":       {anomaly.High, 3, anomaly.High},
		"complaints stop":         {anomaly.High, 0, ""},
		"either way, up":          {anomaly.Both, 3, anomaly.High},
		"either way, down":        {anomaly.Both, 0, anomaly.Low},
		"as usual, either way":    {anomaly.Both, 1, ""},
		"below the effect floor":  {anomaly.Low, 0.9, ""},
		"above the effect, below": {anomaly.High, 1.1, ""},
	} {
		s := course(400, c.bad)
		i := len(s.Values) - 1
		s.Values[i] = math.Round(s.Values[i] * c.factor)
		h := last(s, 1)[0]
		if h.Direction != c.want || (h.Status == anomaly.Suspect) != (c.want != "") {
			t.Errorf("%s: %+v", name, h)
		}
		if h.Low > h.Expected || h.High < h.Expected || h.Expected <= 0 {
			t.Errorf("%s: band %v to %v around %v", name, h.Low, h.High, h.Expected)
		}
	}
}

// A complaint every few hours: neither one, nor two in an hour, nor three after
// weeks without any, page; thirty do.
func TestLowCountsDoNotPage(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 0.05, 0.3} {
		for value, want := range map[float64]bool{0: false, 1: false, 2: false, 3: false, 30: true} {
			s := course(rate, anomaly.High)
			s.Values[len(s.Values)-1] = value
			if h := last(s, 1)[0]; (h.Status == anomaly.Suspect) != want {
				t.Errorf("rate %v, value %v: %+v", rate, value, h)
			}
		}
	}
	// Where one an hour is usual, no hour says anything, but a day without any does.
	s := course(1, anomaly.Low)
	for _, h := range last(s, len(s.Values)-8*7*24) {
		if h.Status == anomaly.Suspect {
			t.Errorf("by chance: %+v", h)
		}
	}
	for i := len(s.Values) - 24; i < len(s.Values); i++ {
		s.Values[i] = 0
	}
	if h := last(s, 1)[0]; h.Rule != anomaly.RuleDay || h.Effect != -1 {
		t.Errorf("a day without events: %+v", h)
	}
}

func TestDriftIsFoundAndForgotten(t *testing.T) {
	t.Parallel()
	s := course(400, anomaly.Low)
	n := len(s.Values)
	for i := n - 48; i < n-24; i++ {
		s.Values[i] = math.Round(s.Values[i] * 0.85)
	}
	hours := last(s, 48)
	firstAlarm, lastAlarm := -1, -1
	for i, h := range hours {
		if h.Status == anomaly.Suspect {
			if firstAlarm < 0 {
				firstAlarm = i
			}
			lastAlarm = i
			if h.Rule == anomaly.RuleDrift && (h.Effect > -0.08 || h.Effect < -0.25) && i < 24 {
				t.Errorf("hour %d: effect %v of a drop by 15 %%", i, h.Effect)
			}
		}
	}
	if firstAlarm < 0 || firstAlarm > 12 || lastAlarm > 24+10 {
		t.Errorf("a drop of a day is an alarm from hour %d to %d", firstAlarm, lastAlarm)
	}
}

func TestNotEnoughDataIsAnAnswer(t *testing.T) {
	t.Parallel()
	s := course(400, anomaly.Low)
	s.Values = s.Values[:5*7*24]
	s.Values[len(s.Values)-1] = 0
	if h := last(s, 1)[0]; h.Status != anomaly.NotEnoughData {
		t.Errorf("five weeks: %+v", h)
	}
	if hours := anomaly.Judge(s, s.Start.Add(10_000*time.Hour), anomaly.DefaultRules()); len(hours) != 0 {
		t.Errorf("after the end: %v", hours)
	}
	if hours := anomaly.Judge(anomaly.Series{Start: monday, Bad: anomaly.Low}, monday, anomaly.DefaultRules()); len(hours) != 0 {
		t.Errorf("nothing: %v", hours)
	}
}

// Holidays are neither judged nor do they spoil the baseline of the weeks after.
func TestHolidays(t *testing.T) {
	t.Parallel()
	s := course(400, anomaly.Low)
	n := len(s.Values)
	holidays := []string{s.Start.Add(time.Duration(n-1) * time.Hour).Format(time.DateOnly)}
	for week := range 2 { // two of the four weeks before were holidays, too
		from := n - (week+1)*7*24 - 24
		for i := from; i < from+24; i++ {
			s.Values[i] = 0
		}
		holidays = append(holidays, s.Start.Add(time.Duration(from)*time.Hour).Format(time.DateOnly))
	}
	s.Special = anomaly.Holidays(s, holidays[:1])
	s.Values[n-1] = 0
	if h := last(s, 1)[0]; h.Status != anomaly.Skipped {
		t.Errorf("a holiday: %+v", h)
	}
	s.Special = anomaly.Holidays(s, holidays[1:])
	rules := anomaly.DefaultRules()
	rules.Enough = 2
	if h := anomaly.Judge(s, s.Start.Add(time.Duration(n-1)*time.Hour), rules)[0]; h.Expected < 100 || h.Status != anomaly.Suspect {
		t.Errorf("after holidays: %+v", h)
	}
}

// The hour of the week is found on the customers' clock: the week after the
// change to summer time is no anomaly there, and would be one in UTC.
func TestSummerTime(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	s := anomaly.Series{Metric: "m", Start: time.Date(2026, 1, 5, 5, 0, 0, 0, time.UTC), Values: make([]float64, weeks*7*24), Bad: anomaly.Both, Zone: zone}
	source := rand.New(rand.NewPCG(1, 1))
	for i := range s.Values {
		local := s.Start.Add(time.Duration(i) * time.Hour).In(zone).Hour()
		rate := 50.0
		if local >= 9 && local < 17 {
			rate = 1000
		}
		s.Values[i] = distuv.Poisson{Lambda: rate, Src: source}.Rand()
	}
	alarms := func(s anomaly.Series) (n int) {
		for _, h := range last(s, 7*24) { // from Sunday 8 March on, when clocks change
			if h.Status == anomaly.Suspect {
				n++
			}
		}
		return n
	}
	if n := alarms(s); n > 1 {
		t.Errorf("%d alarms in the week of the change", n)
	}
	s.Zone = nil
	if n := alarms(s); n < 7 {
		t.Errorf("in UTC there are only %d", n)
	}
}

// A campaign's opens are in proportion to what was sent before them.
func TestResponsesFollowSends(t *testing.T) {
	t.Parallel()
	source := rand.New(rand.NewPCG(2, 2))
	sends, opens, lags := make([]float64, weeks*7*24), make([]float64, weeks*7*24), make([]float64, 72)
	kernel := []float64{0.05, 0.1, 0.04, 0.02, 0.01, 0.005}
	send := func(h int, n float64) {
		sends[h] += n
		for l, share := range kernel {
			if h+l < len(opens) {
				came := distuv.Poisson{Lambda: n * share, Src: source}.Rand()
				opens[h+l] += came
				lags[l] += came
			}
		}
	}
	for h := range sends {
		if h%24 == 9 {
			send(h, 5000)
		}
	}
	n := len(sends)
	send(n-10, 50_000) // ten times as much as ever, at another hour
	s := anomaly.Series{Metric: "opens", Start: monday, Values: opens, Exposure: anomaly.Exposure(sends, lags), Bad: anomaly.Both}
	for _, h := range last(s, 12) {
		if h.Status == anomaly.Suspect {
			t.Errorf("an unusual campaign with usual opens: %+v", h)
		}
	}
	s.Values[n-9] /= 3
	if h := last(s, 9)[0]; h.Status == anomaly.OK {
		t.Errorf("two thirds of the opens are missing: %+v", h)
	}
	for _, e := range anomaly.Exposure(make([]float64, 5), nil) {
		if e != 0 {
			t.Error("nothing sent, and yet responses are expected")
		}
	}
}

// What is judged does not depend on how much of the past beyond the baselines is given.
func TestTheFarPastDoesNotMatter(t *testing.T) {
	t.Parallel()
	long := course(300, anomaly.Both)
	long.Values = append(append([]float64(nil), long.Values...), long.Values...)
	short := long
	cut := len(long.Values) - (8*7*24 + 7*24 + 48)
	short.Start, short.Values = long.Start.Add(time.Duration(cut)*time.Hour), long.Values[cut:]
	a, b := last(long, 48), last(short, 48)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("hour %d: %+v\n%+v", i, a[i], b[i])
		}
	}
}

func TestDiscoveries(t *testing.T) {
	t.Parallel()
	rules := anomaly.DefaultRules()
	hour := func(metric string, p float64) anomaly.Hour {
		return anomaly.Hour{Metric: metric, P: p, Status: anomaly.Suspect}
	}
	quiet := make([]anomaly.Hour, 98)
	for i := range quiet {
		quiet[i].Status = anomaly.OK
	}
	if got := anomaly.Discoveries(append(quiet, hour("a", 5e-4), hour("b", 4e-4)), rules); len(got) != 0 {
		t.Errorf("two of a hundred metrics at 5e-4 are no discovery: %+v", got)
	}
	if got := anomaly.Discoveries(append(quiet, hour("a", 5e-4), hour("b", 1e-6)), rules); len(got) != 1 || got[0].Metric != "b" {
		t.Errorf("%+v", got)
	}
	if got := anomaly.Discoveries([]anomaly.Hour{hour("a", 5e-4), {Status: anomaly.NotEnoughData}}, rules); len(got) != 1 {
		t.Errorf("metrics without data count: %+v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		var hours []anomaly.Hour
		for i, p := range rapid.SliceOf(rapid.Float64Range(0, 0.01)).Draw(t, "p") {
			hours = append(hours, hour(string(rune('a'+i)), p))
		}
		found := anomaly.Discoveries(hours, rules)
		worst := 0.0
		for _, h := range found {
			worst = max(worst, h.P)
		}
		for _, h := range hours {
			if h.P < worst && len(found) == 0 {
				t.Error("the less probable is left out")
			}
		}
		if len(hours) > 0 && len(found) == len(hours) && worst > rules.Discovery {
			t.Errorf("all are discoveries at %v", worst)
		}
	})
}
