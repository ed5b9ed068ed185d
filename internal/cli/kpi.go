package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/segment"
)

func (a *app) kpis() *cobra.Command {
	return noun("kpi", "Key figures against baseline, target and stretch",
		"The catalogue of key figures: what each means, where it stands, and the rows behind it. Figures\n"+
			"come from hourly sums, which these commands bring up to date first.",
		a.kpiShow(), a.kpiList(), a.kpiExplain(), a.kpiBaseline(), a.kpiExport())
}

// kpiFlags are the period and the part of the programme that is asked about.
type kpiFlags struct{ from, to, channel, journey, campaign string }

func (f *kpiFlags) add(command *cobra.Command) {
	f.period(command)
	flags := command.Flags()
	flags.StringVar(&f.channel, "channel", "", "only this `channel`: email, sms, push, ...")
	flags.StringVar(&f.journey, "journey", "", "only this `journey`")
	flags.StringVar(&f.campaign, "campaign", "", "only this `campaign`")
}

func (f *kpiFlags) period(command *cobra.Command) {
	command.Flags().StringVar(&f.from, "from", "", "first `day`, UTC; default four weeks before --to")
	command.Flags().StringVar(&f.to, "to", "", "`day` after the last, UTC; default now")
}

// query reads the flags.
func (f *kpiFlags) query(now time.Time) (q measure.KPIQuery, err error) {
	if q.To, err = dateOr(f.to, now); err != nil {
		return q, err
	}
	if q.From, err = dateOr(f.from, q.To.AddDate(0, 0, -28)); err != nil {
		return q, err
	}
	if f.channel != "" && !slices.Contains(lifecycle.Channels, lifecycle.Channel(f.channel)) {
		return q, lifecycle.Errorf(lifecycle.Invalid, "--channel %q: use one of %s", f.channel, joined(lifecycle.Channels))
	}
	q.Channel, q.Journey, q.Campaign = f.channel, f.journey, f.campaign
	return q, nil
}

func joined[S ~string](words []S) string {
	plain := make([]string, len(words))
	for i, w := range words {
		plain[i] = string(w)
	}
	return list(plain)
}

// measuring runs a command on hourly sums that are up to date.
func (a *app) measuring(cmd *cobra.Command, run func(context.Context, *session) error) error {
	return a.with(cmd, func(ctx context.Context, s *session) error {
		rolled, err := s.store.RollUp(ctx, measure.Rollup{Now: s.clock.Now(), Attribution: s.config.AttributionWindow, Currency: s.brand.Currency})
		if err != nil {
			return err
		}
		if rolled.Everything && rolled.Hours > 0 {
			a.note("summed up %s", many(rolled.Hours, "hour", "hours"))
		}
		return run(ctx, s)
	})
}

// kpiNamed finds a KPI by its id, or says which one was probably meant.
func kpiNamed(kpis []measure.KPI, id string) (measure.KPI, error) {
	if k, known := measure.Find(kpis, id); known {
		return k, nil
	}
	var ids []string
	for _, k := range kpis {
		ids = append(ids, k.ID)
	}
	if near := segment.Nearest(id, ids); near != "" {
		return measure.KPI{}, lifecycle.Errorf(lifecycle.NotFound, "no KPI %q: did you mean %s?", id, near)
	}
	return measure.KPI{}, lifecycle.Errorf(lifecycle.NotFound, "no KPI %q: see `touchstone kpi list`", id)
}

// kpiView is one KPI as it is defined.
type kpiView struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Group      string   `json:"group"`
	Definition string   `json:"definition"`
	Formula    string   `json:"formula"`
	Source     string   `json:"source"`
	Unit       string   `json:"unit"`
	Better     string   `json:"better"`
	Baseline   *float64 `json:"baseline"` // null = none, as for the levels below
	Target     *float64 `json:"target"`
	Stretch    *float64 `json:"stretch"`
	Cadence    string   `json:"cadence"`
	Minimum    float64  `json:"minimum"`
}

func kpiViewOf(k measure.KPI) kpiView {
	return kpiView{ID: k.ID, Title: k.Title, Group: k.Group, Definition: k.Definition, Formula: k.Formula, Source: k.Source,
		Unit: string(k.Unit), Better: string(k.Better), Baseline: k.Baseline, Target: k.Target, Stretch: k.Stretch,
		Cadence: clock.FormatDuration(k.Cadence), Minimum: k.Minimum}
}

func (a *app) kpiList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the catalogue with its levels",
		Long:    "Lists every KPI with baseline, target and stretch. Baselines are the plan's until the brand's own\nare locked with `touchstone kpi baseline lock`.",
		Example: "  touchstone kpi list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				baselines, err := s.store.Baselines(ctx)
				if err != nil {
					return err
				}
				var views []kpiView
				for _, k := range baselines.Catalogue() {
					views = append(views, kpiViewOf(k))
				}
				return a.print(views, func() {
					var rows [][]string
					group := ""
					for _, k := range baselines.Catalogue() {
						if k.Group != group {
							group = k.Group
							rows = append(rows, []string{strings.ToUpper(group)})
						}
						rows = append(rows, []string{"  " + k.ID, string(k.Better), levelOf(k, k.Baseline), levelOf(k, k.Target), levelOf(k, k.Stretch), clock.FormatDuration(k.Cadence)})
					}
					a.table([]string{"metric", "better", "baseline", "target", "stretch", "look every"}, rows)
				})
			})
		},
	}
}

// levelOf renders a level of a KPI.
func levelOf(k measure.KPI, v *float64) string {
	if v == nil {
		return "-"
	}
	return valueOf(k, *v)
}

// valueOf renders a value in a KPI's unit.
func valueOf(k measure.KPI, v float64) string {
	switch k.Unit {
	case measure.UnitShare:
		digits := 1
		if math.Abs(v) < 0.1 {
			digits = 2
		}
		return trimmed(v*100, digits) + "%"
	case measure.UnitMoney:
		if math.Abs(v) >= 1000 {
			return fmt.Sprintf("%.0f", v)
		}
		return fmt.Sprintf("%.2f", v)
	case measure.UnitDuration:
		if math.Abs(v) < 60 {
			return trimmed(v, 1) + "s"
		}
		return age(time.Duration(v * float64(time.Second)))
	}
	return trimmed(v, 2)
}

// trimmed renders a number with at most so many decimals.
func trimmed(v float64, digits int) string {
	text := fmt.Sprintf("%.*f", digits, v)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}
