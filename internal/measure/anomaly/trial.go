package anomaly

import (
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Trial measures the detector on made-up metrics with a daily and a weekly
// course, growth, Poisson counts and some variation beyond them.
type Trial struct {
	Metrics int
	Weeks   int // judged; the weeks to learn from come before
	Lowest  float64
	Drops   int // injected per metric and size
	Seed    uint64
}

// TrialResult is what a trial measured.
type TrialResult struct {
	FalsePerQuarter      float64 // false alarms per metric and quarter of 13 weeks
	NaiveFalsePerQuarter float64 // of a drop below two standard deviations of the same residuals
	Found30              float64 // share of 30 % drops found within two hours
	Found15              float64 // share of 15 % drops found within twelve
	NaiveFound30         float64
	NaiveFound15         float64
}

const (
	learning  = 8 * 7 * 24 // hours before the first judged one
	quarter   = 13.0       // weeks
	overspill = 0.03       // standard deviation of the rate beyond Poisson
	growth    = 0.01       // per week
)

// Run makes the metrics and judges them with the rules.
func (t Trial) Run(r Rules) TrialResult {
	var out TrialResult
	metrics := make([]Series, t.Metrics)
	judged := make([][]Hour, t.Metrics)
	for m := range metrics {
		metrics[m] = t.metric(rand.New(rand.NewPCG(t.Seed, uint64(m))))
		judged[m] = Judge(metrics[m], metrics[m].at(learning), r)
		out.NaiveFalsePerQuarter += float64(episodes(judged[m], naive))
	}
	alarms := make([][]bool, t.Metrics)
	for m := range alarms {
		alarms[m] = make([]bool, t.Weeks*7*24)
	}
	for i := range t.Weeks * 7 * 24 {
		hours, index := make([]Hour, t.Metrics), map[string]int{}
		for m := range metrics {
			hours[m] = judged[m][i]
			hours[m].Metric = string(rune('a' + m))
			index[hours[m].Metric] = m
		}
		for _, h := range Discoveries(hours, r) {
			alarms[index[h.Metric]][i] = true
		}
	}
	for m := range alarms {
		for i := range alarms[m] {
			if alarms[m][i] && (i == 0 || !alarms[m][i-1]) {
				out.FalsePerQuarter++
			}
		}
	}
	scale := quarter / float64(t.Weeks*t.Metrics)
	out.FalsePerQuarter *= scale
	out.NaiveFalsePerQuarter *= scale
	drops := float64(t.Metrics * t.Drops)
	alone := func(h Hour) bool { // of t.Metrics metrics, this one only
		return h.Status == Suspect && h.P <= r.Discovery/float64(t.Metrics)
	}
	for m, s := range metrics {
		source := rand.New(rand.NewPCG(t.Seed+1, uint64(m)))
		for range t.Drops {
			at := learning + source.IntN(t.Weeks*7*24-24)
			thirty, fifteen := dropped(s, at, 0.30, source, r), dropped(s, at, 0.15, source, r)
			out.Found30 += within(thirty, 2, alone) / drops
			out.NaiveFound30 += within(thirty, 2, naive) / drops
			out.Found15 += within(fifteen, 12, alone) / drops
			out.NaiveFound15 += within(fifteen, 12, naive) / drops
		}
	}
	return out
}

// metric makes one metric: the quietest hours have about Lowest events, the
// busiest five times as many.
func (t Trial) metric(source *rand.Rand) Series {
	hours := learning + t.Weeks*7*24
	s := Series{Metric: "made up", Start: time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC), Values: make([]float64, hours), Bad: Low}
	peak := 12 + 8*source.Float64()
	for i := range s.Values {
		day := 3 + 2*math.Cos(2*math.Pi*(float64(i%24)-peak)/24)
		week := 1 + 0.15*math.Cos(2*math.Pi*float64(i%168)/168)
		rate := t.Lowest * day * week / 0.85 * math.Pow(1+growth, float64(i)/168) * (1 + overspill*source.NormFloat64())
		s.Values[i] = distuv.Poisson{Lambda: rate, Src: source}.Rand()
	}
	return s
}

// dropped judges the first hours of a day in which a share of the events is
// missing.
func dropped(s Series, at int, share float64, source *rand.Rand, r Rules) []Hour {
	first := max(at-learning-runIn, 0)
	s.Start = s.at(first)
	s.Values = append([]float64(nil), s.Values[first:at+12]...)
	for i := len(s.Values) - 12; i < len(s.Values); i++ {
		s.Values[i] = distuv.Binomial{N: s.Values[i], P: 1 - share, Src: source}.Rand()
	}
	return Judge(s, s.at(len(s.Values)-12), r)
}

// naive is the rule that the band of two standard deviations suggests.
func naive(h Hour) bool { return h.Status != NotEnoughData && h.Z < -2 }

// within is 1 when one of the first n hours is an alarm, else 0.
func within(hours []Hour, n int, alarm func(Hour) bool) float64 {
	for _, h := range hours[:n] {
		if alarm(h) {
			return 1
		}
	}
	return 0
}

// episodes counts runs of alarms.
func episodes(hours []Hour, alarm func(Hour) bool) (n int) {
	before := false
	for _, h := range hours {
		now := alarm(h)
		if now && !before {
			n++
		}
		before = now
	}
	return n
}
