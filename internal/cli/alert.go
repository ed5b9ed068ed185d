package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/internal/watch"
	"touchstone/worker"
)

func (a *app) alerts() *cobra.Command {
	return noun("alert", "See what is wrong and who looks after it",
		"The watch opens an alert when something is wrong and closes it when it is over: the circuit breaker,\n"+
			"compliance violations, anomalies of a metric, components that do not answer. An alert is named by\n"+
			"its id or the end of it. docs/operations.md says what each means.",
		a.alertList(), a.alertShow(), a.alertAck(), a.alertTest())
}

// alertLine is an alert as it is shown. Its instants are business time.
type alertLine struct {
	ID       watch.AlertID  `json:"id"`
	Key      string         `json:"key"`
	Kind     watch.Kind     `json:"kind"`
	Severity watch.Severity `json:"severity"`
	Title    string         `json:"title"`
	Detail   string         `json:"detail"`
	Metric   string         `json:"metric,omitempty"`
	Value    *float64       `json:"value,omitempty"`
	Expected *float64       `json:"expected,omitempty"`
	Limit    *float64       `json:"limit,omitempty"`
	Open     bool           `json:"open"`
	OpenedAt time.Time      `json:"opened_at"`
	SeenAt   time.Time      `json:"seen_at"`
	ClosedAt time.Time      `json:"closed_at,omitzero"`
	AckedAt  time.Time      `json:"acked_at,omitzero"`
	AckedBy  string         `json:"acked_by,omitempty"`
}

func alertLineOf(a watch.Alert) alertLine {
	return alertLine{ID: a.ID, Key: a.Key, Kind: a.Kind, Severity: a.Severity, Title: a.Title, Detail: a.Detail, Metric: a.Metric,
		Value: a.Value, Expected: a.Expected, Limit: a.Limit, Open: a.Open(), OpenedAt: a.OpenedAt, SeenAt: a.SeenAt,
		ClosedAt: a.ClosedAt, AckedAt: a.AckedAt, AckedBy: a.AckedBy}
}

func (a *app) alertList() *cobra.Command {
	var all bool
	var limit int
	command := &cobra.Command{
		Use:     "list",
		Short:   "List open alerts, latest first",
		Long:    "Lists what is wrong now; with --all also what is over.",
		Example: "  touchstone alert list\n  touchstone alert list --all --json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				alerts, err := s.store.Alerts(ctx, all, limit)
				if err != nil {
					return err
				}
				var lines []alertLine
				for _, alert := range alerts {
					lines = append(lines, alertLineOf(alert))
				}
				return a.print(lines, func() { a.showAlerts(lines, s.clock.Now()) })
			})
		},
	}
	command.Flags().BoolVar(&all, "all", false, "closed ones too")
	command.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return command
}

func (a *app) showAlerts(lines []alertLine, now time.Time) {
	if len(lines) == 0 {
		a.say("nothing is wrong")
		return
	}
	var rows [][]string
	for _, l := range lines {
		state := "open " + age(now.Sub(l.OpenedAt))
		switch {
		case !l.Open:
			state = "over after " + age(l.ClosedAt.Sub(l.OpenedAt))
		case l.AckedBy != "":
			state = "with " + l.AckedBy
		}
		rows = append(rows, []string{ending(l.ID), string(l.Severity), cut(l.Title, 50), cut(state, 18)})
	}
	a.table([]string{"id", "severity", "what", "state"}, rows)
	a.say("\nread one with `touchstone alert show %s`", ending(lines[0].ID))
}

// alertShown is one alert with what was told of it.
type alertShown struct {
	alertLine
	Notices []watch.Delivery `json:"notices"`
}

func (a *app) alertShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show what is wrong, since when, and who was told",
		Long:    "Shows one alert with its numbers and every notice: to whom, when, and why it did not get through.",
		Example: "  touchstone alert show 5d1e8a90",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				alert, notices, err := s.store.FindAlert(ctx, args[0])
				if err != nil {
					return err
				}
				shown := alertShown{alertLineOf(alert), notices}
				return a.print(shown, func() { a.showAlert(shown) })
			})
		},
	}
}

func (a *app) showAlert(s alertShown) {
	a.say("alert %s: %s", s.ID, s.Severity)
	a.say("  %s", wrap(s.Title, 2))
	a.say("  %s", wrap(s.Detail, 2))
	for _, fact := range []struct {
		name  string
		value *float64
	}{{"value", s.Value}, {"expected", s.Expected}, {"limit", s.Limit}} {
		if fact.value != nil {
			a.say("  %-9s %.4g", fact.name, *fact.value)
		}
	}
	a.say("  %-9s %s", "opened", day(s.OpenedAt))
	a.say("  %-9s %s", "last seen", day(s.SeenAt))
	if !s.Open {
		a.say("  %-9s %s", "closed", day(s.ClosedAt))
	}
	if s.AckedBy != "" {
		a.say("  %-9s %s by %s", "taken", day(s.AckedAt), s.AckedBy)
	}
	if len(s.Notices) == 0 {
		a.say("\nnobody was told: set watch.webhook or watch.email in the configuration")
		return
	}
	var rows [][]string
	for _, n := range s.Notices {
		state := "waits after " + many(n.Attempts, "attempt", "attempts")
		switch {
		case !n.DeliveredAt.IsZero():
			state = "delivered " + day(n.DeliveredAt)
		case !n.GivenUpAt.IsZero():
			state = "given up"
		}
		rows = append(rows, []string{day(n.MadeAt), string(n.Occasion), cut(n.Target, 24), state, cut(n.LastError, 24)})
	}
	a.say("")
	a.table([]string{"made", "why", "to", "state", "error"}, rows)
}

func (a *app) alertAck() *cobra.Command {
	command := &cobra.Command{
		Use:   "ack ID",
		Short: "Say that you look after an alert, which ends its reminders",
		Long: "Ends the reminders of an open alert. It closes by itself when its cause is gone, and when a halt is\n" +
			"resumed. When it gets worse, everybody is told again.",
		Example: "  touchstone alert ack 5d1e8a90 --by jane",
		Args:    takes("ID"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if *by == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "say who you are with --by")
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			alert, _, err := s.store.FindAlert(ctx, args[0])
			if err != nil {
				return err
			}
			if err := s.store.AckAlert(ctx, alert.ID, *by, s.clock.Now()); err != nil {
				return err
			}
			alert.AckedAt, alert.AckedBy = s.clock.Now(), *by
			return a.print(alertLineOf(alert), func() { a.say("alert %s is with %s", ending(alert.ID), *by) })
		})
	}
	return command
}

// tested is what became of a test notice.
type tested struct {
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
}

func (a *app) alertTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Send a test notice to everybody who is told of alerts",
		Long: "Sends one notice, marked as a test, to the configured webhook and to every operator's e-mail.\n" +
			"Exits with 1 when one of them does not take it.",
		Example: "  TOUCHSTONE_ALERT_WEBHOOK=https://hooks.slack.com/services/... touchstone alert test",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				results, err := s.testTargets(ctx)
				if err != nil {
					return err
				}
				if err := a.print(results, func() {
					for _, r := range results {
						if r.OK {
							a.say("%s took it", r.Target)
						} else {
							a.say("%s did NOT take it: %s", r.Target, r.Error)
						}
					}
				}); err != nil {
					return err
				}
				for _, r := range results {
					if !r.OK {
						return errFound
					}
				}
				return nil
			})
		},
	}
}

func (s *session) testTargets(ctx context.Context) ([]tested, error) {
	told := s.config.Watch
	if told.Webhook == "" && len(told.Email) == 0 {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "nobody is told of alerts: set watch.webhook or watch.email in the configuration, or TOUCHSTONE_ALERT_WEBHOOK or TOUCHSTONE_ALERT_EMAIL")
	}
	var email channel.Provider
	if len(told.Email) > 0 {
		providers, err := onebox.Providers(s.config)
		if err != nil {
			return nil, err
		}
		email = providers[lifecycle.Email]
	}
	targets, err := worker.AlertTargets(told, s.brand, email)
	if err != nil {
		return nil, err
	}
	var results []tested
	for _, target := range targets {
		notice := watch.Notice{ID: fmt.Sprintf("test-%d", time.Now().UnixNano()), Occasion: watch.Test, Brand: s.brand.Name,
			Alert: watch.Alert{Condition: watch.Condition{Key: "test", Severity: watch.Warning, Title: "this is only a test", Detail: "Alerts of Touchstone arrive here."}}}
		r := tested{Target: target.Name(), OK: true}
		if err := target.Notify(ctx, notice); err != nil {
			if errors.Is(err, context.Canceled) {
				return nil, err
			}
			r.OK, r.Error = false, err.Error()
		}
		results = append(results, r)
	}
	return results, nil
}
