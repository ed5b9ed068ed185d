package report

import (
	"context"
	"slices"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/watch"
)

// programmeSource is the store that rollouts are read from.
type programmeSource interface {
	Rollouts(ctx context.Context) ([]ledger.RolloutRow, error)
	RolloutTimeline(ctx context.Context, programme string, since time.Time) ([]ledger.RolloutMoment, error)
}

// EventSource is the store that rollouts and alerts are read from.
type EventSource interface {
	programmeSource
	Alerts(ctx context.Context, all bool, limit int) ([]watch.Alert, error)
}

// Alert is something the watch found in the period.
type Alert struct {
	OpenedAt time.Time      `json:"opened_at"` // business time
	ClosedAt time.Time      `json:"closed_at,omitzero"`
	Severity watch.Severity `json:"severity"`
	Title    string         `json:"title"`
	Detail   string         `json:"detail,omitempty"`
}

// mostAlerts is how many of the latest alerts are looked through for a period.
const mostAlerts = 500

// AddEvents adds what rollouts did and what the watch found in the report's
// period, oldest first.
func (r *Report) AddEvents(ctx context.Context, source EventSource) error {
	var err error
	if r.Rollouts, err = programmes(ctx, source, r.From, r.To); err != nil {
		return err
	}
	alerts, err := source.Alerts(ctx, true, mostAlerts)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		if !a.OpenedAt.Before(r.From) && a.OpenedAt.Before(r.To) {
			r.Alerts = append(r.Alerts, Alert{OpenedAt: a.OpenedAt, ClosedAt: a.ClosedAt, Severity: a.Severity, Title: a.Title, Detail: a.Detail})
		}
	}
	slices.SortFunc(r.Alerts, func(a, b Alert) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return nil
}

// Until says when an alert was over.
func (a Alert) Until() string {
	if a.ClosedAt.IsZero() {
		return "open"
	}
	return a.ClosedAt.Format(momentFormat)
}

// Started is when an alert was opened, in words.
func (a Alert) Started() string { return a.OpenedAt.Format(momentFormat) }

const momentFormat = "2006-01-02 15:04"

// events writes what rollouts did and what the watch found.
func (r *Report) events(t *text) {
	if len(r.Rollouts) > 0 {
		t.heading("Rollouts")
		for _, words := range rolloutWords(r.Rollouts) {
			t.wrap("  ", "    ", words)
		}
	}
	if len(r.Alerts) == 0 {
		return
	}
	t.heading("Alerts")
	warnings := 0
	for _, a := range r.Alerts {
		if a.Severity != watch.Critical {
			if warnings++; warnings > mostWarnings {
				continue
			}
		}
		t.line("  %s  %s: %s (until %s)", a.Started(), a.Severity, a.Title, a.Until())
		if a.Detail != "" {
			t.line("                    %s", a.Detail)
		}
	}
	if more := warnings - mostWarnings; more > 0 {
		t.line("  and %d warnings more: touchstone alert list --all", more)
	}
}

// mostWarnings is how many warnings a terminal is shown.
const mostWarnings = 3
