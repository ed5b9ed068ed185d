package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
)

const databaseName = "touchstone" // also the name of the superuser

// postgres is one private cluster and, while it runs, its postmaster.
type postgres struct {
	folder    string // the cluster
	logs      string
	password  string
	account   *account
	install   postgresInstall
	port      int
	ephemeral bool
	guard     *guard
	onCrash   func(error)
	child     *child
}

var (
	fastShutdown = []step{ // disconnects clients, then writes a checkpoint
		{syscall.SIGINT, 30 * time.Second}, {syscall.SIGQUIT, 10 * time.Second}, kill}
	immediateShutdown = []step{ // as a crash: the next start recovers from the log
		{syscall.SIGQUIT, 10 * time.Second}, kill}
)

// url is the connection string of one of the cluster's databases.
func (p *postgres) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(databaseName, p.password),
		Host: address(p.port), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// prepare makes the cluster when there is none and chooses the binaries that
// can read it when there is one.
func (p *postgres) prepare(ctx context.Context, installs []postgresInstall, report func(string)) error {
	p.install = installs[0]
	b, err := os.ReadFile(filepath.Join(p.folder, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		report(fmt.Sprintf("making a PostgreSQL %d cluster", p.install.major))
		return p.initdb(ctx)
	}
	if errors.Is(err, fs.ErrPermission) {
		return lifecycle.Errorf(lifecycle.Forbidden,
			"the cluster in %s belongs to another user (was an earlier run started as root?): run as that user or choose another data folder", p.folder)
	}
	if err != nil {
		return fmt.Errorf("read the cluster's version: %w", err)
	}
	for _, in := range installs {
		if fmt.Sprint(in.major) == strings.TrimSpace(string(b)) {
			p.install = in
			return p.account.own(p.folder)
		}
	}
	return lifecycle.Errorf(lifecycle.Unavailable,
		"the cluster in %s was made by PostgreSQL %s and this machine has %d: install that version, or start with --fresh to drop the data",
		p.folder, strings.TrimSpace(string(b)), p.install.major)
}

// initdb makes the cluster beside its final place and moves it there when it is
// whole, so that an interrupted start leaves nothing half made.
func (p *postgres) initdb(ctx context.Context) (err error) {
	scratch, err := temporaryFolder(p.account)
	if err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	pwfile := filepath.Join(scratch, "password")
	if err := os.WriteFile(pwfile, []byte(p.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	half := p.folder + ".new"
	if err := errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o700), p.account.own(half), p.account.own(scratch)); err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	args := []string{"--pgdata", half, "--username", databaseName, "--pwfile", pwfile, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--no-instructions"}
	if p.ephemeral {
		args = append(args, "--no-sync")
	}
	// C.UTF-8 sorts by code point everywhere and knows letters beyond ASCII;
	// systems without it get C.
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err = p.run(ctx, "initdb", append(args, "--locale", locale)...); err == nil {
			break
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "locale") {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	if err := os.Rename(half, p.folder); err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	return nil
}

// run runs one of PostgreSQL's programs as the cluster's account.
func (p *postgres) run(ctx context.Context, program string, args ...string) error {
	cmd := commandAs(ctx, p.account, filepath.Join(p.install.bin, program), args...)
	cmd.Env = p.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, tail(out, 600))
	}
	return nil
}

// env drops PGDATA, PGPORT and the like, which would redirect the programs.
func (p *postgres) env() []string {
	return cleanEnv([]string{"PG", "LC_", "LANG=", "LANGUAGE=", "TZ=", "HOME="}, "LC_ALL=C", "TZ=UTC", "HOME=/")
}

// settings are given on the command line, so that a cluster made by an older
// Touchstone runs with today's.
func (p *postgres) settings() []string {
	s := []string{
		"listen_addresses=" + loopback,
		fmt.Sprintf("port=%d", p.port),
		"unix_socket_directories=",
		"shared_buffers=256MB",
		"max_connections=100",
		"max_wal_size=2GB",
		"synchronous_commit=on",
		"jit=off", // its compile time exceeds the run time of our queries
		"timezone=UTC",
		"log_timezone=UTC",
		"logging_collector=off",
		"log_error_verbosity=terse", // no DETAIL: it repeats row values, which can be personal
		"log_min_error_statement=panic",
	}
	if p.ephemeral {
		// Without fsync a commit costs one write to the page cache, which
		// survives a crash of the server though not of the machine. It stays
		// synchronous: RestartPostgres must not lose what was committed.
		s = append(s, "fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "checkpoint_timeout=1h")
	}
	return s
}

// start runs the postmaster on the port and waits until it takes connections.
func (p *postgres) start(ctx context.Context) error {
	if err := p.endOrphan(ctx); err != nil {
		return err
	}
	args := []string{"-D", p.folder}
	for _, s := range p.settings() {
		args = append(args, "-c", s)
	}
	c, err := startChild(childSpec{
		name: "postgres", path: filepath.Join(p.install.bin, "postgres"), args: args, env: p.env(), dir: p.folder,
		log: filepath.Join(p.logs, "postgres.log"), as: p.account, deathSignal: p.deathSignal(), onCrash: p.onCrash,
	}, p.guard)
	if err != nil {
		return err
	}
	p.child = c
	err = c.ready(ctx, 90*time.Second, func(ctx context.Context) error { return ping(ctx, p.url("postgres")) })
	if err != nil {
		return errors.Join(err, p.stop(context.WithoutCancel(ctx), immediateShutdown))
	}
	return nil
}

// deathSignal is what the postmaster gets when this process dies: data worth
// keeping get a fast shutdown, the rest an immediate one.
func (p *postgres) deathSignal() syscall.Signal {
	if p.ephemeral {
		return syscall.SIGQUIT
	}
	return syscall.SIGINT
}

func (p *postgres) stop(ctx context.Context, steps []step) error {
	if p.child == nil {
		return nil
	}
	return p.child.stop(ctx, steps...)
}

// createDatabase makes the application's database when it is missing.
func (p *postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the new cluster: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", databaseName).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", databaseName, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{databaseName}.Sanitize()); err != nil {
		return fmt.Errorf("create database %s: %w", databaseName, err)
	}
	return nil
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// readOrMakePassword returns the cluster's password, which only this user can
// read.
func readOrMakePassword(file string, clusterExists bool) (string, error) {
	b, err := os.ReadFile(file)
	switch {
	case err == nil && len(strings.TrimSpace(string(b))) > 0:
		return strings.TrimSpace(string(b)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the database password: %w", err)
	case clusterExists:
		return "", lifecycle.Errorf(lifecycle.Invalid,
			"the database password in %s is lost: put it back, or start with --fresh to drop the data", file)
	}
	password := rand.Text()
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the database password: %w", err)
	}
	return password, nil
}
