package activities

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure/anomaly"
	"touchstone/internal/watch"
)

// quietHours judges when marketing went out with the guardrail that decides when
// it may. The minute before counts too: a touch may have been decided at the end
// of the hours and have left right after.
func (w *watchRound) quietHours(in watch.Inspection) ([]watch.Violation, error) {
	if in.Since.Before(w.InForce) {
		in.Since = w.InForce
	}
	channels := slices.Sorted(maps.Keys(w.Policy.At(in.Now).Hours))
	if !slices.Contains(channels, lifecycle.SMS) {
		channels = append(channels, lifecycle.SMS) // has hours by law
	}
	sent, err := w.Inspector.SentWhen(w.ctx, in, channels)
	if err != nil {
		return nil, err
	}
	var found []watch.Violation
	for _, s := range sent {
		first, outside := w.outside(s, s.Minute)
		if !outside {
			continue
		}
		if _, before := w.outside(s, s.Minute.Add(-time.Minute)); !before {
			continue
		}
		found = append(found, watch.Violation{TouchID: s.TouchID, Rule: watch.RuleQuietHours, At: s.Minute, FoundAt: in.Now,
			Detail: fmt.Sprintf("%d %s touches went out at %s, %s; allowed: %s", s.Touches, s.Channel, first.Value, first.Reason, first.Limit)})
	}
	return found, nil
}

// outside asks the guardrail about an instant.
func (w *Watch) outside(s watch.SentWhen, at time.Time) (lifecycle.Finding, bool) {
	touch := guardrails.Touch{At: at, Channel: s.Channel, Class: lifecycle.Marketing, Customer: lifecycle.Profile{
		Customer: lifecycle.Customer{Country: s.Country, Region: s.Region, TimeZone: s.TimeZone}}}
	findings := guardrails.CheckHours(touch, w.Policy, w.Brand)
	if len(findings) == 0 {
		return lifecycle.Finding{}, false
	}
	return findings[0], true
}

const (
	// baseline is how much business time the detector needs before the first hour
	// that it judges: four weeks for the spread, four more for their baselines.
	baseline = 8 * 7 * 24 * time.Hour
	// judgeAtMost bounds how many hours are judged at once after a long pause.
	judgeAtMost = 48 * time.Hour
	// An hour is judged when what happened in it has had this long to arrive, in
	// business time and in real time.
	settles, settlesReal = 2 * time.Minute, 5 * time.Second
	// lasting is how long an anomaly stays an open alert after its last hour.
	lasting = 3 * time.Hour
)

// anomalies judges the hours that have ended since the last time, and opens and
// closes alerts. An alert is about the last hours, not about the past.
func (w *watchRound) anomalies(now time.Time) error {
	until := now.Add(-max(settles, w.Scale.Business(settlesReal))).Truncate(time.Hour)
	since := w.state.Judged
	if !until.After(since) {
		return nil
	}
	if since.Before(until.Add(-judgeAtMost)) {
		since = until.Add(-judgeAtMost)
	}
	if recent := until.Add(-lasting); since.After(recent) {
		since = recent // so that an anomaly of an hour ago keeps its alert open
	}
	series, err := w.Hourly.HourlySeries(w.ctx, since.Add(-baseline-w.Rules.Run()), until, w.Brand.Currency)
	if err != nil {
		return err
	}
	conditions := w.judge(series, since, until)
	if err := w.observe(watch.Observation{Kinds: []watch.Kind{watch.KindAnomaly}, Conditions: conditions, At: now}); err != nil {
		return err
	}
	w.state.Judged = until
	return nil
}

// judge returns the anomalies of the last hours as conditions: per metric the
// latest. All metrics of an hour are looked at together.
func (w *Watch) judge(series []anomaly.Series, since, until time.Time) []watch.Condition {
	zone, err := time.LoadLocation(w.Brand.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	byHour := map[time.Time][]anomaly.Hour{}
	for _, s := range series {
		s.Zone = zone
		s.Special = anomaly.Holidays(s, w.Holidays)
		for _, h := range anomaly.Judge(s, since, w.Rules) {
			byHour[h.At] = append(byHour[h.At], h)
		}
	}
	latest := map[string]anomaly.Hour{}
	for _, at := range slices.SortedFunc(maps.Keys(byHour), time.Time.Compare) {
		for _, h := range anomaly.Discoveries(byHour[at], w.Rules) {
			latest[h.Metric] = h
		}
	}
	var found []watch.Condition
	for _, metric := range slices.Sorted(maps.Keys(latest)) {
		if h := latest[metric]; h.At.After(until.Add(-lasting - time.Hour)) {
			found = append(found, watch.Anomalous(h))
		}
	}
	return found
}

// targetNames lists where notices go.
func (w *Watch) targetNames() []string {
	names := make([]string, len(w.Targets))
	for i, t := range w.Targets {
		names[i] = t.Name()
	}
	return names
}

// noticesAtOnce bounds how many notices one check delivers.
const noticesAtOnce = 20

// tell delivers the notices that are due, reminders included. One that fails
// comes again later; it holds nothing up.
func (w *watchRound) tell() error {
	if len(w.Targets) == 0 {
		return nil
	}
	targets := map[string]watch.Target{}
	for _, t := range w.Targets {
		targets[t.Name()] = t
	}
	due, err := w.Alerts.ClaimNotices(w.ctx, w.targetNames(), w.Remind, noticesAtOnce, time.Now())
	if err != nil {
		return err
	}
	for _, d := range due {
		d.Notice.Brand, d.Notice.Link = w.Brand.Name, w.Link
		var failure string
		var retryAt time.Time
		if err := targets[d.Target].Notify(w.ctx, d.Notice); err != nil {
			failure = err.Error()
			wait, again := watch.Backoff(d.Attempts)
			if again && !final[lifecycle.CodeOf(err)] {
				retryAt = time.Now().Add(wait)
			}
			w.Log.Warn("a notice was not delivered", "notice", d.Notice.ID, "attempts", d.Attempts, "again", !retryAt.IsZero(), "error", failure)
		}
		if err := w.Alerts.SettleNotice(w.ctx, d.ID, failure, retryAt, time.Now()); err != nil {
			return err
		}
	}
	return nil
}
