package link_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
)

var (
	oldKey = []byte("an old key of enough bytes")
	newKey = []byte("the new key of enough bytes")
)

func signer(t testing.TB, keys ...[]byte) link.Signer {
	t.Helper()
	s, err := link.NewSigner(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := signer(t, newKey)
	rapid.Check(t, func(t *rapid.T) {
		want := link.Claims{
			Customer: lifecycle.CustomerID(rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{12}`).Draw(t, "customer")),
			Channel:  rapid.SampledFrom(lifecycle.Channels).Draw(t, "channel"),
			List:     rapid.StringMatching(`[a-z\n]{0,12}`).Draw(t, "list"),
		}
		token := s.Sign(want)
		got, err := s.Verify(token)
		if err != nil || got != want {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
		i := rapid.IntRange(0, len(token)-1).Draw(t, "i")
		c := rapid.SampledFrom([]byte("ABCxyz019-_.")).Draw(t, "c")
		if token[i] == c {
			return
		}
		if _, err := s.Verify(token[:i] + string(c) + token[i+1:]); lifecycle.CodeOf(err) != lifecycle.Forbidden {
			t.Fatalf("a changed token must be refused, got %v", err)
		}
	})
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	claims := link.Claims{Customer: "018f0000-0000-7000-8000-000000000001", Channel: lifecycle.Email}
	before, both, after := signer(t, oldKey), signer(t, newKey, oldKey), signer(t, newKey)
	old := before.Sign(claims)
	if _, err := both.Verify(old); err != nil {
		t.Errorf("an old link must work while its key is kept: %v", err)
	}
	if _, err := after.Verify(old); err == nil {
		t.Error("a link of a removed key must be refused")
	}
	if _, err := after.Verify(both.Sign(claims)); err != nil {
		t.Errorf("the first key signs: %v", err)
	}
}

func TestNoPersonalDataAndOneURL(t *testing.T) {
	t.Parallel()
	u := signer(t, newKey).Unsubscribe("https://news.example/", "018f0000-0000-7000-8000-000000000001", lifecycle.Email)
	if !strings.HasPrefix(u, "https://news.example/u/u1.") || strings.Contains(u, "@") || len(u) > 160 {
		t.Errorf("unexpected link %q", u)
	}
}

func TestNewSignerRefusesWeakKeys(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {[]byte("short")}, {newKey, nil}} {
		if _, err := link.NewSigner(keys...); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("keys %q: got %v", keys, err)
		}
	}
	if _, err := (link.Signer{}).Verify("u1.YQ.YQ"); err == nil {
		t.Error("the zero signer must accept nothing")
	}
}

func FuzzVerify(f *testing.F) {
	s := signer(f, newKey, oldKey)
	good := s.Sign(link.Claims{Customer: "018f0000-0000-7000-8000-000000000001", Channel: lifecycle.Email, List: "news"})
	f.Add(good)
	f.Add("u1..")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := s.Verify(token)
		if err == nil && s.Sign(claims) != token {
			t.Fatalf("accepted a token that was not signed here: %q", token)
		}
	})
}
