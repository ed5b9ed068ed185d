package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// keyring holds write keys as hashes. Keys that share a name share their limits
// and metrics: while one replaces the other both are valid.
type keyring struct {
	names  []string
	hashes [][32]byte
}

// newKeyring reads keys written as NAME:KEY, or KEY alone, which is named by its
// place.
func newKeyring(keys []string) keyring {
	var r keyring
	for i, k := range keys {
		name, key, named := strings.Cut(k, ":")
		if !named {
			name, key = strconv.Itoa(i+1), k
		}
		if key = strings.TrimSpace(key); key != "" {
			r.names, r.hashes = append(r.names, strings.TrimSpace(name)), append(r.hashes, sha256.Sum256([]byte(key)))
		}
	}
	return r
}

// name returns the name of a key; all keys are compared in constant time.
func (r keyring) name(key string) (string, bool) {
	given, found := sha256.Sum256([]byte(key)), -1
	for i := range r.hashes {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(r.hashes[i][:], given[:]), i, found)
	}
	if key == "" || found < 0 {
		return "", false
	}
	return r.names[found], true
}

// keyOf returns the write key that a request carries outside its body: as the user
// name of Basic authentication, as a Bearer token, or in the query, as beacons do.
func keyOf(r *http.Request) (key string, given bool) {
	if key, _, ok := r.BasicAuth(); ok {
		return key, true
	}
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(key), true
	}
	if key := r.URL.Query().Get("writeKey"); key != "" {
		return key, true
	}
	return "", r.Header.Get("Authorization") != ""
}

// keyIn returns the write key in a body, as browser libraries send it.
func keyIn(body []byte) string {
	var b struct {
		WriteKey string `json:"writeKey"`
	}
	if json.Unmarshal(body, &b) != nil {
		return "" // refused as a body without a key
	}
	return b.WriteKey
}
