package watch_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/watch"
)

// A quantile from buckets is never below the true one and at most 9.1 % above.
func TestQuantilesAreCloseAndNeverTooLow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)), 1, 200).Draw(t, "times")
		h := watch.Histogram{}
		for _, d := range times {
			h[watch.Bucket(time.Duration(d))]++
		}
		slices.Sort(times)
		for _, q := range []float64{0, 0.5, 0.95, 1} {
			i := max(int(float64(len(times))*q+0.999999)-1, 0)
			exact, got := time.Duration(times[i]), h.Quantile(q)
			if got < exact-time.Microsecond || float64(got) > float64(exact)*1.0906 {
				t.Fatalf("quantile %v of %d times: %s, exactly %s", q, len(times), got, exact)
			}
		}
		if h.N() != int64(len(times)) || h.Within(2*time.Hour) != 1 {
			t.Fatal("not all are counted")
		}
	})
}

func TestBucketsMeet(t *testing.T) {
	t.Parallel()
	for b := range 200 {
		if watch.Bucket(watch.Upper(b)-time.Nanosecond) > b || watch.Bucket(watch.Upper(b)+time.Microsecond) != b+1 {
			t.Errorf("bucket %d ends at %s", b, watch.Upper(b))
		}
	}
	if (watch.Histogram{}).Quantile(0.5) != 0 || watch.Bucket(-time.Second) != 0 {
		t.Error("nothing takes no time")
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	t.Parallel()
	var sum, before time.Duration
	n := 1
	for ; ; n++ {
		wait, again := watch.Backoff(n)
		if !again {
			break
		}
		if wait < before || wait > time.Hour {
			t.Errorf("attempt %d waits %s after %s", n, wait, before)
		}
		before = wait
		sum += wait
	}
	if sum < 18*time.Hour || sum > 30*time.Hour {
		t.Errorf("given up after %s", sum)
	}
}

func TestDownNeedsEveryProbeToFail(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 30, 0, time.UTC)
	beat := func(ago int, up bool) watch.Heartbeat {
		return watch.Heartbeat{Component: watch.Database, Minute: now.Truncate(time.Minute).Add(-time.Duration(ago) * time.Minute), Up: up}
	}
	for name, c := range map[string]struct {
		beats []watch.Heartbeat
		down  bool
	}{
		"three in a row":         {[]watch.Heartbeat{beat(0, false), beat(1, false), beat(2, false)}, true},
		"two":                    {[]watch.Heartbeat{beat(0, false), beat(1, false)}, false},
		"one answered":           {[]watch.Heartbeat{beat(0, false), beat(1, true), beat(2, false), beat(3, false)}, false},
		"long ago":               {[]watch.Heartbeat{beat(10, false), beat(11, false), beat(12, false)}, false},
		"back since":             {[]watch.Heartbeat{beat(0, true), beat(1, false), beat(2, false), beat(3, false)}, false},
		"nobody looked since":    {nil, false},
		"a minute that is ahead": {[]watch.Heartbeat{beat(-1, false), beat(0, false), beat(1, false)}, false},
	} {
		if got := watch.Down(c.beats, now); (len(got) > 0) != c.down {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
