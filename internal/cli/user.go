package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/access"
	"touchstone/internal/clock"
	plane "touchstone/internal/control"
	"touchstone/internal/lifecycle"
)

func (a *app) users() *cobra.Command {
	return noun("user", "Say who may use the console, and as what",
		"A user signs in to the console with a token or by OpenID Connect, and acts there under the user's\n"+
			"name. A viewer sees figures, journeys and copy; a marketer also sees single customers, pauses and\n"+
			"resumes, and edits copy; a reviewer approves and rejects; an admin does all of it.",
		a.userAdd(), a.userList(), a.userRotate(), a.userLink(), a.userRevoke())
}

// userLine is a user in a list.
type userLine struct {
	Name         string      `json:"name"`
	Role         access.Role `json:"role"`
	Email        string      `json:"email,omitempty"`
	Status       string      `json:"status"` // active, expired, waiting for a first sign-in, revoked
	TokenExpires time.Time   `json:"token_expires_at,omitzero"`
	CreatedAt    time.Time   `json:"created_at"`
	CreatedBy    string      `json:"created_by"`
	SeenAt       time.Time   `json:"seen_at,omitzero"`
	RevokedAt    time.Time   `json:"revoked_at,omitzero"`
}

func userLineOf(u access.User, now time.Time) userLine {
	line := userLine{u.Name, u.Role, u.Email, "active", u.TokenExpiresAt.UTC(), u.CreatedAt.UTC(), u.CreatedBy, u.SeenAt.UTC(), u.RevokedAt.UTC()}
	switch {
	case !u.RevokedAt.IsZero():
		line.Status = "revoked"
	case u.Email != "" && !u.Bound:
		line.Status = "invited"
	case u.Email == "" && now.After(u.TokenExpiresAt):
		line.Status = "expired"
	}
	return line
}

// issued is a secret that is shown once.
type issued struct {
	Name    string        `json:"name"`
	Role    access.Role   `json:"role,omitempty"`
	Token   access.Secret `json:"token,omitempty"`
	Link    string        `json:"link,omitempty"`
	Expires time.Time     `json:"expires_at,omitzero"`
}

// governing runs a command about users: it needs the store and no engine.
func (a *app) governing(cmd *cobra.Command, run func(context.Context, *session, *plane.Plane) error) error {
	return a.with(cmd, func(ctx context.Context, s *session) error {
		return run(ctx, s, &plane.Plane{Store: s.store, Clock: s.clock})
	})
}

func (a *app) userAdd() *cobra.Command {
	var role, email, expires string
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Let somebody use the console",
		Long: "Adds a user and prints the token once: it is not kept and cannot be shown again. With --email the\n" +
			"user signs in by OpenID Connect instead, with an account that has this verified address, and gets\n" +
			"no token. NAME signs what the user does in the decision log.",
		Example: "  touchstone user add jane --role reviewer\n  touchstone user add bob --role marketer --email bob@example.com",
		Args:    takes("NAME"),
	}
	flags := command.Flags()
	flags.StringVar(&role, "role", "", "`role`: viewer, marketer, reviewer or admin (required)")
	flags.StringVar(&email, "email", "", "verified `address` of the user at the identity provider")
	flags.StringVar(&expires, "expires", "90d", "`time` after which the token works no more")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := access.ParseRole(role)
		if err != nil {
			return err
		}
		life, err := tokenLife(expires)
		if err != nil {
			return err
		}
		return a.governing(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			token, err := p.AddUser(ctx, access.User{Name: args[0], Role: r, Email: email}, life, *by)
			if err != nil {
				return err
			}
			result := issued{Name: args[0], Role: r, Token: token}
			if token != "" {
				result.Expires = time.Now().UTC().Add(life)
			}
			return a.print(result, func() {
				a.say("added %s as %s", args[0], r)
				a.showToken(s, result)
			})
		})
	}
	return command
}

// showToken prints a token, or where to sign in without one.
func (a *app) showToken(s *session, i issued) {
	if i.Token == "" {
		a.say("sign in at %s with the identity provider", s.config.Console.PublicURL)
		return
	}
	a.say("token: %s", i.Token)
	a.say("it is shown this once and expires on %s UTC; sign in at %s", day(i.Expires), s.config.Console.PublicURL)
}

func tokenLife(text string) (time.Duration, error) {
	life, err := clock.ParseDuration(text)
	if err != nil || life <= 0 {
		return 0, lifecycle.Errorf(lifecycle.Invalid, "--expires %q: give a time such as 90d", text)
	}
	return life, nil
}

func (a *app) userList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List who may use the console",
		Long:    "Lists users with their roles, when they were last seen, and when their tokens expire.",
		Example: "  touchstone user list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				users, err := s.store.Users(ctx)
				if err != nil {
					return err
				}
				var lines []userLine
				var rows [][]string
				for _, u := range users {
					l := userLineOf(u, time.Now())
					lines = append(lines, l)
					rows = append(rows, []string{l.Name, string(l.Role), l.Status, orDash(l.Email), day(l.TokenExpires), day(l.SeenAt), l.CreatedBy})
				}
				return a.print(lines, func() {
					if len(rows) == 0 {
						a.say("nobody may use the console yet: touchstone user add NAME --role admin")
						return
					}
					a.table([]string{"name", "role", "status", "openid address", "token expires", "last seen", "added by"}, rows)
				})
			})
		},
	}
}

func (a *app) userRotate() *cobra.Command {
	var expires string
	command := &cobra.Command{
		Use:     "rotate NAME",
		Short:   "Give a user another token; the old one and open sessions end",
		Long:    "Draws another token and prints it once. The old token and every session of the user end at once.",
		Example: "  touchstone user rotate jane",
		Args:    takes("NAME"),
	}
	command.Flags().StringVar(&expires, "expires", "90d", "`time` after which the token works no more")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		life, err := tokenLife(expires)
		if err != nil {
			return err
		}
		return a.governing(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			token, until, err := p.RotateToken(ctx, args[0], life, *by)
			if err != nil {
				return err
			}
			result := issued{Name: args[0], Token: token, Expires: until}
			return a.print(result, func() { a.showToken(s, result) })
		})
	}
	return command
}

func (a *app) userLink() *cobra.Command {
	command := &cobra.Command{
		Use:     "link NAME",
		Short:   "Print a link that signs a user in once",
		Long:    "Prints a link that signs the user in to the console, once and within fifteen minutes.",
		Example: "  touchstone user link jane",
		Args:    takes("NAME"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.governing(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			code, err := p.SignInLink(ctx, args[0], *by)
			if err != nil {
				return err
			}
			result := issued{Name: args[0], Link: strings.TrimSuffix(s.config.Console.PublicURL, "/") + "/signin/" + string(code)}
			return a.print(result, func() { a.say("%s", result.Link) })
		})
	}
	return command
}

func (a *app) userRevoke() *cobra.Command {
	command := &cobra.Command{
		Use:   "revoke NAME",
		Short: "Let a user never sign in again, from now on",
		Long: "Ends the user's token and every session at once. The name stays in the list and is not given\n" +
			"again, because the decision log is signed with it.",
		Example: "  touchstone user revoke jane",
		Args:    takes("NAME"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.governing(cmd, func(ctx context.Context, _ *session, p *plane.Plane) error {
			if err := p.RevokeUser(ctx, args[0], *by); err != nil {
				return err
			}
			return a.print(userLine{Name: args[0], Status: "revoked"}, func() { a.say("%s may not sign in any more; open sessions have ended", args[0]) })
		})
	}
	return command
}
