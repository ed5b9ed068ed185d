package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/measure"
)

// readingView is a KPI's reading beside its levels.
type readingView struct {
	measure.Reading
	Title    string        `json:"title"`
	Group    string        `json:"group"`
	Unit     string        `json:"unit"`
	Baseline *float64      `json:"baseline"`
	Target   *float64      `json:"target"`
	Stretch  *float64      `json:"stretch"`
	Light    measure.Light `json:"light"`
	Sure     bool          `json:"sure"` // the whole interval stands there
}

func (a *app) kpiShow() *cobra.Command {
	var f kpiFlags
	command := &cobra.Command{
		Use:   "show [METRIC...]",
		Short: "Show where the key figures stand",
		Long: "Shows readings with their 95 % intervals beside baseline, target and stretch. The light is green at\n" +
			"the target or better, amber short of it, red when no better than the baseline, grey without an\n" +
			"answer; a question mark says that the interval reaches into another light.",
		Example: "  touchstone kpi show\n  touchstone kpi show rpmt email_open_rate --from 2026-03-02 --to 2026-05-25 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				for _, id := range args {
					if _, err := kpiNamed(measure.Catalogue(), id); err != nil {
						return err
					}
				}
			}
			return a.measuring(cmd, func(ctx context.Context, s *session) error {
				q, err := f.query(s.clock.Now())
				if err != nil {
					return err
				}
				views, kpis, err := s.readings(ctx, q, args)
				if err != nil {
					return err
				}
				return a.print(views, func() { a.showReadings(views, kpis, s.brand.Currency) })
			})
		},
	}
	f.add(command)
	return command
}

// readings reads the KPIs that are named, all when none is.
func (s *session) readings(ctx context.Context, q measure.KPIQuery, ids []string) (views []readingView, kpis []measure.KPI, err error) {
	readings, err := s.store.KPIs(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	baselines, err := s.store.Baselines(ctx)
	if err != nil {
		return nil, nil, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	catalogue := baselines.Catalogue()
	for _, r := range readings {
		k, known := measure.Find(catalogue, r.KPI)
		if !known || len(ids) > 0 && !wanted[r.KPI] {
			continue
		}
		light, sure := k.Judge(r)
		kpis = append(kpis, k)
		views = append(views, readingView{Reading: r, Title: k.Title, Group: k.Group, Unit: string(k.Unit),
			Baseline: k.Baseline, Target: k.Target, Stretch: k.Stretch, Light: light, Sure: sure})
	}
	return views, kpis, nil
}

func (a *app) showReadings(views []readingView, kpis []measure.KPI, currency string) {
	if len(views) == 0 {
		return
	}
	a.say("%s to %s, money in %s", day(views[0].From), day(views[0].To), currency)
	group, missing := "", []string{}
	var rows [][]string
	for i, v := range views {
		k := kpis[i]
		if v.Group != group {
			group = v.Group
			rows = append(rows, nil, []string{strings.ToUpper(group)})
		}
		value, interval := "-", "not enough data"
		if v.Status == measure.OK {
			value, interval = valueOf(k, v.Interval.Estimate), ""
			if v.Interval.Low != v.Interval.High {
				interval = valueOf(k, v.Interval.Low) + " to " + valueOf(k, v.Interval.High)
			}
		} else {
			missing = append(missing, fmt.Sprintf("%s: %s", v.KPI, v.Why))
		}
		light := string(v.Light)
		if !v.Sure && v.Light != measure.Grey {
			light += "?"
		}
		rows = append(rows, []string{"  " + v.KPI, value, interval, levelOf(k, k.Baseline), levelOf(k, k.Target), levelOf(k, k.Stretch), light})
	}
	a.table([]string{"metric", "value", "95% interval", "baseline", "target", "stretch", "light"}, rows)
	if len(missing) == 0 {
		return
	}
	a.say("\nwhat is missing")
	for _, line := range missing {
		a.say("  %s", wrap(line, 4))
	}
}

// explained is a KPI with its reading and some of the rows behind it.
type explained struct {
	kpiView
	Reading readingView   `json:"reading"`
	Rows    []measure.Row `json:"rows"`
}

func (a *app) kpiExplain() *cobra.Command {
	var f kpiFlags
	n := 10
	command := &cobra.Command{
		Use:   "explain METRIC",
		Short: "Explain one figure, down to the rows behind it",
		Long: "Shows what a KPI means, how and from which rows it is worked out, its numerator and denominator in\n" +
			"the period, and some of the rows behind them: ids only, those in the numerator first.",
		Example: "  touchstone kpi explain rpmt\n  touchstone kpi explain spam_complaint_rate --rows 50",
		Args:    takes("METRIC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := kpiNamed(measure.Catalogue(), args[0]); err != nil {
				return err
			}
			return a.measuring(cmd, func(ctx context.Context, s *session) error {
				q, err := f.query(s.clock.Now())
				if err != nil {
					return err
				}
				views, kpis, err := s.readings(ctx, q, args)
				if err != nil {
					return err
				}
				rows, err := s.store.KPIRows(ctx, args[0], q, min(max(n, 1), 1000))
				if err != nil {
					return err
				}
				if rows == nil {
					rows = []measure.Row{}
				}
				shown := explained{kpiViewOf(kpis[0]), views[0], rows}
				return a.print(shown, func() { a.showExplained(shown, kpis[0]) })
			})
		},
	}
	f.add(command)
	command.Flags().IntVar(&n, "rows", n, "`number` of rows, at most 1000")
	return command
}

func (a *app) showExplained(e explained, k measure.KPI) {
	a.say("%s (%s)\n", e.Title, e.ID)
	r := e.Reading
	value := "not enough data: " + r.Why
	if r.Status == measure.OK {
		value = fmt.Sprintf("%s, from %s to %s at 95 %%", valueOf(k, r.Interval.Estimate), valueOf(k, r.Interval.Low), valueOf(k, r.Interval.High))
	}
	for _, row := range [][]string{
		{"definition", e.Definition},
		{"formula", e.Formula},
		{"source", e.Source},
		{"levels", fmt.Sprintf("baseline %s, target %s, stretch %s; %s is better", levelOf(k, k.Baseline), levelOf(k, k.Target), levelOf(k, k.Stretch), e.Better)},
		{"minimum", trimmed(e.Minimum, 0)},
		{"period", day(r.From) + " to " + day(r.To)},
		{"numerator", trimmed(r.Numerator, 2)},
		{"denominator", trimmed(r.Denominator, 2)},
		{"reading", value},
	} {
		a.say("  %-12s %s", row[0], wrap(row[1], 15))
	}
	if len(e.Rows) == 0 {
		return
	}
	a.say("")
	var rows [][]string
	for _, row := range e.Rows {
		counts := ""
		if row.Hit {
			counts = "yes"
		}
		rows = append(rows, []string{row.Table, row.ID, row.At.UTC().Format(time.DateOnly), orDash(counts), cut(row.Detail, 100)})
	}
	a.table([]string{"rows", "id", "at", "counts", "what"}, rows)
}
