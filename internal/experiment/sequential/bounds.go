package sequential

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// Spending is the two-sided error that may have been spent when a share t of the
// planned information is in. It grows from 0 at t=0 to alpha at t=1 and beyond.
type Spending func(t float64) float64

// OBrienFleming spends next to nothing early and nearly all of alpha at the end:
// 4(1 - Φ(z(1-α/4)/√t)) (Lan and DeMets 1983, their α₁ for each of two sides).
func OBrienFleming(alpha float64) Spending {
	z := quantile(1 - alpha/4)
	return func(t float64) float64 {
		switch {
		case t <= 0:
			return 0
		case t >= 1:
			return alpha
		}
		return 4 * tail(z/math.Sqrt(t))
	}
}

// Pocock spends evenly: α ln(1 + (e-1)t) (Lan and DeMets 1983, their α₂). It finds
// large effects sooner and needs more data in the end.
func Pocock(alpha float64) Spending {
	return func(t float64) float64 { return alpha * math.Log1p((math.E-1)*min(max(t, 0), 1)) }
}

// Bounds are the critical values of a two-sided symmetric group-sequential test,
// built up look by look. The zero value has no look yet.
type Bounds struct {
	Information []float64 `json:"information"` // at each look
	Spent       []float64 `json:"spent"`       // two-sided error spent up to each look
	Critical    []float64 `json:"critical"`    // |Z| at or beyond it crosses; +Inf where nothing was spent
	before      []density // of the score right before each look's increment, given no crossing
}

// density is the sub-density of the score at a look among paths that have not
// crossed, as quadrature nodes and weights, without drift.
type density struct {
	at          float64 // information
	score, mass []float64
}

// Smallest is the least information a look must add: below it a look is left
// out, because it knows nothing new and would need an ever finer quadrature.
const Smallest = 5e-4

const (
	noSpend  = 1e-13 // less is not spent but kept for the next look
	farthest = 8.0   // standard deviations beyond which nothing is integrated
)

// Add takes the next look at the given information, when spent of the error may
// have been spent in all, and returns its critical value: the c with
//
//	P(|Z₁| < c₁, ..., |Zₖ₋₁| < cₖ₋₁, |Zₖ| ≥ c) = spent - spent before
//
// without an effect, by recursive quadrature (P. Armitage, C. K. McPherson and B.
// C. Rowe, JRSS A 132, 1969, 235-244; C. Jennison and B. W. Turnbull, Group
// Sequential Methods, 2000, chapter 19).
func (b *Bounds) Add(information, spent float64) (critical float64, err error) {
	d, err := b.advance(information)
	if err != nil {
		return 0, err
	}
	before := 0.0
	if n := len(b.Spent); n > 0 {
		before = b.Spent[n-1]
	}
	if critical = math.Inf(1); spent-before > noSpend {
		critical = d.solve(information, spent-before)
		before = spent
	}
	b.push(d, information, before, critical)
	return critical, nil
}

// AddCritical takes a look with a known critical value.
func (b *Bounds) AddCritical(information, critical float64) error {
	d, err := b.advance(information)
	if err != nil {
		return err
	}
	spent := d.beyond(information, critical*math.Sqrt(information), 0) + d.beyond(information, critical*math.Sqrt(information), 0)
	if n := len(b.Spent); n > 0 {
		spent += b.Spent[n-1]
	}
	b.push(d, information, spent, critical)
	return nil
}

// Plan is the test with looks at the given information, rising and ending at 1
// or beyond; looks that add less than Smallest are left out.
func Plan(information []float64, spend Spending) (*Bounds, error) {
	b, last := &Bounds{}, 0.0
	for _, i := range information {
		if i-last < Smallest {
			continue
		}
		if _, err := b.Add(i, spend(i)); err != nil {
			return nil, err
		}
		last = i
	}
	if len(b.Critical) == 0 {
		return nil, fmt.Errorf("a group-sequential test needs at least one look with information")
	}
	return b, nil
}

// Evenly are k looks at equal steps of information up to 1.
func Evenly(k int) []float64 {
	information := make([]float64, k)
	for i := range information {
		information[i] = float64(i+1) / float64(k)
	}
	return information
}

func (b *Bounds) push(d density, information, spent, critical float64) {
	b.Information, b.Spent = append(b.Information, information), append(b.Spent, spent)
	b.Critical, b.before = append(b.Critical, critical), append(b.before, d)
}

// advance gives the density from which the next look starts.
func (b *Bounds) advance(information float64) (density, error) {
	k := len(b.Information) - 1
	if k < 0 {
		if !(information > 0) {
			return density{}, fmt.Errorf("information %v: the first look needs some", information)
		}
		return density{score: []float64{0}, mass: []float64{1}}, nil
	}
	from := b.before[k]
	at, step := b.Information[k], information-b.Information[k]
	if !(step >= Smallest*(1-1e-9)) {
		return density{}, fmt.Errorf("information %v after %v: a look must add at least %v", information, at, Smallest)
	}
	// The density is as smooth as the step that made it, the kernel as the next one.
	limit := min(b.Critical[k], farthest) * math.Sqrt(at)
	smooth := math.Sqrt(min(at-from.at, step))
	nodes, weights := legendre(int(24 + 6*limit/smooth))
	d := density{at: at, score: make([]float64, len(nodes)), mass: make([]float64, len(nodes))}
	sd := math.Sqrt(at - from.at)
	for i, x := range nodes {
		w, f := x*limit, 0.0
		for j, u := range from.score {
			z := (w - u) / sd
			f += from.mass[j] * math.Exp(-z*z/2)
		}
		d.score[i], d.mass[i] = w, f*weights[i]*limit/(sd*math.Sqrt(2*math.Pi))
	}
	return d, nil
}

// beyond is the probability that the score at the next look's information is at
// or above w, without crossing before, under a drift.
func (d density) beyond(information, w, drift float64) float64 {
	step := information - d.at
	sd, p := math.Sqrt(step), 0.0
	for j, u := range d.score {
		p += d.mass[j] * math.Exp(drift*(u-drift*d.at/2)) * tail((w-u-drift*step)/sd)
	}
	return p
}

// below is the probability that the score is at or below w.
func (d density) below(information, w, drift float64) float64 {
	step := information - d.at
	sd, p := math.Sqrt(step), 0.0
	for j, u := range d.score {
		p += d.mass[j] * math.Exp(drift*(u-drift*d.at/2)) * tail(-(w-u-drift*step)/sd)
	}
	return p
}

// solve finds the critical value at which two-sided error is spent.
func (d density) solve(information, error float64) float64 {
	root := math.Sqrt(information)
	low, high := 0.0, 10*root
	for range 200 {
		mid := (low + high) / 2
		if 2*d.beyond(information, mid, 0) > error { // the density is symmetric
			low = mid
		} else {
			high = mid
		}
		if high-low < 1e-12*root {
			break
		}
	}
	return (low + high) / 2 / root
}

// legendre are Gauss-Legendre nodes and weights on [-1,1], rounded up to a
// multiple of 16 so that few sizes are ever needed.
func legendre(n int) (nodes, weights []float64) {
	n = (n + 15) / 16 * 16
	type rule struct{ nodes, weights []float64 }
	if known, ok := rules.Load(n); ok {
		r := known.(rule)
		return r.nodes, r.weights
	}
	r := rule{make([]float64, n), make([]float64, n)}
	quad.Legendre{}.FixedLocations(r.nodes, r.weights, -1, 1)
	rules.Store(n, r)
	return r.nodes, r.weights
}

var rules sync.Map // of legendre, by n

// tail is 1-Φ(z), exact far out as well.
func tail(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

func quantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }
