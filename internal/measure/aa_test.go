package measure_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"touchstone/internal/measure"
)

// spenders draws what customers spend in a month, in cents: most nothing, the
// others a log-normal order (median 50, sigma 0.7: a few are five times the usual).
func spenders(r *rand.Rand, n int, rate float64) []float64 {
	spent := make([]float64, n)
	for i := range spent {
		if r.Float64() < rate {
			spent[i] = math.Round(5000 * math.Exp(0.7*r.NormFloat64()))
		}
	}
	return spent
}

// aa splits the same customers at random into treated and held out again and
// again: nothing differs between the arms, so zero is the truth. It counts how
// often an interval was stated and how often it covered zero.
type aa struct {
	stated, covered   int // revenue per customer
	rates, ratesCover int // conversion
	falseGain         int // intervals of revenue wholly above zero
}

func resample(r *rand.Rand, spent []float64, share float64, resamples int, least measure.Minimum) aa {
	var out aa
	for range resamples {
		var c measure.Comparison
		for _, v := range spent {
			arm := &c.Treated
			if r.Float64() < share {
				arm = &c.Held
			}
			arm.Revenue.N++
			arm.Revenue.Sum += v
			arm.Revenue.SumSquares += v * v
			if v > 0 {
				arm.Converted++
			}
		}
		l := c.Lift(least, measure.Level)
		if l.PerCustomer.Known() {
			out.stated++
			if l.PerCustomer.Interval.SpansZero() {
				out.covered++
			} else if l.PerCustomer.Interval.Low > 0 {
				out.falseGain++
			}
		}
		if l.Conversion.Known() {
			out.rates++
			if l.Conversion.Interval.SpansZero() {
				out.ratesCover++
			}
		}
	}
	return out
}

func within(hits, of int) bool {
	return of > 0 && float64(hits) >= 0.93*float64(of) && float64(hits) <= 0.97*float64(of)
}

// Holdouts of real size: the intervals of 1,000 A/A comparisons cover zero in 93
// to 97 of 100.
func TestAACoversZero(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		customers   int
		rate, share float64
	}{
		{40_000, 0.025, 0.05}, {20_000, 0.025, 0.10}, {20_000, 0.025, 0.50}, {20_000, 0.10, 0.05}, {100_000, 0.01, 0.05}, {10_000, 0.05, 0.10},
	} {
		t.Run(fmt.Sprintf("%d at %v, %v held", c.customers, c.rate, c.share), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(11, uint64(i)))
			got := resample(r, spenders(r, c.customers, c.rate), c.share, 1000, measure.DefaultMinimum())
			t.Logf("revenue %d of %d, conversion %d of %d, wrongly a gain %d", got.covered, got.stated, got.ratesCover, got.rates, got.falseGain)
			if got.stated < 990 || !within(got.covered, got.stated) {
				t.Errorf("revenue: %d of %d intervals cover zero", got.covered, got.stated)
			}
			if got.rates != 1000 || !within(got.ratesCover, got.rates) {
				t.Errorf("conversion: %d of %d intervals cover zero", got.ratesCover, got.rates)
			}
		})
	}
}

// Where Welch fails, and what the minimum does about it: with ten buyers held out
// fewer than nine in ten intervals cover zero, and nearly all the others claim a
// gain. The minimum keeps most of those from being stated; what is stated holds.
func TestAAOfSmallHoldouts(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		buyers  float64 // expected in the holdout
		promise float64 // the ungated interval covers less than this
	}{{5, 0.88}, {10, 0.92}, {20, 0.945}} {
		t.Run(fmt.Sprint(c.buyers), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(13, uint64(i)))
			spent := spenders(r, 20_000, 0.025)
			share := c.buyers / (20_000 * 0.025)
			bare := resample(r, spent, share, 2000, measure.Minimum{Customers: 30})
			gated := resample(r, spent, share, 2000, measure.DefaultMinimum())
			t.Logf("without the minimum %d of %d cover, %d wrongly a gain; with it %d of %d, %d", bare.covered, bare.stated, bare.falseGain,
				gated.covered, gated.stated, gated.falseGain)
			if covered := float64(bare.covered) / float64(bare.stated); covered >= c.promise {
				t.Errorf("without the minimum %.3f cover zero: it may be lower", covered)
			}
			// Samples that pass by luck have more buyers than usual: theirs is the error
			// of a wrong gain that the minimum is for.
			if gated.falseGain > 2000*25/1000 {
				t.Errorf("with the minimum %d of 2000 comparisons of equals are called a gain", gated.falseGain)
			}
			if !(float64(bare.falseGain) > 1.5*float64(gated.falseGain)) {
				t.Errorf("%d wrong gains without the minimum, %d with it", bare.falseGain, gated.falseGain)
			}
		})
	}
}
