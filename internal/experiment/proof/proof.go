package proof

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"touchstone/internal/lifecycle"
)

// Line is one measurement with its target.
type Line struct {
	Part     string  `json:"part"`
	What     string  `json:"what"`
	Measured float64 `json:"measured"`
	Unit     string  `json:"unit"`
	Target   string  `json:"target,omitempty"`  // empty = for comparison only
	Met      *bool   `json:"met,omitempty"`     // with a target
	Skipped  string  `json:"skipped,omitempty"` // why nothing was measured
}

// Report is what a run measured.
type Report struct {
	Seed    uint64        `json:"seed"`
	Runs    int           `json:"runs"` // simulated experiments per line of a test
	Elapsed time.Duration `json:"elapsed_ns"`
	Lines   []Line        `json:"lines"`
}

// Met reports whether every target was met.
func (r Report) Met() bool {
	return !slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Met != nil && !*l.Met })
}

// Parts are the names of what can be proven, in the order they run.
var Parts = []string{"agreement", "test", "cuped", "srm", "bandit", "approval", "upworthy", "cookie_cats", "hillstrom"}

// Options say what to prove.
type Options struct {
	Parts []string // of Parts; empty = all
	Seed  uint64
	Runs  int // simulated experiments per line of a test; 0 = 20,000
	// Open gives a data set's file, uncompressed CSV with a header; an error skips the
	// part. nil skips all parts that need data.
	Open func(dataset string) (io.ReadCloser, error)
	// Done is told each line as soon as it is measured; may be nil.
	Done func(Line)
}

// DefaultRuns make the Monte Carlo error of a 5 % rate 0.15 points.
const DefaultRuns = 20_000

type run struct {
	Options
	report Report
}

// Run proves the parts asked for. The error is Invalid for a part that does not
// exist; a missed target is no error but a line.
func Run(o Options) (Report, error) {
	if o.Runs == 0 {
		o.Runs = DefaultRuns
	}
	if len(o.Parts) == 0 {
		o.Parts = Parts
	}
	r := &run{Options: o, report: Report{Seed: o.Seed, Runs: o.Runs}}
	parts := map[string]func() error{
		"agreement": r.agreement, "test": r.test, "cuped": r.cuped, "srm": r.srm, "bandit": r.bandit, "approval": r.approval,
		"upworthy": r.data("upworthy", r.upworthy), "cookie_cats": r.data("cookie_cats", r.cookieCats), "hillstrom": r.data("hillstrom", r.hillstrom),
	}
	began := time.Now()
	for _, part := range o.Parts {
		measure := parts[part]
		if measure == nil {
			return r.report, lifecycle.Errorf(lifecycle.Invalid, "there is no part %q: use some of %v", part, Parts)
		}
		if err := measure(); err != nil {
			return r.report, fmt.Errorf("%s: %w", part, err)
		}
	}
	r.report.Elapsed = time.Since(began)
	return r.report, nil
}

// line records a measurement with a target that was met or not.
func (r *run) line(part, what string, measured float64, unit, target string, met bool) {
	r.add(Line{Part: part, What: what, Measured: measured, Unit: unit, Target: target, Met: &met})
}

// beside records a measurement for comparison.
func (r *run) beside(part, what string, measured float64, unit string) {
	r.add(Line{Part: part, What: what, Measured: measured, Unit: unit})
}

func (r *run) add(l Line) {
	r.report.Lines = append(r.report.Lines, l)
	if r.Done != nil {
		r.Done(l)
	}
}

// data runs a part on the data set of its name, or skips it.
func (r *run) data(name string, part func(*table) error) func() error {
	return func() error {
		if r.Open == nil {
			r.add(Line{Part: name, What: "real data", Skipped: "no folder of data sets is named"})
			return nil
		}
		file, err := r.Open(name)
		if err != nil {
			r.add(Line{Part: name, What: "real data", Skipped: err.Error()})
			return nil
		}
		t, err := read(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		return part(t)
	}
}

// each runs n simulations on all cores, each with a source of its own, so that the
// result does not depend on how many cores there are.
func (r *run) each(n int, salt uint64, simulate func(i int, source *rand.Rand)) {
	var wait sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for core := range cores {
		wait.Go(func() {
			for i := core; i < n; i += cores {
				simulate(i, rand.New(rand.NewPCG(r.Seed^salt<<32, uint64(i))))
			}
		})
	}
	wait.Wait()
}

// share is how many of the values are true.
func share(hits []bool) float64 {
	n := 0
	for _, h := range hits {
		if h {
			n++
		}
	}
	return float64(n) / float64(len(hits))
}

// mean of a list that is not empty.
func mean(values []float64) float64 {
	s := 0.0
	for _, v := range values {
		s += v
	}
	return s / float64(len(values))
}

// monteCarlo is three standard errors of a rate measured in n runs.
func monteCarlo(rate float64, n int) float64 { return 3 * math.Sqrt(rate*(1-rate)/float64(n)) }

// binomial draws how many of n hit, exactly, by jumping from hit to hit.
func binomial(source *rand.Rand, n int, p float64) int {
	if !(p > 0) || n <= 0 {
		return 0
	}
	if p > 0.5 {
		return n - binomial(source, n, 1-p)
	}
	log, at, hits := math.Log1p(-p), -1, 0
	for {
		at += 1 + int(math.Log(1-source.Float64())/log)
		if at >= n {
			return hits
		}
		hits++
	}
}

// multinomial splits n over shares that add up to one.
func multinomial(source *rand.Rand, n int, shares []float64) []int {
	counts, left := make([]int, len(shares)), 1.0
	for i, s := range shares {
		if i == len(shares)-1 {
			counts[i] = n
			break
		}
		counts[i] = binomial(source, n, min(s/left, 1))
		n, left = n-counts[i], max(left-s, 1e-12)
	}
	return counts
}
