package proof

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/experiment"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
)

const cookieFile = `
experiment: cookie-cats
hypothesis: the gate at level 30 keeps more players than the gate at level 40
kind: journey
arms:
  - {arm: gate_40, share: 50%}
  - {arm: gate_30, share: 50%, use: level 30}
metric: {name: retention_7, kind: proportion, window: 7d, baseline: 18%}
minimum_effect: 4%
duration: {min: 14d, max: 28d}
promote: automatic
`

// cookieCats gives the engine a test whose assignment is 44,700 to 45,489: it must
// say so before it names the winner that it would name otherwise.
func (r *run) cookieCats(t *table) error {
	version, err := t.texts("version")
	if err != nil {
		return err
	}
	kept, err := t.numbers("retention_7")
	if err != nil {
		return err
	}
	arms := map[string]estimate.Sums{}
	for i, v := range version {
		arms[v] = arms[v].Add(estimate.Hits(int(kept[i]), 1))
	}
	d, err := experiment.Parse("cookie-cats.yaml", []byte(cookieFile))
	if err != nil {
		return err
	}
	judge := func(assigned map[string]int) (experiment.Look, error) {
		p, err := plan.Make(d.Request(0, 0, 0))
		if err != nil {
			return experiment.Look{}, err
		}
		e := experiment.Evidence{Now: begin.AddDate(0, 0, 28+8), Plan: p, Phases: []experiment.Phase{d.First(begin)}}
		for _, a := range d.Arms {
			s := arms[a.Name]
			e.Days = append(e.Days, experiment.Day{Phase: 1, Arm: a.Name, Day: begin, Assigned: assigned[a.Name], Exposed: s.N,
				Metrics: map[string]estimate.Sums{"retention_7": s}})
		}
		return d.Judge(e)
	}
	real, err := judge(map[string]int{"gate_30": arms["gate_30"].N, "gate_40": arms["gate_40"].N})
	if err != nil {
		return err
	}
	sound, err := judge(map[string]int{"gate_30": 45_000, "gate_40": 45_000})
	if err != nil {
		return err
	}
	r.line("cookie_cats", "p of the sample ratio", real.Trust.P, "p", "0.0086, flagged before a winner",
		math.Abs(real.Trust.P-0.0086) < 5e-5 && real.Decision == experiment.StopSRM)
	named := 0.0
	if sound.Decision == experiment.Promote && sound.Arm == "gate_30" {
		named = 1
	}
	r.line("cookie_cats", "the same outcomes with a sound ratio name a winner", named, "yes = 1", "1", named == 1)
	return nil
}

// hillstrom sets the engine's effects and intervals on real money beside the
// textbook formulas written out over the single rows.
func (r *run) hillstrom(t *table) error {
	segment, err := t.texts("segment")
	if err != nil {
		return err
	}
	worst := 0.0
	apart := func(got, want float64) { worst = max(worst, math.Abs(got-want)/max(math.Abs(want), 1e-12)) }
	for _, metric := range []string{"visit", "conversion", "spend"} {
		values, err := t.numbers(metric)
		if err != nil {
			return err
		}
		rows := map[string][]float64{}
		for i, s := range segment {
			rows[s] = append(rows[s], values[i])
		}
		control := rows["No E-Mail"]
		for _, arm := range []string{"Mens E-Mail", "Womens E-Mail"} {
			kind := estimate.Proportion
			if metric == "spend" {
				kind = estimate.Mean
			}
			e, ok := estimate.Compare(kind, estimate.Of(rows[arm], nil), estimate.Of(control, nil))
			if !ok {
				return fmt.Errorf("%s of %s cannot be compared", metric, arm)
			}
			difference, se, low, high := textbook(rows[arm], control, kind)
			interval := e.Interval(0.95)
			apart(e.Difference, difference)
			apart(e.SE, se)
			apart(interval.Low, low)
			apart(interval.High, high)
			if metric == "visit" {
				r.beside("hillstrom", "visits by "+arm+" over none", 100*e.Difference, "points")
			}
			if metric == "spend" {
				r.beside("hillstrom", "spend by "+arm+" over none", e.Difference, "USD")
			}
		}
	}
	r.line("hillstrom", "effects, errors, bounds off the formulas over rows", worst, "relative", "at most 1e-9", worst <= 1e-9)
	return nil
}

// textbook computes from single rows, in two passes: Welch for money; for rates the
// standard error without pooling and Newcombe's method 10.
func textbook(a, b []float64, kind estimate.Kind) (difference, se, low, high float64) {
	moments := func(v []float64) (m, variance float64) {
		m = mean(v)
		for _, x := range v {
			variance += (x - m) * (x - m)
		}
		return m, variance / float64(len(v)-1) / float64(len(v))
	}
	ma, va := moments(a)
	mb, vb := moments(b)
	difference, se = ma-mb, math.Sqrt(va+vb)
	if kind == estimate.Mean {
		na, nb := float64(len(a)), float64(len(b))
		degrees := (va + vb) * (va + vb) / (va*va/(na-1) + vb*vb/(nb-1))
		half := distuv.StudentsT{Sigma: 1, Nu: degrees}.Quantile(0.975) * se
		return difference, se, difference - half, difference + half
	}
	// The score bounds are the roots of (p - θ)² n = z² θ(1-θ).
	score := func(p, n float64) (l, u float64) {
		const z2 = 3.8414588206941245
		b, root := 2*n*p+z2, math.Sqrt(z2*(z2+4*n*p*(1-p)))
		return (b - root) / (2 * (n + z2)), (b + root) / (2 * (n + z2))
	}
	la, ua := score(ma, float64(len(a)))
	lb, ub := score(mb, float64(len(b)))
	return difference, se, difference - math.Sqrt((ma-la)*(ma-la)+(ub-mb)*(ub-mb)), difference + math.Sqrt((ua-ma)*(ua-ma)+(mb-lb)*(mb-lb))
}
