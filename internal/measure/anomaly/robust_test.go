package anomaly

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// The rolling median and spread are those of sorting anew.
func TestWindowAgreesWithSorting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 12).Draw(t, "size")
		values := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 60).Draw(t, "values")
		w := &window{size: size}
		for i, v := range values {
			w.push(v)
			kept := slices.Clone(values[max(0, i+1-size) : i+1])
			mid := median(slices.Clone(kept))
			if got := w.median(); math.Abs(got-mid) > 1e-12 {
				t.Fatalf("median %v, want %v of %v", got, mid, kept)
			}
			for j := range kept {
				kept[j] = math.Abs(kept[j] - mid)
			}
			if got, want := w.spread(mid), consistent*median(kept); math.Abs(got-want) > 1e-12 {
				t.Fatalf("spread %v, want %v", got, want)
			}
		}
	})
}

func TestBinomialTails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ k, n, p float64 }{{0, 10, 0.2}, {3, 10, 0.2}, {10, 10, 0.2}, {140, 940, 0.2}, {0, 0, 0.2}, {5, 2000, 0.001}} {
		want := distuv.Binomial{N: c.n, P: c.p}.CDF(c.k)
		if got := lowTail(c.k, c.n-c.k, c.p); math.Abs(got-want) > 1e-12 {
			t.Errorf("P(X <= %v | %v, %v) = %v, want %v", c.k, c.n, c.p, got, want)
		}
		if got := highTail(c.k, c.n-c.k, c.p) + binomialCDF(c.k-1, c.n, c.p); math.Abs(got-1) > 1e-12 {
			t.Errorf("the tails of %+v add up to %v", c, got)
		}
	}
}
