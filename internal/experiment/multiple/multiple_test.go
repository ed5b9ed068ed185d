package multiple_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"touchstone/internal/experiment/multiple"
)

// Two-sided 5 % points for many degrees of freedom and equal arms, C. W. Dunnett,
// Biometrics 20, 1964, table II (∞): 1.96, 2.21, 2.35, 2.44, 2.51; and unequal arms by scipy
// 1.10.1 multivariate normal rectangles.
func TestDunnettAgreesWithTheTable(t *testing.T) {
	t.Parallel()
	for m, want := range []float64{1.96, 2.21, 2.35, 2.44, 2.51} {
		challengers := make([]float64, m+1)
		for i := range challengers {
			challengers[i] = 1
		}
		if got := multiple.Dunnett(1, challengers, 0.05); math.Abs(got-want) > 0.0051 {
			t.Errorf("%d challengers: %v, the table has %v", m+1, got, want)
		}
	}
	if got := multiple.Dunnett(0.30, []float64{0.35, 0.35}, 0.05); math.Abs(got-2.207487577306151) > 1e-7 {
		t.Errorf("30/35/35: %v", got)
	}
	if got := multiple.Dunnett(1, []float64{1, 1, 1}, 0.05); math.Abs(got-2.3489706615488353) > 1e-7 {
		t.Errorf("three: %v", got)
	}
}

// The example of Benjamini and Hochberg (1995), section 4: four rejections at 0.05.
// Adjusted values by statsmodels 0.13.5 multipletests.
func TestAdjustedPValuesAgreeWithStatsmodels(t *testing.T) {
	t.Parallel()
	p := []float64{0.4262, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.5719, 0.6528, 0.7590, 1}
	bh, holm := multiple.BenjaminiHochberg(p), multiple.Holm(p)
	wantBH := map[int]float64{1: 0.0015, 2: 0.003, 3: 0.0095, 4: 0.035625, 5: 0.0603, 6: 0.06385714285714286, 8: 0.0645, 10: 0.486, 0: 0.5811818181818182, 14: 1}
	wantHolm := map[int]float64{1: 0.0015, 2: 0.0056, 3: 0.0247, 4: 0.114, 5: 0.2211, 7: 0.278, 9: 0.3213, 14: 1}
	for i, want := range wantBH {
		if math.Abs(bh[i]-want) > 1e-12 {
			t.Errorf("Benjamini-Hochberg of %v: %v, want %v", p[i], bh[i], want)
		}
	}
	for i, want := range wantHolm {
		if math.Abs(holm[i]-want) > 1e-12 {
			t.Errorf("Holm of %v: %v, want %v", p[i], holm[i], want)
		}
	}
	found := 0
	for _, q := range bh {
		if q <= 0.05 {
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d discoveries, the paper has 4", found)
	}
}

// The example of the R package onlineFDR (reference page of LORD, version "++",
// random = FALSE): fifteen p-values with their levels.
func TestLevelsAgreeWithOnlineFDR(t *testing.T) {
	t.Parallel()
	p := []float64{2.90e-08, 0.06743, 0.01514, 0.08174, 0.00171, 3.60e-05, 0.79149, 0.27201, 0.28295, 7.59e-08, 0.69274, 0.30443, 0.00136, 0.72342, 0.54757}
	want := []float64{0.0002675839, 0.0024664457, 0.0005732818, 0.0004872805, 0.0004059066, 0.0003447286, 0.0029745013, 0.0008450114, 0.0007305648, 0.0006243143, 0.0032185913, 0.0010617227, 0.0009256825, 0.0008019657, 0.0007059610}
	programme := multiple.Programme{Rate: 0.05, Start: 0.005, Decay: multiple.SlowDecay}
	var winners []bool
	for i := range p {
		level := programme.Level(winners)
		if math.Abs(level-want[i]) > 6e-11 {
			t.Errorf("level %d: %.10f, onlineFDR has %.10f", i+1, level, want[i])
		}
		winners = append(winners, p[i] <= level)
	}
}

// Over programmes of 60 experiments of which one in five has an effect, the share of
// winners that are false stays below the rate.
func TestProgrammeControlsFalseWinners(t *testing.T) {
	t.Parallel()
	source := rand.New(rand.NewPCG(9, 9))
	programme := multiple.Programme{Rate: 0.10}
	share := 0.0
	const programmes = 1500
	for range programmes {
		var winners []bool
		wrong, all := 0.0, 0.0
		for range 60 {
			real, z := source.Float64() < 0.2, source.NormFloat64()
			if real {
				z += 3.5
			}
			won := math.Erfc(math.Abs(z)/math.Sqrt2) <= programme.Level(winners)
			winners = append(winners, won)
			if won {
				all++
				if !real {
					wrong++
				}
			}
		}
		share += wrong / max(all, 1) / programmes
	}
	if share > 0.10 {
		t.Errorf("%.3f of the winners are false", share)
	}
}
