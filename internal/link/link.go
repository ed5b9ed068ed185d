// Package link makes and checks the signed links in messages: today the
// one-click unsubscribe link of RFC 8058. A token carries the customer's
// internal id, the channel and the list, nothing personal; it neither expires
// nor is used up. Level 1: imports lifecycle only.
package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"touchstone/internal/lifecycle"
)

const (
	// version starts every token; a later format takes another letter pair.
	version = "u1"
	// MinKey is the least length of a signing key in bytes.
	MinKey = 16
	// macSize is the length of the truncated HMAC-SHA256: 128 bits (RFC 2104
	// section 5 asks for at least half the hash).
	macSize = 16
	// maxToken bounds what Verify looks at.
	maxToken = 512
)

var encoding = base64.RawURLEncoding.Strict()

// Claims say whom an unsubscribe link speaks for.
type Claims struct {
	Customer lifecycle.CustomerID
	Channel  lifecycle.Channel
	List     string // empty = everything the brand sends on the channel
}

// Signer signs with its first key and accepts all of them, so that keys can be
// rotated while old mail stays in inboxes. The zero Signer accepts nothing and
// must not sign: make one with NewSigner.
type Signer struct{ keys [][]byte }

// NewSigner returns a signer. It fails without a key or with one shorter than
// MinKey bytes.
func NewSigner(keys ...[]byte) (Signer, error) {
	if len(keys) == 0 {
		return Signer{}, lifecycle.Errorf(lifecycle.Invalid, "no link signing key: set at least one of %d bytes or more", MinKey)
	}
	copied := make([][]byte, 0, len(keys))
	for i, k := range keys {
		if len(k) < MinKey {
			return Signer{}, lifecycle.Errorf(lifecycle.Invalid, "link signing key %d has %d bytes: use at least %d", i+1, len(k), MinKey)
		}
		copied = append(copied, append([]byte(nil), k...))
	}
	return Signer{keys: copied}, nil
}

// Sign returns the token for the claims.
func (s Signer) Sign(c Claims) string {
	if len(s.keys) == 0 {
		panic("link: signing without a key: make the signer with NewSigner")
	}
	payload := version + "." + encoding.EncodeToString([]byte(string(c.Customer)+"\n"+string(c.Channel)+"\n"+c.List))
	return payload + "." + encoding.EncodeToString(mac(s.keys[0], payload))
}

// Unsubscribe returns the link under base ("https://news.shop.example") that
// takes the customer off a channel.
func (s Signer) Unsubscribe(base string, customer lifecycle.CustomerID, ch lifecycle.Channel) string {
	return strings.TrimRight(base, "/") + "/u/" + url.PathEscape(s.Sign(Claims{Customer: customer, Channel: ch}))
}

// Verify returns the claims of a token that one of the keys signed, and a
// Forbidden error for any other text.
func (s Signer) Verify(token string) (Claims, error) {
	refused := lifecycle.Errorf(lifecycle.Forbidden, "the link is damaged or was not made here: open it again from the message")
	if len(token) > maxToken {
		return Claims{}, refused
	}
	i := strings.LastIndexByte(token, '.')
	if i < 0 || !strings.HasPrefix(token, version+".") {
		return Claims{}, refused
	}
	payload := token[:i]
	given, err := encoding.DecodeString(token[i+1:])
	if err != nil || !s.signed(payload, given) {
		return Claims{}, refused
	}
	body, err := encoding.DecodeString(strings.TrimPrefix(payload, version+"."))
	if err != nil {
		return Claims{}, refused
	}
	parts := strings.SplitN(string(body), "\n", 3)
	if len(parts) != 3 || parts[0] == "" {
		return Claims{}, refused
	}
	channel, err := lifecycle.ParseChannel(parts[1])
	if err != nil {
		return Claims{}, refused
	}
	return Claims{Customer: lifecycle.CustomerID(parts[0]), Channel: channel, List: parts[2]}, nil
}

// signed tries every key in constant time each.
func (s Signer) signed(payload string, given []byte) bool {
	ok := false
	for _, k := range s.keys {
		if hmac.Equal(mac(k, payload), given) {
			ok = true
		}
	}
	return ok
}

func mac(key []byte, payload string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("touchstone unsubscribe\n" + payload)) // a hash never fails to write
	return h.Sum(nil)[:macSize]
}
