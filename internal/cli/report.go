package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/report"
)

func (a *app) report() *cobra.Command {
	var from, to, file string
	command := &cobra.Command{
		Use:   "report",
		Short: "What each touch earned, against the holdout",
		Long: "Sums up a period from the stored rows: touches, revenue, revenue per marketing touch attributed\n" +
			"and incremental with its interval, every guardrail's count, reviews, and the proofs of ledger and\n" +
			"decision log. Without --from and --to: the last four weeks.",
		Example: "  touchstone report\n  touchstone report --from 2026-03-02 --to 2026-05-25 --html season.html",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.open(ctx)
			if err != nil {
				return err
			}
			defer s.close()
			until, err := dateOr(to, s.clock.Now())
			if err != nil {
				return err
			}
			since, err := dateOr(from, until.AddDate(0, 0, -28))
			if err != nil {
				return err
			}
			proof, err := s.store.VerifyLedger(ctx)
			if err != nil {
				return err
			}
			audit, err := s.store.VerifyDecisions(ctx)
			if err != nil {
				return err
			}
			r, err := report.Build(ctx, s.store, report.Options{
				From: since, To: until, AttributionWindow: s.config.AttributionWindow, Brand: s.brand.Name,
				Currency: s.brand.Currency, Scale: s.clock.Scale, Simulated: s.clock.Scale.Scaled(), Ledger: &proof, Audit: &audit,
			})
			if err != nil {
				return err
			}
			if err := r.AddEvents(ctx, s.store); err != nil {
				return err
			}
			return a.showReport(r, file)
		},
	}
	command.Flags().StringVar(&from, "from", "", "first `day`, UTC, for example 2026-03-02")
	command.Flags().StringVar(&to, "to", "", "`day` after the last, UTC; default now")
	command.Flags().StringVar(&file, "html", "", "also write an HTML `file`")
	command.AddCommand(a.reportPeriodic(report.Weekly), a.reportPeriodic(report.Monthly), a.reportList())
	return command
}

// dateOr reads a date, or returns the default for an empty one.
func dateOr(text string, none time.Time) (time.Time, error) {
	if text == "" {
		return none, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, lifecycle.Errorf(lifecycle.Invalid, "day %q: write it as 2026-03-02", text)
	}
	return t, nil
}

// showReport prints a report and writes its HTML form, if a file is named.
func (a *app) showReport(r *report.Report, file string) error {
	if a.json {
		if err := r.JSON(a.Out); err != nil {
			return err
		}
	} else if err := r.Text(a.Out, a.terminal()); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	if err := writeFile(file, r.HTML); err != nil {
		return err
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if !a.json {
		a.say("\nReport: file://%s", absolute)
	}
	return nil
}

// writeJSON writes a file that only its owner may read: it holds keys.
func writeJSON(file string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}
