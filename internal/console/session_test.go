package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/access"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	token := h.user("jane", access.Viewer)
	b := h.browser()
	b.get("/journeys").leads("/signin?next=%2Fjourneys")
	b.get("/signin?next=/journeys").is(http.StatusOK).says("Sign in")
	b.post("/signin", url.Values{"token": {string(access.NewToken())}}).is(http.StatusForbidden).says("signs nobody in")
	b.post("/signin", url.Values{"token": {"short"}}).is(http.StatusForbidden)
	a := b.post("/signin", url.Values{"token": {string(token)}, "next": {"/journeys"}}).leads("/journeys")
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	b.get("/").is(http.StatusOK).says("jane", "viewer")

	// Nothing of the token or the cookie is kept as it is.
	var kept int
	value := strings.TrimPrefix(strings.Split(cookie, ";")[0], "touchstone=")
	h.must(h.db.QueryRow(t.Context(), `select count(*) from users u, user_sessions s
		where position($1::bytea in u.token_hash) > 0 or position($2::bytea in s.hash) > 0`, []byte(token), []byte(value)).Scan(&kept))
	if kept != 0 {
		t.Error("a secret is stored")
	}
	if strings.Contains(h.log.String(), string(token)) || strings.Contains(h.log.String(), value) {
		t.Error("a secret is in the log")
	}

	b.post("/signout", nil).leads("/signin")
	b.get("/").leads("/signin")
}

// TestSessionsEnd: by themselves when they are idle or old, and at once with
// their user.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for what, change := range map[string]string{
		"idle":    "update user_sessions set seen_at = now() - interval '9 hours'",
		"old":     "update user_sessions set expires_at = now() - interval '1 second'",
		"revoked": "update users set revoked_at = now()",
	} {
		b := h.as(access.Admin)
		b.get("/rollout").is(http.StatusOK)
		_, err := h.db.Exec(t.Context(), change)
		h.must(err)
		if a := b.get("/rollout"); a.status != http.StatusSeeOther {
			t.Errorf("%s sessions go on: %d", what, a.status)
		}
	}
	token := h.user("late", access.Admin)
	_, err := h.db.Exec(t.Context(), "update users set token_expires_at = now() where name = 'late'")
	h.must(err)
	h.browser().post("/signin", url.Values{"token": {string(token)}}).is(http.StatusForbidden)
	b := h.as(access.Admin)
	h.must(h.store.RotateToken(t.Context(), b.name, access.NewToken(), time.Now().Add(time.Hour)))
	b.get("/rollout").leads("/signin?next=%2Frollout")
}

// TestAnotherSessionReplacesTheFirst: a cookie planted before sign-in is worth
// nothing after it.
func TestAnotherSessionReplacesTheFirst(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Admin)
	planted := *b.client.Jar.(*cookieJar).kept[0]
	b.post("/signin", url.Values{"token": {string(h.user("second", access.Viewer))}}).leads("/")
	b.get("/").is(http.StatusOK).says("second")
	thief := h.browser()
	thief.client.Jar.(*cookieJar).kept = []*http.Cookie{&planted}
	thief.get("/").leads("/signin")
}

func TestSignInLink(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user("jane", access.Reviewer)
	jane, err := h.store.User(t.Context(), "jane")
	h.must(err)
	code, late := access.NewSecret(), access.NewSecret()
	h.must(h.store.AddSignInLink(t.Context(), jane.ID, code, time.Now().Add(time.Minute)))
	h.must(h.store.AddSignInLink(t.Context(), jane.ID, late, time.Now().Add(-time.Second)))
	b := h.browser()
	for range 2 { // looking at a link does not use it up
		b.get("/signin/" + string(code)).is(http.StatusOK).says("signs you in once")
	}
	b.post("/signin/"+string(code), nil).leads("/")
	b.get("/").says("jane", "reviewer")
	for _, used := range []access.Secret{code, late, "nonsense"} {
		h.browser().post("/signin/"+string(used), nil).is(http.StatusForbidden).says("signs nobody in")
	}
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	h := setup(t)
	token := h.user("jane", access.Viewer)
	b := h.browser()
	for range attemptsFromOne {
		b.post("/signin", url.Values{"token": {"wrong"}}).is(http.StatusForbidden)
	}
	b.post("/signin", url.Values{"token": {string(token)}}).is(http.StatusTooManyRequests).says("Too many attempts")
	b.post("/signin/"+string(access.NewSecret()), nil).is(http.StatusTooManyRequests)

	now := time.Now()
	var a attempts
	for i := range attemptsFromAll {
		if from := strings.Repeat("x", i); a.allowed(from, now) {
			a.failed(from, now)
		}
	}
	if a.allowed("somebody else", now) || !a.allowed("somebody else", now.Add(attemptsWithin)) {
		t.Error("all together are not limited, or for ever")
	}
}

// TestNextStaysHere: whatever the address says, sign-in leads to a path of this
// console.
func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{
		"/journeys?x=1": "/journeys?x=1", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/signin": "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "journeys": "/",
	} {
		if got := local(from); got != to {
			t.Errorf("%q leads to %q, want %q", from, got, to)
		}
	}
	rapid.Check(t, func(t *rapid.T) { stays(t, rapid.String().Draw(t, "next")) })
}

func FuzzNextStaysHere(f *testing.F) {
	for _, seed := range []string{"/", "//x", `/\x`, "http:x", "/a\nb", "/%2f/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, next string) { stays(t, next) })
}

// stays resolves a path as browsers do and wants the same host.
func stays(t interface{ Fatalf(string, ...any) }, next string) {
	here, err := url.Parse("https://console.example.com/signin")
	if err != nil {
		t.Fatalf("%v", err)
	}
	to, err := here.Parse(strings.ReplaceAll(local(next), `\`, "/"))
	if err == nil && to.Host != here.Host {
		t.Fatalf("%q leads to %s", next, to)
	}
}
