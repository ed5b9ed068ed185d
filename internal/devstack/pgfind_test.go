package devstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParsePostgresVersion(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		"postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n": 15,
		"initdb (PostgreSQL) 17.2":                               17,
		"postgres (PostgreSQL) 9.6.24":                           9,
		"pg_ctl (PostgreSQL) 18beta1\n":                          18,
		"postgres (PostgreSQL) 14devel":                          14,
		"postgres 15.1":                                          0,
		"":                                                       0,
	} {
		if got, ok := parsePostgresVersion(answer); got != want || ok != (want != 0) {
			t.Errorf("parsePostgresVersion(%q) = %d, %v, want %d", answer, got, ok, want)
		}
	}
}

func FuzzParseVersions(f *testing.F) {
	f.Add("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)")
	f.Add("temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)")
	f.Fuzz(func(t *testing.T, answer string) {
		if major, ok := parsePostgresVersion(answer); ok && (major < 0 || major > 999) {
			t.Errorf("major version %d out of %q", major, answer)
		}
		if servesUs(answer) && !strings.Contains(answer, "Server") {
			t.Errorf("%q has no server but serves", answer)
		}
	})
}

func FuzzParsePostmasterPID(f *testing.F) {
	f.Add([]byte("4711\n/data\n"))
	f.Add([]byte("-4711\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pid, ok := parsePostmasterPID(b); ok && pid <= 1 {
			t.Errorf("would signal process %d", pid)
		}
	})
}

// fakePostgres makes a folder whose programs answer --version; broken ones fail.
func fakePostgres(t *testing.T, version string, broken ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s'\n", program, version)
		if slices.Contains(broken, program) {
			script = "#!/bin/sh\nexit 1\n"
		}
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindPostgres(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	v14, v16, v17 := fakePostgres(t, "14.1"), fakePostgres(t, "16.4"), fakePostgres(t, "17.0")
	tooOld, broken := fakePostgres(t, "13.9"), fakePostgres(t, "16.0", "initdb")

	links := t.TempDir() // as on systems where PATH holds links to some of the programs
	if err := os.Symlink(filepath.Join(v14, "postgres"), filepath.Join(links, "postgres")); err != nil {
		t.Fatal(err)
	}
	config := t.TempDir() // as where PATH holds pg_config only
	if err := os.WriteFile(filepath.Join(config, "pg_config"), []byte("#!/bin/sh\necho "+v16+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()

	for name, c := range map[string]struct {
		path  []string
		globs []string
		want  []postgresInstall
	}{
		"nothing anywhere":               {[]string{empty}, []string{empty}, nil},
		"links in PATH":                  {[]string{empty, links}, nil, []postgresInstall{{v14, 14}}},
		"pg_config in PATH":              {[]string{config}, nil, []postgresInstall{{v16, 16}}},
		"folders, newest first":          {nil, []string{v14, v17, v16}, []postgresInstall{{v17, 17}, {v16, 16}, {v14, 14}}},
		"PATH before newer folders":      {[]string{v14}, []string{v17}, []postgresInstall{{v14, 14}, {v17, 17}}},
		"too old or broken do not count": {[]string{tooOld, broken}, []string{broken, v16}, []postgresInstall{{v16, 16}}},
		"each folder once":               {[]string{v16, links}, []string{v14, v16}, []postgresInstall{{v16, 16}, {v14, 14}}},
	} {
		got := findPostgres(ctx, strings.Join(c.path, string(os.PathListSeparator)), c.globs)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestInstallCommandFitsTheSystem(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{
		"NAME=\"Debian GNU/Linux\"\nID=debian\n":       "apt-get install",
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n":    "apt-get install",
		"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"": "dnf install",
		"ID=alpine": "apk add",
		"ID=arch":   "pacman",
		"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"": "zypper",
		"ID=unheard-of": "postgresql.org",
	} {
		file := filepath.Join(t.TempDir(), "os-release")
		if err := os.WriteFile(file, []byte(release), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := readSystem(file).installCommand(); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", release, got, want)
		}
	}
	if got := (system{"darwin"}).installCommand(); !strings.HasPrefix(got, "brew ") {
		t.Errorf("macOS: %q", got)
	}
}

func TestDebianInstallLeavesNoClusterAndAsksNothing(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "postgresql-common")
	var ran []string
	run := func(_ context.Context, env []string, name string, args ...string) error {
		if b, err := os.ReadFile(filepath.Join(config, "createcluster.conf")); err != nil || !strings.Contains(string(b), "\ncreate_main_cluster = false\n") {
			t.Errorf("before %s %v the package scripts would make a cluster: %q %v", name, args, b, err)
		}
		if !slices.Contains(env, "DEBIAN_FRONTEND=noninteractive") {
			t.Errorf("%s %v may ask", name, args)
		}
		ran = append(ran, name+" "+strings.Join(args, " "))
		return nil
	}
	var lines []string
	if err := aptInstall(t.Context(), run, config, func(s string) { lines = append(lines, s) }); err != nil {
		t.Fatal(err)
	}
	if len(ran) != 2 || !strings.HasSuffix(ran[0], " update") || !strings.Contains(ran[1], "install -y") || !strings.Contains(ran[1], "force-confold") {
		t.Errorf("ran %q", ran)
	}
	if len(lines) == 0 {
		t.Error("no progress line")
	}

	own := []byte("create_main_cluster = true\n")
	if err := os.WriteFile(filepath.Join(config, "createcluster.conf"), own, 0o644); err != nil {
		t.Fatal(err)
	}
	quiet := func(context.Context, []string, string, ...string) error { return nil }
	if err := aptInstall(t.Context(), quiet, config, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(config, "createcluster.conf")); err != nil || string(b) != string(own) {
		t.Errorf("the machine's own setting was overwritten: %q %v", b, err)
	}
}
