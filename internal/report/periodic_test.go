package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/report"
)

// Periods lie one after the other without gaps, each before the instant that
// asked, and every instant lies in the period around it.
func TestPeriods(t *testing.T) {
	t.Parallel()
	first := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	check := func(minutes uint32) bool {
		at := first.Add(time.Duration(minutes%(20*365*24*60)) * time.Minute)
		for _, kind := range []report.Kind{report.Weekly, report.Monthly} {
			since, until := kind.Period(at)
			_, before := kind.Period(since)
			if until.After(at) || !before.Equal(since) || !since.Before(until) {
				return false
			}
			if since, until = kind.Around(at); at.Before(since) || !at.Before(until) {
				return false
			}
			if kind == report.Weekly && (since.Weekday() != time.Monday || until.Sub(since) != measure.Week) || kind == report.Monthly && since.Day() != 1 {
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
	since, until := report.Monthly.Around(time.Date(2024, 1, 31, 23, 0, 0, 0, time.UTC))
	if since.Month() != time.January || until.Month() != time.February {
		t.Errorf("around 31 January: %s to %s", since, until)
	}
}

func TestTouchGroupsAgreeWithPlainLoops(t *testing.T) {
	t.Parallel()
	s := newSeason(3, 600)
	groups, err := s.store(t).TouchGroups(t.Context(), measure.Query{From: from, To: to, Attribution: creditFor, Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	earned, bought := map[string]int64{}, map[string]bool{}
	for _, o := range s.orders {
		if !in(o.at) || o.currency != "USD" {
			continue
		}
		var last *touchRow
		for i, x := range s.touches {
			if x.customer == o.customer && x.counts() && x.sent.Before(o.at) && !x.sent.Before(o.at.Add(-creditFor)) &&
				(last == nil || x.sent.After(last.sent) || x.sent.Equal(last.sent) && x.id > last.id) {
				last = &s.touches[i]
			}
		}
		if last != nil {
			earned[last.id] += o.total
			bought[last.id] = bought[last.id] || o.total > 0
		}
	}
	want := map[[2]string]measure.Group{}
	for _, x := range s.touches {
		if !x.counts() || !in(x.sent) {
			continue
		}
		for _, d := range [][2]string{{"agent", x.agent}, {"journey", x.journey}, {"channel", x.channel}, {"offer", x.offer}, {"cohort", ""}, {"slot", ""}} {
			one := measure.Group{By: d[0], Name: d[1], Revenue: measure.SampleOf(float64(earned[x.id]))}
			if bought[x.id] {
				one.Converted = 1
			}
			if x.clicked {
				one.Clicked = 1
			}
			one = one.Add(want[d])
			want[d] = one
		}
	}
	if len(groups) != len(want) {
		t.Errorf("%d groups, want %d", len(groups), len(want))
	}
	for _, g := range groups {
		w := want[[2]string{g.By, g.Name}]
		if g.Revenue.N != w.Revenue.N || g.Revenue.Sum != w.Revenue.Sum || math.Abs(g.Revenue.SumSquares-w.Revenue.SumSquares) > 1 || g.Converted != w.Converted || g.Clicked != w.Clicked {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
}

// calm is a source in which nothing is worth a suggestion; tests disturb it.
type calm struct {
	figures  measure.Figures
	groups   []measure.Group
	readings []measure.Reading
	rollouts []ledger.RolloutRow
	timeline []ledger.RolloutMoment
	kept     map[time.Time][]byte
	economy  measure.EconomicsInput
}

func (c *calm) Economics(context.Context, measure.Query) (measure.EconomicsInput, error) {
	return c.economy, nil
}

func (c *calm) Figures(context.Context, measure.Query) (measure.Figures, error) {
	return c.figures, nil
}
func (c *calm) Journeys(context.Context) ([]ledger.JourneyRow, error) { return nil, nil }
func (c *calm) TouchGroups(context.Context, measure.Query) ([]measure.Group, error) {
	return c.groups, nil
}
func (c *calm) KPIs(context.Context, measure.KPIQuery) ([]measure.Reading, error) {
	return c.readings, nil
}
func (c *calm) Rollouts(context.Context) ([]ledger.RolloutRow, error) { return c.rollouts, nil }
func (c *calm) RolloutTimeline(context.Context, string, time.Time) ([]ledger.RolloutMoment, error) {
	return slices.Clone(c.timeline), nil
}
func (c *calm) SavedReport(_ context.Context, _ string, since time.Time) (ledger.ReportRow, error) {
	body, kept := c.kept[since]
	if !kept {
		return ledger.ReportRow{}, lifecycle.Errorf(lifecycle.NotFound, "no report")
	}
	return ledger.ReportRow{Body: body}, nil
}
func (c *calm) SaveReport(_ context.Context, r ledger.ReportRow) error {
	c.kept[r.From] = r.Body
	return nil
}

func kpiRate(id string, hits, n int) measure.Reading {
	return measure.Reading{KPI: id, Status: measure.OK, Denominator: float64(n), Interval: measure.Proportion{N: n, Hits: hits}.Wilson(measure.Level)}
}

func catalogue() []measure.KPI {
	high, low := 0.95, 0.001
	return []measure.KPI{
		{ID: "delivery", Title: "Delivery rate", Unit: measure.UnitShare, Better: measure.Higher, Target: &high},
		{ID: "complaints", Title: "Complaint rate", Unit: measure.UnitShare, Better: measure.Lower, Target: &low},
		{ID: "orders", Title: "Orders", Unit: measure.UnitCount, Better: measure.Higher},
		{ID: "gone", Title: "Gone", Unit: measure.UnitMoney, Better: measure.Higher, Target: &high},
	}
}

func newCalm() *calm {
	return &calm{kept: map[time.Time][]byte{}, readings: []measure.Reading{kpiRate("delivery", 990, 1000), kpiRate("complaints", 0, 10000),
		{KPI: "orders", Status: measure.OK, Interval: measure.Interval{Estimate: 12, Low: 12, High: 12}}}}
}

func weekly(t *testing.T, c *calm) *report.Periodic { return periodicOf(t, c, report.Weekly, from) }

func periodicOf(t *testing.T, c *calm, kind report.Kind, since time.Time) *report.Periodic {
	t.Helper()
	since, until := kind.Around(since)
	p, err := report.WritePeriodic(t.Context(), c, kind, report.PeriodicOptions{Catalogue: catalogue(), Shop: brand.Example(), MadeAt: until.Add(6 * time.Hour),
		Options: report.Options{From: since, To: until, Brand: "Larkspur Home", Currency: "USD"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func changes(p *report.Periodic) (all []string) {
	for _, s := range p.Suggestions {
		if len(s.Evidence) == 0 || s.Evidence[0] == "" {
			all = append(all, "WITHOUT EVIDENCE: ")
		}
		all = append(all, s.Change)
	}
	return all
}

func TestStandings(t *testing.T) {
	t.Parallel()
	c := newCalm()
	if got := changes(weekly(t, c)); len(got) != 0 {
		t.Errorf("suggested out of nothing: %q", got)
	}
	want := map[string]report.Standing{"delivery": report.Met, "complaints": report.Met, "orders": report.NoTarget, "gone": report.NoAnswer}
	check := func() {
		t.Helper()
		for _, k := range weekly(t, c).KPIs {
			if k.Standing != want[k.KPI] {
				t.Errorf("%s is %s, want %s", k.KPI, k.Standing, want[k.KPI])
			}
		}
	}
	check()
	c.readings[0], c.readings[1] = kpiRate("delivery", 95, 100), kpiRate("complaints", 1, 1000)
	want["delivery"], want["complaints"] = report.Open, report.Open
	check()
	c.readings[0], c.readings[1] = kpiRate("delivery", 800, 1000), kpiRate("complaints", 50, 1000)
	want["delivery"], want["complaints"] = report.Missed, report.Missed
	check()
	got := changes(weekly(t, c))
	if len(got) != 2 || got[0] != "Raise Delivery rate: it is below its target." || got[1] != "Lower Complaint rate: it is above its target." {
		t.Errorf("%q", got)
	}
}

func TestSuggestionsHaveEvidence(t *testing.T) {
	t.Parallel()
	c := newCalm()
	group := func(by, name string, n, orders int, each float64) measure.Group {
		return measure.Group{By: by, Name: name, Converted: orders, Revenue: measure.Sample{N: n, Sum: float64(orders) * each, SumSquares: float64(orders) * each * each}}
	}
	c.groups = []measure.Group{
		group("agent", "campaign", 5000, 500, 6000), group("agent", "winback", 5000, 100, 6000),
		group("cohort", "loyal", 5000, 500, 6000), group("cohort", "new", 20, 0, 6000),
		group("channel", "email", 5000, 300, 6000), group("channel", "sms", 5000, 310, 6000),
	}
	arm := func(n, buyers int) measure.Arm {
		return measure.Arm{Revenue: measure.Sample{N: n, Sum: float64(buyers) * 5000, SumSquares: float64(buyers) * 5000 * 5000}, Converted: buyers, Touches: n}
	}
	trial := func(name string, treated, held measure.Arm) measure.Trial {
		return measure.Trial{Scope: measure.JourneyTrial, Name: name, Journey: name, Arms: map[ledger.Arm]measure.Arm{ledger.Treated: treated, ledger.Holdout: held}}
	}
	c.figures.Trials = []measure.Trial{trial("good", arm(9000, 900), arm(1000, 50)), trial("bad", arm(9000, 450), arm(1000, 100)), trial("same", arm(9000, 900), arm(1000, 100))}
	c.figures.Touches = []measure.TouchCount{{Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchDelivered, Count: 100}}
	c.figures.Rules = []measure.RuleCount{{Rule: "frequency-cap", Outcome: lifecycle.Defer, Findings: 60}, {Rule: "consent", Outcome: lifecycle.Block, Findings: 5}}
	c.figures.Reviews = []measure.ReviewCount{{Kind: lifecycle.ReviewCreative, Status: lifecycle.ReviewExpired, Count: 3}}
	c.rollouts = []ledger.RolloutRow{{Programme: "three-phases", Status: "halted", Stage: "weeks-1-2", StartedAt: from}}
	c.timeline = []ledger.RolloutMoment{{At: from.Add(day), Kind: "rollout.halted", Actor: "engine", Stage: "weeks-1-2", Why: "guardrail metric: spam"}, {At: from.Add(8 * day), Kind: "rollout.resumed"}}
	p := weekly(t, c)
	want := []string{
		"Mend what halted rollout three-phases, then resume or abort it.",
		"Pause journey bad and find out why: customers held out of it bought more.",
		"Look at what agent winback decides: it earns less per touch than the rest.",
		"Give reviews more people, or ask for fewer of them.",
		"See whether guardrail frequency-cap, or what runs into it, should change.",
		"Give journey good more room: a larger cohort, or priority for the last cap slot.",
	}
	if got := changes(p); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if len(p.Rollouts[0].Timeline) != 1 {
		t.Errorf("what happened after the week is in its report: %+v", p.Rollouts)
	}
	var text bytes.Buffer
	if err := p.Markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"# Weekly review, week 10 of 2026 · Larkspur Home", "1. **Mend what halted", "| winback | 5,000 | 1.20 |", "under-performs", "| new | 20 |", "not enough data"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the text lacks %q:\n%s", part, text.String())
		}
	}
}

// Groups that are all alike are rarely named: with five of them, in at most
// about one report in twenty.
func TestEqualsAreRarelyNamed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	const reports = 600
	named := 0
	for range reports {
		c := newCalm()
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			g := measure.Group{By: "cohort", Name: name}
			for range 400 {
				v := 0.0
				if r.Float64() < 0.1 {
					v = math.Round(math.Exp(8 + 0.5*r.NormFloat64()))
					g.Converted++
				}
				g.Revenue = g.Revenue.Add(measure.SampleOf(v))
			}
			c.groups = append(c.groups, g)
		}
		for _, g := range weekly(t, c).Groups {
			if g.Under() || g.Over() {
				named++
				break
			}
		}
	}
	if share := float64(named) / reports; share > 0.09 {
		t.Errorf("%.1f%% of reports of equals name one", share*100)
	}
}

func TestMonthlyReturn(t *testing.T) {
	t.Parallel()
	c := newCalm()
	arm := func(n, buyers int) measure.Arm {
		return measure.Arm{Revenue: measure.Sample{N: n, Sum: float64(buyers) * 5000, SumSquares: float64(buyers) * 5000 * 5000}, Converted: buyers, Touches: n}
	}
	c.economy = measure.EconomicsInput{Orders: 950, Revenue: 4_750_000, CopyCost: 50_000,
		Credit:    measure.Credit{Touches: 9000, Revenue: 2_000_000, Cost: 150_000, Orders: 400},
		Programme: measure.Comparison{Treated: arm(9000, 900), Held: arm(1000, 50)}}
	p := periodicOf(t, c, report.Monthly, from)
	shop := brand.Example()
	spend := 200_000.0 + float64(p.Return.Spend.Fixed)
	if float64(p.Return.Spend.Total()) != spend || p.Return.Spend.Messages != 150_000 || p.Return.Spend.Copy != 50_000 {
		t.Errorf("%+v", p.Return.Spend)
	}
	// 9000 treated, 5 % more of whom bought for 50.00: 22,500.00.
	want := (2_250_000*shop.Costs.Margin - spend) / spend
	if i := p.Return.Economics.Return.Interval; math.Abs(i.Estimate-want) > 1e-9 || i.Low >= i.Estimate {
		t.Errorf("%+v, want %v", p.Return.Economics.Return, want)
	}
	if weekly := weekly(t, c); weekly.Return != nil {
		t.Error("returns are a matter of months")
	}
}

// What is kept can be read again as it was, and is the trend of later reports.
func TestKeptReportsAreTheTrend(t *testing.T) {
	t.Parallel()
	c := newCalm()
	var last *report.Periodic
	for week := range 15 {
		c.figures.Cells = []measure.Cell{{Journey: "good", Channel: "email", Credit: measure.Credit{Touches: 100, Revenue: int64(100 * (week + 1))}}}
		last = periodicOf(t, c, report.Weekly, from.AddDate(0, 0, 7*week))
	}
	if len(last.Trend) != 12 || *last.Trend[11].Attributed != 0.15 || *last.Trend[0].Attributed != 0.04 || !last.Trend[0].From.Equal(from.AddDate(0, 0, 21)) {
		t.Errorf("%+v", last.Trend)
	}
	kept, err := report.ReadPeriodic(c.kept[last.Figures.From])
	if err != nil {
		t.Fatal(err)
	}
	for _, write := range []func(*report.Periodic, io.Writer) error{(*report.Periodic).JSON, (*report.Periodic).Markdown, (*report.Periodic).HTML} {
		var was, is bytes.Buffer
		if err := errors.Join(write(last, &was), write(kept, &is)); err != nil {
			t.Fatal(err)
		}
		if was.String() != is.String() || was.Len() < 500 {
			t.Errorf("kept and read again it differs:\n%s\n%s", was.String(), is.String())
		}
	}
	if _, err := report.ReadPeriodic([]byte(`{}`)); lifecycle.CodeOf(err) != lifecycle.Internal {
		t.Errorf("a damaged report: %v", err)
	}
}

// The whole of a season's first weeks and of a month, from the rows to the page.
func TestPeriodicOfASeason(t *testing.T) {
	t.Parallel()
	store := newSeason(1, 900).store(t)
	for _, c := range []struct {
		kind  report.Kind
		since time.Time
		parts []string
	}{
		{report.Weekly, from.AddDate(0, 0, 14), []string{"Weekly review, week 12 of 2026", "By agent", "KPIs against targets", "SIMULATED CUSTOMERS"}},
		{report.Monthly, from.AddDate(0, 0, 35), []string{"Monthly analysis, April 2026", "Impact: test against control", "Cost and return", "By offer", "own holdout"}},
	} {
		since, until := c.kind.Around(c.since)
		p, err := report.WritePeriodic(t.Context(), store, c.kind, report.PeriodicOptions{Catalogue: catalogue(), Shop: brand.Example(), MadeAt: until,
			Options: report.Options{From: since, To: until, Brand: "Larkspur <Home>", Currency: "USD", Scale: scale, Simulated: true}})
		if err != nil {
			t.Fatal(err)
		}
		var page, text, encoded bytes.Buffer
		if err := errors.Join(p.HTML(&page), p.Markdown(&text), p.JSON(&encoded)); err != nil {
			t.Fatal(err)
		}
		for _, part := range c.parts {
			if !strings.Contains(page.String(), part) || !strings.Contains(text.String(), part) {
				t.Errorf("%s: page or text lacks %q", c.kind, part)
			}
		}
		if strings.Contains(page.String(), "<Home>") || strings.Contains(page.String(), "NaN") || strings.Contains(page.String(), "<script") || !strings.Contains(page.String(), "<svg") {
			t.Errorf("%s: the page is not clean", c.kind)
		}
		decoder := xml.NewDecoder(&page)
		decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			if _, err := decoder.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: the page is not well-formed: %v", c.kind, err)
			}
		}
		if !json.Valid(encoded.Bytes()) {
			t.Errorf("%s: not JSON", c.kind)
		}
		row, err := store.SavedReport(t.Context(), string(c.kind), since)
		if err != nil || !row.To.Equal(until) {
			t.Errorf("%s: %+v %v", c.kind, row, err)
		}
	}
	list, err := store.SavedReports(t.Context(), 10)
	if err != nil || len(list) != 2 || list[0].Kind != "monthly" {
		t.Errorf("%+v %v", list, err)
	}
}
