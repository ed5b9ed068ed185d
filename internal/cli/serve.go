package cli

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
)

func (a *app) serve() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the gateway: events, provider webhooks, unsubscribe links",
		Long: "Listens for events on the tracking doors, for the providers' webhooks, and for the links in\n" +
			"messages, until stopped. /healthz, /readyz and /metrics are for the platform.",
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
			doors, err := onebox.NewGateway(onebox.GatewayOptions{
				Config: s.config, Store: s.store, Temporal: connection, Brand: s.brand, Clock: s.clock, Metrics: s.metrics, Log: s.log,
			})
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", s.config.Gateway.Listen)
			if err != nil {
				return lifecycle.Errorf(lifecycle.Unavailable, "listen on %s: %w: set TOUCHSTONE_LISTEN to a free address", s.config.Gateway.Listen, err)
			}
			a.note("gateway on http://%s; Ctrl-C stops it", listener.Addr())
			if err := doors.Serve(ctx, listener); err != nil {
				return fmt.Errorf("gateway: %w", err)
			}
			return nil
		},
	}
}
