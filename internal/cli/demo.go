package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/demo"
	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/internal/telemetry"
)

func (a *app) demo() *cobra.Command {
	var (
		keep           bool
		people, weeks  int
		speed, file    string
		lead, patience time.Duration
		seed           uint64
	)
	command := &cobra.Command{
		Use:   "demo",
		Short: "Watch a season of marketing on real engines, in about three minutes",
		Long: "Starts everything on this machine, generates customers with a past, applies the shipped\n" +
			"journeys, runs a campaign, lets twelve weeks pass on a scaled clock and reports what each\n" +
			"touch earned against the holdout. The vendors are stand-ins on this machine; the customers\n" +
			"are simulated by a documented, seeded model.",
		Example: "  touchstone demo\n  touchstone demo --keep --people 500 --weeks 4 --speed 1d=5s",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			factor, err := clock.ParseSpeed(speed)
			if err != nil || factor == 0 {
				return lifecycle.Errorf(lifecycle.Invalid, "--speed %q: write business=real, for example 1d=1500ms", speed)
			}
			if people < 1 || people > 200_000 || weeks < 1 || weeks > 104 {
				return lifecycle.Errorf(lifecycle.Invalid, "give 1 to 200000 --people and 1 to 104 --weeks")
			}
			options, closeLog, err := a.boxOptions(filepath.Join(a.data, "demo"), true)
			if err != nil {
				return err
			}
			defer closeLog()
			options.Seed = seed
			season, err := demo.Play(cmd.Context(), demo.Options{
				Box: options, People: people, Weeks: weeks, Factor: factor, Lead: lead, Patience: patience, Seed: seed,
				Out: a.Out, Terminal: a.terminal(),
				Announce: func(b *onebox.Box) error {
					if err := a.announce(b); err != nil {
						return err
					}
					return a.signInLink(cmd.Context(), b)
				},
			})
			defer a.stop(cmd.Context(), season.Box)
			if err != nil {
				return err
			}
			if err := a.showReport(season.Report, file); err != nil {
				return err
			}
			if keep {
				a.say("everything keeps running; press Ctrl-C to stop it")
				<-cmd.Context().Done()
			}
			if r := season.Report.Proof; !r.Ledger.OK || !r.Audit.OK {
				return errFound
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.BoolVar(&keep, "keep", false, "leave everything running after the report")
	flags.IntVar(&people, "people", 2000, "`number` of customers with a past")
	flags.IntVar(&weeks, "weeks", 12, "length of the season in business `weeks`")
	flags.StringVar(&speed, "speed", "1d=1600ms", "business time per real time, `business=real`")
	flags.DurationVar(&lead, "lead", 18*time.Second, "real `time` for reviewing copy before the season starts")
	flags.DurationVar(&patience, "patience", 9*time.Second, "real `time` after which the simulated reviewer takes a review")
	flags.Uint64Var(&seed, "seed", 1, "seed of customers and sandbox; the same seed gives the same people")
	flags.StringVar(&file, "report", "demo-report.html", "`file` for the report")
	return command
}

func (a *app) dev() *cobra.Command {
	var fresh bool
	command := &cobra.Command{
		Use:   "dev",
		Short: "Start everything on this machine and print the links",
		Long: "Starts PostgreSQL, the Temporal server and its UI, the vendors' sandbox with its mailbox, the\n" +
			"gateway and a worker. Ctrl-C stops all of it; data survive a restart unless --fresh is given.\n" +
			"Commands in a second terminal find it by themselves.",
		Example: "  touchstone dev\n  touchstone dev --fresh",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			options, closeLog, err := a.boxOptions(a.data, fresh)
			if err != nil {
				return err
			}
			defer closeLog()
			box, err := onebox.Start(ctx, options)
			if err != nil {
				return err
			}
			defer a.stop(ctx, box)
			if err := box.Run(ctx, clock.Scale{}); err != nil {
				return err
			}
			if err := a.announce(box); err != nil {
				return err
			}
			a.links(box)
			if err := a.signInLink(ctx, box); err != nil {
				return err
			}
			return box.Failed(ctx)
		},
	}
	command.Flags().BoolVar(&fresh, "fresh", false, "drop all data first")
	return command
}

// links prints where everything is.
func (a *app) links(b *onebox.Box) {
	a.say("")
	a.say("  Temporal UI      %s/namespaces/%s/workflows", b.Stack.UIURL, b.Stack.TemporalNamespace)
	a.say("  Awaiting review  %s", demo.AwaitingReview(b.Stack.UIURL, b.Stack.TemporalNamespace))
	a.say("  Mailbox          %s/mailbox", b.SandboxURL)
	a.say("  Gateway          %s   (write key: %s)", b.Config.Gateway.PublicURL, b.Config.Gateway.WriteKeys[0])
	a.say("  Database         %s", b.Config.DatabaseURL)
	a.say("  Logs             %s", b.Stack.LogDir)
	a.say("")
	a.say("Next, in a second terminal: touchstone import customers FILE, touchstone journey apply FILE.")
	a.say("Ctrl-C stops everything; data stay.")
}

// boxOptions are what dev and demo share. The log goes to a file, so that the
// terminal stays readable.
func (a *app) boxOptions(dir string, fresh bool) (onebox.Options, func(), error) {
	base, err := config.Load(a.config, a.LookupEnv)
	if err != nil {
		return onebox.Options{}, nil, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	b, policy, err := loadRules(base)
	if err != nil {
		return onebox.Options{}, nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return onebox.Options{}, nil, err
	}
	file, err := os.Create(filepath.Join(dir, "touchstone.log"))
	if err != nil {
		return onebox.Options{}, nil, err
	}
	log, err := telemetry.NewLogger(file, base.LogLevel, base.LogFormat)
	if err != nil {
		return onebox.Options{}, nil, lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	return onebox.Options{
		Dir: dir, Fresh: fresh, UI: true, Config: base, Brand: b, Policy: policy, Log: log,
		Progress: func(line string) { fmt.Fprintln(a.Err, line) },
	}, func() { closeQuietly(log, file) }, nil
}

func closeQuietly(log *slog.Logger, file *os.File) {
	if err := file.Close(); err != nil {
		log.Error("close the log", "error", err)
	}
}

// announce writes how to reach the box, for commands in other terminals.
func (a *app) announce(b *onebox.Box) error {
	return writeJSON(filepath.Join(a.data, stackFile), b.Config)
}

// signInLink prints a link to the console that signs in once.
func (a *app) signInLink(ctx context.Context, b *onebox.Box) error {
	link, err := b.SignInLink(ctx)
	if err == nil {
		a.say("\nConsole, signed in as an admin (once, within 15 minutes; another with `touchstone user link 'local admin'`):\n  %s\n", link)
	}
	return err
}

// stop stops a box and takes its announcement back.
func (a *app) stop(ctx context.Context, b *onebox.Box) {
	if b == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		fmt.Fprintln(a.Err, "touchstone: while stopping:", err)
	}
	if err := os.Remove(filepath.Join(a.data, stackFile)); err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(a.Err, "touchstone:", err)
	}
}

// terminal reports whether standard output is a terminal.
func (a *app) terminal() bool {
	file, ok := a.Out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
