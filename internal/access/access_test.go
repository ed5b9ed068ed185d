package access

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	for _, r := range Roles {
		if got, err := ParseRole(" " + string(r) + " "); err != nil || got != r {
			t.Errorf("%s is read as %s: %v", r, got, err)
		}
		if !r.May(See) {
			t.Errorf("a %s may see nothing", r)
		}
		for permission := range granted {
			if r.May(permission) && !Admin.May(permission) {
				t.Errorf("a %s may %s and an admin may not", r, permission)
			}
		}
	}
	if Viewer.May(SeePeople) || Marketer.May(Decide) || Reviewer.May(Start) || Role("").May(See) || Admin.May("") {
		t.Error("somebody may too much")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	seen := map[Secret]bool{}
	for range 1000 {
		for _, s := range []Secret{NewSecret(), NewToken()} {
			if seen[s] || !s.Plausible() || len(s.Hash()) != 32 {
				t.Fatalf("secret %s: seen %v", s, seen[s])
			}
			seen[s] = true
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if len(s) < 43 && Secret(s).Plausible() {
			t.Fatalf("%q is taken for a secret", s)
		}
	})
}

func FuzzPlausible(f *testing.F) {
	f.Add(string(NewToken()))
	f.Add("tsu_")
	f.Fuzz(func(t *testing.T, s string) {
		if Secret(s).Plausible() && (len(s) < 43 || len(s) > 80) {
			t.Errorf("%q is taken for a secret", s)
		}
	})
}
