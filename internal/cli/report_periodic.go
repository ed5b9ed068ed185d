package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/report"
)

// periodicWords are what the commands of a kind of report say.
var periodicWords = map[report.Kind]struct{ short, long string }{
	report.Weekly: {"The weekly review: KPIs, under-performers, suggested changes",
		"Shows the review of a week, from Monday, UTC: KPIs against their targets, cohorts, agents, journeys and\n" +
			"channels that earn less per touch than the rest, and suggested changes, each with its evidence."},
	report.Monthly: {"The monthly analysis: impact, attribution, cost and return, learning",
		"Shows the analysis of a calendar month, UTC: the weekly review's contents, and the impact of each journey\n" +
			"against its control, attribution by offer and copy, stored costs and the return on them."},
}

func (a *app) reportPeriodic(kind report.Kind) *cobra.Command {
	var of, html, markdown string
	var again bool
	w := periodicWords[kind]
	command := &cobra.Command{
		Use: string(kind), Short: w.short,
		Long: w.long + "\nA schedule writes it when the period is over, and it is kept; this command shows what was kept, or\n" +
			"makes and keeps it where nothing was. Without --of: the last whole period.",
		Example: "  touchstone report " + string(kind) + "\n  touchstone report " + string(kind) + " --of 2026-03-02 --html review.html --markdown review.md",
		Args:    takes(),
	}
	flags := command.Flags()
	flags.StringVar(&of, "of", "", "a `day` of the period, UTC, for example 2026-03-02")
	flags.StringVar(&html, "html", "", "also write an HTML `file`")
	flags.StringVar(&markdown, "markdown", "", "also write a Markdown `file`")
	flags.BoolVar(&again, "again", false, "make it again from the rows as they are now, and keep that")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.with(cmd, func(ctx context.Context, s *session) error {
			from, to := kind.Period(s.clock.Now())
			if of != "" {
				day, err := dateOr(of, time.Time{})
				if err != nil {
					return err
				}
				from, to = kind.Around(day)
			}
			p, err := s.periodic(ctx, kind, from, to, again)
			if err != nil {
				return err
			}
			if a.json {
				err = p.JSON(a.Out)
			} else {
				err = p.Markdown(a.Out)
			}
			return errors.Join(err, writeFile(html, p.HTML), writeFile(markdown, p.Markdown))
		})
	}
	return command
}

// periodic returns the report that is kept for a period, or makes it.
func (s *session) periodic(ctx context.Context, kind report.Kind, from, to time.Time, again bool) (*report.Periodic, error) {
	if !again {
		row, err := s.store.SavedReport(ctx, string(kind), from)
		if err == nil {
			return report.ReadPeriodic(row.Body)
		}
		if lifecycle.CodeOf(err) != lifecycle.NotFound {
			return nil, err
		}
	}
	if now := s.clock.Now(); to.After(now) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the period from %s is not over before %s: for figures so far, see `touchstone report --from %s`",
			from.Format(time.DateOnly), to.Format(time.DateOnly), from.Format(time.DateOnly))
	}
	baselines, err := s.store.Baselines(ctx)
	if err != nil {
		return nil, err
	}
	return report.WritePeriodic(ctx, s.store, kind, report.PeriodicOptions{
		Catalogue: baselines.Catalogue(), MadeAt: s.clock.Now(), Shop: s.brand,
		Options: report.Options{From: from, To: to, AttributionWindow: s.config.AttributionWindow, Brand: s.brand.Name, Currency: s.brand.Currency,
			Scale: s.clock.Scale, Simulated: s.clock.Scale.Scaled()},
	})
}

// writeFile writes a file, if one is named.
func writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Close())
}

// keptReport is one line of `report list`.
type keptReport struct {
	Kind   string    `json:"kind"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	MadeAt time.Time `json:"made_at"`
}

// keptReports bounds what `report list` shows.
const keptReports = 100

func (a *app) reportList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the weekly and monthly reports that are kept",
		Long:    "Lists the reports that are kept, latest first. Read one with its first day: `report weekly --of DAY`.",
		Example: "  touchstone report list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				rows, err := s.store.SavedReports(ctx, keptReports)
				if err != nil {
					return err
				}
				kept := []keptReport{}
				for _, r := range rows {
					kept = append(kept, keptReport{r.Kind, r.From, r.To, r.MadeAt})
				}
				return a.print(kept, func() {
					if len(kept) == 0 {
						a.say("no report is kept yet: touchstone report weekly")
						return
					}
					var lines [][]string
					for _, k := range kept {
						lines = append(lines, []string{k.Kind, k.From.Format(time.DateOnly), k.To.Format(time.DateOnly), day(k.MadeAt)})
					}
					a.table([]string{"report", "from", "to", "made"}, lines)
				})
			})
		},
	}
}
