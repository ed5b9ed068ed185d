package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/watch"
)

// watchRound is one activity's checks: the first looks deeper than the others.
type watchRound struct {
	*Watch
	ctx    context.Context
	result WatchResult
	state  watch.State
	long   []watch.Counts // of windows that not every check counts
	longAt time.Time      // business instant at which they were counted

	proof     chan proof // of the ledger, while it is under way
	stopProof context.CancelFunc
}

// proof is what the ledger's verification found.
type proof struct {
	report ledger.LedgerReport
	at     time.Time
	err    error
}

const (
	// overlap is the real time before the last check from which on a touch may have
	// been called and not yet settled: longer than one whose sender died may take.
	overlap = 3 * abandonedAfter
	// underWay is the real time that a touch may have been on its way when an
	// opt-out was stored.
	underWay = 10 * time.Second
	// firstLook is how far back the very first check inspects.
	firstLook = 24 * time.Hour
	// proveEvery is the business time between two proofs of the whole ledger.
	proveEvery = 24 * time.Hour
	// shortWindow divides windows that every check counts from those that are
	// counted once per activity and every longEvery of business time, because they
	// read many rows.
	shortWindow = 24 * time.Hour
	longEvery   = time.Hour
)

// check does everything once. What protects customers comes first.
func (r *watchRound) check() error {
	real := time.Now()
	now := r.Scale.At(real)
	deep := r.result.Checks == 0
	if deep {
		if _, err := r.State.Setting(r.ctx, watch.SettingState, &r.state); err != nil {
			return err
		}
	}
	controls, err := r.Controls.Controls(r.ctx)
	if err != nil {
		return err
	}
	var global ledger.Control
	for _, c := range controls {
		if c.Scope == ledger.ScopeGlobal {
			global = c
		}
	}
	conditions, err := r.breaker(now, global, deep)
	if err != nil {
		return err
	}
	violated, err := r.violations(now, global)
	if err != nil {
		return err
	}
	conditions = append(conditions, violated...)
	halted, err := r.halt(conditions, global)
	if err != nil {
		return err
	}
	if err := r.observe(watch.Observation{Kinds: []watch.Kind{watch.KindBreaker, watch.KindCompliance}, Conditions: conditions, At: now, KeepCritical: halted}); err != nil {
		return err
	}
	beats, err := r.Heartbeats.Heartbeats(r.ctx, real.Add(-5*time.Minute))
	if err != nil {
		return err
	}
	if err := r.observe(watch.Observation{Kinds: []watch.Kind{watch.KindUptime}, Conditions: watch.Down(beats, real), At: now}); err != nil {
		return err
	}
	if err := r.tell(); err != nil {
		return err
	}
	if err := r.anomalies(now); err != nil {
		return err
	}
	if deep && now.Sub(r.state.Verified) >= proveEvery {
		r.prove(now)
	}
	if err := r.proven(false); err != nil {
		return err
	}
	r.result.Checks++
	r.state.Inspected, r.state.CheckedAt = now, real.UTC()
	return r.State.SaveSetting(r.ctx, watch.SettingState, r.state, WatchActor, now)
}

// breaker counts complaints and bounces and judges them.
func (r *watchRound) breaker(now time.Time, global ledger.Control, deep bool) ([]watch.Condition, error) {
	var resumed time.Time
	if global.State == ledger.ControlRunning {
		resumed = global.At
	}
	var short, long []time.Duration
	for _, window := range r.Breaker.Windows {
		if window <= shortWindow {
			short = append(short, window)
		} else {
			long = append(long, window)
		}
	}
	count := func(windows []time.Duration) ([]watch.Counts, error) {
		var all []watch.Counts
		for _, channel := range r.Channels {
			since := make([]time.Time, len(windows))
			for i, window := range windows {
				since[i] = watch.Since(now, window, resumed)
			}
			counts, err := r.Counts.Counts(r.ctx, channel, since)
			if err != nil {
				return nil, err
			}
			for i := range counts {
				counts[i].Window = windows[i]
			}
			all = append(all, counts...)
		}
		return all, nil
	}
	counts, err := count(short)
	if err != nil {
		return nil, err
	}
	if deep || now.Sub(r.longAt) >= longEvery {
		r.longAt = now
		if r.long, err = count(long); err != nil {
			return nil, err
		}
	}
	for _, c := range r.long {
		if !c.Since.Before(resumed) { // not counted before a resumption in the meantime
			counts = append(counts, c)
		}
	}
	return r.Breaker.Judge(counts), nil
}

// violations inspects what went out since the last check and describes all
// violations since sending was last resumed: they call for a person, so they
// stay until a person resumes.
func (r *watchRound) violations(now time.Time, global ledger.Control) ([]watch.Condition, error) {
	since := r.state.Inspected
	if since.IsZero() {
		since = now.Add(-firstLook)
	}
	inspection := watch.Inspection{Since: since.Add(-r.Scale.Business(overlap)), Horizon: r.state.Horizon, Now: now, Exempt: r.Policy.Consent.Exempt,
		Grace: r.Scale.Business(underWay), Scale: r.Scale}
	found, horizon, err := r.Inspector.Breaches(r.ctx, inspection)
	if err != nil {
		return nil, err
	}
	late, err := r.quietHours(inspection)
	if err != nil {
		return nil, err
	}
	if _, err := r.Inspector.SaveViolations(r.ctx, append(found, late...)); err != nil {
		return nil, err
	}
	r.state.Horizon = horizon
	var resumed time.Time
	if global.State == ledger.ControlRunning {
		resumed = global.At
	}
	// One found in the instant of the resumption belongs to what was resumed.
	standing, err := r.Inspector.Violations(r.ctx, resumed.Add(time.Microsecond), now.Add(time.Microsecond))
	return watch.Violated(standing), err
}

// halt stops everything when a condition demands it, and reports whether the
// watch holds a halt. A halt that somebody else called is left as it is.
func (r *watchRound) halt(conditions []watch.Condition, global ledger.Control) (held bool, err error) {
	if global.State == ledger.ControlHalted {
		return global.By == WatchActor, nil
	}
	var reasons []string
	for _, c := range conditions {
		if c.Halts() {
			reasons = append(reasons, c.Title+" ("+c.Detail+")")
		}
	}
	if len(reasons) == 0 {
		return false, nil
	}
	reason := strings.Join(reasons, "; ")
	if err := r.Halter.Control(r.ctx, ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlHalted, Reason: reason, By: WatchActor}); err != nil {
		return false, err
	}
	r.Log.Error("the watch halted the programme", "reason", reason)
	r.result.Halted = reason
	return true, nil
}

// observe stores what is wrong and counts what opened and closed.
func (r *watchRound) observe(o watch.Observation) error {
	opened, closed, err := r.Alerts.Observe(r.ctx, o, r.targetNames())
	if err != nil {
		return err
	}
	for _, a := range opened {
		r.Log.Warn("alert opened", "alert", string(a.ID), "key", a.Key, "severity", string(a.Severity))
	}
	for _, a := range closed {
		r.Log.Info("alert closed", "alert", string(a.ID), "key", a.Key)
	}
	r.result.Opened += len(opened)
	r.result.Closed += len(closed)
	return nil
}

// prove starts the verification of the whole ledger beside the checks, which
// must not wait for it.
func (r *watchRound) prove(now time.Time) {
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan proof, 1)
	r.proof, r.stopProof = done, cancel
	go func() {
		report, err := r.Ledger.VerifyLedger(ctx)
		done <- proof{report, now, err}
	}()
}

// proven takes the result of a proof when there is one, or waits for it. What it
// found becomes violations, which the next check acts on.
func (r *watchRound) proven(wait bool) error {
	if r.proof == nil {
		return nil
	}
	var p proof
	if wait {
		select {
		case p = <-r.proof:
		case <-stopping(r.ctx): // the next activity proves it
			return nil
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	} else {
		select {
		case p = <-r.proof:
		default:
			return nil
		}
	}
	r.stopProof()
	r.proof = nil
	if p.err != nil {
		return fmt.Errorf("prove the ledger: %w", p.err)
	}
	if _, err := r.Inspector.SaveViolations(r.ctx, watch.FromLedger(p.report, r.Scale.At(time.Now()))); err != nil {
		return err
	}
	r.state.Verified = p.at
	return r.State.SaveSetting(r.ctx, watch.SettingState, r.state, WatchActor, p.at)
}

// stop ends a proof that nobody waits for any more.
func (r *watchRound) stop() {
	if r.stopProof != nil {
		r.stopProof()
	}
}
