package attribution

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// chain is a first-order Markov chain over groups: every path begins at the
// start, passes from contact to contact, and ends in a conversion or in nothing.
// Edges are numbered as they are first seen.
type chain struct {
	edges map[edge]int
	list  []edge
}

// edge is one step of a path. Groups are 0 and up.
type edge struct{ from, to int }

// Ends of a path.
const (
	atStart   = -1
	converted = -2
	lost      = -3
)

func (c *chain) index(from, to int) int {
	e := edge{from, to}
	i, known := c.edges[e]
	if !known {
		if c.edges == nil {
			c.edges = map[edge]int{}
		}
		i = len(c.list)
		c.edges[e] = i
		c.list = append(c.list, e)
	}
	return i
}

// shares returns each group's part of the conversions: its removal effect over
// the sum of all. The removal effect is the share of conversions that would be
// lost if every path that comes to the group ended there (Anderl, Becker, von
// Wangenheim and Schumann, International Journal of Research in Marketing 33,
// 2016). counts[i] is how often edge i was taken. ok is false when nothing
// converted.
//
// With N = (I-Q)⁻¹, the expected visits of an absorbing chain (Kemeny and Snell,
// Finite Markov Chains, 1960, theorem 3.2.4), and x = N r the probabilities to
// convert, a path from the start ever comes to g with probability N[s,g]/N[g,g],
// so removing g costs N[s,g]/N[g,g] · x[g]. One exact solve serves all groups;
// the effect is that cost over x[s].
func (c *chain) shares(groups int, counts []float64) (shares []float64, ok bool) {
	n := groups + 1 // the start is state 0
	out := make([]float64, n)
	state := func(at int) int { return at + 1 }
	for i, e := range c.list {
		out[state(e.from)] += counts[i]
	}
	system := mat.NewDense(n, n, nil)
	for i := range n {
		system.Set(i, i, 1)
	}
	into := make([]float64, n)
	for i, e := range c.list {
		if counts[i] == 0 {
			continue
		}
		p := counts[i] / out[state(e.from)]
		switch e.to {
		case converted:
			into[state(e.from)] += p
		case lost:
		default:
			row, column := state(e.from), state(e.to)
			system.Set(row, column, system.At(row, column)-p)
		}
	}
	var visits mat.Dense
	// Every path that was seen ends, so the chain is absorbing and the inverse
	// exists. Long chains of which few convert give a large condition number; the
	// result is used as long as it is finite.
	var condition mat.Condition
	if err := visits.Inverse(system); err != nil && (!errors.As(err, &condition) || math.IsInf(float64(condition), 0)) {
		return nil, false
	}
	var x mat.VecDense
	x.MulVec(&visits, mat.NewVecDense(n, into))
	if !(x.AtVec(0) > 0) {
		return nil, false
	}
	shares = make([]float64, groups)
	sum := 0.0
	for g := range shares {
		s := state(g)
		effect := visits.At(0, s) / visits.At(s, s) * x.AtVec(s) / x.AtVec(0)
		shares[g] = min(max(effect, 0), 1)
		sum += shares[g]
	}
	if sum == 0 {
		return nil, false
	}
	for g := range shares {
		shares[g] /= sum
	}
	return shares, true
}
