package devstack_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"touchstone/internal/devstack"
)

// childMode makes this test binary a program that starts a stack, prints what
// it started, and waits to be killed.
const childMode = "DEVSTACK_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMode) == "" {
		os.Exit(m.Run())
	}
	s, err := devstack.Start(context.Background(), devstack.Options{Ephemeral: true, Postgres: true, Temporal: true})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for _, p := range s.Processes() {
		fmt.Println("pid", p.PID)
	}
	fmt.Println("dir", s.Dir)
	fmt.Println("ready")
	select {}
}

func TestNothingOutlivesAKilledProcess(t *testing.T) {
	t.Parallel()
	temp := reachableDir(t)
	if err := os.Chmod(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childMode+"=1", "TMPDIR="+temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		kind, value, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "pid":
			var pid int
			if _, err := fmt.Sscan(value, &pid); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		case "error":
			t.Fatal(value)
		case "ready":
			ready = true
		}
	}
	if !ready || len(pids) != 2 {
		t.Fatalf("the child process did not start its stack: ready %v, engines %v", ready, pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child process survived its kill")
	}
	eventually(t, 15*time.Second, func() error {
		for _, pid := range pids {
			if state := processState(pid); state != "" && state != "Z" {
				return fmt.Errorf("engine %d still runs", pid)
			}
		}
		left, err := filepath.Glob(filepath.Join(temp, "touchstone-*"))
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("left behind: %v", left)
		}
		return nil
	})
}

// processState is empty for a process that is gone. An engine whose parent died
// stays a zombie where process 1 does not collect it.
func processState(pid int) string {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return ""
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	_, rest, found := strings.Cut(string(b), ") ")
	if err != nil || !found {
		return "?"
	}
	return rest[:1]
}

func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
