package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/rollout"
)

// rolloutLine is one start of a programme.
type rolloutLine struct {
	Programme string    `json:"programme"`
	Version   int       `json:"version"`
	Status    string    `json:"status"`
	Phase     string    `json:"phase,omitempty"`
	Stage     string    `json:"stage,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	StartedAt time.Time `json:"started_at"`
	StartedBy string    `json:"started_by"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

func rolloutLineOf(r ledger.RolloutRow) rolloutLine {
	return rolloutLine{Programme: r.Programme, Version: r.Version, Status: r.Status, Phase: r.Phase, Stage: r.Stage, Since: r.Since,
		StartedAt: r.StartedAt, StartedBy: r.StartedBy, EndedAt: r.EndedAt}
}

func (a *app) rolloutList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List programmes",
		Long:    "Lists rollout programmes, each with its latest start.",
		Example: "  touchstone rollout list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				rows, err := s.store.Rollouts(ctx)
				if err != nil {
					return err
				}
				lines := []rolloutLine{}
				for _, r := range rows {
					lines = append(lines, rolloutLineOf(r))
				}
				return a.print(lines, func() { a.showRollouts(lines) })
			})
		},
	}
}

func (a *app) showRollouts(lines []rolloutLine) {
	if len(lines) == 0 {
		a.say("no rollout yet: touchstone rollout plan three-phases")
		return
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.Programme + " v" + count(l.Version), l.Status, orDash(l.Phase), orDash(l.Stage), day(l.Since), day(l.StartedAt), orDash(l.StartedBy)})
	}
	a.table([]string{"programme", "status", "phase", "stage", "since", "started", "by"}, rows)
}

// rolloutReport is what `rollout status --json` prints.
type rolloutReport struct {
	rolloutLine
	Title      string                 `json:"title,omitempty"`
	Number     int                    `json:"number,omitempty"` // of the stage, from 1
	Stages     int                    `json:"stages"`
	Reach      float64                `json:"reach"` // share of all customers, in [0,1]
	Assessment *rollout.Assessment    `json:"assessment,omitempty"`
	Phases     []phaseReport          `json:"phases"`
	Timeline   []ledger.RolloutMoment `json:"timeline"`
}

// phaseReport is a phase with its checklist: the present one as last checked.
type phaseReport struct {
	Phase     string          `json:"phase"`
	Title     string          `json:"title"`
	Checklist []rollout.Check `json:"checklist"`
}

func (a *app) rolloutStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status NAME",
		Short: "Show where a programme stands, and on what evidence",
		Long: "Shows a programme's stage with every gate and guardrail metric: what is required, what was measured,\n" +
			"with its interval, and the verdict; the phase checklists with the evidence for each tick; and what\n" +
			"happened so far and why, from the decision log.",
		Example: "  touchstone rollout status three-phases\n  touchstone rollout status three-phases --json",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				row, err := s.rollout(ctx, args[0])
				if err != nil {
					return err
				}
				report, err := s.rolloutReport(ctx, row)
				if err != nil {
					return err
				}
				return a.print(report, func() { a.showRollout(report) })
			})
		},
	}
}

func (s *session) rolloutReport(ctx context.Context, row ledger.RolloutRow) (rolloutReport, error) {
	report := rolloutReport{rolloutLine: rolloutLineOf(row), Phases: []phaseReport{}}
	p, err := rollout.Parse(row.Programme, row.Source)
	if err != nil {
		return report, err
	}
	report.Title, report.Stages = p.Title, len(p.Stages)
	for i, stage := range p.Stages {
		if stage.Name == row.Stage {
			report.Number, report.Reach = i+1, stage.Reach
		}
	}
	var latest rollout.Assessment
	if err := json.Unmarshal(row.Assessment, &latest); err != nil {
		return report, lifecycle.Errorf(lifecycle.Internal, "decode the assessment of rollout %s: %w", row.Programme, err)
	}
	if latest.Stage == row.Stage && !latest.At.Before(row.Since) && !latest.At.IsZero() {
		report.Assessment = &latest
	}
	for _, phase := range p.Phases {
		one := phaseReport{Phase: phase.Name, Title: phase.Title, Checklist: p.Checklist(phase, row.Ticks)}
		if latest.Phase == phase.Name && phase.Name == row.Phase {
			one.Checklist = latest.Checklist
		}
		report.Phases = append(report.Phases, one)
	}
	report.Timeline, err = s.store.RolloutTimeline(ctx, row.Programme, row.StartedAt)
	return report, err
}

func (a *app) showRollout(r rolloutReport) {
	a.say("rollout %s v%d: %s", r.Programme, r.Version, r.Status)
	if r.Stage != "" {
		a.say("  stage %s, %d of %d, phase %s: %s of customers, since %s", r.Stage, r.Number, r.Stages, r.Phase, percent(r.Reach), day(r.Since))
	}
	if x := r.Assessment; x != nil {
		a.say("  watched %s of %s, %d of %d customers reached, checked %s", clock.FormatDuration(x.Watched.Round(time.Minute)), clock.FormatDuration(x.Hold), x.Sample, x.Minimum, day(x.At))
		a.say("  %s: %s", x.Action, wrap(x.Why, 4))
		a.conditions("gate", x.Gates)
		a.conditions("guardrail metric", x.Guardrails)
	}
	if r.Status == "awaiting" {
		a.say("\ngo or no go? touchstone rollout approve %s, hold %s or abort %s", r.Programme, r.Programme, r.Programme)
	}
	for _, phase := range r.Phases {
		if len(phase.Checklist) == 0 {
			continue
		}
		a.say("\n%s: %s", phase.Phase, phase.Title)
		for _, c := range phase.Checklist {
			mark := " "
			if c.Done {
				mark = "x"
			}
			a.say("  [%s] %s", mark, wrap(c.Title+": "+c.Evidence, 6))
		}
	}
	a.say("")
	for _, m := range r.Timeline {
		what := m.Kind[len("rollout."):]
		if m.Stage != "" {
			what += " " + m.Stage
		}
		text := what + ", by " + m.Actor
		if m.Why != "" {
			text += ": " + m.Why
		}
		a.say("%s  %s", day(m.At), wrap(text, 18))
	}
}

func (a *app) conditions(what string, findings []rollout.Finding) {
	if len(findings) == 0 {
		return
	}
	var rows [][]string
	for _, f := range findings {
		rows = append(rows, []string{f.Condition, string(f.Verdict), cut(f.Measured(), 44)})
	}
	a.say("")
	a.indented("  ", []string{what, "verdict", "measured"}, rows)
}

// rolloutStagePlan is one line of `rollout plan`.
type rolloutStagePlan struct {
	Phase     string  `json:"phase"`
	Stage     string  `json:"stage"`
	Share     float64 `json:"share"`     // of the phase's coverage
	Reach     float64 `json:"reach"`     // of all customers of the cohort
	Customers int     `json:"customers"` // of today's, whom the stage reaches
	Sample    int     `json:"sample"`
	Least     int     `json:"least,omitempty"` // observations that the most demanding gate needs at least
	LeastFor  string  `json:"least_for,omitempty"`
	HoldDays  float64 `json:"hold_days"`
	FromDay   float64 `json:"from_day"` // earliest, counted from the start
	GoNoGo    bool    `json:"go_no_go"`
	Short     bool    `json:"short,omitempty"` // fewer customers than the sample asks for
}

func (a *app) rolloutPlan() *cobra.Command {
	return &cobra.Command{
		Use:   "plan FILE",
		Short: "Check a programme file and show what it would do",
		Long: "Checks a programme file and lists every mistake with file, line, column and what to write instead.\n" +
			"Then shows the stages: how many of today's customers each one reaches, the sample it asks for, how\n" +
			"many observations its gates need at least, and on which day it can begin at the earliest. Nothing\n" +
			"is stored. FILE may be three-phases, the shipped programme.",
		Example: "  touchstone rollout plan three-phases\n  touchstone rollout plan rollout.yaml --json",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, _, err := loadProgramme(args[0])
			if err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, s *session) error {
				stages, err := s.rolloutPlan(ctx, p)
				if err != nil {
					return err
				}
				return a.print(stages, func() { a.showRolloutPlan(p, stages) })
			})
		},
	}
}

func (s *session) rolloutPlan(ctx context.Context, p *rollout.Programme) ([]rolloutStagePlan, error) {
	var plans []rolloutStagePlan
	from, now := 0.0, s.clock.Now()
	for i, stage := range p.Stages {
		plan := rolloutStagePlan{Phase: p.PhaseOf(i).Name, Stage: stage.Name, Share: stage.Share, Reach: stage.Reach, Sample: stage.Sample,
			HoldDays: stage.Hold.Hours() / 24, FromDay: from, GoNoGo: p.NeedsPerson(i)}
		for _, c := range stage.Gates {
			if n := c.Least(); n > plan.Least {
				plan.Least, plan.LeastFor = n, c.Source
			}
		}
		n, err := s.store.CountScope(ctx, p.Scope(0, i, now), now)
		if err != nil {
			return nil, err
		}
		plan.Customers, plan.Short = n, n < stage.Sample
		from += plan.HoldDays
		plans = append(plans, plan)
	}
	return plans, nil
}

func (a *app) showRolloutPlan(p *rollout.Programme, plans []rolloutStagePlan) {
	a.say("rollout %s: %s", p.Name, orDash(p.Title))
	var rows [][]string
	days := 0.0
	for _, plan := range plans {
		after := "by itself"
		if plan.GoNoGo {
			after = "by a person"
		}
		least := "-"
		if plan.Least > 0 {
			least = count(plan.Least)
		}
		rows = append(rows, []string{plan.Phase, plan.Stage, percent(plan.Share), fmt.Sprintf("%.4g%%", plan.Reach*100), count(plan.Customers), count(plan.Sample), least,
			strconv.FormatFloat(plan.HoldDays, 'f', -1, 64), strconv.FormatFloat(plan.FromDay, 'f', -1, 64), after})
		days += plan.HoldDays
	}
	a.table([]string{"phase", "stage", "share", "of all", "customers", "sample", "gates need", "days", "from day", "goes on"}, rows)
	a.say("%s days at the earliest, waiting for people not counted", strconv.FormatFloat(days, 'f', -1, 64))
	for _, plan := range plans {
		if plan.Short {
			a.say("%s", wrap(fmt.Sprintf("stage %s reaches %d of today's customers, fewer than its sample of %d: with today's customers it would never end", plan.Stage, plan.Customers, plan.Sample), 0))
		}
	}
}
