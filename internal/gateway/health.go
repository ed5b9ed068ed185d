package gateway

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// healthz says that the process runs; it asks nobody.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, map[string]string{"status": "ok"})
}

// checkTime bounds one readiness check.
const checkTime = 3 * time.Second

// readyz says whether everything needed to do work answers. The reasons go to
// the log; the answer names only what failed.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	names := make([]string, 0, len(s.Checks))
	for name := range s.Checks {
		names = append(names, name)
	}
	slices.Sort(names)
	status, results := http.StatusOK, map[string]string{}
	for _, name := range names {
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		err := s.Checks[name](ctx)
		cancel()
		results[name] = "ok"
		if err != nil {
			status, results[name] = http.StatusServiceUnavailable, "failing"
			s.Log.Warn("not ready", "check", name, "error", err.Error())
		}
	}
	respond(w, status, results)
}
