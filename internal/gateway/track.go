package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"touchstone/internal/ingest"
)

// rejectedMessage tells the sender which message was refused and why.
type rejectedMessage struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
}

// answer is what the tracking doors say once everything is committed.
type answer struct {
	Success  bool              `json:"success"`
	Accepted int               `json:"accepted"`
	Rejected []rejectedMessage `json:"rejected,omitempty"`
}

// maxBurst is the least burst of a rate: a whole batch must pass.
const maxBurst = ingest.MaxCount

// trackingDoors are the paths of the tracking API with the type of message each
// takes; batch and import take messages that name theirs. The short ones are those
// of browser libraries.
var trackingDoors = map[string][]string{
	"identify":        {"/v1/identify", "/v1/i"},
	"track":           {"/v1/track", "/v1/t"},
	"page":            {"/v1/page", "/v1/p"},
	"screen":          {"/v1/screen", "/v1/s"},
	"group":           {"/v1/group", "/v1/g"},
	"alias":           {"/v1/alias", "/v1/a"},
	ingest.DoorBatch:  {"/v1/batch", "/v1/b", "/beacon/v1/batch"},
	ingest.DoorImport: {"/v1/import"},
}

// track adds the tracking doors to a mux, each with and without a slash at the end.
func (s *Server) track(mux *http.ServeMux) {
	for door, paths := range trackingDoors {
		handle := s.door(door, s.messages(door))
		for _, path := range paths {
			for _, p := range []string{path, path + "/{$}"} {
				mux.Handle("POST "+p, handle)
				mux.Handle("OPTIONS "+p, s.door("preflight", s.preflight))
			}
		}
	}
}

// preflight answers a browser that asks whether a page may send. Any page may:
// what it needs is a write key, and cookies are not used.
func (s *Server) preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	allowOrigin(h)
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding, AnonymousId, X-Retry-Count")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset")
}

// messages takes the messages of one door. Messages that cannot be used are named
// in the answer, which is 200 all the same: repeating them would not mend them.
// Nothing is answered before everything is committed.
func (s *Server) messages(door string) http.HandlerFunc {
	single := door != ingest.DoorBatch && door != ingest.DoorImport
	limit := int64(ingest.MaxBatch)
	if single {
		limit = ingest.MaxMessage
	}
	return func(w http.ResponseWriter, r *http.Request) {
		allowOrigin(w.Header())
		key, given := keyOf(r)
		name, known := s.keys.name(key)
		if given && !known {
			s.unauthorized(w)
			return
		}
		size := limit
		if r.ContentLength >= 0 && r.Header.Get("Content-Encoding") == "" {
			size = min(r.ContentLength, limit)
		}
		release, ok := s.flow.admit(r.Context(), size)
		if !ok {
			s.metrics.refused.WithLabelValues(name, "busy").Inc()
			slowDown(w, time.Second, "too much at once: try again")
			return
		}
		defer release()
		body, err := readBody(w, r, limit)
		if err == nil && !utf8.Valid(body) {
			err = errors.New("the body is not valid UTF-8")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if !given {
			if name, known = s.keys.name(keyIn(body)); !known {
				s.unauthorized(w)
				return
			}
		}
		p := &ingest.Parcel{Door: door, Key: name, Received: s.Clock.Now(), Messages: []json.RawMessage{body}}
		switch {
		case !single:
			p.Messages, p.SentAt, err = ingest.SplitBatch(body)
		case !json.Valid(body):
			err = errors.New("the body is not valid JSON")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if wait, ok := s.flow.charge(w.Header(), name, len(p.Messages)); !ok {
			s.metrics.refused.WithLabelValues(name, "rate").Inc()
			slowDown(w, wait, "more messages than this write key may send: try again later")
			return
		}
		s.take(w, r, p)
	}
}

func (s *Server) unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="write key"`)
	http.Error(w, "the write key is missing or wrong", http.StatusUnauthorized)
}

// carries reports whether a request shows one of the keys in its Authorization
// header.
func carries(r *http.Request, keys keyring) bool {
	if r.Header.Get("Authorization") == "" {
		return false
	}
	key, _ := keyOf(r)
	_, known := keys.name(key)
	return known
}

// take commits a parcel and answers.
func (s *Server) take(w http.ResponseWriter, r *http.Request, p *ingest.Parcel) {
	s.intake.Decode(p)
	if len(p.Messages) > 0 {
		if err := s.committer.commit(r.Context(), p); err != nil {
			s.fail(w, p.Door, err)
			return
		}
	}
	if p.New > 0 && s.OnEvents != nil {
		s.OnEvents()
	}
	a := answer{Success: true, Accepted: len(p.Messages) - len(p.Rejected)}
	for _, rejected := range p.Rejected {
		a.Rejected = append(a.Rejected, rejectedMessage{rejected.Index, rejected.Err.Error()})
	}
	s.metrics.messages.WithLabelValues(p.Door, p.Key, "accepted").Add(float64(a.Accepted))
	s.metrics.messages.WithLabelValues(p.Door, p.Key, "rejected").Add(float64(len(a.Rejected)))
	respond(w, http.StatusOK, a)
}

// encoded reports how a body is packed: "gzip", or "" for not at all.
func encoded(h http.Header) (string, error) {
	switch e := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))); e {
	case "", "identity":
		return "", nil
	case "gzip", "x-gzip":
		return "gzip", nil
	default:
		return "", errors.New("the body is packed in a way that is not gzip")
	}
}
