package console

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"touchstone/internal/access"
	"touchstone/internal/config"
	"touchstone/internal/lifecycle"
)

// openID signs people in at an OpenID Connect provider: authorization code flow
// with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1; RFC 7636).
type openID struct {
	settings config.OIDC
	redirect string

	mu       sync.Mutex
	provider *oidc.Provider // found when first needed: the console starts without it
}

// openIDTime is how long somebody may take at the provider.
const openIDTime = 10 * time.Minute

// newOpenID returns nil where no provider is configured.
func newOpenID(c config.Console) (*openID, error) {
	if c.OIDC.Issuer == "" {
		return nil, nil
	}
	if c.OIDC.ClientID == "" {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "console: an OpenID Connect issuer needs a client id: set TOUCHSTONE_OIDC_CLIENT_ID")
	}
	return &openID{settings: c.OIDC, redirect: strings.TrimSuffix(c.PublicURL, "/") + "/signin/openid/callback"}, nil
}

// discover asks the provider for its addresses and keys, once.
func (o *openID) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		// The provider keeps the context for fetching keys later on.
		provider, err := oidc.NewProvider(context.WithoutCancel(ctx), o.settings.Issuer)
		if err != nil {
			return nil, nil, lifecycle.Errorf(lifecycle.Unavailable, "the identity provider does not answer: try again, or sign in with a token: %w", err)
		}
		o.provider = provider
	}
	return o.provider, &oauth2.Config{
		ClientID: o.settings.ClientID, ClientSecret: o.settings.ClientSecret, Endpoint: o.provider.Endpoint(), RedirectURL: o.redirect,
		Scopes: []string{oidc.ScopeOpenID, "email"},
	}, nil
}

// openIDCookie binds what is begun here to the browser that comes back.
func (s *Server) openIDCookie(value string, life time.Duration) *http.Cookie {
	cookie := s.cookie("touchstone_openid", value, life)
	cookie.Path = "/signin/openid"
	return cookie
}

// beginOpenID sends the browser to the provider.
func (s *Server) beginOpenID(c *call) error {
	if s.openID == nil {
		return noOpenID()
	}
	_, flow, err := s.openID.discover(c.ctx())
	if err != nil {
		return err
	}
	state, nonce, verifier := string(access.NewSecret()), string(access.NewSecret()), oauth2.GenerateVerifier()
	http.SetCookie(c.w, s.openIDCookie(strings.Join([]string{state, nonce, verifier}, "."), openIDTime))
	return c.goTo(flow.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
}

// endOpenID takes the browser back from the provider.
func (s *Server) endOpenID(c *call) error {
	if s.openID == nil {
		return noOpenID()
	}
	cookie, err := c.r.Cookie("touchstone_openid")
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "this sign-in was not begun in this browser, or took more than %d minutes: begin again", int(openIDTime.Minutes()))
	}
	gone := s.openIDCookie("", 0)
	gone.MaxAge = -1
	http.SetCookie(c.w, gone)
	parts := strings.Split(cookie.Value, ".")
	if len(parts) != 3 || subtle.ConstantTimeCompare([]byte(parts[0]), []byte(c.r.FormValue("state"))) != 1 {
		return lifecycle.Errorf(lifecycle.Forbidden, "this sign-in does not belong to this browser: begin again")
	}
	if refused := c.r.FormValue("error"); refused != "" {
		return lifecycle.Errorf(lifecycle.Forbidden, "the identity provider did not sign you in")
	}
	subject, email, err := s.openID.exchange(c.ctx(), c.r.FormValue("code"), parts[1], parts[2])
	if err != nil {
		return err
	}
	user, err := s.Store.UserBySubject(c.ctx(), subject, email)
	if err != nil {
		return err
	}
	return s.open(c, user, "openid", "/")
}

// exchange turns the provider's code into who it is about. The e-mail address is
// empty unless the provider says that it has verified it.
func (o *openID) exchange(ctx context.Context, code, nonce, verifier string) (subject, email string, err error) {
	provider, flow, err := o.discover(ctx)
	if err != nil {
		return "", "", err
	}
	token, err := flow.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return "", "", lifecycle.Errorf(lifecycle.Forbidden, "the identity provider did not confirm this sign-in: begin again")
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: o.settings.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", "", lifecycle.Errorf(lifecycle.Forbidden, "the identity provider's answer does not verify: begin again")
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return "", "", lifecycle.Errorf(lifecycle.Forbidden, "the identity provider's answer belongs to another sign-in: begin again")
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", "", lifecycle.Errorf(lifecycle.Forbidden, "the identity provider's answer cannot be read: begin again")
	}
	if claims.Verified {
		email = claims.Email
	}
	return id.Issuer + "|" + id.Subject, email, nil
}

func noOpenID() error {
	return lifecycle.Errorf(lifecycle.NotFound, "no identity provider is configured: sign in with a token")
}
