package cli

import (
	"context"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func (a *app) pause() *cobra.Command { return a.killSwitch(ledger.ControlPaused) }

func (a *app) resume() *cobra.Command { return a.killSwitch(ledger.ControlRunning) }

func (a *app) halt() *cobra.Command { return a.killSwitch(ledger.ControlHalted) }

// words are how a control state is asked for and told.
var words = map[ledger.ControlState]struct{ verb, done, short, what string }{
	ledger.ControlPaused: {"pause", "paused", "Stop sending, everybody keeps their place",
		"Stops sending at once: senders look right before every call to a provider. Everybody keeps their\nplace; what was due goes out after resume, if it may then."},
	ledger.ControlRunning: {"resume", "resumed", "Go on after a pause or halt",
		"Goes on after a pause or halt. Nothing is sent twice and nothing is dropped."},
	ledger.ControlHalted: {"halt", "halted", "Stop sending because something is wrong",
		"Stops sending at once, as pause does, and says that something is wrong: halts show as alarms."},
}

// killSwitch is the switch of the whole programme, or of one part by flag.
func (a *app) killSwitch(state ledger.ControlState) *cobra.Command {
	w := words[state]
	var reason, journey, campaign, channel string
	command := &cobra.Command{
		Use:   w.verb,
		Short: w.short,
		Long:  w.what + "\nWithout a flag that names a part, it is everything.",
		Example: map[ledger.ControlState]string{
			ledger.ControlPaused:  "  touchstone pause --reason 'site is down'\n  touchstone pause --channel email --reason 'new sender domain'",
			ledger.ControlRunning: "  touchstone resume\n  touchstone resume --channel email",
			ledger.ControlHalted:  "  touchstone halt --reason 'wrong prices in the copy'",
		}[state],
		Args: takes(),
	}
	flags := command.Flags()
	flags.StringVar(&reason, "reason", "", "why, shown to everybody who is held")
	flags.StringVar(&journey, "journey", "", "only this journey")
	flags.StringVar(&campaign, "campaign", "", "only this campaign")
	flags.StringVar(&channel, "channel", "", "only this channel: email, sms, whatsapp, push, web")
	command.MarkFlagsMutuallyExclusive("journey", "campaign", "channel")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		c := ledger.Control{Scope: ledger.ScopeGlobal, State: state, Reason: reason, By: *by}
		switch {
		case journey != "":
			c.Scope, c.Name = ledger.ScopeJourney, journey
		case campaign != "":
			c.Scope, c.Name = ledger.ScopeCampaign, campaign
		case channel != "":
			if _, err := lifecycle.ParseChannel(channel); err != nil {
				return err
			}
			c.Scope, c.Name = ledger.ScopeChannel, channel
		}
		return a.control(cmd, c)
	}
	return command
}

// stopOrGo is pause, resume or halt as a verb of a noun.
func (a *app) stopOrGo(scope ledger.ControlScope, state ledger.ControlState) *cobra.Command {
	w := words[state]
	var reason string
	example := "  touchstone " + string(scope) + " " + w.verb + " NAME"
	if state != ledger.ControlRunning {
		example += " --reason 'prices are being changed'"
	}
	command := &cobra.Command{Use: w.verb + " NAME", Short: w.short, Long: w.what, Example: example, Args: takes("NAME")}
	command.Flags().StringVar(&reason, "reason", "", "why, shown to everybody who is held")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.control(cmd, ledger.Control{Scope: scope, Name: args[0], State: state, Reason: reason, By: *by})
	}
	return command
}

// control carries out a control whose journey or campaign exists.
func (a *app) control(cmd *cobra.Command, c ledger.Control) error {
	return a.acting(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
		switch c.Scope {
		case ledger.ScopeJourney:
			if _, _, err := s.applied(ctx, c.Name, 0); err != nil {
				return err
			}
		case ledger.ScopeCampaign:
			if _, err := s.campaign(ctx, c.Name); err != nil {
				return err
			}
		}
		if err := p.Control(ctx, c); err != nil {
			return err
		}
		c.At = s.clock.Now()
		return a.print(stopped(c), func() {
			what := "everything"
			if c.Scope != ledger.ScopeGlobal {
				what = string(c.Scope) + " " + c.Name
			}
			a.say("%s is %s", what, words[c.State].done)
		})
	})
}

func stopped(c ledger.Control) stopView {
	return stopView{string(c.Scope), c.Name, string(c.State), c.Reason, c.By, c.At.UTC()}
}
