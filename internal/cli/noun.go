package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// noun is a command that only holds the commands of one noun.
func noun(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, Long: long, Args: noCommand, RunE: showHelp}
	var examples []string
	for _, v := range verbs {
		first, _, _ := strings.Cut(v.Example, "\n")
		examples = append(examples, first)
	}
	command.Example = strings.Join(examples, "\n")
	command.AddCommand(verbs...)
	return command
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// noCommand refuses what is not a command, with the one that was probably meant.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	if near := segment.Nearest(args[0], known); near != "" {
		return lifecycle.Errorf(lifecycle.Invalid, "%s has no command %q: did you mean `%s %s`?", cmd.CommandPath(), args[0], cmd.CommandPath(), near)
	}
	return lifecycle.Errorf(lifecycle.Invalid, "%s has no command %q: use one of %s", cmd.CommandPath(), args[0], strings.Join(known, ", "))
}

// takes checks the number of arguments; names are shown when it is wrong.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no argument"
		if len(names) > 0 {
			want = strings.Join(names, " and ")
		}
		return lifecycle.Errorf(lifecycle.Invalid, "%s takes %s: for example\n%s", cmd.CommandPath(), want, cmd.Example)
	}
}

// takesFiles wants at least one file.
func takesFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return lifecycle.Errorf(lifecycle.Invalid, "%s takes FILE...: for example\n%s", cmd.CommandPath(), cmd.Example)
	}
	return nil
}

// with runs a command in a session.
func (a *app) with(cmd *cobra.Command, run func(context.Context, *session) error) error {
	s, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	defer s.close()
	return run(cmd.Context(), s)
}

// acting runs a command that changes something in the running system.
func (a *app) acting(cmd *cobra.Command, run func(context.Context, *session, *control.Plane) error) error {
	return a.with(cmd, func(ctx context.Context, s *session) error {
		connection, err := s.dial(ctx)
		if err != nil {
			return err
		}
		defer connection.Close()
		return run(ctx, s, &control.Plane{Store: s.store, Temporal: connection, Brand: s.brand, Clock: s.clock, Review: s.config.Review})
	})
}

// signed adds --by to a command that acts: the decision log says who.
func (a *app) signed(cmd *cobra.Command) *string {
	by := ""
	for _, name := range []string{"TOUCHSTONE_USER", "USER"} {
		if v, ok := a.LookupEnv(name); ok && v != "" {
			by = v
			break
		}
	}
	into := cmd.Flags().String("by", by, "your `name`, for the decision log; else $TOUCHSTONE_USER or $USER")
	cmd.Flags().Lookup("by").DefValue = "" // said in words
	return into
}
