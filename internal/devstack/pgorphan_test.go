package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestStartAfterACrash covers what a killed run can leave on a lasting cluster:
// a postmaster that still runs, and a postmaster.pid of a process that is gone
// or is some other program by now.
func TestStartAfterACrash(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "devstack-orphan-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: dir, Postgres: true}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p := s.postgres
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	// pg_ctl starts a postmaster that is nobody's child.
	if err := p.run(t.Context(), "pg_ctl", "start", "-w", "-D", p.folder, "-l", filepath.Join(p.folder, "orphan.log"),
		"-o", "-c unix_socket_directories= -p "+strconv.Itoa(p.port)); err != nil {
		t.Fatal(err)
	}
	orphan := readPID(t, p.folder)
	if !runs(t.Context(), orphan, p.folder) {
		t.Fatalf("the orphan %d does not run or is not recognised", orphan)
	}
	restart(t, o)
	if runs(t.Context(), orphan, p.folder) {
		t.Errorf("the orphan %d still runs", orphan)
	}

	sleeper := exec.CommandContext(t.Context(), "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	for name, pid := range map[string]int{"gone": 1 << 30, "some other program": sleeper.Process.Pid} {
		stale := strconv.Itoa(pid) + "\n" + p.folder + "\n0\n1\n\n127.0.0.1\n"
		if err := os.WriteFile(filepath.Join(p.folder, "postmaster.pid"), []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log("postmaster.pid names a process that is", name)
		restart(t, o)
	}
	if err := sleeper.Process.Kill(); err != nil {
		t.Errorf("the other program did not survive: %v", err)
	}
	if err := sleeper.Wait(); err == nil {
		t.Error("the other program ended before it was killed")
	}
}

func restart(t *testing.T, o Options) {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func readPID(t *testing.T, folder string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, ok := parsePostmasterPID(b)
	if !ok {
		t.Fatalf("strange postmaster.pid %q", b)
	}
	return pid
}
