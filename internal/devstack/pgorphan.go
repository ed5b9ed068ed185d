package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// endOrphan deals with what an earlier run left behind. The data folder's lock
// is ours, so a postmaster that still runs on this cluster belongs to nobody:
// it is stopped, not reused, because its settings, port and parent are not
// ours. A postmaster.pid whose process is gone, or is some other program that
// got the same number, is removed.
func (p *postgres) endOrphan(ctx context.Context) error {
	file := filepath.Join(p.folder, "postmaster.pid")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a running cluster: %w", err)
	}
	pid, ok := parsePostmasterPID(b)
	if !ok || !runs(ctx, pid, p.folder) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the stale postmaster.pid: %w", err)
		}
		return nil
	}
	err = p.run(ctx, "pg_ctl", "stop", "-D", p.folder, "-m", "fast", "-w", "-t", "30")
	if err != nil && runs(ctx, pid, p.folder) {
		err = p.run(ctx, "pg_ctl", "stop", "-D", p.folder, "-m", "immediate", "-w", "-t", "30")
	}
	if err != nil && runs(ctx, pid, p.folder) {
		return fmt.Errorf("stop the cluster that an earlier run left (process %d): %w", pid, err)
	}
	return nil
}

// parsePostmasterPID reads the first line of a postmaster.pid; it is negative
// for a stand-alone backend.
func parsePostmasterPID(b []byte) (pid int, ok bool) {
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	return pid, err == nil && pid > 1
}

// runs reports whether the process exists and names the cluster's folder on its
// command line, as every postmaster that we start does.
func runs(ctx context.Context, pid int, folder string) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return strings.Contains(string(b), folder)
	}
	out, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), folder)
}

// commandAs is exec.CommandContext under another account, from a folder that
// every account can enter.
func commandAs(ctx context.Context, a *account, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential()}
	return cmd
}
