package console

import (
	"net"
	"net/http"
	"sync"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// cookieName names the session cookie. The prefix makes browsers insist on TLS,
// the path / and this very host.
func (s *Server) cookieName() string {
	if s.Settings.Console.Secure() {
		return "__Host-touchstone"
	}
	return "touchstone"
}

func (s *Server) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: s.Settings.Console.Secure()}
}

// signedIn returns who asks; the zero user where nobody has signed in.
func (s *Server) signedIn(c *call) (access.User, error) {
	cookie, err := c.r.Cookie(s.cookieName())
	if err != nil || !access.Secret(cookie.Value).Plausible() {
		return access.User{}, nil
	}
	user, err := s.Store.UserOfSession(c.ctx(), access.Secret(cookie.Value), time.Now().UTC())
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return access.User{}, nil
	}
	return user, err
}

// open opens a session and goes on to a page. A session that the browser had
// before ends: nobody can plant one.
func (s *Server) open(c *call, user access.User, how, next string) error {
	if old, err := c.r.Cookie(s.cookieName()); err == nil && access.Secret(old.Value).Plausible() {
		if err := s.Store.EndSession(c.ctx(), access.Secret(old.Value)); err != nil {
			return err
		}
	}
	secret := access.NewSecret()
	if err := s.Store.OpenSession(c.ctx(), user.ID, secret, time.Now().UTC()); err != nil {
		return err
	}
	s.Log.Info("signed in", "user", user.ID, "role", string(user.Role), "how", how)
	http.SetCookie(c.w, s.cookie(s.cookieName(), string(secret), postgres.SessionLife))
	return c.goTo(local(next))
}

type signInView struct {
	Next    string
	OpenID  bool
	Problem string
	Code    string // of a link
}

func (s *Server) signInPage(c *call) error {
	if c.user.ID != "" {
		return c.goTo(local(c.r.FormValue("next")))
	}
	return s.showSignIn(c, http.StatusOK, signInView{Next: c.r.FormValue("next")})
}

func (s *Server) showSignIn(c *call, status int, v signInView) error {
	v.OpenID = s.openID != nil
	return s.show(c, status, "signin", page{Title: "Sign in", Data: v})
}

// signIn takes a token.
func (s *Server) signIn(c *call) error {
	next := c.r.PostFormValue("next")
	if !s.attempts.allowed(address(c.r), time.Now()) {
		return s.showSignIn(c, http.StatusTooManyRequests, signInView{Next: next, Problem: "Too many attempts. Wait a minute, then try again."})
	}
	token := access.Secret(c.r.PostFormValue("token"))
	if token.Plausible() {
		user, err := s.Store.UserByToken(c.ctx(), token, time.Now().UTC())
		if err == nil {
			return s.open(c, user, "token", next)
		}
		if lifecycle.CodeOf(err) != lifecycle.Forbidden {
			return err
		}
	}
	s.attempts.failed(address(c.r), time.Now())
	return s.showSignIn(c, http.StatusForbidden, signInView{Next: next, Problem: "This token signs nobody in: it is wrong, expired or revoked."})
}

// linkPage asks for one more click: what only looks at links must not use them up.
func (s *Server) linkPage(c *call) error {
	return s.show(c, http.StatusOK, "link", page{Title: "Sign in", Data: signInView{Code: c.r.PathValue("code")}})
}

// takeLink signs in by a link that works once.
func (s *Server) takeLink(c *call) error {
	if !s.attempts.allowed(address(c.r), time.Now()) {
		return lifecycle.Errorf(lifecycle.RateLimited, "too many attempts: wait a minute, then try again")
	}
	code := access.Secret(c.r.PathValue("code"))
	user, err := s.Store.TakeSignInLink(c.ctx(), code, time.Now().UTC())
	if lifecycle.CodeOf(err) == lifecycle.Forbidden {
		s.attempts.failed(address(c.r), time.Now())
	}
	if err != nil {
		return err
	}
	return s.open(c, user, "link", "/")
}

func (s *Server) signOut(c *call) error {
	if cookie, err := c.r.Cookie(s.cookieName()); err == nil {
		if err := s.Store.EndSession(c.ctx(), access.Secret(cookie.Value)); err != nil {
			return err
		}
	}
	gone := s.cookie(s.cookieName(), "", 0)
	gone.MaxAge = -1
	http.SetCookie(c.w, gone)
	return c.goTo("/signin")
}

// address is where a request comes from, without the port. Behind a proxy that
// is the proxy: then all failures count together.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// attempts limits failed sign-ins. Tokens cannot be guessed; this keeps those who
// try from working the database.
type attempts struct {
	mu    sync.Mutex
	since time.Time
	at    map[string]int
	all   int
}

// Failed sign-ins per minute, from one address and from all together.
const (
	attemptsFromOne = 10
	attemptsFromAll = 200
	attemptsWithin  = time.Minute
)

// allowed reports whether an address may try.
func (a *attempts) allowed(from string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.since) >= attemptsWithin {
		a.since, a.at, a.all = now, map[string]int{}, 0
	}
	return a.at[from] < attemptsFromOne && a.all < attemptsFromAll
}

// failed counts a failed attempt. The counts are bounded by what is allowed.
func (a *attempts) failed(from string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.since, a.at = now, map[string]int{}
	}
	a.at[from]++
	a.all++
}
