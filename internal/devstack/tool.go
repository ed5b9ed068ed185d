package devstack

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"touchstone/internal/lifecycle"
)

// tool is a program that is built from source with the Go toolchain, which
// every developer of Touchstone has.
type tool struct {
	name    string // file name in the bin folder
	title   string // for people
	pkg     string // main package
	version string
	takes   string // first build on a small machine, for people
}

var (
	temporalCLI = tool{"temporal", "the Temporal CLI", "github.com/temporalio/cli/cmd/temporal", "v1.5.1", "about 3 minutes"}
	temporalUI  = tool{"temporal-ui", "the Temporal UI", "github.com/temporalio/ui-server/v2/cmd/server", "v2.54.1", "about 20 seconds"}
)

const progressEvery = 15 * time.Second

// ensure returns the path of the built tool, building it when the folder holds
// none of this version. Processes that want to build at the same time wait for
// the first of them.
func (t tool) ensure(ctx context.Context, binDir string, report func(string)) (path string, err error) {
	return t.ensureUnless(ctx, binDir, t.built, report)
}

func (t tool) ensureUnless(ctx context.Context, binDir string, built func(path string) bool, report func(string)) (path string, err error) {
	path = filepath.Join(binDir, t.name)
	if built(path) {
		return path, nil
	}
	if err := os.MkdirAll(binDir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder for tools: %w", err)
	}
	lock, err := waitLock(ctx, filepath.Join(binDir, "."+t.name+".lock"), func(holder string) {
		report(fmt.Sprintf("waiting for process %s, which is building %s", holder, t.title))
	})
	if err != nil {
		return "", fmt.Errorf("build %s: %w", t.title, err)
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if built(path) {
		return path, nil
	}
	return path, t.build(ctx, path, report)
}

// built reports whether the file is this tool in this version.
func (t tool) built(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Path == t.pkg && info.Main.Version == t.version
}

// build installs into a folder of its own and moves the result into place, so
// that nobody ever runs half a file.
func (t tool) build(ctx context.Context, path string, report func(string)) (err error) {
	golang, err := findGo()
	if err != nil {
		return fmt.Errorf("build %s: %w", t.title, err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(path), ".build-")
	if err != nil {
		return fmt.Errorf("build %s: %w", t.title, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	stop := t.tick(report)
	defer stop()
	env := cleanEnv([]string{"GOFLAGS=", "GOBIN=", "GOWORK=", "GOOS=", "GOARCH="},
		"GOFLAGS=-mod=mod", "GOBIN="+scratch, "GOWORK=off")
	// Debug tables are half of the Temporal CLI; without them it links and loads faster.
	if err := runCommand(ctx, env, golang, "install", "-ldflags=-s -w", t.pkg+"@"+t.version); err != nil {
		return lifecycle.Errorf(lifecycle.Unavailable, "build %s: %w", t.title, err)
	}
	if err := os.Rename(filepath.Join(scratch, filepath.Base(t.pkg)), path); err != nil {
		return fmt.Errorf("build %s: %w", t.title, err)
	}
	return nil
}

// tick reports the start of a build, then its elapsed time until stopped.
func (t tool) tick(report func(string)) (stop func()) {
	start := time.Now()
	report(fmt.Sprintf("building %s (first time, %s)", t.title, t.takes))
	ticker := time.NewTicker(progressEvery)
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				report(fmt.Sprintf("building %s: %s so far", t.title, time.Since(start).Round(time.Second)))
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-finished
	}
}

// findGo looks in PATH, then where the Go installer puts it.
func findGo() (string, error) {
	if path, err := exec.LookPath("go"); err == nil {
		return path, nil
	}
	for _, root := range []string{os.Getenv("GOROOT"), "/usr/local/go"} {
		path := filepath.Join(root, "bin", "go")
		if info, err := os.Stat(path); root != "" && err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", lifecycle.Errorf(lifecycle.Unavailable, "no go command on this %s machine: install Go from https://go.dev/dl/", runtime.GOOS)
}

// defaultBinDir is bin at the root of this module when the working folder lies
// inside it, so that all test binaries share one set of tools, and the user's
// cache folder otherwise.
func defaultBinDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("choose a folder for tools: %w", err)
	}
	for {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && startsWithModule(b, "touchstone") {
			return filepath.Join(dir, "bin"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("choose a folder for tools: %w", err)
	}
	return filepath.Join(cache, "touchstone", "bin"), nil
}
