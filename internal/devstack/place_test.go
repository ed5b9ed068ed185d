package devstack

import (
	"os"
	"path/filepath"
	"testing"
)

func TestClusterLivesWhereItsAccountCanReach(t *testing.T) {
	t.Parallel()
	stranger := &account{name: "stranger", uid: 54321, gid: 54321}
	base := filepath.Join(t.TempDir(), "var")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}

	if got, err := clusterFolder(dir, base, nil); err != nil || got != filepath.Join(dir, "postgres") {
		t.Errorf("for the current user: %q, %v", got, err)
	}
	elsewhere, err := clusterFolder(dir, base, stranger)
	if err != nil || filepath.Dir(elsewhere) != base {
		t.Fatalf("for a stranger: %q, %v, want a folder in %s", elsewhere, err, base)
	}
	if again, err := clusterFolder(dir, base, stranger); err != nil || again != elsewhere {
		t.Errorf("the second time: %q, %v, want %q", again, err, elsewhere)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if after, err := clusterFolder(moved, base, stranger); err != nil || after != elsewhere {
		t.Errorf("after the data folder moved: %q, %v, want %q", after, err, elsewhere)
	}
	// A record that names a folder we would never have made is not believed:
	// --fresh removes what it names.
	if err := os.WriteFile(filepath.Join(moved, "postgres.location"), []byte("/etc\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := clusterFolder(moved, base, stranger); err != nil || filepath.Dir(got) != base {
		t.Errorf("with a forged record: %q, %v", got, err)
	}
}

func TestReaches(t *testing.T) {
	t.Parallel()
	root, err := os.MkdirTemp("", "devstack-reach-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(filepath.Join(root, "a"), 0o755); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	inner := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	me := &account{name: "me", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	stranger := &account{name: "stranger", uid: 54321, gid: 54321}
	for _, c := range []struct {
		mode          os.FileMode
		mine, foreign bool
	}{{0o755, true, true}, {0o711, true, true}, {0o700, true, false}, {0o644, false, false}} {
		if err := os.Chmod(filepath.Join(root, "a"), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		// Look at a itself: below a folder closed to its owner nothing can be examined.
		for who, want := range map[*account]bool{me: c.mine, stranger: c.foreign} {
			if got, err := who.reaches(filepath.Join(root, "a")); err != nil || got != want {
				t.Errorf("%s through mode %o: %v, %v, want %v", who.name, c.mode, got, err, want)
			}
		}
	}
}
