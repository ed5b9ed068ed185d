package ledger_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Whatever reports arrive in whatever order: once the provider was called, a
// touch is never opened again except by its definite refusal for now.
func TestACalledTouchIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	called := []lifecycle.TouchState{
		lifecycle.TouchAccepted, lifecycle.TouchUnconfirmed, lifecycle.TouchRefused,
		lifecycle.TouchDelivered, lifecycle.TouchBounced, lifecycle.TouchComplained,
	}
	rapid.Check(t, func(t *rapid.T) {
		state := rapid.SampledFrom(called).Draw(t, "state")
		for range rapid.IntRange(1, 10).Draw(t, "reports") {
			to := rapid.SampledFrom(lifecycle.TouchStates).Draw(t, "to")
			if !ledger.MayMove(state, to) {
				continue
			}
			if !slices.Contains(called, to) {
				t.Fatalf("a touch that is %s may become %s", state, to)
			}
			state = to
		}
	})
}

func TestMovesBeforeTheCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to lifecycle.TouchState
		want     bool
	}{
		{lifecycle.TouchReserved, lifecycle.TouchSending, true},
		{lifecycle.TouchReserved, lifecycle.TouchDeferred, true},
		{lifecycle.TouchReserved, lifecycle.TouchAccepted, false},
		{lifecycle.TouchPlanned, lifecycle.TouchSending, true},
		{lifecycle.TouchSkipped, lifecycle.TouchSending, false},
		{lifecycle.TouchPlanned, lifecycle.TouchReserved, true},
		{lifecycle.TouchBlocked, lifecycle.TouchReserved, false},
		{lifecycle.TouchSending, lifecycle.TouchReserved, false},
		{lifecycle.TouchSending, lifecycle.TouchAccepted, true},
		{lifecycle.TouchDelivered, lifecycle.TouchAccepted, false},
		{lifecycle.TouchUnconfirmed, lifecycle.TouchDelivered, true},
	} {
		if got := ledger.MayMove(c.from, c.to); got != c.want {
			t.Errorf("MayMove(%s, %s) = %v", c.from, c.to, got)
		}
	}
}

func TestControlStops(t *testing.T) {
	t.Parallel()
	paused := func(scope ledger.ControlScope, name string) ledger.Control {
		return ledger.Control{Scope: scope, Name: name, State: ledger.ControlPaused}
	}
	for _, c := range []struct {
		control ledger.Control
		want    bool
	}{
		{paused(ledger.ScopeGlobal, ""), true},
		{paused(ledger.ScopeJourney, "winback"), true},
		{paused(ledger.ScopeJourney, "welcome"), false},
		{paused(ledger.ScopeCampaign, ""), false},
		{paused(ledger.ScopeCampaign, "spring"), true},
		{paused(ledger.ScopeChannel, "email"), true},
		{paused(ledger.ScopeChannel, "sms"), false},
		{ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlRunning}, false},
		{ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlHalted}, true},
	} {
		if got := c.control.Stops("winback", "spring", lifecycle.Email); got != c.want {
			t.Errorf("%+v stops: %v, want %v", c.control, got, c.want)
		}
	}
}
