package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/postgres"
)

// status is what the whole programme is doing.
type status struct {
	Now       time.Time            `json:"now"`             // business time
	Speed     float64              `json:"speed,omitempty"` // business seconds per real second, when scaled
	Stopped   []stopView           `json:"stopped"`
	Alerts    []alertLine          `json:"alerts"`
	Pulse     pulse                `json:"pulse"`
	Journeys  []postgres.RunCounts `json:"journeys"`
	Campaigns []campaignLine       `json:"campaigns"`
	Links     map[string]string    `json:"links"`
}

type pulse struct {
	Sent     int `json:"sent"`
	Blocked  int `json:"blocked"`
	Deferred int `json:"deferred"`
	Awaiting int `json:"reviews_awaiting"`
	Running  int `json:"running"`
	Outbox   int `json:"outbox"`
}

// stopView is a pause or halt as it is shown.
type stopView struct {
	Scope  string    `json:"scope"`
	Name   string    `json:"name,omitempty"`
	State  string    `json:"state"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is running, waiting and stopped",
		Long: "Shows pauses and halts, journeys and campaigns with their customers, reviews that wait for a\n" +
			"person, events not yet brought to their journeys, and where to look further.",
		Example: "  touchstone status\n  touchstone status --json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				now, err := s.status(ctx)
				if err != nil {
					return err
				}
				return a.print(now, func() { a.showStatus(now) })
			})
		},
	}
}

func (s *session) status(ctx context.Context) (status, error) {
	out := status{Now: s.clock.Now(), Stopped: []stopView{}, Alerts: []alertLine{}, Links: map[string]string{}}
	if s.clock.Scale.Scaled() {
		out.Speed = s.clock.Scale.Factor
	}
	controls, err := s.store.Controls(ctx)
	if err != nil {
		return out, err
	}
	for _, c := range controls {
		if c.State != ledger.ControlRunning {
			out.Stopped = append(out.Stopped, stopped(c))
		}
	}
	alerts, err := s.store.Alerts(ctx, false, 20)
	if err != nil {
		return out, err
	}
	for _, alert := range alerts {
		out.Alerts = append(out.Alerts, alertLineOf(alert))
	}
	p, err := s.store.Pulse(ctx)
	if err != nil {
		return out, err
	}
	out.Pulse = pulse(p)
	if out.Journeys, err = s.journeyCounts(ctx); err != nil {
		return out, err
	}
	if out.Campaigns, err = s.campaignLines(ctx); err != nil {
		return out, err
	}
	for name, url := range map[string]string{"temporal": s.config.Temporal.UIURL, "gateway": s.config.Gateway.PublicURL, "console": s.config.Console.PublicURL} {
		if url != "" {
			out.Links[name] = url
		}
	}
	return out, nil
}

// journeyCounts counts the runs of every applied journey, those that nobody
// entered yet included.
func (s *session) journeyCounts(ctx context.Context) ([]postgres.RunCounts, error) {
	counts, err := s.store.JourneyCounts(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, c := range counts {
		known[c.Name] = true
	}
	journeys, err := s.store.Journeys(ctx)
	for _, j := range journeys {
		if !known[j.Name] {
			counts = append(counts, postgres.RunCounts{Name: j.Name})
		}
	}
	return counts, err
}

func (a *app) showStatus(s status) {
	when := day(s.Now) + " UTC"
	if s.Speed > 0 {
		when += " (scaled: a day in " + (time.Duration(float64(24*time.Hour) / s.Speed)).Round(time.Millisecond).String() + ")"
	}
	a.say("business time  %s", when)
	if len(s.Stopped) == 0 {
		a.say("controls       nothing is paused or halted")
	}
	for _, c := range s.Stopped {
		name := c.Scope
		if c.Name != "" {
			name += " " + c.Name
		}
		a.say("controls       %s", wrap(name+" is "+c.State+" since "+day(c.At)+" by "+c.By+": "+c.Reason, 15))
	}
	if len(s.Alerts) > 0 {
		a.say("alerts         %s", wrap(many(len(s.Alerts), "is", "are")+" open: touchstone alert list; latest: "+s.Alerts[0].Title, 15))
	}
	a.say("touches        %d sent, %d deferred, %d blocked", s.Pulse.Sent, s.Pulse.Deferred, s.Pulse.Blocked)
	reviews := "none waits"
	if s.Pulse.Awaiting > 0 {
		reviews = many(s.Pulse.Awaiting, "waits", "wait") + " for a person: touchstone review list"
	}
	a.say("reviews        %s", reviews)
	a.say("events         %d not yet brought to their journeys", s.Pulse.Outbox)
	a.say("")
	a.showRunCounts("journey", s.Journeys)
	a.say("")
	a.showCampaigns(s.Campaigns)
	if len(s.Links) > 0 {
		a.say("")
	}
	for _, name := range []string{"console", "temporal", "gateway"} {
		if s.Links[name] != "" {
			a.say("%-13s  %s", map[string]string{"console": "console", "temporal": "Temporal UI", "gateway": "gateway"}[name], s.Links[name])
		}
	}
}

func (a *app) showRunCounts(noun string, counts []postgres.RunCounts) {
	if len(counts) == 0 {
		a.say("no %s yet: touchstone %s --help", noun, noun)
		return
	}
	var rows [][]string
	for _, c := range counts {
		rows = append(rows, []string{c.Name, count(c.Entered), count(c.Pending), count(c.Running), count(c.Held), count(c.Ended), count(c.Converted), count(c.HeldOut)})
	}
	a.table([]string{noun, "entered", "pending", "running", "paused", "ended", "converted", "held out"}, rows)
}
