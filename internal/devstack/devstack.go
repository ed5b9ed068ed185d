package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Options say which engines to start and where their files live.
type Options struct {
	// Dir is the data folder, such as .touchstone. It is created, and everything
	// that lasts is below it. Ephemeral stacks may leave it empty.
	Dir string
	// BinDir receives tools that are built. Empty is bin at the root of this
	// module, or the user's cache folder outside of it.
	BinDir string
	// Fresh drops the engines' data first.
	Fresh bool
	// Ephemeral is for tests: PostgreSQL in a temporary folder without fsync,
	// Temporal in memory, everything gone at the end.
	Ephemeral bool
	// TemporalFile keeps an ephemeral Temporal in a file, so that RestartTemporal
	// finds its data again.
	TemporalFile bool
	// Postgres, Temporal and UI choose the engines. UI needs Temporal.
	Postgres, Temporal, UI bool
	// Log may be nil.
	Log *slog.Logger
	// Progress gets one line for a person, never two at a time. It may be nil.
	Progress func(string)
}

// Process is one running engine.
type Process struct {
	Name string // "postgres", "temporal" or "temporal-ui"
	PID  int
}

// Stack is a set of running engines. Fields of engines that were not asked for
// are empty.
type Stack struct {
	DatabaseURL       string
	TemporalAddress   string
	TemporalNamespace string
	UIURL             string
	Dir               string // the data folder, absolute
	LogDir            string // one file per engine

	options  Options
	report   func(string)
	exited   chan error
	mu       sync.Mutex // one start, restart or stop at a time
	lock     *fileLock
	guard    *guard
	ports    *ports
	postgres *postgres
	temporal *temporal
	ui       *ui
	cleanup  []string // folders made for this run
}

// Start prepares the engines (finding, building or installing them), starts
// them and returns when all of them answer. The context bounds the start only;
// end the stack with Stop. When this process dies without Stop, the engines end
// by themselves.
//
// One process at a time may use a data folder; a second one gets Conflict. An
// engine of an earlier run that still runs on the folder is stopped first. With
// no engine to be had the error is Unavailable and says what to do.
func Start(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{options: o, exited: make(chan error, 3), report: serialized(o.Progress)}
	if s.options.Log == nil {
		s.options.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// Prepare finds, builds or installs what Start would need, and starts nothing.
func Prepare(ctx context.Context, o Options) error {
	report := serialized(o.Progress)
	binDir, err := absoluteBinDir(o.BinDir)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if o.Postgres {
		group.Go(func() error {
			_, err := ensurePostgres(ctx, report)
			return err
		})
	}
	group.Go(func() error {
		if o.Temporal {
			if _, err := findTemporal(ctx, binDir, report); err != nil {
				return err
			}
		}
		if o.UI {
			if _, err := temporalUI.ensure(ctx, binDir, report); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

func absoluteBinDir(dir string) (string, error) {
	if dir == "" {
		return defaultBinDir()
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the folder for tools: %w", err)
	}
	return abs, nil
}

// serialized makes a progress function that engines starting side by side can
// share.
func serialized(progress func(string)) func(string) {
	if progress == nil {
		return func(string) {}
	}
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		progress(line)
	}
}
