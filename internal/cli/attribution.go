package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/measure/attribution"
	"touchstone/internal/report"
)

func (a *app) attributions() *cobra.Command {
	return noun("attribution", "Divide revenue among touches, and lift among agents",
		"Two questions are kept apart. The models (first, last, linear, position, decay, markov) say after\n"+
			"which touches money came in; they do not say what would have happened without them. Cells in which\n"+
			"agents are switched on and off by chance do, and `attribution shapley` reads them.",
		a.attributionShow(), a.attributionShapley())
}

// windows are the brand's attribution windows over the configured one.
func (s *session) windows() brand.AttributionWindows {
	return brand.AttributionWindows{Default: brand.AttributionWindow{Sent: s.config.AttributionWindow}, Channel: s.brand.Windows}
}

func (a *app) attributionShow() *cobra.Command {
	var model, by string
	var resamples int
	var seed uint64
	command := &cobra.Command{
		Use:   "show",
		Short: "Revenue per group of touches, by model",
		Long: "Divides the revenue of a period among the marketing touches before it. Every unit of an order is\n" +
			"credited once: the groups add up to the same total under every model. Intervals come from a\n" +
			"bootstrap over customers. Windows per channel stand in the brand file. Descriptive, not causal.",
		Example: "  touchstone attribution show\n  touchstone attribution show --model markov --by journey --from 2026-03-02 --to 2026-05-25",
		Args:    takes(),
	}
	flags := command.Flags()
	flags.StringVar(&model, "model", "last", "first, last, linear, position, decay, markov or all")
	flags.StringVar(&by, "by", "channel", "agent, channel, journey, campaign, cohort or week")
	flags.IntVar(&resamples, "resamples", 200, "bootstrap `samples` behind the intervals; 0 = no intervals")
	flags.Uint64Var(&seed, "seed", 1, "`seed` of the bootstrap: the same gives the same intervals")
	when := over(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		models, err := attribution.ParseModels(model)
		if err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			from, to, err := when.read(s.clock.Now())
			if err != nil {
				return err
			}
			r, err := report.Attribute(ctx, s.store, attribution.Options{From: from, To: to, By: attribution.Dimension(by), Models: models,
				Windows: s.windows(), Resamples: resamples, Seed: seed}, s.brand.Currency)
			if err != nil {
				return err
			}
			return a.print(r, func() { a.showAttribution(r) })
		})
	}
	return command
}

func (a *app) showAttribution(r *report.Attribution) {
	a.say("Attributed revenue by %s, %s, %s", r.By, spanned(r.From, r.To), r.Currency)
	write := func(v float64) string { return figure(v, r.Currency) }
	money := func(minor int64) string { return write(lifecycle.Money{Amount: minor, Currency: r.Currency}.Major()) }
	for _, t := range r.Tables {
		a.say("\n%s", strings.ToUpper(string(t.Model)))
		if t.Why != "" {
			a.say("  %s", wrap(t.Why, 2))
			continue
		}
		var rows [][]string
		for _, l := range append(t.Lines, t.Total) {
			perTouch := "-"
			if l.Touches > 0 {
				perTouch = write(lifecycle.Money{Amount: l.Revenue, Currency: r.Currency}.Major() / float64(l.Touches))
			}
			rows = append(rows, []string{cut(orUnnamed(l.Group), 24), count(l.Touches), strconv.FormatFloat(l.Orders, 'f', 1, 64), money(l.Revenue),
				perTouch, between(l.PerTouch, write)})
		}
		a.indented("  ", []string{string(r.By), "touches", "orders", "revenue", "rpmt", "95% interval"}, rows)
	}
	a.say("\nWithout any touch in its window: %s, %s.", many(r.UnattributedOrders, "order", "orders"), money(r.UnattributedRevenue))
	a.say("The models say after which touches money came; `touchstone lift show`, what touches changed.")
}

func orUnnamed(group string) string {
	if group == "" {
		return "(none)"
	}
	return group
}

func (a *app) attributionShapley() *cobra.Command {
	var test, window string
	command := &cobra.Command{
		Use:   "shapley",
		Short: "What each agent adds, from cells drawn by chance",
		Long: "Divides what the agents add together exactly among them (Shapley values), from the outcomes of\n" +
			"customers for whom chance switched agents on and off. This is the causal answer to which agent\n" +
			"contributed. The test is switched on with agent_test in the brand file.",
		Example: "  touchstone attribution shapley\n  touchstone attribution shapley --test agents-1 --window 30d",
		Args:    takes(),
	}
	command.Flags().StringVar(&test, "test", "", "`name` of the test; default the latest")
	command.Flags().StringVar(&window, "window", "30d", "`time` from a customer's draw in which orders count")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		length, err := positive("--window", window)
		if err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			r, err := report.ShareOut(ctx, s.store, test, s.brand.Currency, length, s.clock.Now(), measure.DefaultMinimum())
			if err != nil {
				return err
			}
			return a.print(r, func() { a.showShapley(r) })
		})
	}
	return command
}

// positive reads a length of time such as 30d.
func positive(flag, s string) (time.Duration, error) {
	d, err := clock.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, lifecycle.Errorf(lifecycle.Invalid, "%s %q: give a length of time such as 30d", flag, s)
	}
	return d, nil
}

func (a *app) showShapley(r *report.AgentShares) {
	a.say("What agents add per customer, within %s of the draw: causal, cells drawn by chance", r.Window)
	a.say("test %s since %s, %s of customers with an agent off\n", r.Test, day(r.Since), percent(r.Share))
	points := func(v float64) string { return fmt.Sprintf("%+.2f", 100*v) }
	write := func(v float64) string { return figure(v, r.Currency) }
	var rows [][]string
	for _, c := range append(r.Contributions, r.All) {
		rows = append(rows, []string{c.Agent, estimated(c.Conversion, points), between(c.Conversion, points),
			estimated(c.Revenue, write), between(c.Revenue, write), verdict(c.Revenue)})
	}
	a.table([]string{"agent", "buyers, points", "95% interval", r.Currency, "95% interval", "revenue"}, rows)
	if why := r.All.Revenue.Why; why != "" {
		a.say("\nnot enough data: %s", wrap(why, 17))
	}
	a.say("")
	rows = nil
	for _, c := range r.Cells {
		rows = append(rows, []string{attribution.CellName(r.Agents, c.On), count(c.Arm.Revenue.N), count(c.Arm.Converted),
			write(c.Arm.Revenue.Mean() * (lifecycle.Money{Amount: 1, Currency: r.Currency}).Major()), count(c.Open)})
	}
	a.table([]string{"cell", "customers", "buyers", r.Currency + " per customer", "window open"}, rows)
}
