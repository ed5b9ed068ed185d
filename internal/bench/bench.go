// Package bench measures Touchstone against minimal code for the same job, in
// one run on one machine: what counts are the ratios. Rounds of ours and of the
// baseline alternate and the median counts, so that other load on the machine
// falls on both. Level 6: may import everything below the command line.
package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
)

// Parts are the names of what can be measured, in the order they run.
var Parts = []string{"journeys", "broadcast", "import", "gateway", "reserve", "kpi", "anomaly", "console"}

// Options say what to measure. The sizes have defaults for a run of less than
// ten minutes on two cores.
type Options struct {
	Parts     []string       // of Parts; empty = all
	Box       onebox.Options // made ephemeral; Brand and Policy must be set
	Scratch   string         // folder for generated files
	Rounds    int            // of ours and of the baseline each; the median counts
	Journeys  int            // of a round
	InFlight  int            // journeys at once
	Customers int            // of the broadcast
	Events    int            // of the import
	Touches   int            // in the ledger while reserving
	Year      Year           // of which key figures are read
	Out       io.Writer      // progress for people
}

// Defaults are the sizes the figures in the documentation were measured with.
func Defaults() Options {
	return Options{Rounds: 3, Journeys: 600, InFlight: 200, Customers: 100_000, Events: 1_000_000, Touches: 2_000_000,
		Year: Year{Customers: 100_000, Touches: 5_000_000, Events: 10_000_000, Start: noon.AddDate(-1, 0, 0).Truncate(24 * time.Hour)}}
}

// Quick are sizes for less than two minutes: shapes rather than figures.
func Quick() Options {
	return Options{Rounds: 1, Journeys: 200, InFlight: 100, Customers: 10_000, Events: 100_000, Touches: 100_000,
		Year: Year{Customers: 5_000, Touches: 200_000, Events: 400_000, Start: noon.AddDate(-1, 0, 0).Truncate(24 * time.Hour)}}
}

// Line is one measurement: ours beside the baseline.
type Line struct {
	Part     string  `json:"part"`
	What     string  `json:"what"`
	Unit     string  `json:"unit"`
	Ours     float64 `json:"ours"`
	Baseline float64 `json:"baseline"` // of what Against says; 0 = none
	Ratio    float64 `json:"ratio"`    // ours / baseline; 0 = no baseline
	Against  string  `json:"against,omitempty"`
	Target   string  `json:"target,omitempty"`
	Met      *bool   `json:"met,omitempty"` // with a target
}

// Results are all lines of one run.
type Results struct {
	Cores   int           `json:"cores"`
	Rounds  int           `json:"rounds"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Lines   []Line        `json:"lines"`
}

// Met reports whether every target was met.
func (r Results) Met() bool {
	return !slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Met != nil && !*l.Met })
}

// run is one benchmark under way.
type run struct {
	Options
	results *Results
}

// Run measures the parts asked for.
func Run(ctx context.Context, o Options) (Results, error) {
	r := &run{Options: o, results: &Results{Cores: cores(), Rounds: o.Rounds}}
	if len(r.Parts) == 0 {
		r.Parts = Parts
	}
	began := time.Now()
	for _, part := range r.Parts {
		measure := map[string]func(context.Context) error{
			"journeys": r.journeys, "broadcast": r.broadcast, "import": r.imports, "gateway": r.gateway, "reserve": r.reserve,
			"kpi": r.kpis, "anomaly": r.anomalies, "console": r.console,
		}[part]
		if measure == nil {
			return *r.results, lifecycle.Errorf(lifecycle.Invalid, "there is no part %q: use some of %v", part, Parts)
		}
		if err := measure(ctx); err != nil {
			return *r.results, fmt.Errorf("%s: %w", part, err)
		}
	}
	r.results.Elapsed = time.Since(began)
	return *r.results, nil
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// add records a line; the ratio is worked out here.
func (r *run) add(l Line) {
	if l.Baseline != 0 {
		l.Ratio = l.Ours / l.Baseline
	}
	r.results.Lines = append(r.results.Lines, l)
}

// target records a line with a target that was met or not.
func (r *run) target(l Line, text string, met func(Line) bool) {
	if l.Baseline != 0 {
		l.Ratio = l.Ours / l.Baseline
	}
	ok := met(l)
	l.Target, l.Met = text, &ok
	r.add(l)
}
