package cli

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"

	"touchstone/internal/bench"
)

// benchFlags are the flags of `touchstone bench`; zero leaves a size as it is.
type benchFlags struct {
	quick                      bool
	parts                      []string
	rounds, inFlight           int
	customers, events, touches int
	journeys                   int
	profile                    string
}

func (a *app) bench() *cobra.Command {
	var f benchFlags
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure against minimal code in the same run and print the ratios",
		Long: "Starts the engines, without keeping anything, and measures journeys against a hand-written minimal\n" +
			"workflow, a broadcast against a bare loop over the provider's client, the import and the tracking\n" +
			"doors against COPY, the reservation of cap slots against one hand-written statement, key figures of a generated year\n" +
			"from hourly sums against raw rows, and the detection of anomalies against a band of two standard\n" +
			"deviations. Ours and the baseline take turns; medians count. Exits non-zero when a target is missed.",
		Example: "  touchstone bench --quick\n  touchstone bench --part broadcast --customers 20000\n  touchstone bench --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			box, closeLog, err := a.boxOptions(filepath.Join(a.data, "bench"), true)
			if err != nil {
				return err
			}
			defer closeLog()
			box.UI, box.Dir = false, ""
			options := f.options()
			options.Box, options.Out = box, a.Err
			if options.Scratch, err = os.MkdirTemp("", "touchstone-bench-"); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(options.Scratch)) }()
			if f.profile != "" {
				stop, err := profile(f.profile)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, stop()) }()
			}
			results, err := bench.Run(cmd.Context(), options)
			if err != nil {
				return err
			}
			if a.json {
				err = a.print(results, nil)
			} else {
				err = results.Print(a.Out)
			}
			if err == nil && !results.Met() {
				err = errFound
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVar(&f.quick, "quick", false, "less than two minutes: shapes rather than figures")
	flags.StringSliceVar(&f.parts, "part", nil, "measure only these `parts`: "+strings.Join(bench.Parts, ", "))
	flags.IntVar(&f.rounds, "rounds", 0, "`rounds` of ours and of the baseline each")
	flags.IntVar(&f.journeys, "journeys", 0, "`number` of journeys of a round")
	flags.IntVar(&f.inFlight, "in-flight", 0, "journeys at once")
	flags.IntVar(&f.customers, "customers", 0, "`number` of customers of the broadcast and of the year")
	flags.IntVar(&f.events, "events", 0, "`number` of events to import and in the year")
	flags.IntVar(&f.touches, "touches", 0, "`number` of touches in the ledger while reserving and in the year")
	flags.StringVar(&f.profile, "profile", "", "write a processor profile of this process to a `file`")
	return command
}

func (f benchFlags) options() bench.Options {
	o := bench.Defaults()
	if f.quick {
		o = bench.Quick()
	}
	o.Parts = f.parts
	for _, size := range []struct {
		given int
		into  *int
	}{{f.rounds, &o.Rounds}, {f.journeys, &o.Journeys}, {f.inFlight, &o.InFlight}, {f.customers, &o.Customers}, {f.events, &o.Events}, {f.touches, &o.Touches},
		{f.customers, &o.Year.Customers}, {f.events, &o.Year.Events}, {f.touches, &o.Year.Touches}} {
		if size.given > 0 {
			*size.into = size.given
		}
	}
	return o
}

// profile records where this process spends processor time until stop.
func profile(path string) (stop func() error, err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
