package console

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"touchstone/internal/access"
)

// provider is a small OpenID Connect provider: it signs everybody in as who the
// test says, and insists on PKCE.
type provider struct {
	*testing.T
	web       *httptest.Server
	key       *rsa.PrivateKey
	subject   string
	email     string
	verified  bool
	nonce     func(string) string // what becomes of the nonce
	audience  string
	challenge string
	asked     url.Values
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{T: t, key: key, subject: "s-1", email: "jane@example.com", verified: true, nonce: func(n string) string { return n }, audience: "touchstone"}
	mux := http.NewServeMux()
	p.web = httptest.NewServer(mux)
	t.Cleanup(p.web.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, map[string]any{"issuer": p.web.URL, "authorization_endpoint": p.web.URL + "/authorize", "token_endpoint": p.web.URL + "/token",
			"jwks_uri": p.web.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", p.token)
	return p
}

func (p *provider) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.Error(err)
	}
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge || r.FormValue("code") != "the-code" {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k"}}, nil)
	if err != nil {
		p.Error(err)
		return
	}
	claims, err := json.Marshal(map[string]any{"iss": p.web.URL, "sub": p.subject, "aud": p.audience, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
		"nonce": p.nonce(p.asked.Get("nonce")), "email": p.email, "email_verified": p.verified})
	if err != nil {
		p.Error(err)
		return
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		p.Error(err)
		return
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		p.Error(err)
		return
	}
	p.answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw})
}

// signIn goes to the provider and comes back; change may spoil the way back.
func (p *provider) signIn(b *browser, change func(url.Values)) answer {
	p.Helper()
	to, err := url.Parse(b.post("/signin/openid", nil).is(http.StatusSeeOther).header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), p.web.URL+"/authorize?") {
		p.Fatalf("sent to %s: %v", to, err)
	}
	p.asked, p.challenge = to.Query(), to.Query().Get("code_challenge")
	if p.asked.Get("code_challenge_method") != "S256" || p.asked.Get("response_type") != "code" || len(p.asked.Get("state")) < 40 || len(p.asked.Get("nonce")) < 40 {
		p.Fatalf("asked with %v", p.asked)
	}
	back := url.Values{"code": {"the-code"}, "state": {p.asked.Get("state")}}
	if change != nil {
		change(back)
	}
	return b.get("/signin/openid/callback?" + back.Encode())
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := setup(t, func(c *Config) {
		c.Settings.Console.OIDC.Issuer, c.Settings.Console.OIDC.ClientID = p.web.URL, "touchstone"
	})
	h.browser().get("/signin").says("Sign in with your company account")
	p.signIn(h.browser(), nil).is(http.StatusForbidden).says("no user was added for you")
	h.must(h.store.AddUser(t.Context(), access.User{Name: "jane", Role: access.Marketer, Email: "Jane@Example.com", CreatedAt: time.Now(), CreatedBy: "test"}, ""))
	p.verified = false
	p.signIn(h.browser(), nil).is(http.StatusForbidden)
	p.verified = true
	b := h.browser()
	p.signIn(b, nil).leads("/")
	b.get("/rollout").says("jane", "marketer")

	// The subject is bound: another address of the same account is the same user,
	// and another account with the same address is nobody.
	p.email = "other@example.com"
	again := h.browser()
	p.signIn(again, nil).leads("/")
	again.get("/rollout").says("jane")
	p.subject, p.email = "s-2", "jane@example.com"
	p.signIn(h.browser(), nil).is(http.StatusForbidden)
	p.subject = "s-1"

	p.signIn(h.browser(), func(v url.Values) { v.Set("state", "forged") }).is(http.StatusForbidden).says("does not belong to this browser")
	p.signIn(h.browser(), func(v url.Values) { v.Set("code", "stolen") }).is(http.StatusForbidden).says("did not confirm")
	p.signIn(h.browser(), func(v url.Values) { v.Set("error", "access_denied") }).is(http.StatusForbidden)
	h.browser().get("/signin/openid/callback?code=the-code&state=x").is(http.StatusBadRequest).says("not begun in this browser")
	p.nonce = func(string) string { return "another" }
	p.signIn(h.browser(), nil).is(http.StatusForbidden).says("another sign-in")
	p.nonce = func(n string) string { return n }
	p.audience = "somebody else"
	p.signIn(h.browser(), nil).is(http.StatusForbidden).says("does not verify")
	p.audience = "touchstone"
	h.must(h.store.RevokeUser(t.Context(), "jane", time.Now()))
	p.signIn(h.browser(), nil).is(http.StatusForbidden)
}

func TestWithoutOpenID(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.browser().get("/signin").lacks("company account")
	h.browser().post("/signin/openid", nil).is(http.StatusNotFound)
	down := setup(t, func(c *Config) {
		c.Settings.Console.OIDC.Issuer, c.Settings.Console.OIDC.ClientID = "http://127.0.0.1:1", "touchstone"
	})
	down.browser().post("/signin/openid", nil).is(http.StatusServiceUnavailable).says("identity provider does not answer")
}
