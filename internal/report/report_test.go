package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func build(t *testing.T, o report.Options) *report.Report {
	t.Helper()
	r, err := report.Build(t.Context(), newSeason(1, 1800).store(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTextIsGolden(t *testing.T) {
	t.Parallel()
	r := build(t, options())
	var plain, colored bytes.Buffer
	if err := r.Text(&plain, false); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "season.txt")
	if *update {
		if err := os.WriteFile(golden, plain.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain.Bytes(), want) {
		t.Errorf("the text differs from %s (go test ./internal/report -update rewrites it):\n%s", golden, plain.String())
	}
	for i, line := range strings.Split(plain.String(), "\n") {
		if n := utf8.RuneCountInString(line); n > 110 || strings.HasSuffix(line, " ") {
			t.Errorf("line %d has %d characters or ends in a blank: %q", i+1, n, line)
		}
	}
	if err := r.Text(&colored, true); err != nil {
		t.Fatal(err)
	}
	if bare := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored.String(), ""); bare != plain.String() || bare == colored.String() {
		t.Error("colour must change nothing but colour")
	}
	checkHTML(t, r)
	checkJSON(t, r)
}

// checkHTML looks at the page as a machine can; how it looks is for eyes.
func checkHTML(t *testing.T, r *report.Report) {
	t.Helper()
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil {
		t.Fatal(err)
	}
	html := page.String()
	if dir := os.Getenv("REPORT_OUT"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "report.html"), page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, forbidden := range []string{"http://", "https://", "<script", "<link", "@import", "url(", "ZgotmplZ", "%!", "<no value>"} {
		if strings.Contains(html, forbidden) {
			t.Errorf("the page contains %q: it must be one self-contained file", forbidden)
		}
	}
	for _, wanted := range []string{"SIMULATED CUSTOMERS", "Larkspur Home", "95% interval", "winback", "frequency-cap", "spam-score", "tiny",
		"not enough data", `role="img"`, "prefers-color-scheme: dark", "touchstone report --json", "scaled clock, 1 day in 2s"} {
		if !strings.Contains(html, wanted) {
			t.Errorf("the page lacks %q", wanted)
		}
	}
	if charts, labelled := strings.Count(html, "<svg"), strings.Count(html, "aria-label="); charts != 3 || labelled != charts {
		t.Errorf("%d charts, %d of them labelled, want 3", charts, labelled)
	}
	for _, tag := range []string{"section", "table", "tr", "svg", "figure", "dl", "main", "details"} {
		if opened, closed := strings.Count(html, "<"+tag+">")+strings.Count(html, "<"+tag+" "), strings.Count(html, "</"+tag+">"); opened != closed {
			t.Errorf("%d <%s> opened, %d closed", opened, tag, closed)
		}
	}
}

func checkJSON(t *testing.T, r *report.Report) {
	t.Helper()
	var out bytes.Buffer
	if err := r.JSON(&out); err != nil {
		t.Fatal(err)
	}
	var back report.Report
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := back.JSON(&again); err != nil || again.String() != out.String() {
		t.Errorf("the JSON form does not survive a round trip: %v", err)
	}
	touches, revenue := 0, int64(0)
	for _, w := range r.Weeks {
		touches, revenue = touches+w.Touches, revenue+w.Attributed.Amount
	}
	if touches != r.RpMT.Touches || revenue != r.RpMT.Revenue.Amount || touches == 0 {
		t.Errorf("the weeks add up to %d touches and %d, the report says %d and %v", touches, revenue, r.RpMT.Touches, r.RpMT.Revenue)
	}
	for _, c := range r.Credits {
		touches, revenue := 0, int64(0)
		for _, l := range c.Lines {
			touches, revenue = touches+l.Touches, revenue+l.Revenue.Amount
		}
		if touches != r.RpMT.Touches || revenue != r.RpMT.Revenue.Amount {
			t.Errorf("by %s: %d touches and %d, the report says %d and %v", c.By, touches, revenue, r.RpMT.Touches, r.RpMT.Revenue)
		}
	}
	if got := *r.RpMT.Attributed * float64(r.RpMT.Touches) * 100; int64(got+0.5) != r.RpMT.Revenue.Amount {
		t.Errorf("attributed RpMT times touches is %v cents, not %v", got, r.RpMT.Revenue)
	}
}

// fake is a source without a database.
type fake struct {
	figures measure.Figures
	rows    []ledger.JourneyRow
	err     error
}

func (f fake) Figures(context.Context, measure.Query) (measure.Figures, error) {
	return f.figures, f.err
}
func (f fake) Journeys(context.Context) ([]ledger.JourneyRow, error) { return f.rows, nil }

func TestNothingHappened(t *testing.T) {
	t.Parallel()
	r, err := report.Build(t.Context(), fake{}, report.Options{From: from, To: from.Add(3 * day), Brand: "<Quiet & Co>", Currency: "JPY"})
	if err != nil {
		t.Fatal(err)
	}
	var text, html, js bytes.Buffer
	for _, err := range []error{r.Text(&text, false), r.HTML(&html), r.JSON(&js)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, wanted := range []string{"no marketing touch was sent", "not enough data: 0 held-out customers, 30 needed", "0 JPY net",
		"not run: `touchstone ledger verify`", "3 days"} {
		if !strings.Contains(text.String(), wanted) {
			t.Errorf("the text lacks %q:\n%s", wanted, text.String())
		}
	}
	if strings.Contains(text.String(), "SIMULATED") || strings.Contains(text.String(), "NaN") || strings.Contains(html.String(), "NaN") {
		t.Error("an empty period shows a label or a number that is none")
	}
	if strings.Contains(html.String(), "<Quiet") || !strings.Contains(html.String(), "&lt;Quiet &amp; Co&gt;") {
		t.Error("the brand's name is not escaped")
	}
}

func TestFailedVerificationsAreShown(t *testing.T) {
	t.Parallel()
	o := options()
	o.Ledger = &ledger.LedgerReport{Touches: 10, Problems: []ledger.Problem{{Rule: "sent-twice"}}, Omitted: 2}
	o.Audit = &ledger.VerifyReport{Entries: 9, BrokenAt: 4, Why: "the hash differs"}
	r, err := report.Build(t.Context(), fake{}, o)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"ledger verify  FAILED  3 problems in 10 touches", "audit verify   FAILED  the chain is broken at entry 4: the hash differs"} {
		if !strings.Contains(text.String(), wanted) {
			t.Errorf("the text lacks %q:\n%s", wanted, text.String())
		}
	}
}

func TestImpossibleOptions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*report.Options){
		"an empty period": func(o *report.Options) { o.To = o.From },
		"no period":       func(o *report.Options) { o.From, o.To = time.Time{}, time.Time{} },
		"no currency":     func(o *report.Options) { o.Currency = "" },
	} {
		o := options()
		change(&o)
		if _, err := report.Build(t.Context(), fake{}, o); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v, want an invalid error", name, err)
		}
	}
	lost := lifecycle.Errorf(lifecycle.Unavailable, "gone")
	if _, err := report.Build(t.Context(), fake{err: lost}, options()); !errors.Is(err, lost) {
		t.Errorf("the source's error is lost: %v", err)
	}
	if _, err := report.Build(t.Context(), fake{rows: []ledger.JourneyRow{{Name: "bad", Source: []byte("{")}}}, options()); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("a damaged journey is passed over: %v", err)
	}
}
