package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"touchstone/internal/lifecycle"
)

func (s *Stack) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.UI && !s.options.Temporal {
		return lifecycle.Errorf(lifecycle.Invalid, "the Temporal UI needs Temporal: start both")
	}
	if err := s.openFolder(); err != nil {
		return err
	}
	if err := s.plan(); err != nil {
		return err
	}
	var err error
	if s.guard, err = startGuard(s.cleanup...); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if s.postgres != nil {
		s.postgres.guard = s.guard
		group.Go(func() error { return s.startPostgres(ctx) })
	}
	if s.temporal != nil {
		s.temporal.guard = s.guard
		group.Go(func() error { return s.startTemporal(ctx) })
	}
	return group.Wait()
}

// openFolder makes the data folder, takes its lock and reads its ports.
func (s *Stack) openFolder() error {
	dir, portsFile := s.options.Dir, "ports.json"
	switch {
	case dir == "" && !s.options.Ephemeral:
		return lifecycle.Errorf(lifecycle.Invalid, "name a data folder")
	case dir == "":
		made, err := os.MkdirTemp("", "touchstone-")
		if err != nil {
			return fmt.Errorf("make a temporary data folder: %w", err)
		}
		dir = made
		s.cleanup = append(s.cleanup, dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the data folder: %w", err)
	}
	s.Dir, s.LogDir = dir, filepath.Join(dir, "logs")
	if err := os.MkdirAll(s.LogDir, 0o755); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	s.lock, err = tryLock(filepath.Join(dir, "lock"))
	var held errLocked
	if errors.As(err, &held) {
		return lifecycle.Errorf(lifecycle.Conflict,
			"another touchstone (process %s) uses the data folder %s: stop it or choose another folder", held.holder, dir)
	}
	if err != nil {
		return err
	}
	if s.options.Ephemeral {
		portsFile = ""
	} else {
		portsFile = filepath.Join(dir, portsFile)
	}
	s.ports, err = loadPorts(portsFile)
	return err
}

// plan decides where the engines keep their data.
func (s *Stack) plan() error {
	if s.options.Postgres {
		a, err := databaseAccount()
		if err != nil {
			return err
		}
		s.postgres = &postgres{logs: s.LogDir, account: a, ephemeral: s.options.Ephemeral, onCrash: s.crashed}
		if s.options.Ephemeral {
			dir, err := temporaryFolder(a)
			if err != nil {
				return err
			}
			s.cleanup = append(s.cleanup, dir)
			s.postgres.folder = filepath.Join(dir, "cluster")
		} else if s.postgres.folder, err = clusterFolder(s.Dir, ownPlace, a); err != nil {
			return err
		}
	}
	if s.options.Temporal {
		s.temporal = &temporal{folder: s.Dir, logs: s.LogDir, onCrash: s.crashed}
		if !s.options.Ephemeral || s.options.TemporalFile {
			s.temporal.file = filepath.Join(s.Dir, "temporal.db")
		}
	}
	return nil
}

func (s *Stack) startPostgres(ctx context.Context) error {
	installs, err := ensurePostgres(ctx, s.report)
	if err != nil {
		return err
	}
	p := s.postgres
	passwordFile := filepath.Join(s.Dir, "postgres.password")
	if s.options.Fresh {
		if err := errors.Join(s.dropCluster(ctx, installs[0]), removeIfThere(passwordFile)); err != nil {
			return err
		}
	}
	_, statErr := os.Stat(p.folder)
	if p.password, err = readOrMakePassword(passwordFile, statErr == nil); err != nil {
		return err
	}
	if err := p.prepare(ctx, installs, s.report); err != nil {
		return err
	}
	if err := s.onFreePort("postgres", &p.port, func() error { return p.start(ctx) }); err != nil {
		return err
	}
	if err := p.createDatabase(ctx); err != nil {
		return err
	}
	s.DatabaseURL = p.url(databaseName)
	s.options.Log.Info("postgres runs", "port", p.port, "pid", p.child.pid(), "version", p.install.major)
	return nil
}

// dropCluster removes the cluster, stopping what may still run on it.
func (s *Stack) dropCluster(ctx context.Context, in postgresInstall) error {
	s.postgres.install = in
	if err := s.postgres.endOrphan(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(s.postgres.folder); err != nil {
		return fmt.Errorf("drop the database: %w", err)
	}
	return nil
}

func (s *Stack) startTemporal(ctx context.Context) error {
	binDir, err := absoluteBinDir(s.options.BinDir)
	if err != nil {
		return err
	}
	t := s.temporal
	if t.path, err = findTemporal(ctx, binDir, s.report); err != nil {
		return err
	}
	if s.options.Fresh && t.file != "" {
		if err := t.removeFile(); err != nil {
			return err
		}
	}
	if err := s.onFreePort("temporal", &t.port, func() error { return t.start(ctx) }); err != nil {
		return err
	}
	s.TemporalAddress, s.TemporalNamespace = address(t.port), temporalNamespace
	s.options.Log.Info("temporal runs", "port", t.port, "pid", t.child.pid())
	if !s.options.UI {
		return nil
	}
	u := &ui{folder: filepath.Join(s.Dir, "temporal-ui"), logs: s.LogDir, temporal: s.TemporalAddress, guard: s.guard, onCrash: s.crashed}
	if u.path, err = temporalUI.ensure(ctx, binDir, s.report); err != nil {
		return err
	}
	s.ui = u
	if err := s.onFreePort("temporal-ui", &u.port, func() error { return u.start(ctx) }); err != nil {
		return err
	}
	s.UIURL = u.url()
	s.options.Log.Info("temporal-ui runs", "port", u.port, "pid", u.child.pid())
	return nil
}

// onFreePort starts an engine on a free port and tries another one when
// somebody else took it in between.
func (s *Stack) onFreePort(engine string, port *int, start func() error) error {
	for attempt := 1; ; attempt++ {
		var err error
		if *port, err = s.ports.pick(engine); err != nil {
			return err
		}
		if err = start(); err == nil || attempt == 3 || portFree(*port) {
			return err
		}
	}
}

// crashed reports an engine that ended by itself.
func (s *Stack) crashed(err error) {
	s.options.Log.Error("an engine ended by itself", "error", err)
	select {
	case s.exited <- err:
	default: // nobody reads and the first reports are kept
	}
}
