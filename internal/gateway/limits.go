package gateway

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Limits bound what the tracking doors take at once. Zero values mean defaults.
type Limits struct {
	// InFlight is how many bytes of request bodies are held at once, those that
	// wait for the store included. Decoded they take about four times as much.
	InFlight int64
	// Requests is how many requests wait or are worked on at once.
	Requests int
	// PerSecond is how many messages a second each name of a write key may send,
	// with bursts of Burst; 0: as many as there is room for.
	PerSecond float64
	Burst     int
}

const (
	defaultInFlight = 32 << 20
	defaultRequests = 2048
	// roomTime is how long a request waits for room before it is sent away.
	roomTime = 2 * time.Second
)

// flow admits requests to the tracking doors.
type flow struct {
	limits   Limits
	bytes    *semaphore.Weighted
	requests *semaphore.Weighted

	mu    sync.Mutex
	rates map[string]*rate.Limiter // by name of the write key
}

func newFlow(l Limits, names []string) *flow {
	if l.InFlight <= 0 {
		l.InFlight = defaultInFlight
	}
	if l.Requests <= 0 {
		l.Requests = defaultRequests
	}
	if l.Burst <= 0 {
		l.Burst = int(2 * math.Ceil(l.PerSecond))
	}
	l.Burst = max(l.Burst, maxBurst)
	f := &flow{limits: l, bytes: semaphore.NewWeighted(l.InFlight), requests: semaphore.NewWeighted(int64(l.Requests)), rates: map[string]*rate.Limiter{}}
	for _, name := range names {
		if l.PerSecond > 0 {
			f.rates[name] = rate.NewLimiter(rate.Limit(l.PerSecond), l.Burst)
		}
	}
	return f
}

// admit waits a little for room for a body; release gives it back.
func (f *flow) admit(ctx context.Context, size int64) (release func(), ok bool) {
	if !f.requests.TryAcquire(1) {
		return nil, false
	}
	size = min(size, f.limits.InFlight)
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	if f.bytes.Acquire(ctx, size) != nil {
		f.requests.Release(1)
		return nil, false
	}
	return func() {
		f.bytes.Release(size)
		f.requests.Release(1)
	}, true
}

// charge takes n messages off a key's allowance and says so in the headers. When
// there are not as many, nothing is taken, and wait is when there will be.
func (f *flow) charge(h http.Header, name string, n int) (wait time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	limiter := f.rates[name]
	if limiter == nil {
		return 0, true
	}
	now := time.Now()
	r := limiter.ReserveN(now, n)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	left := max(limiter.TokensAt(now), 0)
	full := time.Duration((float64(limiter.Burst()) - left) / f.limits.PerSecond * float64(time.Second))
	h.Set("X-RateLimit-Limit", strconv.FormatFloat(f.limits.PerSecond, 'f', -1, 64))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(int(left)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(max(wait, full)).Unix()+1, 10))
	return wait, wait == 0
}

// slowDown answers that there is too much at once. Libraries wait and repeat.
func slowDown(w http.ResponseWriter, wait time.Duration, text string) {
	w.Header().Set("Retry-After", strconv.Itoa(max(int(math.Ceil(wait.Seconds())), 1)))
	http.Error(w, text, http.StatusTooManyRequests)
}
