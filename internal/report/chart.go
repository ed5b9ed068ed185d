package report

import (
	"fmt"
	"math"
	"strconv"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// bars is a bar chart of one quantity over weeks, in SVG user units.
type bars struct {
	Title     string
	Class     string // of the bars
	Width     float64
	Height    float64
	Zero      float64 // y of zero
	Left      float64 // where the plot begins
	Ticks     []tick
	Bars      []bar
	Summary   string // the chart in one sentence, for those who cannot see it
	LabelBase float64
}

type tick struct {
	At    float64
	Label string
}

type bar struct {
	X, Y, W, H float64
	Middle     float64
	Label      string // under the bar; empty where there is no room
	Value      string // shown on pointing
}

// Sizes of the charts in SVG user units.
const (
	chartWidth  = 720
	barsHeight  = 150
	barsTop     = 12
	barsBottom  = 22
	chartLeft   = 72
	forestLabel = 150
	forestValue = 230
	forestRow   = 30
)

// weeklyBars draws one value per week.
func (r *Report) weeklyBars(title, class string, value func(Week) float64, write func(float64) string) bars {
	var spans []span
	sum := 0.0
	for _, w := range r.Weeks {
		spans = append(spans, span{Label: strconv.Itoa(w.Number), Name: fmt.Sprintf("week %d, from %s", w.Number, w.Start.Format("2 Jan 2006")), Value: value(w)})
		sum += value(w)
	}
	b := barsOf(title, class, spans, write)
	b.Summary = fmt.Sprintf("%s, by week: %s in all over %d weeks.", title, write(sum), len(r.Weeks))
	return b
}

// span is one bar's stretch of time with its value.
type span struct {
	Label string // under the bar
	Name  string
	Value float64
}

// barsOf draws one value per span.
func barsOf(title, class string, spans []span, write func(float64) string) bars {
	b := bars{Title: title, Class: class, Width: chartWidth, Height: barsHeight, Left: chartLeft, LabelBase: barsHeight - 6}
	low, high := 0.0, 0.0
	for _, s := range spans {
		low, high = min(low, s.Value), max(high, s.Value)
	}
	high = niceAbove(high)
	if low < 0 {
		low = -niceAbove(-low)
	}
	plot := float64(barsHeight - barsTop - barsBottom)
	y := func(v float64) float64 { return barsTop + plot*(high-v)/(high-low) }
	b.Zero = y(0)
	for _, v := range []float64{low, 0, high / 2, high} {
		if v != 0 || len(b.Ticks) == 0 || b.Ticks[len(b.Ticks)-1].At != y(0) {
			b.Ticks = append(b.Ticks, tick{At: y(v), Label: write(v)})
		}
	}
	slot := (chartWidth - chartLeft) / float64(max(len(spans), 1))
	every := int(math.Ceil(28 / slot))
	for i, s := range spans {
		v := s.Value
		x := chartLeft + float64(i)*slot
		one := bar{X: x + slot*0.12, W: slot * 0.76, Y: min(y(v), y(0)), H: math.Abs(y(v) - y(0)), Middle: x + slot/2,
			Value: s.Name + ": " + write(v)}
		if i%every == 0 {
			one.Label = s.Label
		}
		b.Bars = append(b.Bars, one)
	}
	return b
}

// niceAbove is the smallest of some round numbers that is not below v; 1 for
// nothing.
func niceAbove(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8} {
		if m*power >= v {
			return m * power
		}
	}
	return 10 * power
}

// forest is a chart of intervals around estimates, one row each.
type forest struct {
	Width, Height float64
	Zero          float64 // x of zero
	Bottom        float64 // y where the rows end
	Ticks         []tick
	Rows          []forestLine
	Summary       string
}

type forestLine struct {
	Name           string
	Y              float64
	Known          bool
	Low, High, Mid float64 // x
	Class          string  // gain, loss or unclear
	Value          string
	ValueX         float64
}

// lifts draws incremental RpMT of the programme, its journeys and campaigns.
func (r *Report) lifts() forest {
	rows := []estimated{{"programme", r.RpMT.Incremental.PerTouch}}
	for _, x := range r.Journeys {
		rows = append(rows, estimated{x.Name, x.Lift.PerTouch})
	}
	for _, x := range r.Campaigns {
		rows = append(rows, estimated{x.Name + " (campaign)", x.Lift.PerTouch})
	}
	return r.forestOf(rows)
}

// estimated is one row of a forest: an answer in major units.
type estimated struct {
	name   string
	answer measure.Answer
}

// forestOf draws one interval per row.
func (r *Report) forestOf(rows []estimated) forest {
	low, high := 0.0, 0.0
	for _, x := range rows {
		if x.answer.Known() {
			low, high = min(low, x.answer.Interval.Low), max(high, x.answer.Interval.High)
		}
	}
	high = niceAbove(high)
	if low < 0 {
		low = -niceAbove(-low)
	}
	const right = chartWidth - forestValue
	x := func(v float64) float64 { return forestLabel + (right-forestLabel)*(v-low)/(high-low) }
	f := forest{Width: chartWidth, Height: float64(len(rows))*forestRow + 30, Zero: x(0), Bottom: float64(len(rows)) * forestRow}
	for _, v := range []float64{low, 0, high} {
		if v != 0 || low == 0 || v == 0 && low < 0 {
			f.Ticks = append(f.Ticks, tick{At: x(v), Label: r.decimal(v)})
		}
	}
	for i, one := range rows {
		line := forestLine{Name: one.name, Y: float64(i)*forestRow + forestRow/2, ValueX: right + 12, Known: one.answer.Known(),
			Value: r.estimate(one.answer), Class: "unclear"}
		if line.Known {
			v := one.answer.Interval
			line.Low, line.High, line.Mid = x(v.Low), x(v.High), x(v.Estimate)
			switch {
			case v.Low > 0:
				line.Class = "gain"
			case v.High < 0:
				line.Class = "loss"
			}
		}
		f.Rows = append(f.Rows, line)
		f.Summary += fmt.Sprintf("%s: %s. ", one.name, line.Value)
	}
	return f
}

// weekly are the charts over weeks.
func (r *Report) weekly() []bars {
	return []bars{
		r.weeklyBars("Marketing touches", "touches", func(w Week) float64 { return float64(w.Touches) },
			func(v float64) string { return number(int(math.Round(v))) }),
		r.weeklyBars("Attributed revenue, "+r.Currency, "revenue", func(w Week) float64 { return w.Attributed.Major() },
			func(v float64) string {
				if v == 0 || math.Abs(v) >= 100 || lifecycle.MinorDigits(r.Currency) == 0 {
					return number(int(math.Round(v)))
				}
				return r.decimal(v)
			}),
	}
}
