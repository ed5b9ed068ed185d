package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sync/errgroup"

	"touchstone/internal/lifecycle"
)

// Stop ends the engines gracefully and returns when their processes are gone.
// When the context ends first they are ended at once, without losing data that
// must last. A second call does nothing.
func (s *Stack) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var engines errgroup.Group
	if s.ui != nil {
		engines.Go(func() error { return s.ui.stop(ctx, serverShutdown) })
	}
	if s.temporal != nil {
		engines.Go(func() error { return s.temporal.stop(ctx, serverShutdown) })
	}
	if s.postgres != nil {
		steps := fastShutdown
		if s.options.Ephemeral {
			steps = immediateShutdown
		}
		engines.Go(func() error { return s.postgres.stop(ctx, steps) })
	}
	err := engines.Wait()
	if err != nil {
		return err // the guard stays and ends the rest with this process
	}
	s.ui, s.temporal, s.postgres = nil, nil, nil
	if s.guard != nil {
		err = s.guard.leave()
		s.guard = nil
	}
	for _, folder := range s.cleanup {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	s.cleanup = nil
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
		s.lock = nil
	}
	return err
}

// Exited delivers the error of an engine that ended by itself.
func (s *Stack) Exited() <-chan error { return s.exited }

// Processes lists the running engines, so that a benchmark can read their use
// of the processor.
func (s *Stack) Processes() []Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Process
	if s.postgres != nil {
		all = append(all, Process{"postgres", s.postgres.child.pid()})
	}
	if s.temporal != nil {
		all = append(all, Process{"temporal", s.temporal.child.pid()})
	}
	if s.ui != nil {
		all = append(all, Process{"temporal-ui", s.ui.child.pid()})
	}
	return all
}

// RestartPostgres is a fault for tests: the server ends in immediate mode, as
// in a crash, and starts again on the same port with the same data.
func (s *Stack) RestartPostgres(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.postgres == nil {
		return lifecycle.Errorf(lifecycle.Invalid, "this stack runs no PostgreSQL")
	}
	if err := s.postgres.stop(ctx, immediateShutdown); err != nil {
		return err
	}
	return s.postgres.start(ctx)
}

// RestartTemporal is a fault for tests: the server is killed and starts again
// on the same port with the same file. A server in memory has no file to start
// from; set TemporalFile.
func (s *Stack) RestartTemporal(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.temporal == nil {
		return lifecycle.Errorf(lifecycle.Invalid, "this stack runs no Temporal")
	}
	if s.temporal.file == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "this Temporal keeps its data in memory: set TemporalFile to restart it")
	}
	if err := s.temporal.stop(ctx, []step{kill}); err != nil {
		return err
	}
	return s.temporal.start(ctx)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}
