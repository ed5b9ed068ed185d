package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"touchstone/internal/measure/attribution"
	"touchstone/internal/report"
)

func (a *app) lifts() *cobra.Command {
	return noun("lift", "What the touches changed, against the holdout",
		"Compares customers by the arm that chance drew for them, whatever they received afterwards\n"+
			"(intention to treat), and sets incremental beside attributed revenue per touch.", a.liftShow())
}

func (a *app) liftShow() *cobra.Command {
	var by, window string
	var o report.LiftOptions
	command := &cobra.Command{
		Use:   "show",
		Short: "Incremental beside attributed RpMT, with intervals",
		Long: "A journey or campaign is compared with its own holdout, else with the brand's; a week or cohort of\n" +
			"entry with the brand's, or with the journey's that is named. A customer counts once, from the first\n" +
			"entry, when the outcome window has closed. Agents and channels are not drawn by chance: they have\n" +
			"attributed figures only.",
		Example: "  touchstone lift show\n  touchstone lift show --by week --journey winback\n  touchstone lift show --by cohort --event \"Product Viewed\"",
		Args:    takes(),
	}
	flags := command.Flags()
	flags.StringVar(&by, "by", "journey", "journey, campaign, cohort, week, agent or channel")
	flags.StringVar(&o.Journey, "journey", "", "only this `journey`, with cohort and week")
	flags.StringVar(&o.Campaign, "campaign", "", "only this `campaign`, with cohort and week")
	flags.StringVar(&o.Event, "event", "", "also compare the share of customers with this `event`")
	flags.StringVar(&window, "window", "30d", "outcome `time` from entry, unless a goal names one")
	when := over(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if o.Window, err = positive("--window", window); err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			o.By, o.Windows, o.Currency = attribution.Dimension(by), s.windows(), s.brand.Currency
			if o.From, o.To, err = when.read(s.clock.Now()); err != nil {
				return err
			}
			t, err := report.Lift(ctx, s.store, o)
			if err != nil {
				return err
			}
			return a.print(t, func() { a.showLift(t) })
		})
	}
	return command
}

func (a *app) showLift(t *report.LiftTable) {
	a.say("Lift by %s, entered %s, %s per touch; outcome window %s", t.By, spanned(t.From, t.To), t.Currency, t.Window)
	write := func(v float64) string { return figure(v, t.Currency) }
	points := func(v float64) string { return fmt.Sprintf("%+.2f", 100*v) }
	var rows, buyers, responses [][]string
	var lacking []string
	why := map[string]bool{}
	for _, r := range t.Rows {
		name, attributed := cut(orUnnamed(r.Name), 20), "-"
		if r.Attributed != nil && r.Attributed.PerTouch != nil {
			attributed = write(*r.Attributed.PerTouch)
		}
		if r.Lift == nil {
			rows = append(rows, []string{name, "-", "-", attributed, "-", "-", "not compared"})
			why[r.Why] = true
			continue
		}
		l := r.Lift
		if l.PerTouch.Why != "" {
			lacking = append(lacking, name+": "+l.PerTouch.Why)
		}
		rows = append(rows, []string{name, count(r.Treated.Customers), count(r.HeldOut.Customers), attributed, estimated(l.PerTouch, write),
			between(l.PerTouch, write), verdict(l.PerTouch)})
		buyers = append(buyers, []string{name, percentOf(r.Treated.Conversion.Estimate), percentOf(r.HeldOut.Conversion.Estimate),
			estimated(l.Conversion, points), between(l.Conversion, points), estimated(l.PerCustomer, write), between(l.PerCustomer, write)})
		if d := r.Response; d != nil {
			responses = append(responses, []string{name, percentOf(d.Treated.Rate()), percentOf(d.HeldOut.Rate()), estimated(d.Difference, points),
				between(d.Difference, points), verdict(d.Difference)})
		}
	}
	a.say("")
	a.table([]string{string(t.By), "treated", "held", "attributed", "incremental", "95% interval", "verdict"}, rows)
	if len(buyers) > 0 {
		a.say("")
		a.table([]string{"buyers", "treated", "held", "points", "95% interval", t.Currency + "/customer", "95% interval"}, buyers)
	}
	if len(responses) > 0 {
		a.say("")
		a.table([]string{cut(t.Rows[0].Response.Event, 20), "treated", "held", "points", "95% interval", "verdict"}, responses)
	}
	for _, line := range lacking {
		a.say("\nnot enough data, %s", wrap(line, 2))
	}
	for reason := range why {
		a.say("\nnot compared: %s", wrap(reason, 14))
	}
}
