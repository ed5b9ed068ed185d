package onebox

import (
	"context"

	"touchstone/guardrails"
	"touchstone/internal/access"
	"touchstone/internal/console"
	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
)

// NewConsole builds the console from the configuration.
func NewConsole(o GatewayOptions, policy *guardrails.Policy) (*console.Server, error) {
	plane := &control.Plane{Store: o.Store, Temporal: o.Temporal, Brand: o.Brand, Clock: o.Clock, Review: o.Config.Review}
	return console.New(console.Config{
		Settings: o.Config, Store: o.Store, Acts: plane, Brand: o.Brand, Policy: policy, Clock: o.Clock, Log: o.Log,
	})
}

// listenConsole takes the console's address and completes the configuration.
func (b *Box) listenConsole() error {
	at := b.options.Config.Console.Listen
	if b.options.Ephemeral {
		at = "127.0.0.1:0"
	}
	l, err := listen(at)
	if err != nil {
		return err
	}
	b.listeners.console = l
	c := &b.Config.Console
	c.Listen, c.PublicURL, c.Mailbox = l.Addr().String(), "http://"+l.Addr().String(), b.SandboxURL+"/mailbox"
	return nil
}

func (b *Box) startConsole(ctx context.Context) error {
	pages, err := NewConsole(GatewayOptions{
		Config: b.Config, Store: b.Store, Temporal: b.Temporal, Brand: b.options.Brand, Clock: b.Clock, Log: b.options.Log,
	}, b.options.Policy)
	if err != nil {
		return err
	}
	b.console = start(ctx, func(ctx context.Context) error { return pages.Serve(ctx, b.listeners.console) })
	return nil
}

// localAdmin is the user that a box signs in by itself.
const localAdmin = "local admin"

// SignInLink returns a link that signs the person at this machine in to the
// console as an admin, once and within a quarter of an hour.
func (b *Box) SignInLink(ctx context.Context) (string, error) {
	plane := &control.Plane{Store: b.Store, Clock: b.Clock}
	if _, err := b.Store.User(ctx, localAdmin); lifecycle.CodeOf(err) == lifecycle.NotFound {
		// The token is thrown away: links are the only way in.
		_, err := plane.AddUser(ctx, access.User{Name: localAdmin, Role: access.Admin}, control.TokenLife, "onebox")
		if err != nil && lifecycle.CodeOf(err) != lifecycle.Conflict { // somebody else was first
			return "", err
		}
	}
	code, err := plane.SignInLink(ctx, localAdmin, "onebox")
	return b.Config.Console.PublicURL + "/signin/" + string(code), err
}
