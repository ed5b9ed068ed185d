package experiment

import (
	"crypto/sha256"
	"encoding/binary"
)

// Bucket is a stable draw in [0,1) for an id under a salt: the first 52 bits of
// SHA-256 over salt, "/" and id. The database's bucket() function gives the
// same number, so a cohort drawn in SQL and a customer drawn here agree.
func Bucket(salt, id string) float64 {
	sum := sha256.Sum256([]byte(salt + "/" + id))
	return float64(binary.BigEndian.Uint64(sum[:8])>>12) / (1 << 52)
}
