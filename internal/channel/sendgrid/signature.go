package sendgrid

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"

	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"

	"touchstone/internal/lifecycle"
)

// Verifier checks that an event webhook post was signed by SendGrid. Several
// keys may be valid at once, so that a key can be replaced without losing
// posts that are still being retried.
type Verifier struct{ keys []*ecdsa.PublicKey }

// NewVerifier takes the public keys as SendGrid shows them: base64 of a DER
// SubjectPublicKeyInfo holding an ECDSA key.
func NewVerifier(publicKeys ...string) (*Verifier, error) {
	if len(publicKeys) == 0 {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "no event webhook key: copy the verification key from the provider's settings")
	}
	v := &Verifier{}
	for i, encoded := range publicKeys {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "event webhook key %d is not base64: %w", i+1, err)
		}
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "event webhook key %d is not a public key: %w", i+1, err)
		}
		ec, ok := key.(*ecdsa.PublicKey)
		if !ok {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "event webhook key %d is a %T: SendGrid signs with ECDSA", i+1, key)
		}
		v.keys = append(v.keys, ec)
	}
	return v, nil
}

// Verify checks the signature headers against the raw body, byte for byte as
// received. The timestamp is signed but its age is not judged: posts are
// retried for a day, and replays fall to the event key.
func (v *Verifier) Verify(h http.Header, body []byte) error {
	signature, timestamp := h.Get(eventwebhook.VerificationHTTPHeader), h.Get(eventwebhook.TimestampHTTPHeader)
	if signature == "" || timestamp == "" {
		return lifecycle.Errorf(lifecycle.Forbidden, "event webhook post is not signed: switch the signature on in the provider's settings")
	}
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Forbidden, "event webhook signature is not base64: %w", err)
	}
	hash := sha256.New()
	hash.Write([]byte(timestamp))
	hash.Write(body)
	digest := hash.Sum(nil)
	for _, key := range v.keys {
		if ecdsa.VerifyASN1(key, digest, der) {
			return nil
		}
	}
	return lifecycle.Errorf(lifecycle.Forbidden, "event webhook signature does not match any configured key")
}
