package watch

import (
	"math"
	"time"
)

// What the system times about itself, in real time.
const (
	// LatencyDecision is from the moment at which a journey asks what to do next to
	// the stored decision.
	LatencyDecision = "decision"
	// LatencyDelivery is from the moment at which a touch is due to the stored
	// answer of its provider.
	LatencyDelivery = "delivery"
	// LatencyPage is one page of a broadcast, up to 500 touches.
	LatencyPage = "page"
	// LatencyReview is from a review that opens to the decision of a person; its
	// target is the time each review was given.
	LatencyReview = "review"
)

// perDoubling is how many buckets a doubling of the time is divided into: a
// quantile is known within 9 %.
const perDoubling = 8

// Bucket is the number of the bucket a duration falls into: bucket b holds times
// up to Upper(b), and more than Upper(b-1). Bucket 0 holds everything up to a millisecond.
func Bucket(d time.Duration) int {
	if d <= time.Millisecond {
		return 0
	}
	return int(math.Ceil(perDoubling * math.Log2(float64(d)/float64(time.Millisecond))))
}

// Upper is the longest time of a bucket.
func Upper(bucket int) time.Duration {
	return time.Duration(math.Exp2(float64(bucket)/perDoubling) * float64(time.Millisecond))
}

// Histogram counts durations by bucket. Histograms of different hours and
// processes add up.
type Histogram map[int]int64

// N is how many durations were counted.
func (h Histogram) N() (n int64) {
	for _, count := range h {
		n += count
	}
	return n
}

// Quantile is a time that at least a share q of the durations stayed within: the
// upper end of the bucket that holds the quantile. It is 0 for none.
func (h Histogram) Quantile(q float64) time.Duration {
	n := h.N()
	if n == 0 {
		return 0
	}
	need := int64(math.Ceil(q * float64(n)))
	most := 0
	for b := range h {
		most = max(most, b)
	}
	var seen int64
	for b := 0; b <= most; b++ {
		if seen += h[b]; seen >= max(need, 1) {
			return Upper(b)
		}
	}
	return Upper(most)
}

// Within is the share of durations that certainly stayed within a limit.
func (h Histogram) Within(limit time.Duration) float64 {
	n := h.N()
	if n == 0 {
		return 0
	}
	var within int64
	for b, count := range h {
		if Upper(b) <= limit {
			within += count
		}
	}
	return float64(within) / float64(n)
}
