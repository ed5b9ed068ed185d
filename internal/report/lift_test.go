package report_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/measure/attribution"
	"touchstone/internal/report"
)

var afterSending = brand.AttributionWindows{Default: brand.AttributionWindow{Sent: creditFor}}

// Last touch by whatever dimension credits what the report credits.
func TestLastTouchIsTheReports(t *testing.T) {
	t.Parallel()
	s := newSeason(3, 700)
	store := s.store(t)
	f := figuresOn(t, store)
	for _, by := range attribution.Dimensions {
		if by == attribution.ByCohort {
			continue // the report has none
		}
		got, err := report.Attribute(t.Context(), store, attribution.Options{From: from, To: to, By: by, Models: attribution.Models, Windows: afterSending}, "USD")
		if err != nil {
			t.Fatal(err)
		}
		want := measure.GroupBy(f.Cells, func(c measure.Cell) string {
			return map[attribution.Dimension]string{attribution.ByAgent: c.Agent, attribution.ByChannel: c.Channel, attribution.ByJourney: c.Journey,
				attribution.ByCampaign: c.Campaign, attribution.ByWeek: measure.WeekNamed(from, c.Week)}[by]
		})
		last := tableOf(got, attribution.Last)
		if len(last.Lines) != len(want) {
			t.Fatalf("%s: %d groups, the report has %d", by, len(last.Lines), len(want))
		}
		for i, w := range want {
			if l := last.Lines[i]; l.Group != w.Name || l.Touches != w.Touches || l.Revenue != w.Revenue || math.Abs(l.Orders-float64(w.Orders)) > 1e-9 {
				t.Errorf("%s: %+v, the report says %+v", by, l, w)
			}
		}
		total := measure.Total(f.Cells)
		for _, table := range got.Tables {
			if table.Why == "" && (table.Total.Revenue != total.Revenue || table.Total.Touches != total.Touches) {
				t.Errorf("%s by %s: %d in all, the report credits %d", table.Model, by, table.Total.Revenue, total.Revenue)
			}
		}
		if sum := total.Revenue + got.UnattributedRevenue; sum != f.Revenue {
			t.Errorf("%s: attributed and unattributed make %d of %d", by, sum, f.Revenue)
		}
	}
}

func tableOf(a *report.Attribution, m attribution.Model) attribution.Table {
	for _, t := range a.Tables {
		if t.Model == m {
			return t
		}
	}
	return attribution.Table{}
}

func figuresOn(t *testing.T, source report.Source) measure.Figures {
	t.Helper()
	f, err := source.Figures(t.Context(), measure.Query{From: from, To: to, RealFrom: scale.RealAt(from), RealTo: scale.RealAt(to),
		Attribution: creditFor, Window: outcome, Windows: map[string]time.Duration{"winback": windowOf("winback"), "cart": windowOf("cart")}, Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Without a cut the comparisons are the report's trials.
func TestLiftIsTheReportsTrials(t *testing.T) {
	t.Parallel()
	s := newSeason(4, 700)
	store := s.store(t)
	r, err := report.Build(t.Context(), store, options())
	if err != nil {
		t.Fatal(err)
	}
	for by, trials := range map[attribution.Dimension][]report.Trial{attribution.ByJourney: r.Journeys, attribution.ByCampaign: r.Campaigns} {
		table, err := report.Lift(t.Context(), store, report.LiftOptions{From: from, To: to, By: by, Windows: afterSending, Currency: "USD"})
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Rows) != len(trials) || len(trials) == 0 {
			t.Fatalf("%s: %d rows, the report has %d", by, len(table.Rows), len(trials))
		}
		for i, want := range trials {
			got := table.Rows[i]
			if got.Name != want.Name || !reflect.DeepEqual(*got.Treated, want.Treated) || !reflect.DeepEqual(*got.HeldOut, want.Held) ||
				!reflect.DeepEqual(*got.Lift, want.Lift) || got.Open != want.Open {
				t.Errorf("%s %s: %+v, the report says %+v", by, want.Name, got, want)
			}
			if got.Attributed == nil || got.Attributed.Revenue != want.Credit.Revenue || got.Attributed.Touches != want.Credit.Touches {
				t.Errorf("%s %s: attributed %+v, the report says %+v", by, want.Name, got.Attributed, want.Credit)
			}
		}
	}
}

// count is one side of a cut by plain loops.
type counted struct {
	customers, open, converted, touches, responded int
	revenue, squares                               float64
}

// cuts counts first runs ever by cut and arm, with loops over the rows.
func (s *season) cuts(journey string, window time.Duration, cut func(runRow) string) map[string]map[ledger.Arm]*counted {
	first := map[string]runRow{}
	for _, r := range s.runs {
		f, seen := first[r.customer]
		if (journey == "" || r.journey == journey) && (!seen || r.at.Before(f.at) || r.at.Equal(f.at) && r.id < f.id) {
			first[r.customer] = r
		}
	}
	out := map[string]map[ledger.Arm]*counted{}
	for _, r := range first {
		if !in(r.at) {
			continue
		}
		arms := out[cut(r)]
		if arms == nil {
			arms = map[ledger.Arm]*counted{}
			out[cut(r)] = arms
		}
		c := arms[r.arm]
		if c == nil {
			c = &counted{}
			arms[r.arm] = c
		}
		closes := r.at.Add(window)
		if closes.After(to) {
			c.open++
			continue
		}
		c.customers++
		sum, bought := 0.0, false
		for _, o := range s.orders {
			if o.customer == r.customer && o.currency == "USD" && o.at.After(r.at) && !o.at.After(closes) {
				sum += float64(o.total)
				bought = bought || o.total > 0
			}
		}
		c.revenue, c.squares = c.revenue+sum, c.squares+sum*sum
		if bought {
			c.converted++
		}
		for _, x := range s.touches {
			if x.customer == r.customer && x.counts() && (journey == "" || x.journey == journey) && !x.sent.Before(r.at) && !x.sent.After(closes) {
				c.touches++
			}
		}
	}
	return out
}

// stage is the lifecycle stage by a loop over orders.
func (s *season) stage(r runRow) string {
	profile := lifecycle.Profile{}
	for _, o := range s.orders {
		if o.customer == r.customer && o.total > 0 && !o.at.After(r.at) {
			profile.Orders.Count++
			if o.at.After(profile.Orders.LastAt) {
				profile.Orders.LastAt = o.at
			}
		}
	}
	return string(profile.Stage(r.at, lifecycle.DefaultStageThresholds()))
}

func TestCutsAgreeWithPlainLoops(t *testing.T) {
	t.Parallel()
	s := newSeason(5, 600)
	store := s.store(t)
	week := func(r runRow) string { return measure.WeekOf(from, r.at) }
	for _, c := range []struct {
		query  measure.CutQuery
		window time.Duration
		cut    func(runRow) string
	}{
		{measure.CutQuery{Scope: measure.ProgrammeTrial, By: measure.ByWeek}, outcome, week},
		{measure.CutQuery{Scope: measure.ProgrammeTrial, By: measure.ByCohort}, outcome, s.stage},
		{measure.CutQuery{Scope: measure.JourneyTrial, Name: "winback", By: measure.ByWeek}, windowOf("winback"), week},
		{measure.CutQuery{Scope: measure.JourneyTrial, Name: "winback", By: measure.ByCohort}, windowOf("winback"), s.stage},
	} {
		q := c.query
		q.From, q.To, q.Currency, q.Window = from, to, "USD", outcome
		q.Windows = map[string]time.Duration{"winback": windowOf("winback"), "cart": windowOf("cart")}
		got, err := store.Cuts(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want := s.cuts(q.Name, c.window, c.cut)
		if len(got) != len(want) || len(got) < 3 {
			t.Errorf("%s by %s: %d parts, want %d", q.Scope, q.By, len(got), len(want))
		}
		for _, cut := range got {
			open := 0
			for _, arm := range []ledger.Arm{ledger.Treated, ledger.Holdout, ledger.GlobalHoldout} {
				w := counted{}
				if x := want[cut.By][arm]; x != nil {
					w = *x
				}
				open += w.open
				a := cut.Arms[arm]
				g := counted{a.Revenue.N, w.open, a.Converted, a.Touches, 0, a.Revenue.Sum, a.Revenue.SumSquares}
				if g != w {
					t.Errorf("%s by %s, %s %s: %+v, want %+v", q.Scope, q.By, cut.By, arm, g, w)
				}
			}
			if cut.Open != open {
				t.Errorf("%s by %s, %s: %d open, want %d", q.Scope, q.By, cut.By, cut.Open, open)
			}
		}
	}
}

func TestLiftSaysWhereChanceDrewNothing(t *testing.T) {
	t.Parallel()
	store := newSeason(6, 300).store(t)
	table, err := report.Lift(t.Context(), store, report.LiftOptions{From: from, To: to, By: attribution.ByAgent, Windows: afterSending, Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 2 {
		t.Fatalf("agents: %+v", table.Rows)
	}
	for _, r := range table.Rows {
		if r.Lift != nil || r.Why == "" || r.Attributed == nil || r.Attributed.Touches == 0 {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
	for name, o := range map[string]report.LiftOptions{
		"both": {By: attribution.ByWeek, Journey: "a", Campaign: "b"}, "other scope": {By: attribution.ByJourney, Campaign: "b"},
		"agent of a journey": {By: attribution.ByAgent, Journey: "a"}, "unknown": {By: "colour"},
	} {
		o.From, o.To, o.Currency = from, to, "USD"
		if _, err := report.Lift(t.Context(), store, o); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every figure of the economics by plain loops over the rows.
func TestEconomicsAgreeWithPlainLoops(t *testing.T) {
	t.Parallel()
	s := newSeason(7, 900)
	b := brand.Example()
	b.Costs.Monthly = lifecycle.Money{Amount: 12_345, Currency: "USD"}
	coupons := map[string]string{}
	for i, o := range s.orders {
		if i%7 == 0 {
			coupons[o.id] = []string{"take10", "SHIPFREE", "UNKNOWN"}[i%3]
		}
	}
	// A long history for some, so that a first year is over.
	for i, c := range s.customers {
		if i%5 == 0 {
			s.orders = append(s.orders, orderRow{id: id("old", i), customer: c, currency: "USD", at: from.Add(-time.Duration(330+i%90) * day), total: int64(1000 + i)})
		}
	}
	store := s.storeWith(t, coupons)
	got, err := report.Economics(t.Context(), store, b, from, to, creditFor, measure.DefaultMinimum())
	if err != nil {
		t.Fatal(err)
	}
	f := figuresOn(t, store)
	credit := measure.Total(f.Cells)

	discount, shipping, revenue := 0.0, int64(0), int64(0)
	for _, o := range s.orders {
		if !in(o.at) || o.currency != "USD" {
			continue
		}
		revenue += o.total
		if o.total > 0 {
			switch coupons[o.id] {
			case "take10":
				discount += float64(o.total) * 10 / 90
			case "SHIPFREE":
				shipping += 495
			}
		}
	}
	var copyCost int64
	for _, c := range s.creatives {
		if in(c.at) && c.currency == "USD" {
			copyCost += c.cost
		}
	}
	fixed := int64(math.Round(12_345 * to.Sub(from).Hours() / (365.2425 * 24 / 12)))
	want := measure.Spend{Messages: credit.Cost, Offers: int64(math.Round(discount)) + shipping, Copy: copyCost, Fixed: fixed}
	if got.Spend != want {
		t.Errorf("spend %+v, want %+v", got.Spend, want)
	}
	if discount == 0 || shipping == 0 || copyCost == 0 {
		t.Error("the season has no offers or copy to prove anything with")
	}
	spend := float64(want.Total()) / 100
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	near("cost per order", got.CostPerOrder.Interval.Estimate, spend/float64(credit.Orders))
	near("efficiency", got.Efficiency.Interval.Estimate, float64(revenue)/100/spend)
	lift := f.Programme.Lift(measure.DefaultMinimum(), measure.Level)
	if !lift.Revenue.Known() {
		t.Fatalf("the season has no lift to prove anything with: %+v", lift.Revenue)
	}
	roi := func(incremental float64) float64 {
		return (b.Costs.Margin*(incremental/100+math.Round(discount)/100) - spend) / spend
	}
	near("ROI", got.Return.Interval.Estimate, roi(lift.Revenue.Interval.Estimate))
	near("ROI low", got.Return.Interval.Low, roi(lift.Revenue.Interval.Low))
	near("ROI high", got.Return.Interval.High, roi(lift.Revenue.Interval.High))
	near("ROI from", got.Return.Numerator/got.Return.Denominator, got.Return.Interval.Estimate)
	near("incremental efficiency", got.IncrementalEfficiency.Interval.Estimate, lift.Revenue.Interval.Estimate/100/spend)

	first := map[string]time.Time{}
	for _, o := range s.orders {
		if at, seen := first[o.customer]; o.currency == "USD" && o.total > 0 && (!seen || o.at.Before(at)) {
			first[o.customer] = o.at
		}
	}
	var values []float64
	for c, at := range first {
		end := at.AddDate(0, 0, 365)
		if end.After(to) {
			continue
		}
		v := 0.0
		for _, o := range s.orders {
			if o.customer == c && o.currency == "USD" && !o.at.Before(at) && o.at.Before(end) {
				v += float64(o.total) / 100 * b.Costs.Margin
			}
		}
		values = append(values, v)
	}
	mean := 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	near("12-month value", got.YearValue.Interval.Estimate, mean)
	if len(values) < 30 || !(got.YearValue.Interval.Low < mean && mean < got.YearValue.Interval.High) {
		t.Errorf("12-month value of %d: %+v", len(values), got.YearValue)
	}
}
