package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

func (a *app) kpiExport() *cobra.Command {
	var f kpiFlags
	var file string
	var readings bool
	command := &cobra.Command{
		Use:   "export",
		Short: "Write hourly sums, or readings, as CSV",
		Long: "Writes the hourly sums of touches and credits as CSV (RFC 4180), one row per hour, journey,\n" +
			"campaign, agent and channel: the columns of the view report_hourly. --readings writes one row per KPI.",
		Example: "  touchstone kpi export --csv hours.csv --from 2026-03-02 --to 2026-03-30\n  touchstone kpi export --csv - --readings",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if file == "" {
				return lifecycle.Errorf(lifecycle.Invalid, "name the file with --csv FILE, or - for standard output")
			}
			return a.measuring(cmd, func(ctx context.Context, s *session) (err error) {
				q, err := f.query(s.clock.Now())
				if err != nil {
					return err
				}
				out := a.Out
				if file != "-" {
					created, err := os.Create(file)
					if err != nil {
						return unreadable(file, err)
					}
					defer func() { err = errors.Join(err, created.Close()) }()
					out = created
				}
				if readings {
					return s.exportReadings(ctx, out, q)
				}
				n, err := s.store.ExportHours(ctx, q, out)
				if err == nil && file != "-" {
					a.note("exported %s", many(n, "row", "rows"))
				}
				return err
			})
		},
	}
	f.add(command)
	command.Flags().StringVar(&file, "csv", "", "`file` to write, - for standard output")
	command.Flags().BoolVar(&readings, "readings", false, "readings of the period instead of hours")
	return command
}

func (s *session) exportReadings(ctx context.Context, out io.Writer, q measure.KPIQuery) error {
	views, _, err := s.readings(ctx, q, nil)
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	rows := [][]string{{"kpi", "title", "group", "unit", "from", "to", "status", "numerator", "denominator", "estimate", "low", "high",
		"baseline", "target", "stretch", "light", "why"}}
	for _, v := range views {
		row := []string{v.KPI, v.Title, v.Group, v.Unit, v.From.Format(time.RFC3339), v.To.Format(time.RFC3339), string(v.Status),
			decimal(v.Numerator), decimal(v.Denominator), "", "", "", level(v.Baseline), level(v.Target), level(v.Stretch), string(v.Light), v.Why}
		if v.Status == measure.OK {
			row[9], row[10], row[11] = decimal(v.Interval.Estimate), decimal(v.Interval.Low), decimal(v.Interval.High)
		}
		rows = append(rows, row)
	}
	return w.WriteAll(rows)
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// level is empty where there is none.
func level(v *float64) string {
	if v == nil {
		return ""
	}
	return decimal(*v)
}
