package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Secret is what signs a person in: a token, the value of a session cookie, the
// code of a sign-in link. It is shown once and kept nowhere; the store has its
// hash. Its String is no part of any log: print it on purpose only.
type Secret string

// TokenPrefix begins every user token, so that scanners for leaked secrets find it.
const TokenPrefix = "tsu_"

// secretBytes is the entropy of a secret: 256 bits.
const secretBytes = 32

// NewSecret draws a secret from the system's random source.
func NewSecret() Secret {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails, by its contract
	return Secret(base64.RawURLEncoding.EncodeToString(b))
}

// NewToken draws a secret that users type or paste.
func NewToken() Secret { return TokenPrefix + NewSecret() }

// Hash is what is stored. A plain SHA-256 is enough for a secret of 256 random
// bits: there is nothing to guess, so nothing that a slow hash would slow down.
func (s Secret) Hash() []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// Plausible reports whether s has the form of a secret made here, so that
// anything else need not be looked up.
func (s Secret) Plausible() bool {
	text := strings.TrimPrefix(string(s), TokenPrefix)
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(b) == secretBytes
}
