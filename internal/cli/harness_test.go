package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/cli"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/onebox"
	"touchstone/internal/postgres"
)

// terminal runs commands in-process as a person would in one folder.
type terminal struct {
	t   *testing.T
	env map[string]string
	dir string
}

// result is what a command did.
type result struct {
	t              *testing.T
	args           []string
	stdout, stderr string
	code           int
}

// setup gives a terminal with a database of its own and no Temporal.
func setup(t *testing.T) terminal {
	t.Helper()
	tm := bare(t)
	tm.env["DATABASE_URL"] = pgtest.Migrated(t, postgres.Migrate)
	return tm
}

// bare gives a terminal without any engine.
func bare(t *testing.T) terminal {
	t.Helper()
	return terminal{t, map[string]string{"USER": "jane"}, t.TempDir()}
}

func (tm terminal) run(args ...string) result {
	tm.t.Helper()
	return tm.feed("", args...)
}

// feed runs a command with standard input.
func (tm terminal) feed(stdin string, args ...string) result {
	tm.t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(tm.t.Context(), time.Minute)
	defer cancel()
	code := cli.Run(ctx, append([]string{"--data", filepath.Join(tm.dir, "data")}, args...), cli.Streams{
		In: strings.NewReader(stdin), Out: &stdout, Err: &stderr,
		LookupEnv: func(name string) (string, bool) { v, ok := tm.env[name]; return v, ok },
	})
	return result{tm.t, args, stdout.String(), stderr.String(), code}
}

// file writes a file into the terminal's folder and returns its path.
func (tm terminal) file(name, content string) string {
	tm.t.Helper()
	path := filepath.Join(tm.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tm.t.Fatal(err)
	}
	return path
}

// store opens the terminal's database.
func (tm terminal) store() *postgres.Store {
	tm.t.Helper()
	s, err := postgres.Open(tm.t.Context(), tm.env["DATABASE_URL"], postgres.Options{})
	if err != nil {
		tm.t.Fatal(err)
	}
	tm.t.Cleanup(s.Close)
	return s
}

// ok wants success.
func (r result) ok() result {
	r.t.Helper()
	return r.exits(0)
}

func (r result) exits(code int) result {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("touchstone %s: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(r.args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// line wants the words in this order on one line of standard output.
func (r result) line(words ...string) result {
	r.t.Helper()
	return r.onOne("stdout", r.stdout, words)
}

// complains wants the words in this order on one line of standard error.
func (r result) complains(words ...string) result {
	r.t.Helper()
	return r.onOne("stderr", r.stderr, words)
}

func (r result) onOne(stream, text string, words []string) result {
	r.t.Helper()
	for line := range strings.Lines(text) {
		rest, found := line, true
		for _, w := range words {
			if _, after, ok := strings.Cut(rest, w); ok {
				rest = after
				continue
			}
			found = false
			break
		}
		if found {
			return r
		}
	}
	r.t.Errorf("touchstone %s: no line of %s has %q in this order:\n%s", strings.Join(r.args, " "), stream, words, text)
	return r
}

// lacks wants text nowhere on standard output.
func (r result) lacks(text string) result {
	r.t.Helper()
	if strings.Contains(r.stdout, text) {
		r.t.Errorf("touchstone %s: %q is in\n%s", strings.Join(r.args, " "), text, r.stdout)
	}
	return r
}

// narrow wants every line to fit a terminal of 100 columns.
func (r result) narrow() result {
	r.t.Helper()
	for line := range strings.Lines(r.stdout) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
			r.t.Errorf("touchstone %s: a line has %d columns: %s", strings.Join(r.args, " "), n, line)
		}
	}
	return r
}

// into decodes standard output as JSON.
func into[T any](r result) T {
	r.t.Helper()
	r.ok()
	var v T
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	if err := decoder.Decode(&v); err != nil {
		r.t.Fatalf("touchstone %s: %v in\n%s", strings.Join(r.args, " "), err, r.stdout)
	}
	return v
}

// live is everything running in this process: engines, sandbox, worker. The
// tests that need Temporal share one, as a dev server takes seconds to start.
var live = sync.OnceValues(func() (*onebox.Box, error) {
	box, err := onebox.Start(context.Background(), onebox.Options{
		Ephemeral: true, Config: config.Defaults(), Brand: brand.Example(), Policy: guardrails.DefaultPolicy(),
		Progress: func(line string) { fmt.Fprintln(os.Stderr, "cli tests:", line) },
	})
	if err != nil {
		return nil, err
	}
	started = box
	return box, box.Run(context.Background(), clock.Scale{})
})

// started is the box to stop when all tests are over.
var started *onebox.Box

func TestMain(m *testing.M) {
	code := m.Run()
	if started != nil {
		if err := started.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "cli tests: while stopping:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// onLive gives a terminal in a folder where `touchstone dev` seems to run.
func onLive(t *testing.T) terminal {
	t.Helper()
	box, err := live()
	if err != nil {
		t.Fatal(err)
	}
	tm := bare(t)
	stack, err := json.Marshal(box.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(tm.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	tm.file("data/stack.json", string(stack))
	return tm
}

// eventually waits until check holds.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !check(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within time: %s", what)
		}
	}
}

// narrowExcept is narrow for output that repeats paths of the test's folder.
func (r result) narrowExcept(dir string) result {
	r.t.Helper()
	short := r
	short.stdout = strings.ReplaceAll(r.stdout, dir, ".")
	short.narrow()
	return r
}

func count(n int) string { return strconv.Itoa(n) }
