package postgres

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/access"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Sessions end when they have not been seen for SessionIdle, and in any case
// SessionLife after sign-in. Real time.
const (
	SessionIdle = 8 * time.Hour
	SessionLife = 7 * 24 * time.Hour
	// seenEvery is how exactly a session's last use is kept, to save writes.
	seenEvery = time.Minute
)

// AddUser adds a user; token is empty for those who sign in by OpenID Connect
// only. Errors: Invalid for impossible users, Conflict when the name or the
// e-mail address is taken, also by a revoked user.
func (s *Store) AddUser(ctx context.Context, u access.User, token access.Secret) error {
	if err := u.Check(); err != nil {
		return err
	}
	if token == "" && u.Email == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "user %s could not sign in: give a token or an e-mail address for OpenID Connect", u.Name)
	}
	id, err := newID()
	if err != nil {
		return err
	}
	row := dbsqlc.AddUserParams{ID: id, Name: u.Name, Role: string(u.Role), Email: optional(u.Email), CreatedAt: instant(u.CreatedAt), CreatedBy: u.CreatedBy}
	if token != "" {
		row.TokenHash, row.TokenExpiresAt = token.Hash(), stamp(u.TokenExpiresAt)
	}
	err = translate(s.q.AddUser(ctx, row), "add user "+u.Name)
	if lifecycle.CodeOf(err) == lifecycle.Conflict {
		return lifecycle.Errorf(lifecycle.Conflict, "user %s: the name or e-mail address is taken; names of revoked users are not given again, they stand in the decision log: %w", u.Name, err)
	}
	return err
}

// Users returns every user, revoked ones last.
func (s *Store) Users(ctx context.Context) ([]access.User, error) {
	rows, err := s.q.Users(ctx)
	users := make([]access.User, len(rows))
	for i, row := range rows {
		users[i] = userOf(row)
	}
	return users, translate(err, "read the users")
}

// User returns the user with a name. Errors: NotFound.
func (s *Store) User(ctx context.Context, name string) (access.User, error) {
	row, err := s.q.UserByName(ctx, name)
	return userOf(row), translate(err, "read user "+name)
}

// RotateToken gives a user another token and ends the sessions and links of the
// old one. Errors: NotFound for unknown and revoked users.
func (s *Store) RotateToken(ctx context.Context, name string, token access.Secret, expires time.Time) error {
	return s.transaction(ctx, "rotate the token of "+name, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		n, err := q.RotateToken(ctx, dbsqlc.RotateTokenParams{Name: name, TokenHash: token.Hash(), TokenExpiresAt: stamp(expires)})
		return ended(ctx, q, name, n, err)
	})
}

// RevokeUser lets a user never sign in again and ends what is open. Errors:
// NotFound for unknown and revoked users.
func (s *Store) RevokeUser(ctx context.Context, name string, at time.Time) error {
	return s.transaction(ctx, "revoke user "+name, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		n, err := q.RevokeUser(ctx, dbsqlc.RevokeUserParams{Name: name, At: instant(at)})
		return ended(ctx, q, name, n, err)
	})
}

// ended ends sessions and links of a user who was changed.
func ended(ctx context.Context, q *dbsqlc.Queries, name string, changed int64, err error) error {
	if err != nil {
		return err
	}
	if changed == 0 {
		return lifecycle.Errorf(lifecycle.NotFound, "no active user %q: see `touchstone user list`", name)
	}
	if err := q.EndSessionsOf(ctx, name); err != nil {
		return err
	}
	return q.DropLinksOf(ctx, name)
}

// UserByToken returns the active user whose unexpired token this is. Errors:
// Forbidden.
func (s *Store) UserByToken(ctx context.Context, token access.Secret, at time.Time) (access.User, error) {
	row, err := s.q.UserByToken(ctx, dbsqlc.UserByTokenParams{TokenHash: token.Hash(), At: instant(at)})
	if err := translate(err, "look up a token"); err != nil && lifecycle.CodeOf(err) != lifecycle.NotFound {
		return access.User{}, err
	}
	if err != nil || subtle.ConstantTimeCompare(row.TokenHash, token.Hash()) != 1 {
		return access.User{}, lifecycle.Errorf(lifecycle.Forbidden, "this token does not sign anybody in: it is wrong, expired or revoked")
	}
	return userOf(row), nil
}

// UserBySubject returns the active user an OpenID Connect subject belongs to. A
// subject seen for the first time is bound to the user who was added with its
// verified e-mail address; email is empty where the provider has not verified
// it. Errors: Forbidden when there is no such user.
func (s *Store) UserBySubject(ctx context.Context, subject, email string) (access.User, error) {
	row, err := s.q.UserBySubject(ctx, &subject)
	if lifecycle.CodeOf(translate(err, "")) == lifecycle.NotFound && email != "" {
		row, err = s.q.BindSubject(ctx, dbsqlc.BindSubjectParams{Subject: &subject, Email: email})
	}
	err = translate(err, "look up an OpenID Connect subject")
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return access.User{}, lifecycle.Errorf(lifecycle.Forbidden, "you are known to the identity provider, but no user was added for you: an admin runs `touchstone user add NAME --role ROLE --email ADDRESS`")
	}
	return userOf(row), err
}

// OpenSession opens a session of a user.
func (s *Store) OpenSession(ctx context.Context, user string, cookie access.Secret, at time.Time) error {
	return translate(s.q.OpenSession(ctx, dbsqlc.OpenSessionParams{Hash: cookie.Hash(), UserID: user, At: instant(at), ExpiresAt: instant(at.Add(SessionLife))}), "open a session")
}

// UserOfSession returns the user of an open session and keeps it open. Errors:
// NotFound when it is unknown, has ended, or its user was revoked.
func (s *Store) UserOfSession(ctx context.Context, cookie access.Secret, at time.Time) (access.User, error) {
	row, err := s.q.UserOfSession(ctx, dbsqlc.UserOfSessionParams{Hash: cookie.Hash(), At: instant(at), SeenAfter: instant(at.Add(-SessionIdle))})
	if err != nil {
		return access.User{}, translate(err, "read a session")
	}
	if at.Sub(row.SeenAt) >= seenEvery {
		if err := s.q.SeeSession(ctx, dbsqlc.SeeSessionParams{Hash: cookie.Hash(), At: instant(at)}); err != nil {
			return access.User{}, translate(err, "keep a session open")
		}
	}
	return access.User{ID: row.ID, Name: row.Name, Role: access.Role(row.Role)}, nil
}

// EndSession ends a session; an unknown one has ended already.
func (s *Store) EndSession(ctx context.Context, cookie access.Secret) error {
	return translate(s.q.EndSession(ctx, cookie.Hash()), "end a session")
}

// AddSignInLink remembers a link that signs a user in once.
func (s *Store) AddSignInLink(ctx context.Context, user string, code access.Secret, expires time.Time) error {
	return translate(s.q.AddLink(ctx, dbsqlc.AddLinkParams{Hash: code.Hash(), UserID: user, ExpiresAt: instant(expires)}), "add a sign-in link")
}

// TakeSignInLink returns the user of a link, which works no more from then on.
// Errors: Forbidden when it was used, has expired, or its user was revoked.
func (s *Store) TakeSignInLink(ctx context.Context, code access.Secret, at time.Time) (access.User, error) {
	row, err := s.q.TakeLink(ctx, dbsqlc.TakeLinkParams{Hash: code.Hash(), At: instant(at)})
	err = translate(err, "take a sign-in link")
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return access.User{}, lifecycle.Errorf(lifecycle.Forbidden, "this link signs nobody in: it works once and only for a short time; get another with `touchstone user link NAME`")
	}
	return userOf(row), err
}

// DropStaleSessions forgets sessions and links that have ended by themselves.
func (s *Store) DropStaleSessions(ctx context.Context, at time.Time) error {
	if err := s.q.DropStaleSessions(ctx, dbsqlc.DropStaleSessionsParams{At: instant(at), SeenAfter: instant(at.Add(-SessionIdle))}); err != nil {
		return translate(err, "drop stale sessions")
	}
	return translate(s.q.DropStaleLinks(ctx, instant(at)), "drop stale sign-in links")
}

func userOf(row dbsqlc.User) access.User {
	return access.User{ID: row.ID, Name: row.Name, Role: access.Role(row.Role), Email: given[string](row.Email), Bound: row.Subject != nil,
		TokenExpiresAt: moment(row.TokenExpiresAt), CreatedAt: row.CreatedAt, CreatedBy: row.CreatedBy, SeenAt: moment(row.SeenAt), RevokedAt: moment(row.RevokedAt)}
}
