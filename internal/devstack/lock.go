package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// fileLock is an advisory lock between processes, held through an open file:
// the system releases it when the process ends, however it ends.
type fileLock struct{ file *os.File }

// errLocked says that another process holds the lock; holder is its process id
// as text, or empty.
type errLocked struct{ holder string }

func (e errLocked) Error() string { return "held by process " + e.holder }

// tryLock takes the lock or returns errLocked.
func tryLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			b, readErr := io.ReadAll(io.LimitReader(f, 32))
			return nil, errors.Join(errLocked{strings.TrimSpace(string(b))}, readErr)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file: %w", err), f.Close())
	}
	return &fileLock{f}, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// waitLock waits for the lock until the context ends. It calls waiting once,
// with the holder, when it has to wait.
func waitLock(ctx context.Context, path string, waiting func(holder string)) (*fileLock, error) {
	told := false
	for {
		l, err := tryLock(path)
		var held errLocked
		if !errors.As(err, &held) {
			return l, err
		}
		if !told {
			waiting(held.holder)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s, %w: %w", path, held, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// release gives the lock up. The file stays: removing it would let a third
// process lock a new file while a second one waits for the old.
func (l *fileLock) release() error { return l.file.Close() }
