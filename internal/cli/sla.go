package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

func (a *app) sla() *cobra.Command {
	return noun("sla", "Service levels that the system records of itself",
		"Uptime of database, Temporal, gateway and worker by the minute; how long decisions, deliveries and\n"+
			"reviews take. All in real time.",
		a.slaShow())
}

func (a *app) slaShow() *cobra.Command {
	var from, to string
	command := &cobra.Command{
		Use:   "show",
		Short: "Show uptime, decision and delivery latency, and review time",
		Long: "Shows shares and quantiles of a period of real time. A minute in which nobody looked counts as down.\n" +
			"Latencies are the upper ends of buckets 9 % wide, of whole hours. Without --from and --to: the last\n" +
			"four weeks.",
		Example: "  touchstone sla show\n  touchstone sla show --from 2026-03-02 --to 2026-03-30 --json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			until, err := dateOr(to, time.Now().UTC())
			if err != nil {
				return err
			}
			since, err := dateOr(from, until.AddDate(0, 0, -28))
			if err != nil {
				return err
			}
			if !since.Before(until) {
				return lifecycle.Errorf(lifecycle.Invalid, "--from %s is not before --to %s: give an earlier day", day(since), day(until))
			}
			return a.with(cmd, func(ctx context.Context, s *session) error {
				levels, err := s.store.Levels(ctx, since, until)
				if err != nil {
					return err
				}
				return a.print(levels, func() { a.showLevels(levels) })
			})
		},
	}
	command.Flags().StringVar(&from, "from", "", "first `day`, UTC, for example 2026-03-02")
	command.Flags().StringVar(&to, "to", "", "`day` after the last, UTC; default now")
	return command
}

func (a *app) showLevels(l watch.Levels) {
	a.say("service levels %s to %s UTC, real time", day(l.From), day(l.To))
	if len(l.Uptimes)+len(l.Timings) == 0 {
		a.say("\nnothing is recorded for this period: a running worker records it, minute by minute")
		return
	}
	var rows [][]string
	for _, u := range l.Uptimes {
		rows = append(rows, []string{string(u.Component), fmt.Sprintf("%.3f%%", u.Share.Rate()*100),
			count(u.Share.N), count(u.Share.N - u.Share.Hits), count(u.Unobserved)})
	}
	if len(rows) > 0 {
		a.say("")
		a.table([]string{"component", "up", "minutes", "down", "of them unseen"}, rows)
	}
	rows = nil
	for _, t := range l.Timings {
		target := "its own"
		if t.Target > 0 {
			target = t.Target.String()
		}
		rows = append(rows, []string{t.What, count(int(t.N)), t.P50.Round(time.Millisecond).String(), t.P95.Round(time.Millisecond).String(), target, percentOf(t.InTarget)})
	}
	if len(rows) > 0 {
		a.say("")
		a.table([]string{"time of a", "n", "median", "p95", "target", "within it"}, rows)
	}
}
