package postgres

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
	"touchstone/internal/watch"
)

// Observe brings the alerts of some kinds in line with what is wrong now: it
// opens those that are new, updates those that are known, and closes those whose
// condition is gone. For what opened, rose or recovered it stores a notice per
// target, in the same transaction, so that nobody is told twice or never. It
// returns what it opened and closed; a rise in severity counts as opened.
func (s *Store) Observe(ctx context.Context, o watch.Observation, targets []string) (opened, closed []watch.Alert, err error) {
	made := time.Now()
	err = s.transaction(ctx, "observe alerts", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		opened, closed = nil, nil
		if err := lock(ctx, q, "watch", "alerts"); err != nil {
			return err
		}
		rows, err := q.OpenAlerts(ctx, texts(o.Kinds))
		if err != nil {
			return err
		}
		open := make(map[string]dbsqlc.Alert, len(rows))
		for _, r := range rows {
			open[r.Key] = r
		}
		notify := func(a watch.Alert, occasion watch.Occasion) error {
			if len(targets) == 0 {
				return nil
			}
			return q.InsertNotices(ctx, dbsqlc.InsertNoticesParams{AlertID: string(a.ID), Occasion: string(occasion), Targets: targets, At: instant(made)})
		}
		for _, c := range o.Conditions {
			if !slices.Contains(o.Kinds, c.Kind) {
				return lifecycle.Errorf(lifecycle.Invalid, "condition %s is of kind %s, which this observation does not cover", c.Key, c.Kind)
			}
			row, known := open[c.Key]
			delete(open, c.Key)
			if !known {
				a, err := insertAlert(ctx, q, c, o.At)
				if err != nil {
					return err
				}
				opened = append(opened, a)
				if err := notify(a, watch.Opened); err != nil {
					return err
				}
				continue
			}
			raised := c.Severity == watch.Critical && row.Severity == string(watch.Warning)
			if row.Severity == string(watch.Critical) && o.KeepCritical {
				c.Severity = watch.Critical
			}
			if err := q.SeeAlert(ctx, dbsqlc.SeeAlertParams{ID: row.ID, At: instant(o.At), Severity: string(c.Severity), Title: c.Title, Detail: c.Detail,
				Value: c.Value, Expected: c.Expected, Allowed: c.Limit, Raised: raised}); err != nil {
				return err
			}
			if raised {
				a := alertOf(row)
				a.Condition, a.SeenAt = c, o.At
				opened = append(opened, a)
				if err := notify(a, watch.Raised); err != nil {
					return err
				}
			}
		}
		for _, row := range rows { // in the order of keys
			if _, gone := open[row.Key]; !gone || o.KeepCritical && row.Severity == string(watch.Critical) {
				continue
			}
			a := alertOf(row)
			a.ClosedAt = instant(o.At)
			if err := q.CloseAlert(ctx, dbsqlc.CloseAlertParams{ID: row.ID, At: instant(o.At)}); err != nil {
				return err
			}
			if err := q.DropNotices(ctx, dbsqlc.DropNoticesParams{AlertID: row.ID, At: instant(made)}); err != nil {
				return err
			}
			closed = append(closed, a)
			if err := notify(a, watch.Recovered); err != nil {
				return err
			}
		}
		return nil
	})
	return opened, closed, err
}

func insertAlert(ctx context.Context, q *dbsqlc.Queries, c watch.Condition, at time.Time) (watch.Alert, error) {
	id, err := newID()
	if err != nil {
		return watch.Alert{}, err
	}
	at = instant(at)
	return watch.Alert{ID: watch.AlertID(id), Condition: c, OpenedAt: at, SeenAt: at}, q.InsertAlert(ctx, dbsqlc.InsertAlertParams{
		ID: id, Key: c.Key, Kind: string(c.Kind), Severity: string(c.Severity), Title: c.Title, Detail: c.Detail, Metric: c.Metric,
		Value: c.Value, Expected: c.Expected, Allowed: c.Limit, At: at})
}

// AckAlert records that somebody looks after an open alert, which ends its
// reminders. One that is closed or taken already is a Conflict.
func (s *Store) AckAlert(ctx context.Context, id watch.AlertID, by string, at time.Time) error {
	n, err := s.q.AckAlert(ctx, dbsqlc.AckAlertParams{ID: string(id), By: by, At: instant(at)})
	if err == nil && n == 0 {
		return lifecycle.Errorf(lifecycle.Conflict, "alert %s is closed or acknowledged already: see `touchstone alert show %s`", id, id)
	}
	return translate(err, "acknowledge alert "+string(id))
}

// Alerts returns open alerts, or all, open ones and then the latest first.
func (s *Store) Alerts(ctx context.Context, all bool, limit int) ([]watch.Alert, error) {
	rows, err := s.q.Alerts(ctx, dbsqlc.AlertsParams{AllOfThem: all, N: int32(limit)})
	return alertsOf(rows), translate(err, "read alerts")
}

// FindAlert returns the alert whose id is, or ends with, ref, and the notices
// that were made of it.
func (s *Store) FindAlert(ctx context.Context, ref string) (watch.Alert, []watch.Delivery, error) {
	rows, err := s.q.AlertsEnding(ctx, ref)
	switch {
	case err != nil:
		return watch.Alert{}, nil, translate(err, "find an alert")
	case len(rows) == 0 || ref == "":
		return watch.Alert{}, nil, lifecycle.Errorf(lifecycle.NotFound, "no alert has an id that ends with %q: see `touchstone alert list --all`", ref)
	case len(rows) > 1 && rows[0].ID != ref:
		return watch.Alert{}, nil, lifecycle.Errorf(lifecycle.Conflict, "several alerts have an id that ends with %q: give more of it", ref)
	}
	notices, err := s.q.NoticesOf(ctx, rows[0].ID)
	deliveries := make([]watch.Delivery, len(notices))
	for i, n := range notices {
		deliveries[i] = watch.Delivery{Occasion: watch.Occasion(n.Occasion), Target: n.Target, MadeAt: n.MadeAt.UTC(), Attempts: int(n.Attempts),
			DeliveredAt: moment(n.DeliveredAt), GivenUpAt: moment(n.GivenUpAt), LastError: n.LastError}
	}
	return alertOf(rows[0]), deliveries, translate(err, "read the notices of an alert")
}

// noticeLease is how long a sender has for the notices that it claimed.
const noticeLease = time.Minute

// ClaimNotices hands out up to limit notices that are due to these targets, and
// makes reminders of alerts that nobody acknowledged for longer than remind
// (0 = no reminders). Now is real time.
func (s *Store) ClaimNotices(ctx context.Context, targets []string, remind time.Duration, limit int, now time.Time) (due []watch.Due, err error) {
	err = s.transaction(ctx, "claim notices", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		due = nil
		if err := lock(ctx, q, "watch", "alerts"); err != nil {
			return err
		}
		if err := q.ForgetTargets(ctx, dbsqlc.ForgetTargetsParams{Targets: targets, At: instant(now)}); err != nil {
			return err
		}
		if remind > 0 {
			if err := q.RemindOfAlerts(ctx, dbsqlc.RemindOfAlertsParams{Targets: targets, At: instant(now), OlderThan: instant(now.Add(-remind))}); err != nil {
				return err
			}
		}
		rows, err := q.ClaimNotices(ctx, dbsqlc.ClaimNoticesParams{Targets: targets, At: instant(now), LeasedUntil: instant(now.Add(noticeLease)), N: int32(limit)})
		if err != nil || len(rows) == 0 {
			return err
		}
		slices.SortFunc(rows, func(a, b dbsqlc.AlertNotice) int { return int(a.ID - b.ID) })
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i] = r.AlertID
		}
		alerts, err := q.AlertsByID(ctx, ids)
		if err != nil {
			return err
		}
		byID := make(map[string]watch.Alert, len(alerts))
		for _, a := range alerts {
			byID[a.ID] = alertOf(a)
		}
		for _, r := range rows {
			due = append(due, watch.Due{ID: r.ID, Target: r.Target, Attempts: int(r.Attempts),
				Notice: watch.Notice{ID: "touchstone-notice-" + strconv.FormatInt(r.ID, 10), Occasion: watch.Occasion(r.Occasion), Alert: byID[r.AlertID]}})
		}
		return nil
	})
	return due, err
}

// SettleNotice records what became of a claimed notice: delivered without an
// error, otherwise to be tried again at retryAt, or given up when that is zero.
func (s *Store) SettleNotice(ctx context.Context, id int64, failure string, retryAt, now time.Time) error {
	p := dbsqlc.SettleNoticeParams{ID: id, LastError: failure, RetryAt: instant(retryAt)}
	switch {
	case failure == "":
		p.DeliveredAt, p.RetryAt = stamp(now), instant(now)
	case retryAt.IsZero():
		p.GivenUpAt, p.RetryAt = stamp(now), instant(now)
	}
	return translate(s.q.SettleNotice(ctx, p), "settle a notice")
}

func alertsOf(rows []dbsqlc.Alert) []watch.Alert {
	alerts := make([]watch.Alert, len(rows))
	for i, r := range rows {
		alerts[i] = alertOf(r)
	}
	return alerts
}

func alertOf(r dbsqlc.Alert) watch.Alert {
	return watch.Alert{ID: watch.AlertID(r.ID), Condition: watch.Condition{Key: r.Key, Kind: watch.Kind(r.Kind), Severity: watch.Severity(r.Severity),
		Title: r.Title, Detail: r.Detail, Metric: r.Metric, Value: r.Value, Expected: r.Expected, Limit: r.Allowed},
		OpenedAt: r.OpenedAt.UTC(), SeenAt: r.SeenAt.UTC(), ClosedAt: moment(r.ClosedAt), AckedAt: moment(r.AckedAt), AckedBy: r.AckedBy}
}
