// Package web serves HTTP the way all of Touchstone's servers do: with time
// limits, and without dropping what is under way when they stop. It imports the
// standard library only. Level 1.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// RequestTime bounds the work on one request: shorter than the 30 seconds after
// which providers give up and repeat.
const RequestTime = 20 * time.Second

// Serve answers on a listener until ctx ends, then lets running requests finish
// for at most RequestTime.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       RequestTime,
		WriteTimeout:      2 * RequestTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), RequestTime)
		defer cancel()
		stopped <- server.Shutdown(grace)
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http: %w", err)
	}
	return <-stopped
}
