package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"touchstone/activities"
	plane "touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/rollout"
	"touchstone/workflows"
)

func (a *app) rollouts() *cobra.Command {
	return noun("rollout", "Reach ever more customers, stage by stage, through gates",
		"A rollout programme lets journeys reach a part of the customers first, and more when hold time,\n"+
			"sample and every gate of a stage are met. Guardrail metrics that fail step it back or halt it;\n"+
			"at the end of a phase a person decides.",
		a.rolloutPlan(), a.rolloutStart(), a.rolloutStatus(), a.rolloutList(),
		a.rolloutAct(workflows.SignalApproveStage, "approved", "Go on after a go/no-go",
			"Lets a programme go on that waits for a person at the end of a phase. With open checklist items it\nneeds a note that says why."),
		a.rolloutAct(workflows.SignalHold, "held", "Keep a programme in its stage",
			"Keeps a programme in its stage: it does not go on, whatever the gates say, until it is resumed. Sends\ncontinue, and guardrail metrics still step it back or halt it."),
		a.rolloutAct(workflows.SignalHalt, "halted", "Stop the programme's sends because something is wrong",
			"Stops all sends of the journeys that the programme governs. Everybody keeps their place."),
		a.rolloutAct(activities.SignalResume, "resumed", "Go on after a hold or halt",
			"Goes on after a hold or halt. After a halt the stage's time and figures start anew."),
		a.rolloutAct(workflows.SignalAbort, "aborted", "End a programme",
			"Ends a programme. Nobody enters its journeys any more and whoever is in them is held, until the\nstage is lifted or the programme is started again."),
		a.rolloutTick(), a.rolloutLift(), a.rolloutSchema())
}

// loadProgramme reads a programme file, or the shipped programme by its name.
func loadProgramme(file string) (*rollout.Programme, []byte, error) {
	source, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		if p, err := rollout.Parse("shipped", rollout.Shipped()); err == nil && p.Name == file {
			return p, rollout.Shipped(), nil
		}
		return nil, nil, lifecycle.Errorf(lifecycle.NotFound, "no file %s; the shipped programme is called three-phases", file)
	}
	if err != nil {
		return nil, nil, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	p, err := rollout.Parse(file, source)
	return p, source, err
}

func (a *app) rolloutStart() *cobra.Command {
	command := &cobra.Command{
		Use:   "start FILE",
		Short: "Start a programme",
		Long: "Starts a programme: its first stage comes into force as soon as the journeys of its first phase have\n" +
			"been applied. From then on the journeys that it governs reach the stage's customers only. FILE is a\n" +
			"programme file, or three-phases for the shipped one.",
		Example: "  touchstone rollout start three-phases\n  touchstone rollout start rollout.yaml --by jane",
		Args:    takes("FILE"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		p, source, err := loadProgramme(args[0])
		if err != nil {
			return err
		}
		return a.acting(cmd, func(ctx context.Context, s *session, control *plane.Plane) error {
			row, err := control.StartRollout(ctx, args[0], source, *by)
			if err != nil {
				return err
			}
			return a.print(rolloutLineOf(row), func() {
				a.say("rollout %s v%d started: %s in %s", row.Programme, row.Version, many(len(p.Stages), "stage", "stages"), many(len(p.Phases), "phase", "phases"))
				a.say("see how it goes: touchstone rollout status %s", row.Programme)
			})
		})
	}
	return command
}

func (a *app) rolloutAct(verb, done, short, long string) *cobra.Command {
	var note string
	command := &cobra.Command{
		Use: verb + " NAME", Short: short, Long: long, Args: takes("NAME"),
		Example: "  touchstone rollout " + verb + " three-phases --by jane --note 'decided in the Monday review'",
	}
	command.Flags().StringVar(&note, "note", "", "why, for the decision log")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.actOnRollout(cmd, args[0], done, workflows.RolloutAct{Act: verb, By: *by, Note: note})
	}
	return command
}

func (a *app) rolloutTick() *cobra.Command {
	var note string
	command := &cobra.Command{
		Use:     "tick NAME ITEM",
		Short:   "Tick a checklist item that a person answers for",
		Long:    "Ticks an item of the present phase's checklist. Items with a condition are ticked by their reading.",
		Example: "  touchstone rollout tick three-phases team-trained --note 'two sessions, 14 people'",
		Args:    takes("NAME", "ITEM"),
	}
	command.Flags().StringVar(&note, "note", "", "how you know, for the decision log")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.actOnRollout(cmd, args[0], "ticked "+args[1]+" of", workflows.RolloutAct{Act: workflows.SignalTick, By: *by, Note: note, Item: args[1]})
	}
	return command
}

func (a *app) actOnRollout(cmd *cobra.Command, name, done string, act workflows.RolloutAct) error {
	return a.acting(cmd, func(ctx context.Context, s *session, control *plane.Plane) error {
		if _, err := s.rollout(ctx, name); err != nil {
			return err
		}
		if err := control.ActOnRollout(ctx, name, act); err != nil {
			return err
		}
		row, err := s.rollout(ctx, name)
		if err != nil {
			return err
		}
		return a.print(rolloutLineOf(row), func() { a.say("%s rollout %s: it is %s, stage %s", done, name, row.Status, orDash(row.Stage)) })
	})
}

func (a *app) rolloutLift() *cobra.Command {
	command := &cobra.Command{
		Use:   "lift NAME",
		Short: "Let journeys reach everybody again after a programme has ended",
		Long: "Takes the last stage of a programme that was aborted, or that ended below everybody, out of force:\n" +
			"its journeys reach all customers again, as if there had been no programme.",
		Example: "  touchstone rollout lift three-phases",
		Args:    takes("NAME"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.acting(cmd, func(ctx context.Context, s *session, control *plane.Plane) error {
			if _, err := s.rollout(ctx, args[0]); err != nil {
				return err
			}
			if err := control.LiftRollout(ctx, args[0], *by); err != nil {
				return err
			}
			return a.print(map[string]string{"programme": args[0], "lifted_by": *by}, func() { a.say("rollout %s is lifted: its journeys reach everybody", args[0]) })
		})
	}
	return command
}

func (a *app) rolloutSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of programme files",
		Long:    "Prints the JSON Schema (2020-12) of programme files, for editors and CI.",
		Example: "  touchstone rollout schema > rollout.schema.json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Out.Write(rollout.Schema())
			return err
		},
	}
}

// rollout reads the latest start of a programme that somebody named.
func (s *session) rollout(ctx context.Context, name string) (ledger.RolloutRow, error) {
	row, err := s.store.Rollout(ctx, name, 0)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return row, lifecycle.Errorf(lifecycle.NotFound, "no rollout %s: see `touchstone rollout list`", name)
	}
	return row, err
}
