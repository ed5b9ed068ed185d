package control

import (
	"context"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/lifecycle"
)

// TokenLife is how long a token works where nobody says otherwise.
const TokenLife = 90 * 24 * time.Hour

// linkLife is how long a sign-in link works.
const linkLife = 15 * time.Minute

// userRecord is what the decision log says about a user: no secret and no
// e-mail address.
type userRecord struct {
	Role         access.Role `json:"role,omitempty"`
	TokenExpires time.Time   `json:"token_expires,omitzero"`
	OpenID       bool        `json:"open_id,omitempty"`
}

// AddUser adds a user of the console and returns the token, which is shown once
// and kept nowhere. Users with an e-mail address sign in by OpenID Connect and
// get no token.
func (p *Plane) AddUser(ctx context.Context, u access.User, life time.Duration, by string) (access.Secret, error) {
	if err := named(by); err != nil {
		return "", err
	}
	var token access.Secret
	u.CreatedAt, u.CreatedBy = time.Now().UTC(), by
	if u.Email == "" {
		var err error
		if token, u.TokenExpiresAt, err = newToken(life); err != nil {
			return "", err
		}
	}
	if err := p.Store.AddUser(ctx, u, token); err != nil {
		return "", err
	}
	return token, p.log(ctx, "user.added", by, u.Name, userRecord{u.Role, u.TokenExpiresAt, u.Email != ""})
}

// RotateToken gives a user another token; the old one and every session end.
func (p *Plane) RotateToken(ctx context.Context, name string, life time.Duration, by string) (access.Secret, time.Time, error) {
	if err := named(by); err != nil {
		return "", time.Time{}, err
	}
	token, expires, err := newToken(life)
	if err != nil {
		return "", expires, err
	}
	if err := p.Store.RotateToken(ctx, name, token, expires); err != nil {
		return "", expires, err
	}
	return token, expires, p.log(ctx, "user.rotated", by, name, userRecord{TokenExpires: expires})
}

// RevokeUser lets a user never sign in again and ends every session at once.
func (p *Plane) RevokeUser(ctx context.Context, name, by string) error {
	if err := named(by); err != nil {
		return err
	}
	if err := p.Store.RevokeUser(ctx, name, time.Now().UTC()); err != nil {
		return err
	}
	return p.log(ctx, "user.revoked", by, name, userRecord{})
}

// SignInLink returns the code of a link that signs a user in, once and within a
// quarter of an hour. Errors: NotFound for unknown and revoked users.
func (p *Plane) SignInLink(ctx context.Context, name, by string) (access.Secret, error) {
	if err := named(by); err != nil {
		return "", err
	}
	user, err := p.Store.User(ctx, name)
	if lifecycle.CodeOf(err) == lifecycle.NotFound || err == nil && !user.RevokedAt.IsZero() {
		return "", lifecycle.Errorf(lifecycle.NotFound, "no active user %q: see `touchstone user list`", name)
	}
	if err != nil {
		return "", err
	}
	code, now := access.NewSecret(), time.Now().UTC()
	if err := p.Store.AddSignInLink(ctx, user.ID, code, now.Add(linkLife)); err != nil {
		return "", err
	}
	return code, p.log(ctx, "user.link", by, name, userRecord{})
}

func newToken(life time.Duration) (access.Secret, time.Time, error) {
	if life <= 0 {
		return "", time.Time{}, lifecycle.Errorf(lifecycle.Invalid, "a token that expires after %s signs nobody in: give a time such as 90d", life)
	}
	return access.NewToken(), time.Now().UTC().Add(life), nil
}
