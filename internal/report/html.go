package report

import (
	_ "embed" // the page and its style
	"html/template"
	"io"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

//go:embed report.html
var page string

//go:embed charts.html
var charts string

//go:embed report.css
var style string

// HTML writes the report as one self-contained HTML file: no script, nothing
// loaded from anywhere, readable in light and dark and on paper.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"css":     func() template.CSS { return template.CSS(style) },
		"number":  number,
		"amount":  amount,
		"share":   share,
		"points":  points,
		"verdict": verdict,
		"control": control,
		"reason":  reasonWords,
		"rate":    rateWords,
	}).Parse(charts + page)
	if err != nil {
		return err
	}
	return t.Execute(w, view{Report: r})
}

// view is what the page asks for.
type view struct{ *Report }

func (v view) Period() string                   { return v.period() }
func (v view) Decimal(x float64) string         { return v.decimal(x) }
func (v view) PerTouch(x *float64) string       { return v.perTouch(x) }
func (v view) Weekly() []bars                   { return v.weekly() }
func (v view) Lifts() forest                    { return v.lifts() }
func (v view) RolloutWords() []string           { return rolloutWords(v.Rollouts) }
func (v view) People() []string                 { return v.peopleWords() }
func (v view) Unsubscribed() string             { return unsubscribedWords(v.Responses) }
func (v view) Verifications() []verification    { return v.verifications() }
func (v view) SimulatedWords() string           { return simulatedWords }
func (v view) RecomputeWords() string           { return recomputeWords }
func (v view) Estimate(a measure.Answer) string { return v.estimate(a) }

// trials is what the tables of journeys and campaigns need.
type trials struct {
	View   view
	Trials []Trial
}

func (v view) With(t []Trial) trials { return trials{View: v, Trials: t} }

// stateRow is a state with its count on every channel of the report.
type stateRow struct {
	Name   lifecycle.TouchState
	Counts []int
}

func (v view) StateRows() []stateRow {
	var rows []stateRow
	for _, s := range lifecycle.TouchStates {
		row, any := stateRow{Name: s}, false
		for _, c := range v.Touches {
			row.Counts = append(row.Counts, c.States[s])
			any = any || c.States[s] > 0
		}
		if any {
			rows = append(rows, row)
		}
	}
	return rows
}
