package activities

import (
	"testing"
	"time"

	"touchstone/internal/clock"
)

func TestWatchLooksAsOftenAsItsClockNeeds(t *testing.T) {
	t.Parallel()
	for factor, want := range map[float64]time.Duration{0: checkEvery, 1: checkEvery, 60: checkEvery, 43200 / 5: 5 * time.Second, 86400: leastPace} {
		w := Watch{}
		if factor > 0 {
			w.Scale = clock.Scale{Base: time.Now(), Origin: time.Now(), Factor: factor}
		}
		if got := w.pace(); got != want {
			t.Errorf("factor %v: every %s, want %s", factor, got, want)
		}
	}
}
