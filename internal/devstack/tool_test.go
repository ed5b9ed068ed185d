package devstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/lifecycle"
)

func TestServesUs(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)\n":     true,
		"temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)\n": true,
		"temporal version 1.6.0 (Server 1.30.0, UI 2.45.0)":       true,
		"temporal version 2.0.0 (Server 2.0.0, UI 3.0.0)":         true,
		"temporal version 1.5.0 (Server 1.29.0, UI 2.41.0)":       false,
		"temporal version 1.1.2 (Server 1.25.2, UI 2.31.2)":       false,
		"temporal version 1.5.1":                                  false,
		"":                                                        false,
	} {
		if got := servesUs(answer); got != want {
			t.Errorf("servesUs(%q) = %v", answer, got)
		}
	}
}

// TestBuildInstallsOnceForAll builds a tool with a stand-in for the go command
// that counts its runs and installs a Go program: this test binary, so the tool
// is described as that program. Four builders at once must build once.
func TestBuildInstallsOnceForAll(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	counter := filepath.Join(t.TempDir(), "builds")
	fakeGo(t, `echo "$@ GOFLAGS=$GOFLAGS" >> `+counter+`; sleep 0.3; cp `+self+` "$GOBIN/server"`)
	binDir := filepath.Join(t.TempDir(), "bin")
	wanted := tool{"temporal-ui", "the Temporal UI", "example.test/cmd/server", "v1.0.0", "a moment"}

	var mu sync.Mutex
	var lines []string
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			built := func(path string) bool { _, err := os.Stat(path); return err == nil }
			path, err := wanted.ensureUnless(t.Context(), binDir, built, func(s string) {
				mu.Lock()
				defer mu.Unlock()
				lines = append(lines, s)
			})
			if err != nil || path != filepath.Join(binDir, "temporal-ui") {
				t.Errorf("ensure: %q, %v", path, err)
			}
		})
	}
	all.Wait()
	b, err := os.ReadFile(counter)
	if err != nil {
		t.Fatal(err)
	}
	if want := "install -ldflags=-s -w example.test/cmd/server@v1.0.0 GOFLAGS=-mod=mod\n"; string(b) != want {
		t.Errorf("builds: %q, want exactly %q", b, want)
	}
	if all := strings.Join(lines, "\n"); strings.Count(all, "building the Temporal UI (first time, a moment)") != 1 || !strings.Contains(all, "waiting for process") {
		t.Errorf("progress lines: %q", lines)
	}
	if left, err := filepath.Glob(filepath.Join(binDir, ".build-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if wanted.built(filepath.Join(binDir, "temporal-ui")) {
		t.Error("another program passes for the tool")
	}
}

func TestFailedBuildSaysWhyAndLeavesNothing(t *testing.T) {
	fakeGo(t, `echo "no such module" >&2; exit 1`)
	binDir := t.TempDir()
	_, err := temporalCLI.ensure(t.Context(), binDir, func(string) {})
	if lifecycle.CodeOf(err) != lifecycle.Unavailable || !strings.Contains(err.Error(), "no such module") {
		t.Errorf("failed build: %v", err)
	}
	for _, pattern := range []string{"temporal", ".build-*"} {
		if left, err := filepath.Glob(filepath.Join(binDir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

func TestLockIsExclusiveAndWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	told := 0
	if _, err := waitLock(ctx, path, func(string) { told++ }); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Errorf("second lock: %v, told %d times", err, told)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	second, err := waitLock(t.Context(), path, func(string) { t.Error("waited for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	if err := second.release(); err != nil {
		t.Fatal(err)
	}
}

// fakeGo puts a go command with this shell body first in PATH.
func fakeGo(t *testing.T, body string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}
