package attribution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// world draws customers who are touched on two channels and buy now and then.
func world(r *rand.Rand, n int) []Customer {
	customers := make([]Customer, n)
	for i := range customers {
		c := Customer{ID: lifecycle.CustomerID(fmt.Sprint(r.Uint64()))}
		for d := 0.0; d < 28; d += 4 + 6*r.Float64() {
			group := "email"
			if r.Float64() < 0.3 {
				group = "sms"
			}
			c.Touches = append(c.Touches, Touch{Group: group, Sent: at(d)})
			if r.Float64() < 0.06 {
				c.Orders = append(c.Orders, Order{at(d + 1), int64(3000 * math.Exp(0.6*r.NormFloat64()))})
			}
		}
		customers[i] = c
	}
	return customers
}

// The interval of attributed RpMT covers what a very large world has, in about
// 95 of 100 samples of 1,500 customers.
func TestBootstrapCovers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("draws 300 worlds")
	}
	settings := func(resamples int) func(*Options) {
		return func(o *Options) { o.Resamples, o.Models = resamples, []Model{Last, Position, Markov} }
	}
	truth := divide(t, world(rand.New(rand.NewPCG(1, 1)), 400_000), settings(0))
	const runs = 300
	covered := map[string]int{}
	for run := range runs {
		got := divide(t, world(rand.New(rand.NewPCG(2, uint64(run))), 1500), settings(200))
		for i, table := range got.Tables {
			for j, l := range table.Lines {
				want := float64(truth.Tables[i].Lines[j].Revenue) / float64(truth.Tables[i].Lines[j].Touches)
				if l.PerTouch.Status == measure.OK && l.PerTouch.Interval.Low <= want && want <= l.PerTouch.Interval.High {
					covered[string(table.Model)+" "+l.Group]++
				}
			}
		}
	}
	t.Logf("covered in %d runs: %v", runs, covered)
	for name, n := range covered {
		if n < runs*90/100 || n > runs*985/1000 {
			t.Errorf("%s: covered %d times in %d", name, n, runs)
		}
	}
	if len(covered) != 6 {
		t.Errorf("%d figures", len(covered))
	}
}

func TestBootstrapRepeats(t *testing.T) {
	t.Parallel()
	customers := world(rand.New(rand.NewPCG(3, 3)), 500)
	once := divide(t, customers, func(o *Options) { o.Resamples, o.Seed = 50, 9 })
	if again := divide(t, customers, func(o *Options) { o.Resamples, o.Seed = 50, 9 }); !reflect.DeepEqual(once, again) {
		t.Error("the same seed gives other intervals")
	}
	if other := divide(t, customers, func(o *Options) { o.Resamples, o.Seed = 50, 10 }); reflect.DeepEqual(once, other) {
		t.Error("another seed gives the same intervals")
	}
	none := divide(t, customers[:5], func(o *Options) { o.Resamples = 50 })
	if a := none.Tables[0].Lines[0].PerTouch; a.Status != measure.NotEnoughData || a.Why == "" {
		t.Errorf("five customers: %+v", a)
	}
}

// Poisson(1) counts have mean and variance 1.
func TestPoissonCounts(t *testing.T) {
	t.Parallel()
	r := resampler{seed: 4, weights: make([]float64, 200_000)}
	s := measure.SampleOf(r.draw("somebody")...)
	if math.Abs(s.Mean()-1) > 0.01 || math.Abs(s.Variance()-1) > 0.015 {
		t.Errorf("mean %v, variance %v", s.Mean(), s.Variance())
	}
}

// 100,000 customers with five touches each, all models, 200 resamples.
func BenchmarkAttribution(b *testing.B) {
	customers := world(rand.New(rand.NewPCG(5, 5)), 100_000)
	for _, resamples := range []int{0, 200} {
		b.Run(fmt.Sprint("resamples=", resamples), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, err := New(Options{From: start, To: at(60), By: ByChannel, Models: Models, Windows: weekAfterSending, Resamples: resamples})
				if err != nil {
					b.Fatal(err)
				}
				for _, c := range customers {
					a.Add(c)
				}
				if r := a.Result(); r.Customers != len(customers) {
					b.Fatal(r.Customers)
				}
			}
		})
	}
}
