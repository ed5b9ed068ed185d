package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
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

// batch takes {"batch":[...]}. Refused messages are named in the answer, which
// is 200 all the same: repeating the batch would not mend them.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	body, ok := s.messageBody(w, r, ingest.MaxBatch)
	if !ok {
		return
	}
	messages, sentAt, err := ingest.SplitBatch(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if a, ok := s.accept(w, r, "batch", messages, "", sentAt); ok {
		respond(w, http.StatusOK, a)
	}
}

// single takes one message whose type the door implies.
func (s *Server) single(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := s.messageBody(w, r, ingest.MaxMessage)
		if !ok {
			return
		}
		a, ok := s.accept(w, r, kind, []json.RawMessage{body}, kind, "")
		if !ok {
			return
		}
		status := http.StatusOK
		if len(a.Rejected) > 0 {
			a.Success, status = false, http.StatusBadRequest
		}
		respond(w, status, a)
	}
}

// messageBody checks the write key and reads the body.
func (s *Server) messageBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, bool) {
	if !s.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="write key"`)
		http.Error(w, "the write key is missing or wrong", http.StatusUnauthorized)
		return nil, false
	}
	body, err := readBody(w, r, limit)
	if err == nil && !utf8.Valid(body) {
		err = errors.New("the body is not valid UTF-8")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, false
	}
	return body, true
}

// accept decodes messages and commits what is good.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, door string, messages []json.RawMessage, kind, sentAt string) (answer, bool) {
	a := answer{Success: true}
	tracker := &ingest.Tracker{Currency: s.Currency, Now: s.Clock.Now(), Source: "api"}
	var items []ingest.Item
	var index []int
	for i, raw := range messages {
		m, err := tracker.Decode(raw, kind, sentAt)
		if err != nil {
			a.Rejected = append(a.Rejected, rejectedMessage{i, err.Error()})
			continue
		}
		items, index = append(items, ingest.Item{Message: m}), append(index, i)
	}
	if len(items) > 0 {
		listens, err := s.Listens(r.Context())
		if err != nil {
			s.fail(w, door, err)
			return a, false
		}
		writer := &ingest.Writer{Store: s.Customers, Bulk: s.Events, Now: s.Clock.Now, Tracked: true, Listens: listens, Confirm: s.needsConfirmation}
		written, err := writer.Write(r.Context(), items)
		if err != nil {
			s.fail(w, door, err)
			return a, false
		}
		for _, rejected := range written.Rejected {
			a.Rejected = append(a.Rejected, rejectedMessage{index[rejected.Index], rejected.Err.Error()})
		}
		if written.New > 0 && s.OnEvents != nil {
			s.OnEvents()
		}
	}
	a.Accepted = len(messages) - len(a.Rejected)
	s.metrics.messages.WithLabelValues(door, "accepted").Add(float64(a.Accepted))
	s.metrics.messages.WithLabelValues(door, "rejected").Add(float64(len(a.Rejected)))
	return a, true
}

func hashKeys(keys []string) [][32]byte {
	hashed := make([][32]byte, 0, len(keys))
	for _, k := range keys {
		if k != "" {
			hashed = append(hashed, sha256.Sum256([]byte(k)))
		}
	}
	return hashed
}

// authorized reports whether the request carries a write key.
func (s *Server) authorized(r *http.Request) bool { return carries(r, s.keys) }

// carries reports whether a request shows one of the keys: as the user name of
// Basic authentication, or as a Bearer token. All keys are compared in constant
// time.
func carries(r *http.Request, keys [][32]byte) bool {
	key, _, ok := r.BasicAuth()
	if !ok {
		key, ok = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if !ok || key == "" {
		return false
	}
	given, match := sha256.Sum256([]byte(key)), 0
	for _, k := range keys {
		match |= subtle.ConstantTimeCompare(k[:], given[:])
	}
	return match == 1
}
