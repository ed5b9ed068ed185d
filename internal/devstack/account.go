package devstack

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"touchstone/internal/lifecycle"
)

// account is the user that PostgreSQL runs as when this process is root, which
// PostgreSQL refuses to run as. A nil account is the current user.
type account struct {
	name     string
	uid, gid uint32
}

// databaseAccount returns nil when the current user will do, else the system
// user postgres, or nobody where there is none.
func databaseAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s has the strange id %q: %w", name, u.Uid, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s has the strange group %q: %w", name, u.Gid, err)
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, lifecycle.Errorf(lifecycle.Unavailable,
		"PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: run as an ordinary user")
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives a tree to the account.
func (a *account) own(root string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
}

// reaches reports whether the account may pass through the folder and all its
// parents, judged by their permission bits.
func (a *account) reaches(folder string) (bool, error) {
	if a == nil {
		return true, nil
	}
	path, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", folder, err)
	}
	for {
		info, err := os.Stat(path)
		if err != nil {
			return false, fmt.Errorf("look at %s: %w", path, err)
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false, nil
		}
		pass := os.FileMode(0o001)
		switch {
		case owner.Uid == a.uid:
			pass = 0o100
		case owner.Gid == a.gid:
			pass = 0o010
		}
		if info.Mode().Perm()&pass == 0 {
			return false, nil
		}
		parent := filepath.Dir(path)
		if parent == path {
			return true, nil
		}
		path = parent
	}
}
