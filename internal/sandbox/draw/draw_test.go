package draw_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/sandbox/draw"
)

func TestSameKeySameNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, a, b := rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		x, y := draw.Of(seed, a, b), draw.Of(seed, a, b)
		for range 5 {
			if x.Uint64() != y.Uint64() {
				t.Fatal("the same key gave different numbers")
			}
		}
		other := draw.Of(seed, b, a)
		if x := draw.Of(seed, a, b); a != b && x.Uint64() == other.Uint64() {
			t.Fatal("the order of the key's parts must matter")
		}
	})
}

func TestMoments(t *testing.T) {
	t.Parallel()
	const n = 200_000
	var uniform, normal, square, exponential, gamma float64
	for i := range uint64(n) {
		s := draw.Of(7, i)
		uniform += s.Float()
		z := s.Normal()
		normal += z
		square += z * z
		exponential += s.Exponential(3)
		gamma += s.Gamma(2, 5)
	}
	for name, c := range map[string]struct{ got, want, within float64 }{
		"uniform": {uniform / n, 0.5, 0.004}, "normal": {normal / n, 0, 0.012}, "variance": {square / n, 1, 0.02},
		"exponential": {exponential / n, 3, 0.04}, "gamma": {gamma / n, 5, 0.05},
	} {
		if math.Abs(c.got-c.want) > c.within {
			t.Errorf("%s: mean %v, want %v", name, c.got, c.want)
		}
	}
}
