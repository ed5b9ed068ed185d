package devstack

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// oldestPostgres is the oldest major version that Touchstone supports.
const oldestPostgres = 14

// postgresInstall is a folder with working initdb, postgres and pg_ctl.
type postgresInstall struct {
	bin   string
	major int
}

// postgresGlobs are the places where distributions and installers put
// PostgreSQL outside PATH.
var postgresGlobs = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // PostgreSQL's own packages for Red Hat
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/lib/postgresql*/bin",  // SUSE
	"/opt/homebrew/opt/postgresql@*/bin",
	"/opt/homebrew/opt/postgresql/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin",
}

// findPostgres looks in PATH, asks pg_config, then tries the usual folders.
// Every install found is checked by running it. PATH comes first, then newer
// versions before older ones.
func findPostgres(ctx context.Context, pathList string, globs []string) []postgresInstall {
	var folders []string
	for _, dir := range filepath.SplitList(pathList) {
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
		if out, err := exec.CommandContext(ctx, filepath.Join(dir, "pg_config"), "--bindir").Output(); err == nil {
			folders = append(folders, strings.TrimSpace(string(out)))
		}
	}
	inPath := len(folders)
	for _, g := range globs {
		if found, err := filepath.Glob(g); err == nil { // the only error is a malformed pattern
			folders = append(folders, found...)
		}
	}
	var preferred, others []postgresInstall
	seen := map[string]bool{}
	for i, dir := range folders {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		major, ok := checkPostgres(ctx, dir)
		switch {
		case !ok || major < oldestPostgres:
		case i < inPath:
			preferred = append(preferred, postgresInstall{dir, major})
		default:
			others = append(others, postgresInstall{dir, major})
		}
	}
	slices.SortStableFunc(others, func(a, b postgresInstall) int { return b.major - a.major })
	return append(preferred, others...)
}

// checkPostgres runs the three programs we need; a wrapper or a half removed
// package fails here and not in the middle of a start.
func checkPostgres(ctx context.Context, dir string) (major int, ok bool) {
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		path := filepath.Join(dir, program)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return 0, false
		}
		out, err := exec.CommandContext(ctx, path, "--version").Output()
		if err != nil {
			return 0, false
		}
		m, parsed := parsePostgresVersion(string(out))
		if !parsed || (major != 0 && m != major) {
			return 0, false
		}
		major = m
	}
	return major, true
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d{1,3})(?:\.|devel|beta|rc|\s|$)`)

// parsePostgresVersion reads the major version from the answer to --version,
// such as "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)".
func parsePostgresVersion(s string) (major int, ok bool) {
	m := postgresVersion.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	major, err := strconv.Atoi(m[1])
	return major, err == nil
}

// ensurePostgres returns the installs of this machine, newest last resort
// included: as root on Debian and its relatives it installs the package.
func ensurePostgres(ctx context.Context, report func(string)) ([]postgresInstall, error) {
	found := findPostgres(ctx, os.Getenv("PATH"), postgresGlobs)
	if len(found) > 0 {
		return found, nil
	}
	system := readSystem("/etc/os-release")
	_, err := exec.LookPath("apt-get")
	if os.Geteuid() != 0 || err != nil || !system.is("debian", "ubuntu") {
		return nil, lifecycle.Errorf(lifecycle.Unavailable,
			"no PostgreSQL %d or newer on this machine: run `%s` and start again", oldestPostgres, system.installCommand())
	}
	if err := installDebianPostgres(ctx, runCommand, "/etc/postgresql-common", report); err != nil {
		return nil, err
	}
	if found = findPostgres(ctx, os.Getenv("PATH"), postgresGlobs); len(found) == 0 {
		return nil, lifecycle.Errorf(lifecycle.Unavailable,
			"apt-get installed a PostgreSQL that is missing, broken or older than %d: install a newer one by hand", oldestPostgres)
	}
	return found, nil
}

// system names the operating system: "darwin", or ID and ID_LIKE of os-release.
type system []string

func (s system) is(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(s, n) })
}

func (s system) installCommand() string {
	switch {
	case s.is("darwin"):
		return "brew install postgresql@17"
	case s.is("debian", "ubuntu"):
		return "sudo apt-get update && sudo apt-get install -y postgresql"
	case s.is("fedora", "rhel", "centos"):
		return "sudo dnf install -y postgresql-server"
	case s.is("alpine"):
		return "apk add postgresql"
	case s.is("arch"):
		return "sudo pacman -S --noconfirm postgresql"
	case s.is("suse", "opensuse"):
		return "sudo zypper install -y postgresql-server"
	case s.is("freebsd"):
		return "pkg install -y postgresql17-server"
	}
	return "install PostgreSQL from https://www.postgresql.org/download/"
}

// readSystem reads an os-release file. Without one only the kernel's name is
// known, which is all that macOS and FreeBSD have.
func readSystem(osRelease string) system {
	s := system{runtime.GOOS}
	f, err := os.Open(osRelease)
	if err != nil {
		return s
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if key == "ID" || key == "ID_LIKE" {
			s = append(s, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return s
}

// runCommand runs a program to its end and returns what it said when it fails.
func runCommand(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets it end its own children
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, tail(out, 600))
	}
	return nil
}

func tail(b []byte, n int) string {
	s := strings.TrimSpace(string(b))
	if len(s) > n {
		s = "…" + s[len(s)-n:]
	}
	return s
}
