package cli

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/worker"
)

func (a *app) worker() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Run workflows and activities until stopped",
		Long: "Runs the workflows and activities, and brings stored events to their journeys. Start more\n" +
			"workers to do more: they share the work. A worker refuses to start on a configuration that\n" +
			"cannot work, and on real provider hosts while the business clock is scaled.",
		Example: "  DATABASE_URL=postgres://... TEMPORAL_ADDRESS=localhost:7233 touchstone worker",
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
			untrace, err := a.trace(ctx, s, "touchstone-worker")
			if err != nil {
				return err
			}
			defer untrace()
			connection, err := s.dial(ctx)
			if err != nil {
				return err
			}
			defer connection.Close()
			providers, err := onebox.Providers(s.config)
			if err != nil {
				return err
			}
			w, err := worker.New(worker.Options{
				Config: s.config, Store: s.store, Temporal: connection, Brand: s.brand, Policy: s.policy,
				Scale: s.clock.Scale, Providers: providers, Log: s.log, Metrics: s.metrics,
			})
			if err != nil {
				return err
			}
			if err := worker.RegisterGauges(s.metrics, s.store, s.config, s.brand, s.clock, s.log); err != nil {
				return err
			}
			a.note("worker on %s, namespace %s; Ctrl-C stops it", s.config.Temporal.Address, s.config.Temporal.Namespace)
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error { return w.Run(ctx) })
			group.Go(func() error { return s.serveMetrics(ctx) })
			return group.Wait()
		},
	}
}

// serveMetrics serves the worker's metrics where the configuration says, until
// ctx ends.
func (s *session) serveMetrics(ctx context.Context) error {
	if s.config.MetricsListen == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	server := &http.Server{Addr: s.config.MetricsListen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // ends ListenAndServe, which reports
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return lifecycle.Errorf(lifecycle.Unavailable, "metrics on %s: %w: set TOUCHSTONE_METRICS_LISTEN to a free address", s.config.MetricsListen, err)
	}
	return nil
}

// validate refuses a configuration that a service cannot work with.
func (s *session) validate() error {
	if problems := s.config.Validate(s.clock.Scale.Scaled()); len(problems) > 0 {
		return lifecycle.Errorf(lifecycle.Invalid, "the configuration cannot work:\n  - %s", strings.Join(problems, "\n  - "))
	}
	return nil
}
