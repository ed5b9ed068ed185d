package cli

import (
	"errors"
	"net"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
)

func (a *app) serve() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the gateway and the console",
		Long: "Listens for events on the tracking doors, for the providers' webhooks, and for the links in\n" +
			"messages, until stopped. /healthz, /readyz and /metrics are for the platform. The console for people\n" +
			"has an address of its own, on this machine only unless TOUCHSTONE_CONSOLE_LISTEN says otherwise.",
		Example: "  DATABASE_URL=postgres://... TOUCHSTONE_LISTEN=:8700 touchstone serve",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.service = true
			ctx := cmd.Context()
			s, err := a.open(ctx)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.validate(); err != nil {
				return err
			}
			untrace, err := a.trace(ctx, s, "touchstone-gateway")
			if err != nil {
				return err
			}
			defer untrace()
			connection, err := s.dial(ctx)
			if err != nil {
				return err
			}
			defer connection.Close()
			options := onebox.GatewayOptions{
				Config: s.config, Store: s.store, Temporal: connection, Brand: s.brand, Clock: s.clock, Metrics: s.metrics, Log: s.log,
			}
			doors, err := onebox.NewGateway(options)
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", s.config.Gateway.Listen)
			if err != nil {
				return lifecycle.Errorf(lifecycle.Unavailable, "listen on %s: %w: set TOUCHSTONE_LISTEN to a free address", s.config.Gateway.Listen, err)
			}
			pages, err := onebox.NewConsole(options, s.policy)
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			people, err := net.Listen("tcp", s.config.Console.Listen)
			if err != nil {
				return errors.Join(lifecycle.Errorf(lifecycle.Unavailable, "listen on %s: %w: set TOUCHSTONE_CONSOLE_LISTEN to a free address", s.config.Console.Listen, err), listener.Close())
			}
			a.note("gateway on http://%s, console on http://%s; Ctrl-C stops both", listener.Addr(), people.Addr())
			both, ctx := errgroup.WithContext(ctx)
			both.Go(func() error { return doors.Serve(ctx, listener) })
			both.Go(func() error { return pages.Serve(ctx, people) })
			return both.Wait()
		},
	}
}
