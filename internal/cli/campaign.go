package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/workflows"
)

func (a *app) campaigns() *cobra.Command {
	return noun("campaign", "Start, enlarge and watch campaigns",
		"A campaign sends a cohort through a journey, with a ramp, a holdout and a send rate. It starts\n"+
			"when all the copy of its journey is approved.",
		a.campaignStart(), a.campaignRamp(), a.campaignStatus(), a.campaignList(),
		a.stopOrGo(ledger.ScopeCampaign, ledger.ControlPaused), a.stopOrGo(ledger.ScopeCampaign, ledger.ControlRunning),
		a.stopOrGo(ledger.ScopeCampaign, ledger.ControlHalted))
}

// campaignLine is a campaign with the counts of its customers.
type campaignLine struct {
	postgres.RunCounts
	Journey   string    `json:"journey"`
	Version   int       `json:"version"`
	Segment   string    `json:"segment"`
	Status    string    `json:"status"`
	Standing  bool      `json:"standing"` // scans the entry segment of its journey again and again
	Ramp      float64   `json:"ramp"`
	Holdout   float64   `json:"holdout"`
	PerMinute int       `json:"per_minute,omitempty"`
	StartedBy string    `json:"started_by"`
	CreatedAt time.Time `json:"created_at"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

func (s *session) campaignLines(ctx context.Context) ([]campaignLine, error) {
	rows, err := s.store.Campaigns(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.store.CampaignCounts(ctx)
	if err != nil {
		return nil, err
	}
	lines := []campaignLine{}
	for _, r := range rows {
		lines = append(lines, lineOf(r, counts))
	}
	return lines, nil
}

func lineOf(r ledger.CampaignRow, counts []postgres.RunCounts) campaignLine {
	line := campaignLine{
		RunCounts: postgres.RunCounts{Name: r.Name}, Journey: r.Journey, Version: r.Version, Segment: r.Segment, Status: r.Status,
		Standing: r.Standing, Ramp: r.Ramp, Holdout: r.Holdout, PerMinute: r.PerMinute, StartedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC(),
		StartedAt: r.StartedAt.UTC(), EndedAt: r.EndedAt.UTC(),
	}
	for _, c := range counts {
		if c.Name == r.Name {
			line.RunCounts = c
		}
	}
	return line
}

// campaign reads a campaign that somebody named.
func (s *session) campaign(ctx context.Context, name string) (ledger.CampaignRow, error) {
	row, err := s.store.Campaign(ctx, name)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return row, lifecycle.Errorf(lifecycle.NotFound, "no campaign %s: see `touchstone campaign list`", name)
	}
	return row, err
}

func (a *app) campaignList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List campaigns",
		Long:    "Lists campaigns, oldest first. Those marked standing scan the entry segment of their journey.",
		Example: "  touchstone campaign list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				lines, err := s.campaignLines(ctx)
				if err != nil {
					return err
				}
				return a.print(lines, func() { a.showCampaigns(lines) })
			})
		},
	}
}

func (a *app) showCampaigns(lines []campaignLine) {
	if len(lines) == 0 {
		a.say("no campaign yet: touchstone campaign start --help")
		return
	}
	var rows [][]string
	for _, l := range lines {
		kind := percent(l.Ramp)
		if l.Standing {
			kind = "standing"
		}
		rows = append(rows, []string{l.Name, l.Journey + " v" + count(l.Version), l.Status, kind, count(l.Entered), count(l.Pending), count(l.Running), count(l.Ended), count(l.HeldOut)})
	}
	a.table([]string{"campaign", "journey", "status", "ramp", "entered", "pending", "running", "ended", "held out"}, rows)
}

func (a *app) campaignStart() *cobra.Command {
	var journey, segment, ramp, holdout string
	var version, perMinute int
	command := &cobra.Command{
		Use:   "start NAME",
		Short: "Send a cohort through a journey",
		Long: "Starts a campaign. The cohort is the journey's entry segment unless --segment names another; the\n" +
			"holdout is the journey's unless --holdout is given. With --ramp it begins with a part of the\n" +
			"cohort; `touchstone campaign ramp` enlarges it. The journey must have been applied.",
		Example: "  touchstone campaign start spring --journey spring-edit --ramp 5%\n" +
			"  touchstone campaign start vip --journey spring-edit --segment 'stage == \"loyal\"' --per-minute 600",
		Args: takes("NAME"),
	}
	flags := command.Flags()
	flags.StringVar(&journey, "journey", "", "applied journey that the cohort goes through (required)")
	flags.IntVar(&version, "version", 0, "`version` of the journey (default the latest)")
	flags.StringVar(&segment, "segment", "", "cohort, as a segment `expression` (default the journey's entry segment)")
	flags.StringVar(&ramp, "ramp", "100%", "`share` of the cohort to begin with")
	flags.StringVar(&holdout, "holdout", "", "`share` who receive nothing, to measure lift (default the journey's)")
	flags.IntVar(&perMinute, "per-minute", 0, "most messages per minute; 0 = as fast as the provider takes them")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		in := plane.Campaign{Name: args[0], Journey: journey, Version: version, Segment: segment, Holdout: -1, PerMinute: perMinute, By: *by}
		if journey == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "name the journey with --journey: see `touchstone journey list`")
		}
		if perMinute < 0 {
			return lifecycle.Errorf(lifecycle.Invalid, "--per-minute %d: give 0 or more", perMinute)
		}
		var err error
		if in.Ramp, err = parseShare("--ramp", ramp); err != nil {
			return err
		}
		if holdout != "" {
			if in.Holdout, err = parseShare("--holdout", holdout); err != nil {
				return err
			}
		}
		if segment != "" {
			if _, err := compile(segment); err != nil {
				return err
			}
		}
		return a.acting(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			if _, _, err := s.applied(ctx, journey, version); err != nil {
				return err
			}
			row, err := p.StartCampaign(ctx, in)
			if err != nil {
				return err
			}
			return a.print(lineOf(row, nil), func() {
				a.say("campaign %s started: journey %s v%d, %s of the cohort, %s held out", row.Name, row.Journey, row.Version, percent(row.Ramp), percent(row.Holdout))
				a.say("it sends when all copy is approved: touchstone campaign status %s", row.Name)
			})
		})
	}
	return command
}

func (a *app) campaignRamp() *cobra.Command {
	command := &cobra.Command{
		Use:   "ramp NAME SHARE",
		Short: "Enlarge a campaign's share of its cohort",
		Long: "Enlarges the share of the cohort that a campaign sends to. It can only grow: whoever is in,\n" +
			"stays in.",
		Example: "  touchstone campaign ramp spring 50%",
		Args:    takes("NAME", "SHARE"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		share, err := parseShare("SHARE", args[1])
		if err != nil {
			return err
		}
		return a.acting(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			if _, err := s.campaign(ctx, args[0]); err != nil {
				return err
			}
			state, err := p.RampCampaign(ctx, args[0], share, *by)
			if err != nil {
				return err
			}
			return a.print(state, func() { a.say("campaign %s now goes to %s of its cohort", args[0], percent(share)) })
		})
	}
	return command
}

// campaignReport is a campaign with what its workflow says.
type campaignReport struct {
	campaignLine
	Progress *workflows.CampaignState `json:"progress,omitempty"` // absent when the workflow is gone or Temporal does not answer
}

func (a *app) campaignStatus() *cobra.Command {
	return &cobra.Command{
		Use:     "status NAME",
		Short:   "Show how far a campaign is",
		Long:    "Shows a campaign's settings, its customers, and what its workflow is doing or waiting for.",
		Example: "  touchstone campaign status spring",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				row, err := s.campaign(ctx, args[0])
				if err != nil {
					return err
				}
				counts, err := s.store.CampaignCounts(ctx)
				if err != nil {
					return err
				}
				report := campaignReport{campaignLine: lineOf(row, counts)}
				if report.Progress, err = s.progress(ctx, row.Name); err != nil {
					a.note("touchstone: the workflow's own view is missing: %v", err)
				}
				return a.print(report, func() { a.showCampaign(report) })
			})
		},
	}
}

// progress asks a campaign's workflow.
func (s *session) progress(ctx context.Context, name string) (*workflows.CampaignState, error) {
	connection, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	state, err := (&plane.Plane{Store: s.store, Temporal: connection}).CampaignProgress(ctx, name)
	if err != nil {
		return nil, err
	}
	return &state, nil
}

func (a *app) showCampaign(r campaignReport) {
	standing := ""
	if r.Standing {
		standing = ", standing"
	}
	a.say("campaign %s: %s%s", r.Name, r.Status, standing)
	rows := [][]string{
		{"journey", r.Journey + " v" + count(r.Version)},
		{"cohort", wrap(r.Segment, 13)},
		{"ramp", percent(r.Ramp) + ", " + percent(r.Holdout) + " held out"},
		{"created", day(r.CreatedAt) + " by " + orDash(r.StartedBy)},
		{"started", day(r.StartedAt)},
		{"ended", day(r.EndedAt)},
		{"customers", count(r.Entered) + " entered: " + count(r.Pending) + " pending, " + count(r.Running) + " running, " + count(r.Ended) + " ended, " + count(r.HeldOut) + " held out"},
		{"converted", count(r.Converted)},
	}
	if p := r.Progress; p != nil {
		rows = append(rows, []string{"pages", count(p.Pages) + " sent, " + many(p.Sent, "touch", "touches") + ", " + count(p.Pending) + " customers to come"})
		if p.Waiting > 0 {
			rows = append(rows, []string{"waits for", many(p.Waiting, "creative", "creatives") + " in review: touchstone review list"})
		}
		if len(p.Missing) > 0 {
			rows = append(rows, []string{"lacks copy", list(p.Missing)})
		}
		if p.Stopped != "" {
			rows = append(rows, []string{"stopped", p.Stopped})
		}
		if !p.NextScan.IsZero() {
			rows = append(rows, []string{"next scan", day(p.NextScan)})
		}
		if p.Note != "" {
			rows = append(rows, []string{"note", wrap(p.Note, 13)})
		}
	}
	for _, row := range rows {
		a.say("  %-10s %s", row[0], row[1])
	}
}
