package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/story"
)

func (a *app) why() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "why CUSTOMER",
		Short: "Explain everything that was sent to a customer, or was not",
		Long: "Tells a customer's story, journey by journey: what was decided, for which expected value, what\n" +
			"the guardrails said with value and limit, what was sent, what became of it, and every message\n" +
			"that was not sent with its reason. Times are business time on the customer's clock. CUSTOMER is\n" +
			"the brand's own id, ours, or an e-mail address.",
		Example: "  touchstone why C000123\n  touchstone why jane@example.com --json",
		Args:    takes("CUSTOMER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				customer, err := s.customer(ctx, args[0])
				if err != nil {
					return err
				}
				told, err := story.Read(ctx, s.store, customer, s.brand, s.clock.Now())
				if err != nil {
					return err
				}
				return a.print(told, func() { a.tell(told, all) })
			})
		},
	}
	command.Flags().BoolVar(&all, "all", false, "all of what happened outside journeys, not only the latest")
	return command
}

// outsideShown is how many moments outside journeys are shown without --all.
const outsideShown = 15

func (a *app) tell(s story.Story, all bool) {
	zone := s.Zone
	if zone == "" {
		zone = "time zone unknown, shown in UTC"
	}
	a.say("customer %s (%s), %s, %s", s.External, s.Customer, s.Stage, zone)
	if s.Orders > 0 {
		a.say("%s for %s, the last on %s; %s so far", many(s.Orders, "order", "orders"), s.Revenue, s.Clock(s.LastOrder), many(s.Touches, "touch", "touches"))
	}
	var consents []string
	for _, c := range s.Consents {
		consents = append(consents, c.Says())
	}
	a.say("consents: %s", orDash(list(consents)))
	if len(s.Left) > 0 {
		a.say("left topics: %s", list(s.Left))
	}
	if s.Frequency != "" {
		a.say("wants at most one message, %s", s.Frequency)
	}
	for _, c := range s.Runs {
		a.say("")
		a.tellRun(s, c)
	}
	if len(s.Runs) == 0 {
		a.say("\nthis customer has not entered any journey")
	}
	if len(s.Outside) == 0 {
		return
	}
	a.say("\noutside journeys")
	outside := story.Orders(s.Outside)
	if !all && len(outside) > outsideShown {
		a.say("  (%d earlier: --all)", len(outside)-outsideShown)
		outside = outside[len(outside)-outsideShown:]
	}
	for _, m := range outside {
		a.line(s, m)
	}
}

func (a *app) tellRun(s story.Story, c story.Chapter) {
	title := c.Journey + " v" + count(c.Version)
	if c.Campaign != "" && c.Campaign != c.Journey {
		title += ", campaign " + c.Campaign
	}
	state := string(c.Status)
	switch {
	case c.Arm != ledger.Treated:
		state = "held out (" + string(c.Arm) + "): receives nothing, so that lift can be measured"
	case c.Status == ledger.RunEnded:
		state = "ended " + s.Clock(c.EndedAt) + ": " + orDash(c.EndReason)
	case c.Held:
		state += ", stopped by a pause before step " + c.Step
	case !c.DueAt.IsZero():
		state += " at step " + c.Step + ", next look " + s.Clock(c.DueAt)
	case c.Step != "":
		state += " at step " + c.Step
	}
	a.say("%s  entered %s", title, s.Clock(c.EnteredAt))
	a.say("  %s", wrap(state, 2))
	for _, m := range story.Digest(c.Moments) {
		a.line(s, m)
	}
}

// line tells one moment: instant, what, and under it the reasons.
func (a *app) line(s story.Story, m story.Moment) {
	const indent = 20
	at := s.Clock(m.At)
	if m.Decision == nil {
		a.say("  %s  %s", at, wrap(m.Title+note(m.Detail), indent))
		return
	}
	a.say("  %s  %s", at, wrap(m.Decision.Title(), indent))
	for _, r := range s.Reasons(m) {
		a.say("%s- %s", strings.Repeat(" ", indent), wrap(r, indent+2))
	}
}
