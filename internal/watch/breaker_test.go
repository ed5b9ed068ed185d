package watch_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

const day = 24 * time.Hour

func counts(sent, delivered, complained, bounced int) watch.Counts {
	return watch.Counts{Channel: lifecycle.Email, Window: day, Sent: sent, Delivered: delivered, Complained: complained, Bounced: bounced}
}

func TestBreakerRule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counts watch.Counts
		want   watch.Severity
	}{
		"nothing sent":                     {counts(0, 0, 0, 0), ""},
		"one complaint in ten":             {counts(10, 10, 1, 0), ""},
		"one in two hundred":               {counts(200, 200, 1, 0), ""},
		"two in a thousand":                {counts(1000, 1000, 2, 0), ""},
		"three below the minimum":          {counts(150, 150, 3, 0), ""},
		"three in five hundred":            {counts(500, 500, 3, 0), ""},
		"six in a thousand":                {counts(1000, 1000, 6, 0), watch.Critical},
		"five in five thousand, by chance": {counts(5000, 5000, 5, 0), ""},
		"0.10 % of forty thousand":         {counts(40_000, 40_000, 40, 0), watch.Critical},
		"0.10 % of ten thousand":           {counts(10_000, 10_000, 10, 0), ""},
		"0.09 % of a hundred thousand":     {counts(100_000, 100_000, 90, 0), watch.Warning},
		"0.07 % of a million":              {counts(1_000_000, 1_000_000, 700, 0), ""},
		"all bounce":                       {counts(500, 0, 0, 500), watch.Critical},
		"3 % bounce":                       {counts(10_000, 9700, 0, 300), watch.Warning},
		"1 % bounce":                       {counts(10_000, 9900, 0, 100), ""},
		"few bounce of few":                {counts(20, 10, 0, 10), ""},
	} {
		got := watch.DefaultBreaker().Judge([]watch.Counts{c.counts})
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: %+v", name, got)
		case c.want != "" && (len(got) != 1 || got[0].Severity != c.want || got[0].Halts() != (c.want == watch.Critical)):
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

func TestBreakerReportsTheWorstWindow(t *testing.T) {
	t.Parallel()
	week := counts(100_000, 100_000, 85, 0)
	week.Window = 7 * day
	sms := counts(1000, 1000, 9, 0)
	sms.Channel = lifecycle.SMS
	got := watch.DefaultBreaker().Judge([]watch.Counts{week, counts(20_000, 20_000, 40, 0), sms})
	if len(got) != 2 || got[0].Key != "breaker/complaints/email" || got[0].Severity != watch.Critical || *got[0].Value != 0.002 ||
		!strings.Contains(got[0].Detail, "40 of 20000") || got[1].Key != "breaker/complaints/sms" {
		t.Errorf("%+v", got)
	}
}

// More complaints never make it better, and more delivered messages never worse.
func TestBreakerIsMonotone(t *testing.T) {
	t.Parallel()
	b := watch.DefaultBreaker()
	level := func(n, hits int) int {
		for _, c := range b.Judge([]watch.Counts{counts(n, n, hits, 0)}) {
			return map[watch.Severity]int{watch.Warning: 1, watch.Critical: 2}[c.Severity]
		}
		return 0
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(b.Minimum, 200_000).Draw(t, "delivered")
		hits := rapid.IntRange(0, min(n-1, 500)).Draw(t, "complaints")
		if level(n, hits+1) < level(n, hits) {
			t.Errorf("%d of %d is worse than one more", hits, n)
		}
		if level(n+1000, hits) > level(n, hits) {
			t.Errorf("%d of %d is better than of more", hits, n)
		}
	})
}

// A programme at a third of the threshold, looked at every hour for a year,
// must hardly ever be halted by chance; one at ten times the threshold must be
// within two hours of sending.
func TestBreakerHoldsUnderRepeatedLooks(t *testing.T) {
	t.Parallel()
	source := rand.New(rand.NewPCG(3, 9))
	const perHour, years = 800, 20
	halts := 0
	b := watch.DefaultBreaker()
	for range years {
		var hours [7 * 24]int
		halted := false
		for h := range 365 * 24 {
			hours[h%len(hours)] = int(distuv.Binomial{N: perHour, P: 0.0003, Src: source}.Rand())
			var all []watch.Counts
			for _, window := range []int{1, 24, 7 * 24} {
				sum, n := 0, min(window, h+1)
				for i := range n {
					sum += hours[(h-i)%len(hours)]
				}
				c := counts(n*perHour, n*perHour, sum, 0)
				all = append(all, c)
			}
			for _, c := range b.Judge(all) {
				halted = halted || c.Halts()
			}
		}
		if halted {
			halts++
		}
	}
	t.Logf("halted by chance in %d of %d years", halts, years)
	if halts > 4 {
		t.Errorf("halted by chance in %d of %d years", halts, years)
	}
	found := 0
	for range 200 {
		c := counts(2*perHour, 2*perHour, int(distuv.Binomial{N: 2 * perHour, P: 0.01, Src: source}.Rand()), 0)
		for _, got := range b.Judge([]watch.Counts{c}) {
			if got.Halts() {
				found++
			}
		}
	}
	if found < 190 {
		t.Errorf("1 %% complaints found within two hours in %d of 200", found)
	}
}

func TestWindowsBeginAfterAResumption(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	if got := watch.Since(now, day, now.Add(-time.Hour)); !got.Equal(now.Add(-time.Hour)) {
		t.Error(got)
	}
	if got := watch.Since(now, time.Hour, now.Add(-day)); !got.Equal(now.Add(-time.Hour)) {
		t.Error(got)
	}
	if got := watch.Since(now, day, time.Time{}); !got.Equal(now.Add(-day)) {
		t.Error(got)
	}
}
