package proof

import (
	"fmt"
	"math"
	"math/rand/v2"

	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/multiple"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/experiment/sequential"
)

const (
	baseRate = 0.025
	trueLift = 0.15
	alpha    = 0.05
)

// steps simulates one arm that fills evenly over some looks, and gives the sums
// after each.
func steps(source *rand.Rand, units, looks int, rate float64) []estimate.Sums {
	all, hits := make([]estimate.Sums, looks), 0
	for k := range looks {
		n := units*(k+1)/looks - units*k/looks
		hits += binomial(source, n, rate)
		all[k] = estimate.Hits(hits, units*(k+1)/looks)
	}
	return all
}

// outcome of one simulated test.
type outcome struct {
	look      int // at which it was decided, -1 = never
	direction int // 1 = better, -1 = worse
}

// decide runs a challenger and a control through the bounds of the looks from
// first on.
func decide(control, challenger []estimate.Sums, first int, bounds *sequential.Bounds) outcome {
	for k := first; k < len(control); k++ {
		e, ok := estimate.Compare(estimate.Proportion, challenger[k], control[k])
		if !ok {
			continue
		}
		if z := e.Z(); math.Abs(z) >= bounds.Critical[k-first] {
			return outcome{k, int(math.Copysign(1, z))}
		}
	}
	return outcome{-1, 0}
}

// boundsFrom are the bounds of looks at even steps, the first ones left out.
func boundsFrom(looks, first int, level float64) (*sequential.Bounds, error) {
	b, spend := &sequential.Bounds{}, sequential.OBrienFleming(level)
	for _, i := range sequential.Evenly(looks)[first:] {
		if _, err := b.Add(i, spend(i)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// test measures false positives, power and speed.
func (r *run) test() error {
	p, err := plan.Make(plan.Request{Metric: plan.Metric{Baseline: baseRate}, Lift: trueLift})
	if err != nil {
		return err
	}
	limit := alpha + monteCarlo(alpha, r.Runs)
	for k, schedule := range []struct {
		name         string
		looks, first int // of all looks, the first are left out: the shortest duration
	}{{"daily looks, 28 days", 28, 6}, {"hourly looks, 28 days", 28 * 24, 6 * 24}, {"daily looks, 90 days", 90, 6}} {
		bounds, err := boundsFrom(schedule.looks, schedule.first, alpha)
		if err != nil {
			return err
		}
		false5 := make([]bool, r.Runs)
		r.each(r.Runs, uint64(k+1), func(i int, source *rand.Rand) {
			a, b := steps(source, p.Units[0], schedule.looks, baseRate), steps(source, p.Units[1], schedule.looks, baseRate)
			false5[i] = decide(a, b, schedule.first, bounds).look >= 0
		})
		measured := share(false5)
		r.line("test", "test of equals decided, "+schedule.name, measured, "share", fmt.Sprintf("0.045 to %.4f", limit), measured >= 0.045 && measured <= limit)
	}
	r.everyUser(p)
	r.naive(p)
	if err := r.power(p); err != nil {
		return err
	}
	if err := r.family(); err != nil {
		return err
	}
	return r.engine()
}

// everyUser looks at the confidence sequence after every single unit. Between
// conversions it only retreats from a decision, so looking at each conversion is
// enough.
func (r *run) everyUser(p plan.Plan) {
	total := p.Units[0] + p.Units[1]
	s := sequential.Sequence{Alpha: alpha, Planned: float64(total)}
	out := make([]bool, r.Runs)
	r.each(r.Runs, 11, func(i int, source *rand.Rand) {
		log := math.Log1p(-baseRate)
		jump := func(from int) int { return from + 1 + int(math.Log(1-source.Float64())/log) }
		next, hits := [2]int{jump(-1), jump(-1)}, [2]int{}
		for {
			arm := 0
			if next[1] < next[0] {
				arm = 1
			}
			n := next[arm] + 1
			if n > p.Units[0] {
				return
			}
			hits[arm]++
			next[arm] = jump(next[arm])
			if min(hits[0], hits[1]) < sequential.StartConversions {
				continue
			}
			e, _ := estimate.Compare(estimate.Proportion, estimate.Hits(hits[1], n), estimate.Hits(hits[0], n))
			if s.LogE(e.Difference, e.SE, float64(2*n)) >= -math.Log(alpha) {
				out[i] = true
				return
			}
		}
	})
	limit := alpha + monteCarlo(alpha, r.Runs)
	r.line("test", "test of equals decided, sequence after every unit", share(out), "share", fmt.Sprintf("at most %.4f", limit), share(out) <= limit)
}

// naive is what daily looks at p < 0.05 would do, from day 7 and 1,000 units on.
func (r *run) naive(p plan.Plan) {
	out := make([]bool, r.Runs)
	r.each(r.Runs, 12, func(i int, source *rand.Rand) {
		a, b := steps(source, p.Units[0], 28, baseRate), steps(source, p.Units[1], 28, baseRate)
		for k := 6; k < 28; k++ {
			if e, ok := estimate.Compare(estimate.Proportion, b[k], a[k]); ok && e.P() < alpha {
				out[i] = true
			}
		}
	})
	r.beside("test", "the same by p < 0.05 looked at daily", share(out), "share")
}

// power runs the planned test with the planned lift.
func (r *run) power(p plan.Plan) error {
	bounds, err := boundsFrom(28, 6, alpha)
	if err != nil {
		return err
	}
	found, sample := make([]bool, r.Runs), make([]float64, r.Runs)
	fixed := float64(2 * p.OneLook)
	r.each(r.Runs, 13, func(i int, source *rand.Rand) {
		a, b := steps(source, p.Units[0], 28, baseRate), steps(source, p.Units[1], 28, baseRate*(1+trueLift))
		o := decide(a, b, 6, bounds)
		if o.look < 0 {
			o.look = 27
		}
		found[i], sample[i] = o.direction == 1, float64(a[o.look].N+b[o.look].N)/fixed
	})
	r.line("test", "lift of 15 % found (power)", share(found), "share", "at least 0.79", share(found) >= 0.79)
	r.line("test", "largest sample / one look", float64(p.Total)/fixed, "ratio", "at most 1.05", float64(p.Total)/fixed <= 1.05)
	r.line("test", "mean sample / one look", mean(sample), "ratio", "at most 0.78", mean(sample) <= 0.78)
	return nil
}

// family compares two challengers with one control, 30/35/35.
func (r *run) family() error {
	p, err := plan.Make(plan.Request{Metric: plan.Metric{Baseline: baseRate}, Lift: trueLift, Control: 0.30, Challengers: []float64{0.35, 0.35}})
	if err != nil {
		return err
	}
	measure := func(level float64, salt uint64) (float64, error) {
		bounds, err := boundsFrom(28, 6, level)
		if err != nil {
			return 0, err
		}
		out := make([]bool, r.Runs)
		r.each(r.Runs, salt, func(i int, source *rand.Rand) {
			a := steps(source, p.Units[0], 28, baseRate)
			for _, units := range p.Units[1:] {
				out[i] = decide(a, steps(source, units, 28, baseRate), 6, bounds).look >= 0 || out[i]
			}
		})
		return share(out), nil
	}
	ours, err := measure(multiple.PerComparison(0.30, []float64{0.35, 0.35}, alpha), 14)
	if err != nil {
		return err
	}
	apart, err := measure(alpha, 14)
	if err != nil {
		return err
	}
	limit := alpha + monteCarlo(alpha, r.Runs)
	r.line("test", "two challengers 30/35/35, any false decision", ours, "share", fmt.Sprintf("at most %.4f", limit), ours <= limit)
	r.beside("test", "the same with each at 0.05", apart, "share")
	return nil
}
