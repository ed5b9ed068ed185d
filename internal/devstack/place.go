package devstack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ownPlace holds the clusters of data folders that the database's account
// cannot reach, such as folders below /root.
const ownPlace = "/var/lib/touchstone"

// clusterFolder says where the cluster of a lasting stack lives: in the data
// folder, or, when the account cannot reach that, in a folder of its own whose
// path is recorded in the data folder.
func clusterFolder(dir, base string, a *account) (string, error) {
	record := filepath.Join(dir, "postgres.location")
	b, err := os.ReadFile(record)
	if err == nil {
		// Only a folder that we could have written there counts: --fresh removes it.
		if path := strings.TrimSpace(string(b)); filepath.Dir(path) == base {
			return path, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the cluster's location: %w", err)
	}
	reached, err := a.reaches(dir)
	if err != nil {
		return "", err
	}
	if reached {
		return filepath.Join(dir, "postgres"), nil
	}
	sum := sha256.Sum256([]byte(dir))
	path := filepath.Join(base, hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", fmt.Errorf("user %s cannot reach %s, and no other place can be made: %w", a.name, dir, err)
	}
	if err := os.WriteFile(record, []byte(path+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("record the cluster's location: %w", err)
	}
	return path, nil
}

// temporaryFolder makes a folder that the account can reach and this process
// removes.
func temporaryFolder(a *account) (string, error) {
	for _, base := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		reached, err := a.reaches(base)
		if err != nil || !reached {
			continue
		}
		dir, err := os.MkdirTemp(base, "touchstone-pg-")
		if err != nil {
			return "", fmt.Errorf("make a temporary folder: %w", err)
		}
		return dir, os.Chmod(dir, 0o711)
	}
	return "", fmt.Errorf("no temporary folder that user %s can reach", a.name)
}
