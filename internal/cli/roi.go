package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/report"
)

func (a *app) rois() *cobra.Command {
	return noun("roi", "What the programme cost and returned",
		"Spend by kind, and what it bought: cost per acquisition, efficiency, return on investment, value\n"+
			"of a customer. Margin, fixed cost and offers stand in the brand file.", a.roiShow())
}

func (a *app) roiShow() *cobra.Command {
	command := &cobra.Command{
		Use:   "show",
		Short: "Spend, CPA, efficiency, ROI and 12-month value",
		Long: "Every figure shows what was divided by what. Incremental figures compare with the brand's holdout\n" +
			"and have an interval; where that reaches zero, the figure is not distinguishable from nothing.",
		Example: "  touchstone roi show\n  touchstone roi show --from 2026-03-02 --to 2026-05-25",
		Args:    takes(),
	}
	when := over(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.with(cmd, func(ctx context.Context, s *session) error {
			from, to, err := when.read(s.clock.Now())
			if err != nil {
				return err
			}
			r, err := report.Economics(ctx, s.store, s.brand, from, to, s.config.AttributionWindow, measure.DefaultMinimum())
			if err != nil {
				return err
			}
			return a.print(r, func() { a.showROI(r) })
		})
	}
	return command
}

func (a *app) showROI(r *report.Return) {
	money := func(minor int64) string {
		return figure(lifecycle.Money{Amount: minor, Currency: r.Currency}.Major(), r.Currency)
	}
	write := func(v float64) string { return figure(v, r.Currency) }
	a.say("Costs and returns, %s, %s; margin %s of list prices\n", spanned(r.From, r.To), r.Currency, percent(r.Margin))
	a.table([]string{"spend", r.Currency}, [][]string{
		{"messages", money(r.Spend.Messages)}, {"offers: " + many(r.Redeemed, "order", "orders"), money(r.Spend.Offers)},
		{"language model", money(r.Spend.Copy)}, {"fixed", money(r.Spend.Fixed)}, {"in all", money(r.Spend.Total())},
	})
	a.say("")
	plain := func(v float64) string { return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00") }
	ratio := func(name string, x measure.Ratio) []string {
		bounds := between(x.Answer, write)
		if x.Known() && x.Interval.Low == x.Interval.High {
			bounds = "counted"
		}
		return []string{name, estimated(x.Answer, write), bounds, plain(x.Numerator) + " / " + plain(x.Denominator)}
	}
	figures := []struct {
		name string
		measure.Ratio
	}{
		{"cost per attributed order", r.CostPerOrder}, {"cost per incremental buyer (CPA)", r.Acquisition},
		{"revenue per spend, all", r.Efficiency}, {"revenue per spend, incremental", r.IncrementalEfficiency},
		{"return on investment (ROI)", r.Return}, {"12-month value of a customer", r.YearValue},
	}
	var rows [][]string
	for _, f := range figures {
		rows = append(rows, ratio(f.name, f.Ratio))
	}
	a.table([]string{"figure", "estimate", "95% interval", "computed from"}, rows)
	for _, f := range figures {
		if f.Status != measure.OK {
			a.say("\n%s", wrap(f.name+": "+judged(f.Answer), 2))
		}
	}
}
