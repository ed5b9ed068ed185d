package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/measure"
)

func (a *app) kpiBaseline() *cobra.Command {
	return noun("baseline", "Measure and lock the brand's own baselines",
		"Until the brand's own baselines are measured, figures are held against the plan's.",
		a.baselineLock(), a.baselineShow(), a.baselineClear())
}

func (a *app) baselineLock() *cobra.Command {
	var f kpiFlags
	command := &cobra.Command{
		Use:   "lock",
		Short: "Measure a period and take it as the baseline",
		Long: "Measures all KPIs in a period, stores those with enough data as baselines, and writes the decision\n" +
			"log. They are shown instead of the plan's from then on, and do not move until they are cleared.",
		Example: "  touchstone kpi baseline lock --from 2026-03-02 --to 2026-03-30",
		Args:    takes(),
	}
	f.period(command)
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.measuring(cmd, func(ctx context.Context, s *session) error {
			q, err := f.query(s.clock.Now())
			if err != nil {
				return err
			}
			readings, err := s.store.KPIs(ctx, q)
			if err != nil {
				return err
			}
			b := measure.BaselinesOf(readings, *by, s.clock.Now())
			if err := s.store.LockBaselines(ctx, b); err != nil {
				return err
			}
			return a.print(b, func() { a.showBaselines(b) })
		})
	}
	return command
}

func (a *app) baselineShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show the baselines that are locked",
		Long:    "Shows which baselines are locked, since when, by whom, and from which period.",
		Example: "  touchstone kpi baseline show",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				b, err := s.store.Baselines(ctx)
				if err != nil {
					return err
				}
				return a.print(b, func() { a.showBaselines(b) })
			})
		},
	}
}

func (a *app) showBaselines(b measure.Baselines) {
	if !b.Locked() {
		a.say("no baselines are locked: the plan's hold")
		return
	}
	a.say("baselines of %s to %s, locked %s by %s\n", b.From.Format(time.DateOnly), b.To.Format(time.DateOnly), day(b.At), orDash(b.By))
	var rows [][]string
	for _, k := range measure.Catalogue() {
		if r, measured := b.Levels[k.ID]; measured {
			rows = append(rows, []string{k.ID, valueOf(k, r.Interval.Estimate), valueOf(k, r.Interval.Low) + " to " + valueOf(k, r.Interval.High), levelOf(k, k.Baseline)})
		}
	}
	a.table([]string{"metric", "baseline", "95% interval", "the plan's"}, rows)
}

func (a *app) baselineClear() *cobra.Command {
	command := &cobra.Command{
		Use:     "clear",
		Short:   "Go back to the plan's baselines",
		Long:    "Removes the locked baselines, so that figures are held against the plan's again. The decision log\nkeeps what they were.",
		Example: "  touchstone kpi baseline clear",
		Args:    takes(),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.with(cmd, func(ctx context.Context, s *session) error {
			if err := s.store.ClearBaselines(ctx, *by, s.clock.Now()); err != nil {
				return err
			}
			return a.print(measure.Baselines{}, func() { a.say("the plan's baselines hold again") })
		})
	}
	return command
}
