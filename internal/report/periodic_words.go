package report

import (
	"bytes"
	"cmp"
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"touchstone/internal/measure"
)

//go:embed periodic.html
var periodicPage string

// value writes a KPI's value in its unit.
func (p *Periodic) value(unit measure.Unit, v float64) string {
	switch unit {
	case measure.UnitShare:
		return strconv.FormatFloat(100*v, 'f', 2, 64) + "%"
	case measure.UnitMoney:
		return p.Figures.decimal(v)
	case measure.UnitDuration:
		return seconds(v)
	case measure.UnitCount:
		return number(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// reading writes a reading with its interval as "97.20% (96.10% to 98.00%)".
func (p *Periodic) reading(unit measure.Unit, r measure.Reading) string {
	if r.Status == measure.NotEnoughData {
		return strings.TrimSuffix("not enough data: "+r.Why, ": ")
	}
	text := p.value(unit, r.Interval.Estimate)
	if r.Interval.Low != r.Interval.High {
		text += fmt.Sprintf(" (%s to %s)", p.value(unit, r.Interval.Low), p.value(unit, r.Interval.High))
	}
	return text
}

// Title is the report's heading.
func (p *Periodic) Title() string {
	if p.Kind == Monthly {
		return "Monthly analysis, " + p.Figures.From.Format("January 2006")
	}
	year, week := p.Figures.From.ISOWeek()
	return fmt.Sprintf("Weekly review, week %d of %d", week, year)
}

// dimensions are those that a kind of report shows. What was learnt about offers
// and copy is looked at monthly.
func (p *Periodic) dimensions() []string {
	if p.Kind == Monthly {
		return []string{"cohort", "agent", "journey", "channel", "offer", "slot"}
	}
	return []string{"cohort", "agent", "journey", "channel"}
}

// by are the groups of a dimension, the one that earns least per touch first;
// none where there is a single one.
func (p *Periodic) by(dimension string) []GroupLine {
	var lines []GroupLine
	for _, g := range p.Groups {
		if g.By == dimension {
			lines = append(lines, g)
		}
	}
	if len(lines) < 2 {
		return nil // nothing to compare with
	}
	slices.SortStableFunc(lines, func(a, b GroupLine) int { return cmp.Compare(a.PerTouch, b.PerTouch) })
	return lines
}

// standingOf says in a word how a group does against the rest.
func standingOf(g GroupLine) string {
	switch {
	case g.Under():
		return "under-performs"
	case g.Over():
		return "out-performs"
	case g.Against.Known():
		return "not distinguishable"
	}
	return "not enough data"
}

// keyFigure is RpMT in words.
func (p *Periodic) keyFigure() []string {
	r := p.Figures
	if r.RpMT.Attributed == nil {
		return []string{"No marketing touch was sent."}
	}
	lines := []string{fmt.Sprintf("Attributed (last touch): %s %s per touch from %s touches, %s; %s.", r.perTouch(r.RpMT.Attributed), r.Currency,
		number(r.RpMT.Touches), amount(r.RpMT.Revenue), r.RpMT.Judgement)}
	incremental := "Incremental (against the holdout): " + verdict(r.RpMT.Incremental.PerTouch) + "."
	if r.RpMT.Incremental.PerTouch.Known() {
		incremental = fmt.Sprintf("Incremental (against the holdout): %s %s per touch, 95%% interval; %s.", r.estimate(r.RpMT.Incremental.PerTouch), r.Currency, verdict(r.RpMT.Incremental.PerTouch))
	}
	return append(lines, incremental)
}

// returnWords are cost and return in words.
func (p *Periodic) returnWords() []string {
	if p.Return == nil {
		return nil
	}
	r := p.Return
	spend := func(minor int64) string { return amount(Money{Amount: minor, Currency: r.Currency}) }
	lines := []string{fmt.Sprintf("Spent: %s for sending, %s for offers that were redeemed, %s for copy by a model, %s fixed; %s in all.",
		spend(r.Spend.Messages), spend(r.Spend.Offers), spend(r.Spend.Copy), spend(r.Spend.Fixed), spend(r.Spend.Total()))}
	for _, f := range []struct {
		name string
		measure.Ratio
	}{
		{"Return on investment, (margin on incremental revenue - spend) / spend", r.Economics.Return},
		{"Incremental revenue per spend", r.IncrementalEfficiency},
		{"All revenue per spend, caused by touches or not", r.Efficiency},
		{"Spend per buyer won (" + r.Currency + ")", r.Acquisition},
	} {
		line := f.name + ": " + verdict(f.Answer) + "."
		if i := f.Interval; f.Known() && i.Low < i.High {
			line = fmt.Sprintf("%s: %.2f (%.2f to %.2f), 95%% interval; %s.", f.name, i.Estimate, i.Low, i.High, verdict(f.Answer))
		} else if f.Known() {
			line = fmt.Sprintf("%s: %.2f, as counted.", f.name, i.Estimate)
		}
		lines = append(lines, line)
	}
	return lines
}

// modelRows are the agents' revenue by each attribution model.
func (p *Periodic) modelRows() [][]string {
	if p.Attribution == nil {
		return nil
	}
	var rows [][]string
	for _, t := range p.Attribution.Tables {
		if t.Why != "" {
			rows = append(rows, []string{string(t.Model), "-", "-", "-", t.Why})
		}
		for _, l := range t.Lines {
			rows = append(rows, []string{string(t.Model), cmp.Or(l.Group, noName), number(l.Touches), strconv.FormatFloat(l.Orders, 'f', 1, 64),
				amount(Money{Amount: l.Revenue, Currency: p.Attribution.Currency})})
		}
	}
	return rows
}

// methodWords say how the comparisons were made.
func (p *Periodic) methodWords() []string {
	return append([]string{
		"KPIs: met or missed when the whole 95% interval is on that side of the target, open when it contains it.",
		"Groups: attributed revenue per touch (last touch) against all other touches of the dimension, Welch's interval, widened because every group of a dimension is compared (Bonferroni). Touches of one customer are taken as independent.",
	}, p.Figures.Notes...)
}

// Markdown writes the report as GitHub-flavoured Markdown.
func (p *Periodic) Markdown(w io.Writer) error {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	table := func(header []string, rows [][]string) {
		line("| %s |\n|%s", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
		for _, row := range rows {
			line("| %s |", strings.Join(row, " | "))
		}
		line("")
	}
	bullets := func(lines []string) {
		for _, l := range lines {
			line("- %s", l)
		}
		line("")
	}
	r := p.Figures
	line("# %s · %s\n\n%s\n", p.Title(), r.Brand, r.period())
	if r.Simulated {
		line("**%s**\n", simulatedWords)
	}
	line("## Revenue per marketing touch\n")
	bullets(p.keyFigure())
	line("## Suggested changes\n")
	if len(p.Suggestions) == 0 {
		line("None: nothing in the figures is clear enough.\n")
	}
	for i, s := range p.Suggestions {
		line("%d. **%s**", i+1, s.Change)
		for _, e := range s.Evidence {
			line("   - %s", e)
		}
	}
	line("\n## KPIs against targets\n")
	table([]string{"KPI", "this period", "before", "target", "standing"}, p.kpiRows())
	for _, dimension := range p.dimensions() {
		if lines := p.by(dimension); len(lines) > 0 {
			line("## By %s\n", dimension)
			table([]string{dimension, "touches", "per touch, " + r.Currency, "an order followed", "clicked", "difference to the rest", ""}, p.groupRows(lines))
		}
	}
	if rows := p.trialRows(); p.Kind == Monthly && len(rows) > 0 {
		line("## Impact: test against control\n")
		table([]string{"", "treated", "control", "compared with", "conversion, points", "per touch, " + r.Currency, ""}, rows)
	}
	if rows := p.modelRows(); len(rows) > 0 {
		line("## Attribution by agent\n")
		table([]string{"model", "agent", "touches", "orders", "revenue"}, rows)
	}
	if p.Kind == Monthly {
		line("## Cost and return\n")
		bullets(p.returnWords())
	}
	if len(p.Rollouts) > 0 {
		line("## Rollouts\n")
		bullets(rolloutWords(p.Rollouts))
	}
	line("## How the figures were made\n")
	bullets(p.methodWords())
	_, err := w.Write(b.Bytes())
	return err
}

func (p *Periodic) kpiRows() [][]string {
	var rows [][]string
	for _, k := range p.KPIs {
		target := "-"
		if k.Target != nil {
			target = p.value(k.Unit, *k.Target)
		}
		rows = append(rows, []string{k.Title, p.reading(k.Unit, k.Now), p.reading(k.Unit, k.Before), target, string(k.Standing)})
	}
	return rows
}

func (p *Periodic) groupRows(lines []GroupLine) [][]string {
	var rows [][]string
	for _, g := range lines {
		rows = append(rows, []string{g.Name, number(g.Touches), p.Figures.decimal(g.PerTouch), share(g.Converted), share(g.Clicked), p.Figures.estimate(g.Against), standingOf(g)})
	}
	return rows
}

// trialRows are the journeys and campaigns as experiments, the programme first.
func (p *Periodic) trialRows() [][]string {
	r := p.Figures
	row := func(name string, treated, held Side, with string, l measure.Lift) []string {
		return []string{name, number(treated.Customers), number(held.Customers), with, points(l.Conversion), r.estimate(l.PerTouch), verdict(l.PerTouch)}
	}
	rows := [][]string{row("programme", r.RpMT.Treated, r.RpMT.HeldOut, "brand's holdout", r.RpMT.Incremental)}
	for _, t := range slices.Concat(r.Journeys, r.Campaigns) {
		rows = append(rows, row(t.Name, t.Treated, t.Held, control(t.Control), t.Lift))
	}
	return rows
}

func rolloutWords(programmes []Programme) []string {
	var lines []string
	for _, one := range programmes {
		lines = append(lines, fmt.Sprintf("%s: %s, stage %s.", one.Programme, one.Status, cmp.Or(one.Stage, "(none)")))
		for _, m := range one.Timeline {
			text := fmt.Sprintf("%s: %s %s by %s", m.At.Format("2 Jan 15:04"), strings.ReplaceAll(strings.TrimPrefix(m.Kind, "rollout."), "_", " "), m.Stage, m.Actor)
			if m.Why != "" {
				text += ": " + m.Why
			}
			lines = append(lines, text)
		}
	}
	return lines
}

// HTML writes the report as one self-contained HTML file: no script, nothing
// loaded from anywhere, readable in light and dark and on paper.
func (p *Periodic) HTML(w io.Writer) error {
	t, err := template.New("periodic").Funcs(template.FuncMap{
		"css":    func() template.CSS { return template.CSS(style) },
		"number": number,
		"class": func(standing string) string {
			switch standing {
			case string(Met), "out-performs", "a gain":
				return "gain"
			case string(Missed), "under-performs", "a loss":
				return "loss"
			}
			return "unclear"
		},
	}).Parse(charts + periodicPage)
	if err != nil {
		return err
	}
	return t.Execute(w, periodicView{p})
}

// periodicView is what the page asks for.
type periodicView struct{ *Periodic }

func (v periodicView) Period() string         { return v.Figures.period() }
func (v periodicView) SimulatedWords() string { return simulatedWords }
func (v periodicView) KeyFigure() []string    { return v.keyFigure() }
func (v periodicView) KPIRows() [][]string    { return v.kpiRows() }
func (v periodicView) ReturnWords() []string  { return v.returnWords() }
func (v periodicView) ModelRows() [][]string  { return v.modelRows() }
func (v periodicView) RolloutWords() []string { return rolloutWords(v.Rollouts) }
func (v periodicView) MethodWords() []string  { return v.methodWords() }

// TrialRows are shown monthly.
func (v periodicView) TrialRows() [][]string {
	if v.Kind != Monthly {
		return nil
	}
	return v.trialRows()
}

// dimensionView is one dimension with its table and its chart.
type dimensionView struct {
	Name   string
	Rows   [][]string
	Forest forest
}

func (v periodicView) Dimensions() []dimensionView {
	var all []dimensionView
	for _, name := range v.dimensions() {
		lines := v.by(name)
		if len(lines) == 0 {
			continue
		}
		var rows []estimated
		for _, g := range lines {
			rows = append(rows, estimated{g.Name, g.Against})
		}
		all = append(all, dimensionView{name, v.groupRows(lines), v.Figures.forestOf(rows)})
	}
	return all
}

// TrendChart draws attributed RpMT over the periods; nil with a single one.
func (v periodicView) TrendChart() *bars {
	if len(v.Trend) < 2 {
		return nil
	}
	var spans []span
	layout := "2 Jan"
	if v.Kind == Monthly {
		layout = "Jan"
	}
	for _, point := range v.Trend {
		value := 0.0
		if point.Attributed != nil {
			value = *point.Attributed
		}
		spans = append(spans, span{Label: point.From.Format(layout), Name: "from " + point.From.Format("2 Jan 2006"), Value: value})
	}
	b := barsOf("Attributed revenue per touch, "+v.Figures.Currency, "revenue", spans, v.Figures.decimal)
	last := spans[len(spans)-1]
	b.Summary = fmt.Sprintf("%s over %d periods, %s in the last one.", b.Title, len(spans), v.Figures.decimal(last.Value))
	return &b
}
