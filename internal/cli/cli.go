// Package cli is the command line: one file per noun, results on standard
// output, progress and errors on standard error, tables or JSON. Level 6.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
)

// Streams are everything a command takes from its surroundings, so that a test
// can run a whole command in-process.
type Streams struct {
	In        io.Reader
	Out, Err  io.Writer
	LookupEnv func(string) (string, bool)
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the command failed, or a verification found something
	exitUsage  = 2 // the command was used wrongly

	exitStopped = 130 // interrupted before it was done, as shells have it
)

// app carries the streams and the global flags to the commands.
type app struct {
	Streams
	config string // --config
	data   string // --data: folder of `touchstone dev`
	json   bool   // --json

	service bool // the command serves until it is stopped
}

// errFound is returned by commands whose verification failed after they have
// printed what they found.
var errFound = errors.New("problems found")

// Run executes one command line and returns its exit code.
func Run(ctx context.Context, args []string, streams Streams) int {
	a := &app{Streams: streams}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return lifecycle.Errorf(lifecycle.Invalid, "%w: see `%s --help`", err, cmd.CommandPath())
	})
	command, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFound):
		return exitFailed
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		if groupOf(command) == groupRun {
			return exitOK // what runs until it is stopped was stopped
		}
		return exitStopped
	}
	fmt.Fprintln(streams.Err, "touchstone: "+err.Error())
	if lifecycle.CodeOf(err) == lifecycle.Invalid {
		return exitUsage
	}
	return exitFailed
}

// groupOf is the group of help under which the command, or its noun, stands.
func groupOf(command *cobra.Command) string {
	for command.GroupID == "" && command.HasParent() {
		command = command.Parent()
	}
	return command.GroupID
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "touchstone",
		Short: "Lifecycle marketing as durable workflows",
		Long: "Touchstone runs a brand's lifecycle marketing as durable Temporal workflows:\n" +
			"journeys and campaigns decided by agents, judged by guardrails, approved by people,\n" +
			"measured in revenue per marketing touch against an always-on holdout.",
		Example:       "  touchstone demo\n  touchstone dev\n  touchstone why CUSTOMER",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noCommand,
		RunE:          showHelp,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "configuration `file` (YAML)")
	flags.StringVar(&a.data, "data", ".touchstone", "`folder` of touchstone dev; commands find it there")
	flags.BoolVar(&a.json, "json", false, "print JSON instead of a table")
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupMarket, Title: "Marketing:"},
		&cobra.Group{ID: groupProve, Title: "Explain and prove:"},
	)
	for _, group := range a.commands() {
		for _, command := range group.commands {
			command.GroupID = group.id
			root.AddCommand(command)
		}
	}
	return root
}
