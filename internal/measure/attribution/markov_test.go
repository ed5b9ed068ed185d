package attribution

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// removed solves the chain anew with one group taken out: whoever comes to it is
// lost. It returns the probability to convert from the start.
func removed(c *chain, groups int, counts []float64, without int) float64 {
	n := groups + 1
	a, r := mat.NewDense(n, n, nil), mat.NewVecDense(n, nil)
	out := make([]float64, n)
	for i, e := range c.list {
		out[e.from+1] += counts[i]
	}
	for i := range n {
		a.Set(i, i, 1)
	}
	for i, e := range c.list {
		if e.from == without || counts[i] == 0 {
			continue
		}
		p := counts[i] / out[e.from+1]
		switch {
		case e.to == converted:
			r.SetVec(e.from+1, r.AtVec(e.from+1)+p)
		case e.to >= 0 && e.to != without:
			a.Set(e.from+1, e.to+1, a.At(e.from+1, e.to+1)-p)
		}
	}
	var x mat.VecDense
	if err := x.SolveVec(a, r); err != nil {
		return math.NaN()
	}
	return x.AtVec(0)
}

// The shares from one inverse are those of solving once per removed group.
func TestSharesAreRemovalEffects(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, 6).Draw(t, "groups")
		var c chain
		counts := map[int]float64{}
		conversions := 0
		for range rapid.IntRange(1, 30).Draw(t, "paths") {
			from := atStart
			for _, g := range rapid.SliceOfN(rapid.IntRange(0, groups-1), 1, 6).Draw(t, "path") {
				counts[c.index(from, g)]++
				from = g
			}
			end := rapid.SampledFrom([]int{converted, lost}).Draw(t, "end")
			if end == converted {
				conversions++
			}
			counts[c.index(from, end)]++
		}
		list := make([]float64, len(c.list))
		for i, n := range counts {
			list[i] = n
		}
		shares, ok := c.shares(groups, list)
		if ok != (conversions > 0) {
			t.Fatalf("ok %v with %d conversions", ok, conversions)
		}
		if !ok {
			return
		}
		all := removed(&c, groups, list, -100)
		effects, sum := make([]float64, groups), 0.0
		for g := range effects {
			effects[g] = 1 - removed(&c, groups, list, g)/all
			sum += effects[g]
		}
		total := 0.0
		for g := range effects {
			total += shares[g]
			if math.Abs(shares[g]-effects[g]/sum) > 1e-9 {
				t.Fatalf("group %d: share %v, removal says %v", g, shares[g], effects[g]/sum)
			}
		}
		if math.Abs(total-1) > 1e-9 {
			t.Fatalf("shares add up to %v", total)
		}
	})
}

// Worked by hand: paths A-B-conversion, A-lost, B-conversion. From the start A
// comes with 2/3, B with 1/3; after A comes B with 1/2; B always converts. So x =
// 2/3·1/2 + 1/3 = 2/3. Without A: 1/3, effect 1/2. Without B: 0, effect 1.
func TestSharesByHand(t *testing.T) {
	t.Parallel()
	var c chain
	counts := map[int]float64{}
	for _, path := range [][]int{{0, 1, converted}, {0, lost}, {1, converted}} {
		from := atStart
		for _, to := range path {
			counts[c.index(from, to)]++
			from = to
		}
	}
	list := make([]float64, len(c.list))
	for i, n := range counts {
		list[i] = n
	}
	shares, ok := c.shares(2, list)
	if !ok || math.Abs(shares[0]-1./3) > 1e-12 || math.Abs(shares[1]-2./3) > 1e-12 {
		t.Errorf("shares %v, want 1/3 and 2/3", shares)
	}
}
