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

// TestConfirmLinks: a confirmation is good for one customer, channel and address,
// and is no unsubscribe link; nor the other way round.
func TestConfirmLinks(t *testing.T) {
	t.Parallel()
	const customer = lifecycle.CustomerID("018f0000-0000-7000-8000-000000000001")
	s := signer(t, newKey, oldKey)
	token := func(u string) string { return u[strings.LastIndexByte(u, '/')+1:] }
	u := s.Confirm("https://news.example/", customer, lifecycle.SMS, " Ada@Example.com")
	if !strings.HasPrefix(u, "https://news.example/c/c1.") || strings.Contains(strings.ToLower(u), "ada") {
		t.Errorf("link %s", u)
	}
	got, err := s.VerifyConfirm(token(u))
	want := link.Claims{Customer: customer, Channel: lifecycle.SMS, Address: link.AddressMark("ada@example.com")}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := s.VerifyConfirm(token(signer(t, oldKey).Confirm("x", customer, lifecycle.SMS, "a"))); err != nil {
		t.Errorf("signed by a key that is kept: %v", err)
	}
	if _, err := s.Verify(token(u)); lifecycle.CodeOf(err) != lifecycle.Forbidden {
		t.Errorf("a confirmation unsubscribed somebody: %v", err)
	}
	if _, err := s.VerifyConfirm(token(s.Unsubscribe("x", customer, lifecycle.SMS))); lifecycle.CodeOf(err) != lifecycle.Forbidden {
		t.Errorf("an unsubscribe link confirmed something: %v", err)
	}
}

func FuzzVerifyConfirm(f *testing.F) {
	s := signer(f, newKey)
	u := s.Confirm("x", "018f0000-0000-7000-8000-000000000001", lifecycle.Email, "ada@example.com")
	f.Add(u[strings.LastIndexByte(u, '/')+1:])
	f.Add("c1..")
	f.Add("u1.x.y")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := s.VerifyConfirm(token)
		if err != nil && (lifecycle.CodeOf(err) != lifecycle.Forbidden || c != link.Claims{}) {
			t.Fatalf("%v with %+v", err, c)
		}
		if err == nil && s.Confirm("x", c.Customer, c.Channel, "ada@example.com") != u {
			t.Fatalf("a token nobody signed: %q", token)
		}
	})
}
