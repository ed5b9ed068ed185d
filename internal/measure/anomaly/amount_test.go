package anomaly_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/measure/anomaly"
)

// Revenue is judged where an hour holds many orders, and not where it hangs on
// single ones.
func TestAmounts(t *testing.T) {
	t.Parallel()
	revenue := func(orders float64) anomaly.Series {
		source := rand.New(rand.NewPCG(8, uint64(orders)))
		s := anomaly.Series{Metric: "revenue", Start: monday, Values: make([]float64, weeks*7*24), Bad: anomaly.Low, Amount: true}
		for i := range s.Values {
			for range int(distuv.Poisson{Lambda: orders, Src: source}.Rand()) {
				s.Values[i] += 40 * math.Exp(0.8*source.NormFloat64())
			}
		}
		return s
	}
	few, many := revenue(1), revenue(300)
	for _, h := range last(few, 7*24) {
		if h.Status != anomaly.NotEnoughData {
			t.Fatalf("an order an hour: %+v", h)
		}
	}
	for _, h := range last(many, 7*24) {
		if h.Status != anomaly.OK {
			t.Errorf("as usual: %+v", h)
		}
	}
	many.Values[len(many.Values)-1] = 0
	if h := last(many, 1)[0]; h.Status != anomaly.Suspect || h.Direction != anomaly.Low {
		t.Errorf("no revenue: %+v", h)
	}
}
