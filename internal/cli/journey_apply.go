package cli

import (
	"context"

	"github.com/spf13/cobra"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
)

func (a *app) journeyApply() *cobra.Command {
	command := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Make files the latest version of their journeys",
		Long: "Stores each file as the latest version of its journey, has its copy written and put into\n" +
			"review, and lets customers enter. Who is on the journey already keeps their version. Applying\n" +
			"the same file again changes nothing.",
		Example: "  touchstone journey apply journeys/*.yaml\n  touchstone journey apply winback",
		Args:    takesFiles,
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.acting(cmd, func(ctx context.Context, s *session, plane *control.Plane) error {
			// All files are checked before the first is applied.
			for _, arg := range args {
				if _, err := loadJourney(arg, s.brand); err != nil {
					return err
				}
			}
			var results []control.Applied
			for _, arg := range args {
				file, source, err := readJourney(arg)
				if err != nil {
					return err
				}
				applied, err := plane.ApplyJourney(ctx, file, source, *by)
				if err != nil {
					return err
				}
				results = append(results, applied)
			}
			return a.print(results, func() {
				for _, r := range results {
					if !r.New {
						a.say("journey %s is as applied in v%d", r.Journey, r.Version)
						continue
					}
					a.say("applied journey %s v%d", r.Journey, r.Version)
				}
				a.say("its copy is being written; see what waits for a person with `touchstone review list`")
			})
		})
	}
	return command
}

func (a *app) journeyMigrate() *cobra.Command {
	var to int
	command := &cobra.Command{
		Use:   "migrate NAME",
		Short: "Move customers on a journey to another version",
		Long: "Moves everybody who is on a journey to its latest version, or to --to. Who stands at a step that\n" +
			"this version does not have keeps their version.",
		Example: "  touchstone journey migrate winback",
		Args:    takes("NAME"),
	}
	command.Flags().IntVar(&to, "to", 0, "`version` (default the latest)")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if to < 0 {
			return lifecycle.Errorf(lifecycle.Invalid, "--to %d: give a version from `touchstone journey show %s`", to, args[0])
		}
		return a.acting(cmd, func(ctx context.Context, s *session, plane *control.Plane) error {
			if _, _, err := s.applied(ctx, args[0], to); err != nil {
				return err
			}
			moved, err := plane.MigrateJourney(ctx, args[0], to, *by)
			if err != nil {
				return err
			}
			return a.print(moved, func() {
				a.say("moved %s to %s v%d", many(moved.Moved, "customer", "customers"), moved.Journey, moved.To)
				if moved.Kept > 0 {
					a.say("%s kept their version: v%d does not have %s", many(moved.Kept, "customer", "customers"), moved.To, list(moved.Lost))
				}
			})
		})
	}
	return command
}
