// Package link makes and checks the signed links in messages: the one-click
// unsubscribe link of RFC 8058 with the preference page below it, and the link that
// confirms a consent. A token carries the customer's internal id, the channel and
// the list, nothing personal; it neither expires nor is used up. Level 1: imports
// lifecycle only.
package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"touchstone/internal/lifecycle"
)

const (
	// Every token starts with what it is for; a later format takes another pair.
	leaving    = "u1" // unsubscribe and preferences
	confirming = "c1"
	// MinKey is the least length of a signing key in bytes.
	MinKey = 16
	// macSize is the length of the truncated HMAC-SHA256: 128 bits (RFC 2104
	// section 5 asks for at least half the hash).
	macSize = 16
	// maxToken bounds what Verify looks at.
	maxToken = 512
)

var encoding = base64.RawURLEncoding.Strict()

// Claims say whom a link speaks for.
type Claims struct {
	Customer lifecycle.CustomerID
	Channel  lifecycle.Channel
	List     string // empty = everything the brand sends on the channel
	Address  string // of confirmations: beginning of the hash of the address that was asked
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

// Sign returns the token of an unsubscribe link for the claims.
func (s Signer) Sign(c Claims) string { return s.sign(leaving, c, c.List) }

func (s Signer) sign(what string, c Claims, rest string) string {
	if len(s.keys) == 0 {
		panic("link: signing without a key: make the signer with NewSigner")
	}
	payload := what + "." + encoding.EncodeToString([]byte(string(c.Customer)+"\n"+string(c.Channel)+"\n"+rest))
	return payload + "." + encoding.EncodeToString(mac(s.keys[0], payload))
}

// Unsubscribe returns the link under base ("https://news.shop.example") that
// takes the customer off a channel.
func (s Signer) Unsubscribe(base string, customer lifecycle.CustomerID, ch lifecycle.Channel) string {
	return strings.TrimRight(base, "/") + "/u/" + url.PathEscape(s.Sign(Claims{Customer: customer, Channel: ch}))
}

// PreferencesOf is the preference page below an unsubscribe link, so that whatever
// puts a customer's own link into a message puts both in.
func PreferencesOf(unsubscribe string) string {
	if unsubscribe == "" {
		return ""
	}
	return unsubscribe + "/preferences"
}

// Confirm returns the link under base that confirms a pending consent to a channel.
// It is good for this address only: one that was changed since must be asked anew.
func (s Signer) Confirm(base string, customer lifecycle.CustomerID, ch lifecycle.Channel, address string) string {
	return strings.TrimRight(base, "/") + "/c/" + url.PathEscape(s.sign(confirming, Claims{Customer: customer, Channel: ch}, AddressMark(address)))
}

// markSize is how much of an address's hash a confirmation carries: 64 bits tell a
// customer's addresses apart and lead back to none.
const markSize = 8

// AddressMark is the beginning of the SHA-256 of the lower-cased address, in
// hexadecimal digits, as the store has it.
func AddressMark(address string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Trim(address, " "))))
	return hex.EncodeToString(sum[:markSize])
}

// Verify returns the claims of an unsubscribe token that one of the keys signed, and
// a Forbidden error for any other text.
func (s Signer) Verify(token string) (Claims, error) {
	c, rest, err := s.verify(leaving, token)
	c.List = rest
	return c, err
}

// VerifyConfirm is Verify for the tokens of confirmations.
func (s Signer) VerifyConfirm(token string) (Claims, error) {
	c, rest, err := s.verify(confirming, token)
	if c.Address = rest; err == nil && len(rest) != hex.EncodedLen(markSize) {
		return Claims{}, lifecycle.Errorf(lifecycle.Forbidden, "the link names no address: ask for another message")
	}
	return c, err
}

func (s Signer) verify(what, token string) (c Claims, rest string, err error) {
	refused := lifecycle.Errorf(lifecycle.Forbidden, "the link is damaged or was not made here: open it again from the message")
	if len(token) > maxToken {
		return Claims{}, "", refused
	}
	i := strings.LastIndexByte(token, '.')
	if i < 0 || !strings.HasPrefix(token, what+".") {
		return Claims{}, "", refused
	}
	payload := token[:i]
	given, err := encoding.DecodeString(token[i+1:])
	if err != nil || !s.signed(payload, given) {
		return Claims{}, "", refused
	}
	body, err := encoding.DecodeString(strings.TrimPrefix(payload, what+"."))
	if err != nil {
		return Claims{}, "", refused
	}
	parts := strings.SplitN(string(body), "\n", 3)
	if len(parts) != 3 || parts[0] == "" {
		return Claims{}, "", refused
	}
	channel, err := lifecycle.ParseChannel(parts[1])
	if err != nil {
		return Claims{}, "", refused
	}
	return Claims{Customer: lifecycle.CustomerID(parts[0]), Channel: channel}, parts[2], nil
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
