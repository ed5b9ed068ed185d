// Package alerttest is the conformance suite of watch.Target. Every target runs
// it against a stand-in of its service that can misbehave on demand. For tests
// only.
package alerttest

import (
	"context"
	"strings"
	"testing"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

// Fault is how the stand-in behaves.
type Fault string

// Faults a bench must be able to show.
const (
	Healthy     Fault = "healthy"
	Refuse      Fault = "refuse"      // answers that the request can never be accepted
	Forbid      Fault = "forbid"      // answers that the credentials are wrong
	Throttle    Fault = "throttle"    // answers "too many"
	Busy        Fault = "busy"        // answers that it cannot work now
	Unreachable Fault = "unreachable" // nobody listens
	Hang        Fault = "hang"        // takes the request and answers nothing
)

// Bench is a target wired to a stand-in that shows one fault.
type Bench struct {
	Target watch.Target
	// Received lists what the stand-in took, as text that holds subject and body.
	Received func() []string
	// Secret must not appear in any error.
	Secret string
}

// Open builds a bench; it cleans up through t.
type Open func(t *testing.T, f Fault) Bench

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	t.Run("tells people what is wrong", func(t *testing.T) {
		t.Parallel()
		b := open(t, Healthy)
		for _, occasion := range []watch.Occasion{watch.Opened, watch.Raised, watch.Reminder, watch.Recovered, watch.Test} {
			n := notice()
			n.Occasion = occasion
			if err := b.Target.Notify(t.Context(), n); err != nil {
				t.Fatalf("%s: %v", occasion, err)
			}
		}
		got := b.Received()
		if len(got) != 5 {
			t.Fatalf("five notices arrive as %d", len(got))
		}
		for _, text := range got {
			for _, part := range []string{notice().Alert.Title, notice().Alert.Detail, "https://status.example/watch"} {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in what arrived:\n%s", part, text)
				}
			}
		}
		if !strings.Contains(got[0], "touchstone resume") || strings.Contains(got[3], "touchstone resume") {
			t.Errorf("a halt must say what to do next, a recovery must not:\n%s\n%s", got[0], got[3])
		}
	})
	t.Run("has a stable name", func(t *testing.T) {
		t.Parallel()
		b := open(t, Healthy)
		if name := b.Target.Name(); name == "" || name != open(t, Healthy).Target.Name() {
			t.Errorf("name %q", name)
		}
	})
	t.Run("is safe for concurrent use", func(t *testing.T) {
		t.Parallel()
		b := open(t, Healthy)
		errs := make(chan error)
		for range 8 {
			go func() { errs <- b.Target.Notify(t.Context(), notice()) }()
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
	for fault, final := range map[Fault]bool{Refuse: true, Forbid: true, Throttle: false, Busy: false, Unreachable: false, Hang: false} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			b := open(t, fault)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := b.Target.Notify(ctx, notice())
			if err == nil {
				t.Fatal("the notice counts as taken")
			}
			code := lifecycle.CodeOf(err)
			if got := code == lifecycle.Invalid || code == lifecycle.Forbidden; got != final {
				t.Errorf("code %s: final is %v, want %v (%v)", code, got, final, err)
			}
			if b.Secret != "" && strings.Contains(err.Error(), b.Secret) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// notice is a halt by the circuit breaker.
func notice() watch.Notice {
	value, limit := 0.002, 0.001
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	return watch.Notice{
		ID: "n-1", Occasion: watch.Opened, Brand: "Example", Link: "https://status.example/watch",
		Alert: watch.Alert{ID: "0198c0de-0000-7000-8000-000000000001", OpenedAt: at, SeenAt: at, Condition: watch.Condition{
			Key: "breaker/complaints/email", Kind: watch.KindBreaker, Severity: watch.Critical, Title: "email spam complaint rate is at or above 0.1 %",
			Detail: "20 of 10000 messages delivered in the last hour", Metric: "complaints", Value: &value, Limit: &limit}},
	}
}
