package activities

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure/anomaly"
	"touchstone/internal/watch"
)

// Watch looks after the programme: it halts it when complaints, bounces or a
// compliance violation demand it, opens and closes alerts, and tells people.
type Watch struct {
	Counts     BreakerCounts
	Inspector  Inspector
	Ledger     LedgerProof
	Hourly     HourlySeries
	Alerts     AlertStore
	Heartbeats Heartbeats
	State      StateStore
	Controls   Controls
	Halter     Halter
	Targets    []watch.Target

	Breaker  watch.Breaker
	Rules    anomaly.Rules
	Channels []lifecycle.Channel // that messages go out on
	Policy   *guardrails.Policy
	Brand    *brand.Brand
	Holidays []string      // days whose hours are neither judged nor learnt from: 2026-12-25
	Remind   time.Duration // real time between reminders; 0 = none
	Link     string        // where people look, in notices
	Scale    clock.Scale
	// InForce is the business instant from which every worker uses Policy: touches
	// before it may have followed another.
	InForce time.Time
	Log     *slog.Logger
}

// BreakerCounts counts what became of a channel's messages, per window.
type BreakerCounts interface {
	Counts(ctx context.Context, channel lifecycle.Channel, since []time.Time) ([]watch.Counts, error)
}

// Inspector finds and keeps violations.
type Inspector interface {
	// Breaches returns what it found and the horizon for the next inspection.
	Breaches(ctx context.Context, in watch.Inspection) ([]watch.Violation, int64, error)
	SentWhen(ctx context.Context, in watch.Inspection, channels []lifecycle.Channel) ([]watch.SentWhen, error)
	// SaveViolations returns those that were not known.
	SaveViolations(ctx context.Context, violations []watch.Violation) ([]watch.Violation, error)
	Violations(ctx context.Context, since, until time.Time) ([]watch.Violation, error)
}

// LedgerProof proves the whole ledger; it takes a minute per few million touches.
type LedgerProof interface {
	VerifyLedger(ctx context.Context) (ledger.LedgerReport, error)
}

// HourlySeries sums metrics up by the hour of business time, from whatever source.
type HourlySeries interface {
	HourlySeries(ctx context.Context, since, until time.Time, currency string) ([]anomaly.Series, error)
}

// AlertStore keeps alerts and the notices that are due.
type AlertStore interface {
	Observe(ctx context.Context, o watch.Observation, targets []string) (opened, closed []watch.Alert, err error)
	Alerts(ctx context.Context, all bool, limit int) ([]watch.Alert, error)
	ClaimNotices(ctx context.Context, targets []string, remind time.Duration, limit int, now time.Time) ([]watch.Due, error)
	SettleNotice(ctx context.Context, id int64, failure string, retryAt, now time.Time) error
}

// Heartbeats tells which components answered their probes.
type Heartbeats interface {
	Heartbeats(ctx context.Context, since time.Time) ([]watch.Heartbeat, error)
}

// StateStore keeps how far the watch has looked.
type StateStore interface {
	Setting(ctx context.Context, key string, into any) (found bool, err error)
	SaveSetting(ctx context.Context, key string, value any, by string, at time.Time) error
}

// Halter pauses, halts and resumes as a person does.
type Halter interface {
	Control(ctx context.Context, c ledger.Control) error
}

// WatchActor signs what the watch does in the decision log and in controls.
const WatchActor = "watch"

// WatchInput says how long one activity keeps watch.
type WatchInput struct {
	For time.Duration `json:"for"` // real time
}

// WatchResult says what happened meanwhile.
type WatchResult struct {
	Checks int    `json:"checks"`
	Opened int    `json:"opened"` // alerts
	Closed int    `json:"closed"`
	Open   int    `json:"open"`             // at the end
	Halted string `json:"halted,omitempty"` // why everything was halted by the watch
}

// checkEvery is the real time between two checks: with the time-out of the
// heartbeat and one retry, a halt comes well within a minute of its cause, even
// when the worker that watches dies.
const checkEvery = 15 * time.Second

// leastPace is how often a watch on a fast clock looks at most.
const leastPace = 2 * time.Second

// pace is checkEvery, and twice in a business day on a clock so fast that
// checkEvery is longer.
func (w *Watch) pace() time.Duration {
	return min(max(w.Scale.Real(12*time.Hour), leastPace), checkEvery)
}

// KeepWatch checks again and again until its time is over or its worker stops.
// One activity that lasts for minutes costs the engine a fraction of an activity
// per check. Repeating it is harmless: how far it has looked is in the store, and
// violations and alerts are stored once.
func (w *Watch) KeepWatch(ctx context.Context, in WatchInput) (WatchResult, error) {
	defer alive(ctx)()
	round := &watchRound{Watch: w, ctx: ctx}
	defer round.stop()
	ends := time.Now().Add(in.For)
	for {
		if err := round.check(); err != nil {
			return round.result, fail(err)
		}
		if time.Now().Add(w.pace()).After(ends) {
			break
		}
		select {
		case <-ctx.Done():
			return round.result, ctx.Err()
		case <-stopping(ctx):
			return round.close()
		case <-time.After(w.pace()):
		}
	}
	return round.close()
}

// stopping is closed when the activity's worker is told to stop.
func stopping(ctx context.Context) <-chan struct{} {
	if !activity.IsActivity(ctx) {
		return nil
	}
	return activity.GetWorkerStopChannel(ctx)
}

// close finishes a round: a proof of the ledger that is under way is waited for.
func (r *watchRound) close() (WatchResult, error) {
	if err := r.proven(true); err != nil {
		return r.result, fail(err)
	}
	open, err := r.Alerts.Alerts(r.ctx, false, 1000)
	r.result.Open = len(open)
	return r.result, fail(err)
}
