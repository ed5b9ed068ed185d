package cli_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/lifecycle"
)

// TestUser adds, lists, rotates and revokes; the decision log says who did, and
// holds no secret.
func TestUser(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("user", "list").ok().line("nobody may use the console yet")
	tm.run("user", "add", "bob").exits(2).complains("viewer, marketer, reviewer or admin")
	tm.run("user", "add", "bob", "--role", "owner").exits(2).complains(`role "owner"`)
	tm.run("user", "add", "bob", "--role", "viewer", "--expires", "never").exits(2).complains("--expires", "90d")
	added := into[struct{ Name, Token string }](tm.run("user", "add", "bob", "--role", "reviewer", "--json").ok())
	if !strings.HasPrefix(added.Token, access.TokenPrefix) || !access.Secret(added.Token).Plausible() {
		t.Errorf("token %q", added.Token)
	}
	tm.run("user", "add", "bob", "--role", "viewer").exits(1).complains("taken")
	tm.run("user", "add", "maria", "--role", "marketer", "--email", "maria@example.com").ok().line("added maria as marketer").line("sign in at http://127.0.0.1:8702")
	list := tm.run("user", "list").ok().narrow()
	list.line("NAME", "ROLE", "STATUS").line("bob", "reviewer", "active", "jane").line("maria", "marketer", "invited", "maria@example.com")

	s := tm.store()
	ctx := t.Context()
	if u, err := s.UserByToken(ctx, access.Secret(added.Token), time.Now()); err != nil || u.Name != "bob" {
		t.Errorf("%+v, %v", u, err)
	}
	rotated := into[struct{ Token string }](tm.run("user", "rotate", "bob", "--expires", "1h", "--json").ok())
	if _, err := s.UserByToken(ctx, access.Secret(added.Token), time.Now()); lifecycle.CodeOf(err) != lifecycle.Forbidden {
		t.Errorf("the old token: %v", err)
	}
	if _, err := s.UserByToken(ctx, access.Secret(rotated.Token), time.Now().Add(2*time.Hour)); lifecycle.CodeOf(err) != lifecycle.Forbidden {
		t.Errorf("after an hour: %v", err)
	}
	link := strings.TrimSpace(tm.run("user", "link", "bob").ok().stdout)
	code, found := strings.CutPrefix(link, "http://127.0.0.1:8702/signin/")
	if u, err := s.TakeSignInLink(ctx, access.Secret(code), time.Now()); !found || err != nil || u.Name != "bob" {
		t.Errorf("link %s: %+v, %v", link, u, err)
	}
	tm.run("user", "revoke", "bob").ok().line("bob may not sign in any more")
	for _, verb := range []string{"revoke", "rotate", "link"} {
		tm.run("user", verb, "bob").exits(1).complains("no active user", "touchstone user list")
	}
	tm.run("user", "list").ok().narrow().line("bob", "revoked")
	log := tm.run("audit", "export").ok()
	log.line(`"kind":"user.added"`, `"actor":"jane"`, `"subject":"bob"`, `"role":"reviewer"`).line(`"kind":"user.revoked"`)
	for _, secret := range []string{added.Token, rotated.Token, code, "maria@example.com"} {
		if strings.Contains(log.stdout, secret) {
			t.Errorf("the decision log holds %s", secret)
		}
	}
}
