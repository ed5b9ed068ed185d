package attribution

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func at(days float64) time.Time { return start.Add(time.Duration(days * float64(day))) }

var weekAfterSending = brand.AttributionWindows{Default: brand.AttributionWindow{Sent: 7 * day}}

func pathAt(days ...float64) []contact {
	path := make([]contact, len(days))
	for i, d := range days {
		path[i] = contact{touch: i, group: i, at: at(d)}
	}
	return path
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		model Model
		path  []contact
		want  []float64
	}{
		{First, pathAt(1, 2, 3), []float64{1, 0, 0}},
		{Last, pathAt(1, 2, 3), []float64{0, 0, 1}},
		{Linear, pathAt(1, 2, 3, 4), []float64{0.25, 0.25, 0.25, 0.25}},
		{Position, pathAt(1), []float64{1}},
		{Position, pathAt(1, 2), []float64{0.5, 0.5}},
		{Position, pathAt(1, 2, 3), []float64{0.4, 0.2, 0.4}},
		{Position, pathAt(1, 2, 3, 4), []float64{0.4, 0.1, 0.1, 0.4}},
		// Ages of 7 and 0 days: 1/2 to 1.
		{Decay, pathAt(0, 7), []float64{1. / 3, 2. / 3}},
		{Decay, pathAt(0, 7, 14), []float64{1. / 7, 2. / 7, 4. / 7}},
	} {
		got := c.model.weights(nil, c.path, at(14))
		for i := range c.want {
			if math.Abs(got[i]-c.want[i]) > 1e-12 {
				t.Errorf("%s of %d: %v, want %v", c.model, len(c.path), got, c.want)
				break
			}
		}
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	windows := brand.AttributionWindows{Default: brand.AttributionWindow{Sent: 7 * day},
		Channel: map[lifecycle.Channel]brand.AttributionWindow{lifecycle.Email: {Opened: 2 * day, Clicked: 10 * day}}}
	for name, c := range map[string]struct {
		touch Touch
		want  float64 // day of the contact; -1 = none
	}{
		"default from sending":        {Touch{Channel: lifecycle.SMS, Sent: at(13)}, 13},
		"too old":                     {Touch{Channel: lifecycle.SMS, Sent: at(12.99)}, -1},
		"sent at the order's instant": {Touch{Channel: lifecycle.SMS, Sent: at(20)}, -1},
		"e-mail earns from opening":   {Touch{Channel: lifecycle.Email, Sent: at(19)}, -1},
		"opened in time":              {Touch{Channel: lifecycle.Email, Sent: at(1), Opened: at(18.5)}, 18.5},
		"opened too early":            {Touch{Channel: lifecycle.Email, Sent: at(1), Opened: at(17)}, -1},
		"opened after the order":      {Touch{Channel: lifecycle.Email, Sent: at(19), Opened: at(21)}, -1},
		"the last moment counts":      {Touch{Channel: lifecycle.Email, Sent: at(1), Opened: at(18.5), Clicked: at(18.6)}, 18.6},
		"clicked long ago":            {Touch{Channel: lifecycle.Email, Sent: at(1), Clicked: at(11)}, 11},
	} {
		got := contacts(nil, []Touch{c.touch}, []int{0}, at(20), windows)
		switch {
		case c.want < 0 && len(got) > 0:
			t.Errorf("%s: it is a contact at %v", name, got[0].at)
		case c.want >= 0 && (len(got) != 1 || !got[0].at.Equal(at(c.want))):
			t.Errorf("%s: %v, want a contact on day %v", name, got, c.want)
		}
	}
}

// drawCustomers draws customers with touches on channels, orders and refunds.
func drawCustomers(t *rapid.T) []Customer {
	n := rapid.IntRange(1, 25).Draw(t, "customers")
	customers := make([]Customer, n)
	for i := range customers {
		c := Customer{ID: lifecycle.CustomerID(fmt.Sprint("c", i))}
		for range rapid.IntRange(0, 8).Draw(t, "touches") {
			sent := at(float64(rapid.IntRange(0, 6000).Draw(t, "minute")) / 100)
			touch := Touch{Group: rapid.SampledFrom([]string{"email", "sms", "push", "web"}).Draw(t, "group"), Sent: sent}
			if rapid.Bool().Draw(t, "opens") {
				touch.Opened = sent.Add(time.Hour)
			}
			c.Touches = append(c.Touches, touch)
		}
		for range rapid.IntRange(0, 4).Draw(t, "orders") {
			c.Orders = append(c.Orders, Order{At: at(float64(rapid.IntRange(1, 6000).Draw(t, "when")) / 100), Total: rapid.Int64Range(-5_000, 100_000).Draw(t, "total")})
		}
		slices.SortStableFunc(c.Touches, func(a, b Touch) int { return a.Sent.Compare(b.Sent) })
		slices.SortStableFunc(c.Orders, func(a, b Order) int { return a.At.Compare(b.At) })
		customers[i] = c
	}
	return customers
}

func divide(t rapid.TB, customers []Customer, change func(*Options)) Result {
	o := Options{From: start, To: at(60), By: ByChannel, Models: Models, Windows: weekAfterSending}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, c := range customers {
		a.Add(c)
	}
	return a.Result()
}

// plain sums orders that some touch of the week before precedes, by a loop.
func plain(customers []Customer) (attributed, rest int64, orders int) {
	for _, c := range customers {
		for _, o := range c.Orders {
			touched := slices.ContainsFunc(c.Touches, func(t Touch) bool {
				return t.Sent.Before(o.At) && !t.Sent.Before(o.At.Add(-7*day))
			})
			switch {
			case !touched:
				rest += o.Total
			default:
				attributed += o.Total
				if o.Total > 0 {
					orders++
				}
			}
		}
	}
	return attributed, rest, orders
}

func TestCreditsAddUpToWhatCameIn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		customers := drawCustomers(t)
		attributed, rest, orders := plain(customers)
		r := divide(t, customers, nil)
		if r.UnattributedRevenue != rest {
			t.Fatalf("unattributed %d, want %d", r.UnattributedRevenue, rest)
		}
		for _, table := range r.Tables {
			if table.Why != "" {
				if orders > 0 {
					t.Fatalf("%s says %q with %d orders", table.Model, table.Why, orders)
				}
				continue
			}
			var revenue int64
			credited, touches := 0.0, 0
			for _, l := range table.Lines {
				revenue, credited, touches = revenue+l.Revenue, credited+l.Orders, touches+l.Touches
				if l.Orders < 0 {
					t.Fatalf("%s gives %s %v orders", table.Model, l.Group, l.Orders)
				}
			}
			if revenue != attributed || table.Total.Revenue != attributed {
				t.Fatalf("%s credits %d (total %d), want %d", table.Model, revenue, table.Total.Revenue, attributed)
			}
			if math.Abs(credited-float64(orders)) > 1e-9*float64(orders+1) || table.Total.Touches != touches {
				t.Fatalf("%s credits %v orders, want %d", table.Model, credited, orders)
			}
		}
	})
}

// Without refunds no group gets less than nothing, and a group without a contact
// before any order gets nothing.
func TestCreditsAreNotNegative(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		customers := drawCustomers(t)
		for i := range customers {
			for j := range customers[i].Orders {
				customers[i].Orders[j].Total = max(customers[i].Orders[j].Total, 1)
			}
			customers[i].Touches = append(customers[i].Touches, Touch{Group: "after everything", Sent: at(100)})
		}
		for _, table := range divide(t, customers, nil).Tables {
			for _, l := range table.Lines {
				if l.Revenue < 0 || l.Group == "after everything" && (l.Revenue != 0 || l.Orders != 0) {
					t.Fatalf("%s gives %s %d", table.Model, l.Group, l.Revenue)
				}
			}
		}
	})
}

// The order in which customers come and what groups are called change nothing.
func TestOrderAndNamesDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		customers := drawCustomers(t)
		want := divide(t, customers, func(o *Options) { o.Resamples = 8 })
		other := slices.Clone(customers)
		slices.Reverse(other)
		for i := range other {
			other[i].Touches = slices.Clone(other[i].Touches)
			for j := range other[i].Touches {
				other[i].Touches[j].Group = "x-" + other[i].Touches[j].Group
			}
		}
		got := divide(t, other, func(o *Options) { o.Resamples = 8 })
		for i, table := range want.Tables {
			for j, l := range table.Lines {
				g := got.Tables[i].Lines[j]
				// Markov shares may round to the other unit when rows are eliminated in another order.
				slack := int64(0)
				if table.Model == Markov {
					slack = 1
				}
				if g.Group != "x-"+l.Group || max(g.Revenue-l.Revenue, l.Revenue-g.Revenue) > slack || g.Touches != l.Touches || math.Abs(g.Orders-l.Orders) > 1e-9 {
					t.Fatalf("%s: %+v, want %+v", table.Model, g, l)
				}
			}
		}
	})
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total   int64
		weights []float64
		want    []int64
	}{
		{100, []float64{1. / 3, 1. / 3, 1. / 3}, []int64{34, 33, 33}},
		{-100, []float64{1. / 3, 1. / 3, 1. / 3}, []int64{-34, -33, -33}},
		{1, []float64{0.4, 0.2, 0.4}, []int64{1, 0, 0}},
		{5, []float64{0, 1}, []int64{0, 5}},
		{0, []float64{0.5, 0.5}, []int64{0, 0}},
	} {
		if got := split(nil, c.total, c.weights); !slices.Equal(got, c.want) {
			t.Errorf("split(%d, %v) = %v, want %v", c.total, c.weights, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 40).Draw(t, "weights")
		sum := 0.0
		for _, w := range raw {
			sum += w
		}
		if sum == 0 {
			return
		}
		for i := range raw {
			raw[i] /= sum
		}
		total := rapid.Int64Range(-1_000_000_000_000_000, 1_000_000_000_000_000).Draw(t, "total")
		var got int64
		for i, part := range split(nil, total, raw) {
			got += part
			if part != 0 && (part < 0) != (total < 0) || raw[i] == 0 && part != 0 {
				t.Fatalf("part %d of %d at weight %v", part, total, raw[i])
			}
			if math.Abs(float64(part)-float64(total)*raw[i]) > 1+math.Abs(float64(total))*1e-12 {
				t.Fatalf("part %d of %d at weight %v is more than a unit away", part, total, raw[i])
			}
		}
		if got != total {
			t.Fatalf("the parts of %d add up to %d", total, got)
		}
	})
}

func TestByWeek(t *testing.T) {
	t.Parallel()
	// Sent in the first week, ordered in the second: revenue goes to the second.
	c := Customer{ID: "a", Touches: []Touch{{Group: "", Sent: at(6)}}, Orders: []Order{{at(8), 500}}}
	r := divide(t, []Customer{c}, func(o *Options) { o.By = ByWeek })
	for _, table := range r.Tables {
		if table.Model == Markov {
			if table.Why == "" {
				t.Error("markov divides among weeks")
			}
			continue
		}
		if len(table.Lines) != 2 || table.Lines[0] != (Line{Group: "2026-03-02", Touches: 1, RevenueInterval: table.Lines[0].RevenueInterval, PerTouch: table.Lines[0].PerTouch}) ||
			table.Lines[1].Group != "2026-03-09" || table.Lines[1].Revenue != 500 || table.Lines[1].Touches != 0 {
			t.Errorf("%s: %+v", table.Model, table.Lines)
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{By: "colour", From: start, To: at(1)}, {By: ByAgent, From: start, To: start}, {By: ByAgent, From: start, To: at(1), Resamples: -1}} {
		if _, err := New(o); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := ParseModels("magic"); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("an unknown model: %v", err)
	}
}
