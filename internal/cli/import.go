package cli

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
)

// imported is what became of a file.
type imported struct {
	Kind      ingest.Kind      `json:"kind"`
	Rows      int64            `json:"rows"`
	New       int64            `json:"new"`
	Present   int64            `json:"present"`
	Skipped   int64            `json:"skipped"`
	Rejected  int64            `json:"rejected"`
	Created   int64            `json:"customers_created"`
	ByReason  map[string]int64 `json:"rejected_by_reason,omitempty"`
	Rejects   string           `json:"rejects,omitempty"`
	Ignored   []string         `json:"ignored_columns,omitempty"`
	ResumedAt int64            `json:"resumed_after_line,omitempty"`
	Done      bool             `json:"imported_before,omitempty"`
	Seconds   float64          `json:"seconds"`
}

// importFlags are the flags of an import.
type importFlags struct {
	mapping, rejects      string
	restart, live, strict bool
}

func (a *app) imports() *cobra.Command {
	var verbs []*cobra.Command
	for _, kind := range []ingest.Kind{ingest.Customers, ingest.Events, ingest.Orders, ingest.Touches} {
		verbs = append(verbs, a.importKind(kind))
	}
	return noun("import", "Bring in customers, events, orders and past touches from files",
		"Reads CSV and JSON lines, gzipped or not, or - for standard input. Columns with foreign names\n"+
			"need a mapping file. Refused rows go to a reject file with line and reason and stop nothing.\n"+
			"Repeating an import changes nothing; an interrupted one resumes where it stopped.", verbs...)
}

func (a *app) importKind(kind ingest.Kind) *cobra.Command {
	var f importFlags
	example := "  touchstone import " + string(kind) + " " + string(kind) + ".csv.gz"
	command := &cobra.Command{
		Use:   string(kind) + " FILE",
		Short: "Import a file of " + string(kind),
		Long: "Imports a file of " + string(kind) + ". Files are history: journeys do not react to them, except with\n" +
			"--live, which lets them react to events younger than a day.",
		Example: example + "\n" + example + " --mapping mapping.yaml --strict",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error { return a.importFile(ctx, s, kind, args[0], f) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.mapping, "mapping", "", "mapping `file` (YAML) that says which column is what")
	flags.StringVar(&f.rejects, "rejects", "", "`file` for refused rows (default FILE.rejects.csv)")
	flags.BoolVar(&f.restart, "restart", false, "read the file from its beginning although an earlier import came further")
	flags.BoolVar(&f.live, "live", false, "let journeys react to events younger than a day")
	flags.BoolVar(&f.strict, "strict", false, "exit with 1 when any row was refused")
	return command
}

func (a *app) importFile(ctx context.Context, s *session, kind ingest.Kind, path string, f importFlags) error {
	options := ingest.Options{
		Kind: kind, Path: path, Rejects: f.rejects, Currency: s.brand.Currency, Clock: s.clock, Store: s.store, Bulk: s.store,
		Imports: s.store, Restart: f.restart, Live: f.live, Confirm: s.brand.NeedsConfirmation,
	}
	if path == "-" {
		options.Reader = a.In
	} else if _, err := os.Stat(path); err != nil {
		return unreadable(path, err)
	}
	if f.mapping != "" {
		text, err := os.ReadFile(f.mapping)
		if err != nil {
			return unreadable(f.mapping, err)
		}
		if options.Mapping, err = ingest.ParseMapping(text); err != nil {
			return lifecycle.Errorf(lifecycle.Invalid, "%s: %w", f.mapping, err)
		}
	}
	if f.live {
		names, err := s.store.Listens(ctx)
		if err != nil {
			return err
		}
		options.Listens = names
	}
	finish := a.showProgress(&options)
	summary, err := ingest.Import(ctx, options)
	finish()
	if err != nil {
		return err
	}
	result := imported{
		Kind: kind, Rows: summary.Rows, New: summary.Accepted, Present: summary.Present, Skipped: summary.Skipped, Rejected: summary.Rejected,
		Created: summary.Created, ByReason: summary.ByReason, Rejects: summary.RejectsPath, Ignored: summary.Ignored,
		ResumedAt: summary.ResumedAt, Done: summary.Done, Seconds: summary.Elapsed.Seconds(),
	}
	if err := a.print(result, func() { a.showImport(path, result) }); err != nil {
		return err
	}
	if f.strict && result.Rejected > 0 {
		return errFound
	}
	return nil
}

// showProgress draws a bar on a terminal and returns what takes it away.
func (a *app) showProgress(options *ingest.Options) (finish func()) {
	if !isTerminal(a.Err) {
		return func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(a.Err), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("importing"), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	drawn := func(err error) {
		if err != nil {
			a.note("touchstone: progress bar: %v", err)
		}
	}
	options.Progress = func(p ingest.Progress) {
		if p.Total > 0 {
			bar.ChangeMax64(p.Total)
		}
		drawn(bar.Set64(p.Bytes))
	}
	return func() { drawn(bar.Finish()) }
}

func (a *app) showImport(path string, r imported) {
	if r.Done {
		a.say("%s was imported before; nothing to do (--restart reads it again)", path)
		return
	}
	if r.ResumedAt > 0 {
		a.say("resumed after line %d", r.ResumedAt)
	}
	rows := [][]string{{"read", count(int(r.Rows))}, {"new", count(int(r.New))}, {"already there", count(int(r.Present))}, {"left out", count(int(r.Skipped))}, {"refused", count(int(r.Rejected))}}
	if r.Created > 0 {
		rows = append(rows, []string{"customers made for them", count(int(r.Created))})
	}
	a.table([]string{string(r.Kind), "rows"}, rows)
	if len(r.Ignored) > 0 {
		a.say("\ncolumns nobody asked for: %s", wrap(list(r.Ignored), 26))
	}
	if r.Rejected == 0 {
		return
	}
	a.say("")
	var reasons [][]string
	for _, reason := range slices.SortedFunc(maps.Keys(r.ByReason), func(x, y string) int {
		return cmp.Or(cmp.Compare(r.ByReason[y], r.ByReason[x]), cmp.Compare(x, y))
	}) {
		reasons = append(reasons, []string{count(int(r.ByReason[reason])), cut(reason, width-10)})
	}
	a.table([]string{"rows", "refused because"}, reasons)
	if r.Rejects != "" {
		a.say("\nthe refused rows are in %s", r.Rejects)
	}
}

// unreadable says what to do about a file that cannot be read.
func unreadable(path string, err error) error {
	if os.IsNotExist(err) {
		return lifecycle.Errorf(lifecycle.Invalid, "no file %s: check the path", path)
	}
	return lifecycle.Errorf(lifecycle.Invalid, "read %s: %w", path, err)
}
