package watch

import (
	"context"
	"time"
)

// Target tells people about alerts. It is safe for concurrent use; the suite
// that every target passes is internal/alert/alerttest.
type Target interface {
	// Name is stable and unique among the configured targets: notices are kept
	// under it.
	Name() string
	// Notify hands one notice over, at least once: nil means taken. A notice with
	// an ID that was handed over before is the same notice. An error with the code
	// Invalid or Forbidden is final, any other is tried again later.
	Notify(ctx context.Context, n Notice) error
}

// Backoff is how long a notice waits after its nth failed attempt, and false
// when it is to be given up, after about a day.
func Backoff(attempts int) (time.Duration, bool) {
	const first, most, limit = 10 * time.Second, time.Hour, 32
	if attempts >= limit {
		return 0, false
	}
	return min(first<<min(max(attempts-1, 0), 20), most), true
}

// Due is a notice that a target has to be told, claimed by one sender.
type Due struct {
	ID       int64
	Target   string
	Attempts int // this one included
	Notice   Notice
}

// Delivery is how far a notice got. Its instants are real time.
type Delivery struct {
	Occasion    Occasion  `json:"occasion"`
	Target      string    `json:"target"`
	MadeAt      time.Time `json:"made_at"`
	Attempts    int       `json:"attempts"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	GivenUpAt   time.Time `json:"given_up_at,omitzero"`
	LastError   string    `json:"last_error,omitempty"`
}
