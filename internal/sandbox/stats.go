package sandbox

import (
	"maps"
	"net/http"
)

// Stats counts what the sandbox saw since it started.
type Stats struct {
	Accepted       int            `json:"accepted"`         // messages accepted for delivery
	Letters        int            `json:"letters"`          // one per recipient
	Touches        int            `json:"touches"`          // distinct touch ids
	Repeated       int            `json:"repeated_touches"` // touch ids accepted more than once
	Duplicates     []string       `json:"duplicates"`       // the first 100 of them
	Refused        uint64         `json:"refused"`          // mail/send requests answered with an error
	Events         map[string]int `json:"events"`           // by kind
	Due            int            `json:"due"`              // deliveries and reactions still to come
	Webhooks       WebhookStats   `json:"webhooks"`
	ChatCompletion uint64         `json:"chat_completions"`
	Faults         int            `json:"faults_in_force"`
}

// WebhookStats counts events on their way to the webhook.
type WebhookStats struct {
	Posted   int `json:"posted"`   // answered with 2xx
	Pending  int `json:"pending"`  // queued, held back or waiting for a retry
	Copies   int `json:"copies"`   // duplicates made on demand
	Lost     int `json:"lost"`     // lost on demand
	Failures int `json:"failures"` // posts that were not answered with 2xx
	GivenUp  int `json:"given_up"` // after 24 hours, or beyond the queue's limit
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	duplicates := s.Duplicates()
	if len(duplicates) > 100 {
		duplicates = duplicates[:100]
	}
	o, q := s.outbox, s.hooks
	o.mu.Lock()
	st := Stats{
		Accepted: o.accepted, Letters: len(o.records), Touches: len(o.touches), Repeated: o.repeated, Duplicates: duplicates,
		Refused: s.refused.Load(), Events: maps.Clone(o.tally), Due: len(o.schedule),
		ChatCompletion: s.chats.Load(), Faults: int(s.faults.active.Load()),
	}
	o.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	st.Webhooks = WebhookStats{Posted: q.posted, Pending: len(q.ready) + len(q.held) + q.flying, Copies: q.copies, Lost: q.lost, Failures: q.retried, GivenUp: q.givenUp}
	for _, b := range q.retries {
		st.Webhooks.Pending += b.events
	}
	return st
}

func (s *Server) stats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Stats())
}
