package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/config"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
)

// simulated is one line of a simulated timeline.
type simulated struct {
	At    time.Time `json:"at"`
	Local string    `json:"local"`
	Key   string    `json:"key,omitempty"`
	Step  string    `json:"step,omitempty"`
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
}

func (a *app) journeySimulate() *cobra.Command {
	var scenario string
	command := &cobra.Command{
		Use:   "simulate FILE",
		Short: "Walk an invented customer through a journey",
		Long: "Walks one invented customer, described in a scenario file, through a journey, without engine or\n" +
			"database, and prints what would happen when. Shipped journeys have a scenario of their own.",
		Example: "  touchstone journey simulate winback\n  touchstone journey simulate journeys/vip.yaml --scenario vip-buys.yaml",
		Args:    takes("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := config.Load(a.config, a.LookupEnv)
			if err != nil {
				return lifecycle.Errorf(lifecycle.Invalid, "%w", err)
			}
			b, _, err := loadRules(c)
			if err != nil {
				return err
			}
			def, err := loadJourney(args[0], b)
			if err != nil {
				return err
			}
			script, err := readScenario(scenario, def.Name)
			if err != nil {
				return err
			}
			moments, err := journey.Simulate(def, *script)
			if err != nil {
				return err
			}
			var lines []simulated
			for _, m := range moments {
				lines = append(lines, simulated{m.At.UTC(), m.Local, m.Key, m.Step, string(m.Kind), m.Text})
			}
			return a.print(lines, func() { a.showSimulation(def, script, lines) })
		},
	}
	command.Flags().StringVar(&scenario, "scenario", "", "scenario `file` (YAML): the customer and what happens to them")
	return command
}

// readScenario reads a scenario file, or the shipped one of a journey.
func readScenario(file, name string) (*journey.Scenario, error) {
	source, shipped := journey.ShippedScenarios()[name]
	switch {
	case file != "":
		var err error
		if source, err = os.ReadFile(file); err != nil {
			return nil, unreadable(file, err)
		}
	case !shipped:
		return nil, lifecycle.Errorf(lifecycle.Invalid, "journey %s has no shipped scenario: name a file with --scenario", name)
	default:
		file = "scenarios/" + name + ".yaml"
	}
	script, err := journey.ParseScenario(file, source)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the scenario has mistakes:\n%w", err)
	}
	return script, nil
}

func (a *app) showSimulation(def *journey.Definition, s *journey.Scenario, lines []simulated) {
	a.say("%s: %s, %s from %s (%s)\n", def.Name, orDash(def.Title), "one invented customer", day(s.Start), s.Zone)
	if len(lines) == 0 {
		a.say("nothing happens: the customer never enters")
		return
	}
	keyed := false
	for _, l := range lines {
		keyed = keyed || l.Key != ""
	}
	for i, l := range lines {
		date := l.Local
		if i > 0 && lines[i-1].Local == date {
			date = ""
		}
		step := l.Step
		if keyed && l.Key != "" {
			step = l.Key + " " + step
		}
		const indent = 17 + 10 + 18
		a.say("%-17s%-10s%-18s%s", date, l.Kind, cut(step+" ", 17), wrap(l.Text, indent))
	}
}
