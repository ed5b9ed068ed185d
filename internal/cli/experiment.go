package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"touchstone/internal/experiment"
	"touchstone/internal/experiment/estimate"
	"touchstone/internal/experiment/plan"
	"touchstone/internal/lifecycle"
)

func (a *app) experiments() *cobra.Command {
	return noun("experiment", "Test what works, with a known error",
		"An experiment sets challengers against what is done today. It is planned before it starts, decided\n"+
			"by rules that may be looked at every day, and a winner is named only when chance is an unlikely\nreason.",
		a.experimentPlan(), a.experimentProve())
}

// planFlags are the flags of `experiment plan`; zero leaves a value as it is.
type planFlags struct {
	kind, lift, baseline, control, correlation string
	sd, traffic, alpha, power                  float64
	challengers, longest                       int
	looks                                      string
	metrics                                    []string
}

func (a *app) experimentPlan() *cobra.Command {
	var f planFlags
	command := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "How many customers a test needs, how long it takes, and what else there is",
		Long: "Works out the sample of a test from the measured baseline, the smallest lift that matters, the\n" +
			"shares of the arms, the number of challengers and the looks. With --traffic it says how many days\n" +
			"that takes, in whole weeks. A test that cannot end in time is refused (exit 1) with what to do\ninstead, in numbers.\n" +
			"FILE is an experiment file; flags override it. Without a file, --baseline and --lift are enough.",
		Example: "  touchstone experiment plan --baseline 0.025 --lift 0.15\n" +
			"  touchstone experiment plan --baseline 2.5% --lift 15% --challengers 2 --traffic 1000\n" +
			"  touchstone experiment plan cart-subject.yaml --traffic 4000 --json",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := f.request(args)
			if err != nil {
				return err
			}
			p, err := plan.Make(r)
			if err != nil {
				return err
			}
			if err := a.print(p, func() { a.showTestPlan(p) }); err != nil {
				return err
			}
			if !p.Feasible {
				return errFound
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.baseline, "baseline", "", "the control's measured `rate` (0.025 or 2.5%) or mean")
	flags.StringVar(&f.lift, "lift", "", "smallest relative `lift` that matters (0.15 or 15%)")
	flags.StringVar(&f.kind, "kind", "", "proportion, mean or ratio")
	flags.Float64Var(&f.sd, "sd", 0, "standard deviation between customers, of a mean or ratio")
	flags.StringVar(&f.correlation, "correlation", "", "of the outcome with what the customer did before (CUPED), `0 to 1`")
	flags.IntVar(&f.challengers, "challengers", 0, "`number` of challengers; two get 30/35/35, as a file without shares does")
	flags.StringVar(&f.control, "control", "", "`share` of the control; the challengers divide the rest evenly")
	flags.Float64Var(&f.traffic, "traffic", 0, "`customers` that enter a day, in all arms")
	flags.IntVar(&f.longest, "longest", 0, "`days` in which customers may enter at most, else 28")
	flags.StringVar(&f.looks, "looks", "", "daily, weekly or once")
	flags.Float64Var(&f.alpha, "alpha", 0, "two-sided error over all challengers, else 0.05")
	flags.Float64Var(&f.power, "power", 0, "probability of finding the lift, else 0.8")
	flags.StringSliceVar(&f.metrics, "metric", nil, "more frequent `metrics` to offer instead, as click=10%")
	return command
}

// request is what the file and the flags ask for.
func (f planFlags) request(args []string) (plan.Request, error) {
	r := plan.Request{Metric: plan.Metric{Name: "conversion", Kind: estimate.Proportion}}
	if len(args) == 1 {
		d, err := loadExperiment(args[0])
		if err != nil {
			return r, err
		}
		r = d.Request(0, 0, 0)
	}
	switch kind := estimate.Kind(f.kind); kind {
	case "":
	case estimate.Proportion, estimate.Mean, estimate.Ratio:
		r.Metric.Kind = kind
	default:
		return r, lifecycle.Errorf(lifecycle.Invalid, "--kind %q: write proportion, mean or ratio", f.kind)
	}
	for _, v := range []struct {
		flag, text string
		into       *float64
	}{{"--baseline", f.baseline, &r.Metric.Baseline}, {"--lift", f.lift, &r.Lift}, {"--correlation", f.correlation, &r.Metric.Correlation}} {
		if v.text == "" {
			continue
		}
		var err error
		if *v.into, err = parseAmount(v.flag, v.text); err != nil {
			return r, err
		}
	}
	for _, v := range []struct {
		given float64
		into  *float64
	}{{f.sd, &r.Metric.SD}, {f.traffic, &r.PerDay}, {f.alpha, &r.Alpha}, {f.power, &r.Power}} {
		if v.given != 0 {
			*v.into = v.given
		}
	}
	switch looks := plan.Looks(f.looks); looks {
	case "":
	case plan.Daily, plan.Weekly, plan.Once:
		r.Looks = looks
	default:
		return r, lifecycle.Errorf(lifecycle.Invalid, "--looks %q: write daily, weekly or once", f.looks)
	}
	if f.longest != 0 {
		r.Longest = f.longest
	}
	if f.challengers < 0 || f.challengers > 20 {
		return r, lifecycle.Errorf(lifecycle.Invalid, "--challengers %d: from 1 to 20", f.challengers)
	}
	if err := f.split(&r); err != nil {
		return r, err
	}
	for _, m := range f.metrics {
		name, rate, found := strings.Cut(m, "=")
		v, err := parseAmount("--metric", rate)
		if !found || err != nil {
			return r, lifecycle.Errorf(lifecycle.Invalid, "--metric %q: write name=rate, for example click=10%%", m)
		}
		r.Alternative = append(r.Alternative, plan.Metric{Name: name, Kind: estimate.Proportion, Baseline: v})
	}
	return r, nil
}

// split sets the shares of the arms.
func (f planFlags) split(r *plan.Request) error {
	n := f.challengers
	if n == 0 && f.control == "" {
		return nil // the file's, or two equal arms
	}
	if n == 0 {
		n = max(len(r.Challengers), 1)
	}
	shares := experiment.DefaultShares(n + 1)
	if f.control != "" {
		control, err := parseShare("--control", f.control)
		if err != nil {
			return err
		}
		shares[0] = control
		for i := range n {
			shares[i+1] = (1 - control) / float64(n)
		}
	}
	r.Control, r.Challengers = shares[0], shares[1:]
	return nil
}

// parseAmount reads a number, or a percentage.
func parseAmount(flag, s string) (float64, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(s), "%")
	var v float64
	if n, err := fmt.Sscanf(number+"\n", "%g\n", &v); err != nil || n != 1 || v != v {
		return 0, lifecycle.Errorf(lifecycle.Invalid, "%s %q: give a number such as 0.025, or 2.5%%", flag, s)
	}
	if isPercent {
		v /= 100
	}
	return v, nil
}

// loadExperiment reads an experiment file.
func loadExperiment(file string) (*experiment.Definition, error) {
	source, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, lifecycle.Errorf(lifecycle.NotFound, "no file %s: name an experiment file; docs/experiments.md shows one", file)
	}
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	return experiment.Parse(file, source)
}

func (a *app) showTestPlan(p plan.Plan) {
	unit := percent(p.Metric.Baseline)
	if p.Metric.Kind != estimate.Proportion {
		unit = fmt.Sprintf("%.4g, standard deviation %.4g", p.Metric.Baseline, p.Metric.SD)
	}
	a.say("Plan: find a lift of %s of %s (%s) with power %s and an error of %s in all",
		percent(p.Lift), p.Metric.Name, unit, percent(p.Power), percent(p.Alpha))
	a.say("")
	rows := [][]string{{"control", percentOf(p.Control), count(p.Units[0])}}
	for i, share := range p.Challengers {
		rows = append(rows, []string{fmt.Sprintf("challenger %d", i+1), percentOf(share), count(p.Units[i+1])})
	}
	rows = append(rows, []string{"all", "", count(p.Total)}, []string{"mean when the lift is true", "", fmt.Sprintf("%.0f", p.Expected)})
	a.table([]string{"arm", "share", "customers at most"}, rows)
	a.say("")
	a.say("one look, one challenger, equal arms: %d each; looks %s (%d), which costs %.1f%% more", p.OneLook, p.Looks, p.LookCount, 100*max(p.Inflation-1, 0))
	if len(p.Challengers) > 1 {
		a.say("each challenger is tested at %.4f (z %.3f); a control of %s needs the fewest customers",
			p.PerComparison, p.Critical, percentOf(p.Suggested))
	}
	if p.PerDay == 0 {
		a.say("days: give --traffic, the customers that enter a day")
		return
	}
	if p.Feasible {
		a.say("days: %d at %.0f customers a day, the last outcomes after %s; cadence %s", p.Days, p.PerDay, age(p.Ends), p.Cadence)
		return
	}
	a.say("days: %d at %.0f customers a day, more than the %d allowed; cadence %s", p.Days, p.PerDay, p.Longest, p.Cadence)
	a.say("\n%s", wrap("Refused as a significance test: "+p.Why+". Instead:", 0))
	for _, o := range p.Offers {
		mark := "fits"
		if !o.Fits {
			mark = "does not fit"
		}
		a.say("  - %s", wrap(fmt.Sprintf("%s (%s)", o.What, mark), 4))
	}
}
