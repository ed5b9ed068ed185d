package console

import (
	"sync"
	"time"
)

// kept keeps a figure that takes longer to compute than a page may. Readers get
// the last one at once; one that is no longer fresh is computed again meanwhile,
// once however many ask. The page says when the figure was computed.
type kept[T any] struct {
	load  func() (T, error)
	fresh time.Duration // 0: computed on demand only

	mu      sync.Mutex
	loading chan struct{} // closed when the present computation is over; nil: none
	value   T
	at      time.Time // real time at which the value had been computed; zero: never
	took    time.Duration
	err     error // of the last computation
}

// result is a figure as it is kept.
type result[T any] struct {
	Value   T
	At      time.Time
	Known   bool // false: it has not been computed yet
	Running bool
	Err     error // of the last computation
}

// rest keeps the share of time spent on computing a figure below a tenth, however
// large the store has grown.
const rest = 10

// first is how long a page waits for a figure that there is none of yet.
const first = 80 * time.Millisecond

// get returns the kept figure, waiting a little where there is none yet.
func (k *kept[T]) get(patience time.Duration) result[T] {
	k.mu.Lock()
	if k.loading == nil && k.fresh > 0 && time.Since(k.at) > max(k.fresh, rest*k.took) {
		k.start()
	}
	loading, known := k.loading, !k.at.IsZero()
	k.mu.Unlock()
	if !known && loading != nil && patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-loading:
		case <-timer.C:
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return result[T]{k.value, k.at, !k.at.IsZero(), k.loading != nil, k.err}
}

// again computes the figure anew, unless that is being done.
func (k *kept[T]) again() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.loading == nil {
		k.start()
	}
}

// start computes in the background; the caller holds the lock.
func (k *kept[T]) start() {
	done := make(chan struct{})
	k.loading = done
	go func() {
		began := time.Now()
		value, err := k.load()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.err, k.loading = err, nil
		if err == nil {
			k.value, k.at, k.took = value, time.Now(), time.Since(began)
		}
		close(done)
	}()
}

// keptBy keeps a figure per key. Callers pass keys of a bounded set only.
type keptBy[K comparable, T any] struct {
	load  func(K) (T, error)
	fresh time.Duration

	mu     sync.Mutex
	values map[K]*kept[T]
}

// of returns the keeper of a key.
func (k *keptBy[K, T]) of(key K) *kept[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values == nil {
		k.values = map[K]*kept[T]{}
	}
	if k.values[key] == nil {
		k.values[key] = &kept[T]{fresh: k.fresh, load: func() (T, error) { return k.load(key) }}
	}
	return k.values[key]
}
