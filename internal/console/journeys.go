package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/workflows"
)

// journeyRow is a journey in the list.
type journeyRow struct {
	ledger.JourneyRow
	Counts  postgres.RunCounts
	Control ledger.Control // zero while it runs
}

type journeysView struct {
	Rows   []journeyRow
	Counts result[[]postgres.RunCounts]
}

func (s *Server) journeysPage(c *call) error {
	rows, err := s.Store.Journeys(c.ctx())
	if err != nil {
		return err
	}
	controls, err := s.Store.Controls(c.ctx())
	if err != nil {
		return err
	}
	v := journeysView{Counts: s.counts.of(ledger.ScopeJourney).get(first)}
	for _, row := range rows {
		v.Rows = append(v.Rows, journeyRow{row, countsOf(v.Counts, row.Name), stopOf(controls, ledger.ScopeJourney, row.Name)})
	}
	return s.show(c, http.StatusOK, "journeys", page{Title: "Journeys", Section: "journeys", Data: v})
}

func countsOf(counts result[[]postgres.RunCounts], name string) postgres.RunCounts {
	for _, one := range counts.Value {
		if one.Name == name {
			return one
		}
	}
	return postgres.RunCounts{Name: name}
}

// stopOf is the control that stops a part by name.
func stopOf(controls []ledger.Control, scope ledger.ControlScope, name string) ledger.Control {
	for _, one := range controls {
		if one.Scope == scope && one.Name == name && one.State != ledger.ControlRunning {
			return one
		}
	}
	return ledger.Control{}
}

// journeyView is one journey in full.
type journeyView struct {
	Name     string
	Latest   ledger.JourneyRow
	Versions []ledger.JourneyRow
	Control  ledger.Control
	Result   result[[]postgres.FunnelRow]
	Funnel   funnel
	Places   []place
	Ends     []runsEnded
	Temporal string
	Entry    string
}

// runsEnded counts runs that ended for one reason.
type runsEnded struct {
	Reason string
	Runs   int
	Share  float64
}

// funnel is how many of those who entered came how far.
type funnel struct {
	Entered, HeldOut, Treated, OnTheWay, Ended, Converted int
}

// place is one step of the latest version and who is there, of all versions.
type place struct {
	Step  string
	What  string
	Here  int     // stand there now
	Ended int     // ended there
	Share float64 // of those on the way; the width of a bar
}

func (s *Server) journeyPage(c *call) error {
	name := c.r.PathValue("name")
	versions, err := s.Store.JourneyVersions(c.ctx(), name)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return lifecycle.Errorf(lifecycle.NotFound, "there is no journey %s", shorten(60, name))
	}
	controls, err := s.Store.Controls(c.ctx())
	if err != nil {
		return err
	}
	v := journeyView{Name: name, Latest: versions[0], Versions: versions, Control: stopOf(controls, ledger.ScopeJourney, name),
		Result: s.funnels.of(name).get(first), Temporal: s.temporalList("`Journey`=" + quoted(name))}
	v.count()
	return s.show(c, http.StatusOK, "journey", page{Title: name, Section: "journeys", Data: v})
}

// quoted is a name as the Temporal UI's queries write it.
func quoted(name string) string { return `"` + url.QueryEscape(name) + `"` }

// count sums the funnel and sorts everybody to the steps, in the order of the
// latest definition; steps that only older versions have come last.
func (v *journeyView) count() {
	order := map[string]int{}
	if def, err := journey.Parse(v.Name, v.Latest.Source, journey.ParseOptions{}); err == nil {
		for step := range def.All() {
			order[step.ID] = len(v.Places)
			v.Places = append(v.Places, place{Step: step.ID, What: whatIs(step)})
		}
	}
	ends := map[string]int{}
	for _, row := range v.Result.Value {
		v.Funnel.Entered += row.Runs
		v.Funnel.Converted += row.Converted
		if row.Arm != ledger.Treated {
			v.Funnel.HeldOut += row.Runs
			continue
		}
		v.Funnel.Treated += row.Runs
		i, known := order[row.Step]
		if !known && row.Step != "" {
			i, order[row.Step] = len(v.Places), len(v.Places)
			v.Places = append(v.Places, place{Step: row.Step, What: "in older versions only"})
			known = true
		}
		if row.Status == ledger.RunEnded {
			v.Funnel.Ended += row.Runs
			ends[row.EndReason] += row.Runs
			if known {
				v.Places[i].Ended += row.Runs
			}
			continue
		}
		v.Funnel.OnTheWay += row.Runs
		if known {
			v.Places[i].Here += row.Runs
		}
	}
	for i := range v.Places {
		v.Places[i].Share = share(v.Places[i].Here, v.Funnel.OnTheWay)
	}
	for reason, runs := range ends {
		v.Ends = append(v.Ends, runsEnded{cmp.Or(reason, "(no reason)"), runs, share(runs, v.Funnel.Ended)})
	}
	slices.SortFunc(v.Ends, func(a, b runsEnded) int { return cmp.Or(cmp.Compare(b.Runs, a.Runs), cmp.Compare(a.Reason, b.Reason)) })
}

// whatIs says in a few words what a step does.
func whatIs(step journey.Step) string {
	switch {
	case step.Touch != nil:
		var channels []string
		for _, channel := range step.Touch.Channels {
			channels = append(channels, string(channel))
		}
		return "sends by " + strings.Join(channels, " or ")
	case step.Wait != nil && step.Wait.Event != "":
		return "waits for " + step.Wait.Event + ", at most " + clock.FormatDuration(step.Wait.Timeout)
	case step.Wait != nil && step.Wait.Until != nil:
		return "waits for a time of day"
	case step.Wait != nil:
		return "waits " + clock.FormatDuration(step.Wait.For)
	}
	return "chooses a way"
}

func share(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// campaignRow is a campaign in the list.
type campaignRow struct {
	ledger.CampaignRow
	Counts  postgres.RunCounts
	Control ledger.Control
}

type campaignsView struct {
	Rows   []campaignRow
	Counts result[[]postgres.RunCounts]
}

func (s *Server) campaignsPage(c *call) error {
	rows, err := s.Store.Campaigns(c.ctx())
	if err != nil {
		return err
	}
	controls, err := s.Store.Controls(c.ctx())
	if err != nil {
		return err
	}
	v := campaignsView{Counts: s.counts.of(ledger.ScopeCampaign).get(first)}
	for _, row := range slices.Backward(rows) { // the latest first
		v.Rows = append(v.Rows, campaignRow{row, countsOf(v.Counts, row.Name), stopOf(controls, ledger.ScopeCampaign, row.Name)})
	}
	return s.show(c, http.StatusOK, "campaigns", page{Title: "Campaigns", Section: "campaigns", Data: v})
}

// campaignView is one campaign in full.
type campaignView struct {
	campaignRow
	Result   result[[]postgres.RunCounts]
	Temporal string
}

func (s *Server) campaignPage(c *call) error {
	row, err := s.Store.Campaign(c.ctx(), c.r.PathValue("name"))
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return lifecycle.Errorf(lifecycle.NotFound, "there is no campaign %s", shorten(60, c.r.PathValue("name")))
	}
	if err != nil {
		return err
	}
	controls, err := s.Store.Controls(c.ctx())
	if err != nil {
		return err
	}
	counts := s.counts.of(ledger.ScopeCampaign).get(first)
	return s.show(c, http.StatusOK, "campaign", page{Title: row.Name, Section: "campaigns", Data: campaignView{
		campaignRow: campaignRow{row, countsOf(counts, row.Name), stopOf(controls, ledger.ScopeCampaign, row.Name)},
		Result:      counts, Temporal: s.temporal(workflows.CampaignID(row.Name)),
	}})
}

// progressTime bounds the question to a campaign's workflow.
const progressTime = 3 * time.Second

type progressView struct {
	State *workflows.CampaignState // nil: the workflow did not answer
	Why   string
}

// campaignProgress is what the campaign's workflow says of itself, asked for
// after the page has been shown: a busy engine must not hold the page up.
func (s *Server) campaignProgress(c *call) error {
	ctx, cancel := context.WithTimeout(c.ctx(), progressTime)
	defer cancel()
	var v progressView
	state, err := s.Acts.CampaignProgress(ctx, c.r.PathValue("name"))
	switch {
	case lifecycle.CodeOf(err) == lifecycle.NotFound:
		v.Why = "Its workflow has ended."
	case err != nil:
		v.Why = "Its workflow does not answer just now."
	default:
		v.State = &state
	}
	return s.show(c, http.StatusOK, "progress", page{Title: "Progress", Section: "campaigns", Data: v})
}
