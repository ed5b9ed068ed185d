package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// shown is one journey in full.
type shown struct {
	Journey  string               `json:"journey"`
	Version  int                  `json:"version"`
	Source   string               `json:"source"`
	Versions []version            `json:"versions"`
	Funnel   []postgres.FunnelRow `json:"funnel"`
}

type version struct {
	Version   int       `json:"version"`
	AppliedAt time.Time `json:"applied_at"`
	AppliedBy string    `json:"applied_by"`
	Hash      string    `json:"hash"`
	OnIt      int       `json:"on_it"` // customers on it now
}

func (a *app) journeyShow() *cobra.Command {
	var v int
	var source bool
	command := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a journey: versions, where its customers are, source",
		Long: "Shows a journey's versions, how many customers stand at or ended at each step and why, and, with\n" +
			"--source, the YAML as it was applied.",
		Example: "  touchstone journey show winback\n  touchstone journey show winback --version 2 --source > winback-v2.yaml",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				result, err := s.showJourney(ctx, args[0], v)
				if err != nil {
					return err
				}
				return a.print(result, func() {
					if source {
						a.say("%s", strings.TrimSuffix(result.Source, "\n"))
						return
					}
					a.showJourney(result)
				})
			})
		},
	}
	command.Flags().IntVar(&v, "version", 0, "`version` to show (default the latest)")
	command.Flags().BoolVar(&source, "source", false, "print the YAML only")
	return command
}

func (s *session) showJourney(ctx context.Context, name string, v int) (shown, error) {
	row, err := s.store.Journey(ctx, name, v)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		_, _, err = s.applied(ctx, name, v) // the same error with what to do
	}
	if err != nil {
		return shown{}, err
	}
	result := shown{Journey: name, Version: row.Version, Source: string(row.Source)}
	if result.Funnel, err = s.store.Funnel(ctx, name); err != nil {
		return result, err
	}
	versions, err := s.store.JourneyVersions(ctx, name)
	for _, each := range versions {
		one := version{Version: each.Version, AppliedAt: each.AppliedAt.UTC(), AppliedBy: each.AppliedBy, Hash: each.Hash}
		for _, f := range result.Funnel {
			if f.Version == each.Version && f.Status != ledger.RunEnded {
				one.OnIt += f.Runs
			}
		}
		result.Versions = append(result.Versions, one)
	}
	return result, err
}

func (a *app) showJourney(s shown) {
	a.say("journey %s\n", s.Journey)
	var rows [][]string
	for _, v := range s.Versions {
		rows = append(rows, []string{"v" + count(v.Version), day(v.AppliedAt), orDash(v.AppliedBy), count(v.OnIt), hash(v.Hash)})
	}
	a.table([]string{"version", "applied", "by", "on it now", "hash"}, rows)
	a.say("")
	if len(s.Funnel) == 0 {
		a.say("nobody has entered yet")
		return
	}
	rows = nil
	for _, f := range s.Funnel {
		where := string(f.Status)
		if f.EndReason != "" {
			where += ": " + f.EndReason
		}
		rows = append(rows, []string{"v" + count(f.Version), string(f.Arm), orDash(f.Step), cut(where, 44), count(f.Runs), count(f.Converted)})
	}
	a.table([]string{"version", "arm", "step", "state", "customers", "converted"}, rows)
}
