package postgres_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// wants fails unless an error has a code.
func wants(t *testing.T, what string, err error, code lifecycle.Code) {
	t.Helper()
	if lifecycle.CodeOf(err) != code {
		t.Errorf("%s: %v, want code %q", what, err, code)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, now := t.Context(), time.Now().UTC()
	jane := access.User{Name: "jane", Role: access.Reviewer, TokenExpiresAt: now.Add(time.Hour), CreatedAt: now, CreatedBy: "maria"}
	token := access.NewToken()
	b.must(b.AddUser(ctx, jane, token))
	wants(t, "a name twice", b.AddUser(ctx, jane, access.NewToken()), lifecycle.Conflict)
	wants(t, "no way in", b.AddUser(ctx, access.User{Name: "bob", Role: access.Viewer, CreatedAt: now}, ""), lifecycle.Invalid)
	for _, bad := range []access.User{{Name: "", Role: access.Viewer}, {Name: " bob", Role: access.Viewer}, {Name: "bob\n", Role: access.Viewer}, {Name: strings.Repeat("x", 101), Role: access.Viewer},
		{Name: "bob", Role: "owner"}, {Name: "bob", Role: access.Viewer, Email: "no address"}} {
		wants(t, "user "+bad.Name, b.AddUser(ctx, bad, access.NewToken()), lifecycle.Invalid)
	}
	found, err := b.UserByToken(ctx, token, now)
	if b.must(err); found.Name != "jane" || found.Role != access.Reviewer {
		t.Errorf("found %+v", found)
	}
	for what, at := range map[string]time.Time{"expired": now.Add(time.Hour + time.Second)} {
		_, err := b.UserByToken(ctx, token, at)
		wants(t, what, err, lifecycle.Forbidden)
	}
	cookie := access.NewSecret()
	b.must(b.OpenSession(ctx, found.ID, cookie, now))
	for what, c := range map[string]struct {
		at   time.Time
		open bool
	}{"at once": {now, true}, "just in time": {now.Add(postgres.SessionIdle - time.Second), true}, "idle": {now.Add(2 * postgres.SessionIdle), false}} {
		_, err := b.UserOfSession(ctx, cookie, c.at)
		if (err == nil) != c.open {
			t.Errorf("session %s: %v", what, err)
		}
		b.exec("update user_sessions set seen_at = $1", now)
	}
	// Used again and again, it ends all the same.
	b.exec("update user_sessions set seen_at = $1", now.Add(postgres.SessionLife))
	_, err = b.UserOfSession(ctx, cookie, now.Add(postgres.SessionLife))
	wants(t, "old session", err, lifecycle.NotFound)
	b.exec("update user_sessions set seen_at = $1", now)
	b.must(b.DropStaleSessions(ctx, now))
	if n := query[int](b, "select count(*) from user_sessions"); n != 1 {
		t.Errorf("%d sessions left, the open one was to stay", n)
	}
	b.must(b.DropStaleSessions(ctx, now.Add(postgres.SessionLife)))
	if n := query[int](b, "select count(*) from user_sessions"); n != 0 {
		t.Errorf("%d ended sessions stay", n)
	}

	b.must(b.OpenSession(ctx, found.ID, cookie, now))
	next := access.NewToken()
	b.must(b.RotateToken(ctx, "jane", next, now.Add(time.Hour)))
	_, err = b.UserByToken(ctx, token, now)
	wants(t, "the old token", err, lifecycle.Forbidden)
	_, err = b.UserOfSession(ctx, cookie, now)
	wants(t, "a session of the old token", err, lifecycle.NotFound)
	_, err = b.UserByToken(ctx, next, now)
	b.must(err)
	b.must(b.RevokeUser(ctx, "jane", now))
	_, err = b.UserByToken(ctx, next, now)
	wants(t, "a revoked user's token", err, lifecycle.Forbidden)
	wants(t, "revoking twice", b.RevokeUser(ctx, "jane", now), lifecycle.NotFound)
	wants(t, "rotating a revoked user", b.RotateToken(ctx, "jane", next, now), lifecycle.NotFound)
	users, err := b.Users(ctx)
	if b.must(err); len(users) != 1 || users[0].RevokedAt.IsZero() || users[0].SeenAt.IsZero() {
		t.Errorf("users: %+v", users)
	}
}

// TestSignInLinkWorksOnce also when two take it at the same time.
func TestSignInLinkWorksOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, now := t.Context(), time.Now().UTC()
	b.must(b.AddUser(ctx, access.User{Name: "jane", Role: access.Admin, TokenExpiresAt: now.Add(time.Hour), CreatedAt: now, CreatedBy: "maria"}, access.NewToken()))
	jane, err := b.User(ctx, "jane")
	b.must(err)
	code := access.NewSecret()
	b.must(b.AddSignInLink(ctx, jane.ID, code, now.Add(time.Minute)))
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			_, err := b.TakeSignInLink(ctx, code, now)
			results <- err
		}()
	}
	taken := 0
	for range cap(results) {
		switch err := <-results; lifecycle.CodeOf(err) {
		case "":
			taken++
		case lifecycle.Forbidden:
		default:
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("the link was taken %d times", taken)
	}
}

// TestSubjectIsBoundOnce: the first sign-in with the address binds the account.
func TestSubjectIsBoundOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, now := t.Context(), time.Now().UTC()
	b.must(b.AddUser(ctx, access.User{Name: "jane", Role: access.Viewer, Email: "jane@example.com", CreatedAt: now, CreatedBy: "maria"}, ""))
	wants(t, "an address twice", b.AddUser(ctx, access.User{Name: "other", Role: access.Viewer, Email: "JANE@example.com", CreatedAt: now}, ""), lifecycle.Conflict)
	_, err := b.UserBySubject(ctx, "https://idp|1", "")
	wants(t, "an address that is not verified", err, lifecycle.Forbidden)
	jane, err := b.UserBySubject(ctx, "https://idp|1", "jane@EXAMPLE.com")
	if b.must(err); jane.Name != "jane" || !jane.Bound {
		t.Errorf("bound %+v", jane)
	}
	_, err = b.UserBySubject(ctx, "https://idp|1", "")
	b.must(err)
	_, err = b.UserBySubject(ctx, "https://idp|2", "jane@example.com")
	wants(t, "another account with the address", err, lifecycle.Forbidden)
}
