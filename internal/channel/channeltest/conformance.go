// Package channeltest is the conformance suite of channel.Provider. Every
// provider runs it against a stand-in of its vendor that can misbehave on
// demand. For tests only.
package channeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
)

// Fault is how the stand-in behaves.
type Fault string

// Faults a bench must be able to show.
const (
	Healthy        Fault = "healthy"
	Refuse         Fault = "refuse"           // answers that this message is not acceptable
	Throttle       Fault = "throttle"         // answers "too many", naming a reset ThrottleReset from now
	Busy           Fault = "busy"             // 503 with an HTML page, nothing accepted
	CutAfterAccept Fault = "cut after accept" // accepts, then closes the connection without an answer
	Hang           Fault = "hang"             // accepts, then answers only after the provider's time-out
	Unreachable    Fault = "unreachable"      // nobody listens
	BadCredentials Fault = "bad credentials"  // answers that the key is wrong
)

// ThrottleReset is how far in the future a throttling stand-in puts its reset.
const ThrottleReset = 3 * time.Second

// Bench is a provider wired to a stand-in that shows one fault.
type Bench struct {
	Provider channel.Provider
	// Message returns a message the healthy stand-in accepts, for this touch.
	Message func(lifecycle.TouchID) lifecycle.Message
	// Accepted lists the touches the stand-in accepted, once per acceptance.
	Accepted func() []lifecycle.TouchID
}

// Open builds a bench; it cleans up through t. The provider's own time-out
// must be at most two seconds, so that Hang ends.
type Open func(t *testing.T, f Fault) Bench

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	faults := []struct {
		fault    Fault
		class    channel.Class
		accepted int // times the stand-in has taken the message
	}{
		{Refuse, channel.Refused, 0},
		{Throttle, channel.Transient, 0},
		{Busy, channel.Transient, 0},
		{CutAfterAccept, channel.Unconfirmed, 1},
		{Hang, channel.Unconfirmed, 1},
		{Unreachable, channel.Transient, 0},
		{BadCredentials, channel.Misconfigured, 0},
	}
	t.Run("accepts and names the touch", func(t *testing.T) { t.Parallel(); accepts(t, open(t, Healthy)) })
	for _, f := range faults {
		t.Run(string(f.fault), func(t *testing.T) {
			t.Parallel()
			b := open(t, f.fault)
			_, err := b.Provider.Send(t.Context(), b.Message("touch-1"))
			var e *channel.Error
			if !errors.As(err, &e) {
				t.Fatalf("Send returned %v, want *channel.Error", err)
			}
			if e.Class != f.class {
				t.Errorf("class %q, want %q (%v)", e.Class, f.class, err)
			}
			if n := len(b.Accepted()); n != f.accepted {
				t.Errorf("stand-in accepted %d times, want %d: one call is one attempt", n, f.accepted)
			}
			if f.fault == Throttle {
				// Vendors name the reset in whole seconds.
				if e.RetryAfter < ThrottleReset-1100*time.Millisecond || e.RetryAfter > ThrottleReset+1100*time.Millisecond {
					t.Errorf("retry after %v, want the provider's own reset in about %v", e.RetryAfter, ThrottleReset)
				}
			}
		})
	}
	t.Run("context ended before", func(t *testing.T) { t.Parallel(); cancelledBefore(t, open(t, Healthy)) })
	t.Run("context ends while waiting for the answer", func(t *testing.T) { t.Parallel(); cancelledDuring(t, open(t, Hang)) })
	t.Run("concurrent sends", func(t *testing.T) { t.Parallel(); concurrent(t, open(t, Healthy)) })
	t.Run("look-up", func(t *testing.T) { t.Parallel(); lookup(t, open(t, Healthy)) })
}

func accepts(t *testing.T, b Bench) {
	if _, err := b.Provider.Send(t.Context(), b.Message("touch-1")); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if got := b.Accepted(); !slices.Equal(got, []lifecycle.TouchID{"touch-1"}) {
		t.Errorf("accepted %v, want the touch id exactly once", got)
	}
}

func cancelledBefore(t *testing.T, b Bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Provider.Send(ctx, b.Message("touch-1"))
	if got := channel.ClassOf(err); err == nil || got != channel.Transient {
		t.Errorf("got %v, class %q, want transient: nothing was written", err, got)
	}
	if n := len(b.Accepted()); n != 0 {
		t.Errorf("stand-in accepted %d messages", n)
	}
}

func cancelledDuring(t *testing.T, b Bench) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for len(b.Accepted()) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := b.Provider.Send(ctx, b.Message("touch-1"))
	if got := channel.ClassOf(err); err == nil || got != channel.Unconfirmed {
		t.Errorf("got %v, class %q, want unconfirmed: the message was written", err, got)
	}
}

func concurrent(t *testing.T, b Bench) {
	const n = 64
	ids := make([]lifecycle.TouchID, n)
	var wg sync.WaitGroup
	for i := range n {
		ids[i] = lifecycle.TouchID(fmt.Sprintf("touch-%02d", i))
		wg.Go(func() {
			if _, err := b.Provider.Send(t.Context(), b.Message(ids[i])); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
	}
	wg.Wait()
	got := b.Accepted()
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		t.Errorf("accepted %v, want every touch exactly once", got)
	}
}

func lookup(t *testing.T, b Bench) {
	_, before, err := b.Provider.Lookup(t.Context(), "touch-1")
	if err != nil {
		t.Fatalf("Lookup: %v", err)
	}
	if before == channel.Found {
		t.Error("a touch never sent was found")
	}
	if _, err := b.Provider.Send(t.Context(), b.Message("touch-1")); err != nil {
		t.Fatalf("Send: %v", err)
	}
	_, after, err := b.Provider.Lookup(t.Context(), "touch-1")
	if err != nil {
		t.Fatalf("Lookup: %v", err)
	}
	if after == channel.NotFound {
		t.Error("an accepted touch was declared not found")
	}
}
