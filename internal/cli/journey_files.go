package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"touchstone/internal/config"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// validated is what checking one file found.
type validated struct {
	File    string    `json:"file"`
	OK      bool      `json:"ok"`
	Journey string    `json:"journey,omitempty"`
	Touches int       `json:"touches,omitempty"`
	Errors  []mistake `json:"errors,omitempty"`
}

// mistake is one error of a file.
type mistake struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

func (a *app) journeyValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check journey files and list every mistake",
		Long: "Checks journey files and lists every mistake with file, line, column and what to write instead.\n" +
			"Needs no database. Exits with 1 when a file has mistakes.",
		Example: "  touchstone journey validate journeys/*.yaml",
		Args:    takesFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := config.Load(a.config, a.LookupEnv)
			if err != nil {
				return lifecycle.Errorf(lifecycle.Invalid, "%w", err)
			}
			b, _, err := loadRules(c)
			if err != nil {
				return err
			}
			var results []validated
			failed := false
			for _, arg := range args {
				file, source, err := readJourney(arg)
				if err != nil {
					return err
				}
				result := validated{File: file, OK: true}
				switch def, err := parseJourney(file, source, b); {
				case err != nil:
					result.OK, result.Errors = false, mistakes(err)
					failed = true
				default:
					result.Journey, result.Touches = def.Name, len(def.Touches())
				}
				results = append(results, result)
			}
			if err := a.print(results, func() { a.showValidated(results) }); err != nil {
				return err
			}
			if failed {
				return errFound
			}
			return nil
		},
	}
}

func mistakes(err error) []mistake {
	var all journey.Errors
	if !errors.As(err, &all) {
		return []mistake{{Line: 1, Column: 1, Message: err.Error()}}
	}
	list := make([]mistake, len(all))
	for i, e := range all {
		list[i] = mistake{e.Line, e.Column, e.Path, e.Message, e.Fix}
	}
	return list
}

func (a *app) showValidated(results []validated) {
	for _, r := range results {
		if r.OK {
			a.say("%s: ok: journey %s, %s", r.File, r.Journey, many(r.Touches, "touch", "touches"))
			continue
		}
		for _, m := range r.Errors {
			a.say("%s:%d:%d: %s", r.File, m.Line, m.Column, m.Message)
			if m.Fix != "" {
				a.say("    fix: %s", wrap(m.Fix, 9))
			}
		}
		a.say("%s: %s", r.File, many(len(r.Errors), "mistake", "mistakes"))
	}
}

// differences is what a file would change.
type differences struct {
	Journey string       `json:"journey"`
	Version int          `json:"version"` // applied; 0 = none
	Changes []difference `json:"changes"`
	Lost    []lostStep   `json:"lost_steps"`
}

type difference struct {
	Kind string `json:"kind"`
	Step string `json:"step,omitempty"`
	Text string `json:"text"`
}

// lostStep is a step that the file does not have any more.
type lostStep struct {
	Step string `json:"step"`
	Runs int    `json:"runs"` // customers who stand there now
}

func (a *app) journeyDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff FILE",
		Short: "Show what a file would change",
		Long: "Compares a file with the applied version of its journey, and says how many customers stand at\n" +
			"steps that the file does not have any more. They keep their version until they are migrated.",
		Example: "  touchstone journey diff journeys/winback.yaml",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				after, err := loadJourney(args[0], s.brand)
				if err != nil {
					return err
				}
				result := differences{Journey: after.Name, Changes: []difference{}, Lost: []lostStep{}}
				row, before, err := s.applied(ctx, after.Name, 0)
				if lifecycle.CodeOf(err) == lifecycle.NotFound {
					return a.print(result, func() { a.say("journey %s is new", after.Name) })
				}
				if err != nil {
					return err
				}
				result.Version = row.Version
				for _, c := range journey.Diff(before, after) {
					result.Changes = append(result.Changes, difference{string(c.Kind), c.Step, c.Text})
				}
				if result.Lost, err = s.lost(ctx, before, after); err != nil {
					return err
				}
				return a.print(result, func() { a.showDiff(result) })
			})
		},
	}
}

// lost counts the customers at steps that the new version does not have.
func (s *session) lost(ctx context.Context, before, after *journey.Definition) ([]lostStep, error) {
	funnel, err := s.store.Funnel(ctx, after.Name)
	if err != nil {
		return nil, err
	}
	lost := []lostStep{}
	for _, step := range journey.CursorsLost(before, after) {
		standing := 0
		for _, row := range funnel {
			if row.Step == step && row.Status != ledger.RunEnded {
				standing += row.Runs
			}
		}
		lost = append(lost, lostStep{step, standing})
	}
	return lost, nil
}

func (a *app) showDiff(d differences) {
	if len(d.Changes) == 0 {
		a.say("journey %s is as applied in v%d", d.Journey, d.Version)
		return
	}
	a.say("journey %s against v%d\n", d.Journey, d.Version)
	for _, c := range d.Changes {
		a.say("  %-9s%-15s%s", c.Kind, cut(orDash(c.Step), 14), wrap(c.Text, 26))
	}
	for _, l := range d.Lost {
		a.say("\nstep %s is gone: %s there now keep v%d until they leave", l.Step, many(l.Runs, "customer", "customers"), d.Version)
	}
}
