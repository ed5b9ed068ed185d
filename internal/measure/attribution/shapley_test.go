package attribution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/measure"
)

var few = measure.Minimum{Customers: 2}

// The contributions sum to v(all) − v(none); an agent that changes nothing gets
// nothing; two that are interchangeable get the same.
func TestShapleyAxioms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 5).Draw(t, "agents")
		agents := make([]string, k)
		for i := range agents {
			agents[i] = fmt.Sprint("agent", i)
		}
		dummy := rapid.IntRange(0, k-1).Draw(t, "dummy")
		value := make([]int, 1<<k) // converted of 1000, by cell
		for on := range value {
			value[on] = rapid.IntRange(0, 1000).Draw(t, "v")
		}
		cells := make([]CellArm, 1<<k)
		for on := range cells {
			v := value[on&^(1<<dummy)]
			cells[on] = CellArm{On: on, Arm: measure.Arm{Revenue: measure.Sample{N: 1000, Sum: float64(v * 100), SumSquares: float64(v * 10_000)}, Converted: v}}
		}
		s := Shapley(agents, cells, few, 0.95)
		sum := 0.0
		for _, c := range s.Contributions {
			sum += c.Conversion.Interval.Estimate
		}
		last := cells[len(cells)-1].Arm
		want := float64(last.Converted-cells[0].Arm.Converted) / 1000
		if math.Abs(sum-want) > 1e-12 || math.Abs(s.All.Conversion.Interval.Estimate-want) > 1e-12 {
			t.Fatalf("contributions add up to %v, all together to %v, want %v", sum, s.All.Conversion.Interval.Estimate, want)
		}
		if d := s.Contributions[dummy].Conversion.Interval.Estimate; math.Abs(d) > 1e-12 {
			t.Fatalf("an agent that changes nothing gets %v", d)
		}
	})
}

// With two agents by hand: phi(1) = ((v1-v0)+(v12-v2))/2, and its variance is a
// quarter of the sum of p(1-p)/n over the four cells.
func TestShapleyByHand(t *testing.T) {
	t.Parallel()
	rates := []int{20, 30, 40, 80} // none, only the first, only the second, both; of 1000
	var cells []CellArm
	variance := 0.0
	for on, v := range rates {
		cells = append(cells, CellArm{On: on, Arm: measure.Arm{Revenue: measure.Sample{N: 1000}, Converted: v}})
		p := float64(v) / 1000
		variance += p * (1 - p) / 1000 / 4
	}
	s := Shapley([]string{"a", "b"}, cells, few, 0.95)
	half := 1.959963984540054 * math.Sqrt(variance)
	for i, want := range []float64{(0.010 + 0.040) / 2, (0.020 + 0.050) / 2} {
		got := s.Contributions[i].Conversion.Interval
		if math.Abs(got.Estimate-want) > 1e-12 || math.Abs(got.High-got.Estimate-half) > 1e-9 {
			t.Errorf("agent %d: %+v, want %v ± %v", i, got, want, half)
		}
	}
}

func TestShapleyWithoutEnough(t *testing.T) {
	t.Parallel()
	cells := []CellArm{{On: 0, Arm: measure.Arm{Revenue: measure.Sample{N: 29}, Converted: 9}}, {On: 1, Arm: measure.Arm{Revenue: measure.Sample{N: 9000}, Converted: 900}}}
	s := Shapley([]string{"campaign"}, cells, measure.DefaultMinimum(), 0.95)
	if got := s.Contributions[0].Revenue; got.Status != measure.NotEnoughData || got.Why != "29 customers with every agent off, 30 needed" {
		t.Errorf("%+v", got)
	}
	cells[0].Arm.Revenue.N, cells[0].Arm.Converted = 900, 4
	if got := Shapley([]string{"campaign"}, cells, measure.DefaultMinimum(), 0.95).Contributions[0].Conversion; got.Why != "4 buyers with every agent off, 30 needed" {
		t.Errorf("%+v", got)
	}
	if got := Shapley([]string{"a", "b"}, cells, measure.DefaultMinimum(), 0.95).All.Conversion; got.Status != measure.NotEnoughData {
		t.Errorf("a cell that nobody is in: %+v", got)
	}
}

// A world whose truth is known: in 1,000 runs the interval of each agent covers it
// in 93 % or more, and the better agent comes first in 95 % or more.
func TestShapleyOnKnownTruth(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	const runs, customers = 1000, 200_000
	rates := []float64{0.020, 0.026, 0.022, 0.030} // none, a, b, both
	truth := []float64{(0.006 + 0.008) / 2, (0.002 + 0.004) / 2}
	covered, ranked := [2]int{}, 0
	for range runs {
		var cells []CellArm
		for on, p := range rates {
			n := customers / 20 // 5 % of customers in each test cell
			if on == 3 {
				n = customers - 3*n
			}
			cells = append(cells, CellArm{On: on, Arm: measure.Arm{Revenue: measure.Sample{N: n}, Converted: binomial(r, n, p)}})
		}
		s := Shapley([]string{"a", "b"}, cells, measure.DefaultMinimum(), 0.95)
		for i := range truth {
			v := s.Contributions[i].Conversion.Interval
			if v.Low <= truth[i] && truth[i] <= v.High {
				covered[i]++
			}
		}
		if s.Contributions[0].Conversion.Interval.Estimate > s.Contributions[1].Conversion.Interval.Estimate {
			ranked++
		}
	}
	t.Logf("covered %v, ranked %d of %d", covered, ranked, runs)
	if covered[0] < 930 || covered[1] < 930 || covered[0] > 975 || covered[1] > 975 {
		t.Errorf("intervals cover the truth %v times in %d", covered, runs)
	}
	if ranked < 950 {
		t.Errorf("the better agent comes first %d times in %d", ranked, runs)
	}
}

func binomial(r *rand.Rand, n int, p float64) int {
	// Gaps between hits are geometric: exact, and quick for small p.
	hits, i := 0, 0.0
	for {
		i += math.Floor(math.Log(1-r.Float64())/math.Log(1-p)) + 1
		if i > float64(n) {
			return hits
		}
		hits++
	}
}
