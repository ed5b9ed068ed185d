package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"touchstone/internal/lifecycle"
)

// childSpec says what to run and as whom.
type childSpec struct {
	name        string // for people: "postgres"
	path        string
	args        []string
	env         []string
	dir         string         // working directory
	log         string         // file that receives stdout and stderr, appended
	as          *account       // nil keeps the current user
	deathSignal syscall.Signal // sent when this process dies
	onCrash     func(error)    // called once when the child ends without being stopped
}

// child is one running engine.
type child struct {
	spec     childSpec
	cmd      *exec.Cmd
	guard    *guard
	stopping atomic.Bool
	done     chan struct{} // closed when the process has been reaped
	waitErr  error         // valid after done
}

// startChild forks and watches one process. The goroutine that forks is locked
// to its thread and stays until the child ends: Linux delivers the parent-death
// signal when the forking thread ends, not only when the process does.
func startChild(spec childSpec, g *guard) (*child, error) {
	if err := os.MkdirAll(filepath.Dir(spec.log), 0o755); err != nil {
		return nil, fmt.Errorf("make the log folder of %s: %w", spec.name, err)
	}
	out, err := os.OpenFile(spec.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", spec.name, err)
	}
	cmd := exec.Command(spec.path, spec.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = spec.env, spec.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: spec.as.credential()}
	dieWithParent(cmd.SysProcAttr, spec.deathSignal)

	c := &child{spec: spec, cmd: cmd, guard: g, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- errors.Join(err, out.Close())
		if err != nil {
			return
		}
		c.waitErr = cmd.Wait()
		g.forget(cmd.Process.Pid)
		crashed := !c.stopping.Load()
		close(c.done)
		if crashed && spec.onCrash != nil {
			spec.onCrash(c.exitError())
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.name, err)
	}
	if err := g.watch(cmd.Process.Pid, spec.deathSignal); err != nil {
		return nil, errors.Join(err, c.stop(context.Background(), kill))
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// exitError describes why the child ended, with the last lines of its log. Call
// it after done only.
func (c *child) exitError() error {
	reason := "exit status 0"
	if c.waitErr != nil {
		reason = c.waitErr.Error()
	}
	return lifecycle.Errorf(lifecycle.Unavailable, "%s ended (%s); see %s: %s",
		c.spec.name, reason, c.spec.log, lastLines(c.spec.log, 4))
}

// step is one way of asking a process to end and the time it gets.
type step struct {
	signal syscall.Signal
	wait   time.Duration
}

var kill = step{syscall.SIGKILL, 10 * time.Second}

// stop sends each step's signal until the child is gone. When the context ends
// the waits are cut short and the next signal follows at once, so the child is
// gone in any case. Stopping a child that has ended is not an error.
func (c *child) stop(ctx context.Context, steps ...step) error {
	c.stopping.Store(true)
	for _, s := range steps {
		select {
		case <-c.done:
			return nil
		default:
		}
		if err := c.cmd.Process.Signal(s.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s: %w", c.spec.name, err)
		}
		cut := ctx.Done()
		if s.signal == syscall.SIGKILL {
			cut = nil
		}
		select {
		case <-c.done:
			return nil
		case <-cut:
		case <-time.After(s.wait):
		}
	}
	return lifecycle.Errorf(lifecycle.Unavailable, "%s (process %d) does not end; end it by hand", c.spec.name, c.pid())
}

// ready polls probe until it succeeds, the child ends, or the limit is over.
func (c *child) ready(ctx context.Context, limit time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return c.exitError()
		case <-ctx.Done():
			return lifecycle.Errorf(lifecycle.Unavailable, "%s does not answer: %w; see %s", c.spec.name, err, c.spec.log)
		case <-tick.C:
		}
	}
}

// lastLines returns the end of a log file as one line.
func lastLines(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}

// cleanEnv is this process's environment without variables that begin with one
// of the prefixes, plus the given ones.
func cleanEnv(without []string, plus ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		keep := true
		for _, p := range without {
			keep = keep && !strings.HasPrefix(kv, p)
		}
		if keep {
			env = append(env, kv)
		}
	}
	return append(env, plus...)
}
