package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// pulse is how often an activity says that its worker lives: well within the
// heartbeat time-out of its policy, and longer than a delivery usually takes, so
// that the common path pays nothing.
const pulse = 4 * time.Second

// alive heartbeats until stop is called: the engine then notices within seconds
// when a worker has died in the middle of something long.
func alive(ctx context.Context) (stop func()) {
	if !activity.IsActivity(ctx) {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(pulse)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() { close(done) }
}
