package sendgrid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"

	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/lifecycle"
)

func encoded(t *testing.T, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, key *ecdsa.PrivateKey, timestamp string, body []byte) http.Header {
	t.Helper()
	sum := sha256.Sum256(append([]byte(timestamp), body...))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(signature)
	if ok, err := eventwebhook.VerifySignature(&key.PublicKey, body, text, timestamp); !ok || err != nil {
		t.Fatalf("the vendor's own check disagrees with the test's signature: %v", err)
	}
	h := http.Header{}
	h.Set(eventwebhook.VerificationHTTPHeader, text)
	h.Set(eventwebhook.TimestampHTTPHeader, timestamp)
	return h
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	old, current, stranger := newKey(t), newKey(t), newKey(t)
	v, err := sendgrid.NewVerifier(encoded(t, &old.PublicKey), encoded(t, &current.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("[{\"event\":\"open\"}]\r\n")
	for name, key := range map[string]*ecdsa.PrivateKey{"old": old, "current": current} {
		if err := v.Verify(sign(t, key, "1790000000", body), body); err != nil {
			t.Errorf("%s key: %v", name, err)
		}
	}
	tampered := sign(t, current, "1790000000", body)
	tampered.Set(eventwebhook.TimestampHTTPHeader, "1790000001")
	garbage := sign(t, current, "1790000000", body)
	garbage.Set(eventwebhook.VerificationHTTPHeader, "%%%")
	notASN1 := sign(t, current, "1790000000", body)
	notASN1.Set(eventwebhook.VerificationHTTPHeader, "AAAA")
	for name, c := range map[string]struct {
		h    http.Header
		body []byte
	}{
		"stranger's key":     {sign(t, stranger, "1790000000", body), body},
		"other body":         {sign(t, current, "1790000000", body), body[:len(body)-2]},
		"other timestamp":    {tampered, body},
		"not signed":         {http.Header{}, body},
		"not base64":         {garbage, body},
		"not a DER sequence": {notASN1, body},
	} {
		if err := v.Verify(c.h, c.body); lifecycle.CodeOf(err) != lifecycle.Forbidden {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
}

func TestVerifierRefusesUnusableKeys(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]string{
		"none": {}, "not base64": {"%%"}, "not a key": {"AAAA"}, "RSA": {encoded(t, &other.PublicKey)},
	} {
		if _, err := sendgrid.NewVerifier(keys...); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}
