// Package access says who may use the console, what each role may do, and how
// secrets that sign people in are made and compared. It is pure and may import
// lifecycle only. Level 2.
package access

import (
	"slices"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// Role is what a user is to the programme.
type Role string

// Roles.
const (
	Viewer   Role = "viewer"
	Marketer Role = "marketer"
	Reviewer Role = "reviewer"
	Admin    Role = "admin"
)

// Roles lists every role, the one that may do least first.
var Roles = []Role{Viewer, Marketer, Reviewer, Admin}

// ParseRole reads a role. Errors: Invalid.
func ParseRole(s string) (Role, error) {
	if r := Role(strings.ToLower(strings.TrimSpace(s))); slices.Contains(Roles, r) {
		return r, nil
	}
	return "", lifecycle.Errorf(lifecycle.Invalid, "role %q: use viewer, marketer, reviewer or admin", s)
}

// Permission is one kind of thing that people do.
type Permission string

// Permissions.
const (
	See       Permission = "see"        // figures, journeys, copy: nothing about one customer
	SeePeople Permission = "see_people" // what happened to one customer
	Prove     Permission = "prove"      // verify the decision log, which takes the database's time
	Stop      Permission = "stop"       // pause and halt: stopping is never wrong for long
	Start     Permission = "start"      // resume
	Write     Permission = "write"      // edit copy under review
	Decide    Permission = "decide"     // approve and reject
)

// granted is who may do what. Marketers steer and reviewers decide, so that
// nobody but an admin does both; the author of copy cannot approve it in any role.
var granted = map[Permission][]Role{
	See:       {Viewer, Marketer, Reviewer, Admin},
	SeePeople: {Marketer, Reviewer, Admin},
	Prove:     {Marketer, Reviewer, Admin},
	Stop:      {Marketer, Reviewer, Admin},
	Start:     {Marketer, Admin},
	Write:     {Marketer, Reviewer, Admin},
	Decide:    {Reviewer, Admin},
}

// May reports whether the role has the permission.
func (r Role) May(p Permission) bool { return slices.Contains(granted[p], r) }

// User is a person who may use the console.
type User struct {
	ID             string
	Name           string // signs what the user does in the decision log
	Role           Role
	Email          string    // by which a first OpenID Connect sign-in is recognised; empty: none is
	Bound          bool      // an OpenID Connect subject belongs to the user
	TokenExpiresAt time.Time // zero: has no token
	CreatedAt      time.Time
	CreatedBy      string
	SeenAt         time.Time // zero: never signed in
	RevokedAt      time.Time // zero: may sign in
}

// Check reports what is wrong with a user to be added. Errors: Invalid.
func (u User) Check() error {
	if _, err := ParseRole(string(u.Role)); err != nil {
		return err
	}
	if u.Name == "" || len(u.Name) > 100 || strings.TrimSpace(u.Name) != u.Name || strings.ContainsFunc(u.Name, func(r rune) bool { return r < ' ' }) {
		return lifecycle.Errorf(lifecycle.Invalid, "user name %q: give 1 to 100 characters, without spaces around them", u.Name)
	}
	if u.Email != "" && (!strings.Contains(u.Email, "@") || strings.ContainsAny(u.Email, " \t\r\n<>")) {
		return lifecycle.Errorf(lifecycle.Invalid, "e-mail address %q: give one such as jane@example.com", u.Email)
	}
	return nil
}
