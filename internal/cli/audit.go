package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
)

func (a *app) audit() *cobra.Command {
	return noun("audit", "Verify and export the decision log",
		"The decision log holds every decision, verdict, review and change of settings. It is append-only\n"+
			"and hash-chained: what was changed or removed afterwards shows.",
		a.auditVerify(), a.auditExport())
}

func (a *app) auditVerify() *cobra.Command {
	return &cobra.Command{
		Use:     "verify",
		Short:   "Prove that the decision log is whole",
		Long:    "Recomputes the hash of every entry and compares. Exits with 1 at the first that does not fit.",
		Example: "  touchstone audit verify",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				report, err := s.store.VerifyDecisions(ctx)
				if err != nil {
					return err
				}
				if err := a.print(report, func() {
					if report.OK {
						a.say("the decision log is whole: %s", many(report.Entries, "entry", "entries"))
						return
					}
					a.say("the decision log is NOT whole: %s", report.Why)
					a.say("%s before it fit", many(report.Entries, "entry", "entries"))
				}); err != nil {
					return err
				}
				if !report.OK {
					return errFound
				}
				return nil
			})
		},
	}
}

func (a *app) auditExport() *cobra.Command {
	var out, since string
	command := &cobra.Command{
		Use:     "export",
		Short:   "Write the decision log as JSON lines",
		Long:    "Writes the decision log, one JSON object per line with its hashes, to standard output or a file.",
		Example: "  touchstone audit export --out decisions.jsonl --since 2026-03-01",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) (err error) {
				from, err := parseSince(since, s.clock.Now())
				if err != nil {
					return err
				}
				var w io.Writer = a.Out
				if out != "" && out != "-" {
					file, err := os.Create(out)
					if err != nil {
						return lifecycle.Errorf(lifecycle.Invalid, "write %s: %w", out, err)
					}
					defer func() { err = errors.Join(err, file.Close()) }()
					w = file
				}
				n, err := s.store.ExportDecisions(ctx, from, w)
				if err != nil {
					return err
				}
				a.note("exported %s", many(n, "entry", "entries"))
				return nil
			})
		},
	}
	command.Flags().StringVar(&out, "out", "", "`file` to write (default standard output)")
	command.Flags().StringVar(&since, "since", "", "only entries since a date, an instant, or an `age` such as 7d")
	return command
}
