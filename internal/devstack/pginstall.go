package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// noMainCluster is read by Debian's package scripts: with it an installation
// neither makes nor starts a cluster of its own.
const noMainCluster = `# Written by Touchstone when it installed PostgreSQL: it keeps its clusters in
# its own data folder and needs no system-wide one.
create_main_cluster = false
`

type runner func(ctx context.Context, env []string, name string, args ...string) error

// installDebianPostgres installs the distribution's package without asking and
// without leaving a cluster running. Processes that want it at the same time
// wait for each other.
func installDebianPostgres(ctx context.Context, run runner, configDir string, report func(string)) (err error) {
	if err := os.MkdirAll(ownPlace, 0o755); err != nil {
		return fmt.Errorf("install PostgreSQL: %w", err)
	}
	lock, err := waitLock(ctx, filepath.Join(ownPlace, "apt.lock"), func(holder string) {
		report("waiting for process " + holder + ", which is installing PostgreSQL")
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if len(findPostgres(ctx, os.Getenv("PATH"), []string{"/usr/lib/postgresql/*/bin"})) > 0 {
		return nil
	}
	return aptInstall(ctx, run, configDir, report)
}

func aptInstall(ctx context.Context, run runner, configDir string, report func(string)) error {
	report("installing PostgreSQL with apt-get (first time, about a minute)")
	config := filepath.Join(configDir, "createcluster.conf")
	if _, err := os.Stat(config); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(configDir, 0o755); err != nil {
			return fmt.Errorf("prepare the installation of PostgreSQL: %w", err)
		}
		if err := os.WriteFile(config, []byte(noMainCluster), 0o644); err != nil {
			return fmt.Errorf("prepare the installation of PostgreSQL: %w", err)
		}
	}
	env := cleanEnv([]string{"DEBIAN_FRONTEND="}, "DEBIAN_FRONTEND=noninteractive")
	if err := run(ctx, env, "apt-get", "-o", "DPkg::Lock::Timeout=300", "update"); err != nil {
		return fmt.Errorf("install PostgreSQL: %w", err)
	}
	if err := run(ctx, env, "apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold",
		"install", "-y", "--no-install-recommends", "postgresql"); err != nil {
		return fmt.Errorf("install PostgreSQL: %w", err)
	}
	return nil
}
