package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// PrivacyDesk carries out what customers may ask for by law.
type PrivacyDesk interface {
	// ActiveCustomerIDs finds customers by external id, those who were erased left out.
	ActiveCustomerIDs(ctx context.Context, externalIDs []string) (map[string]lifecycle.CustomerID, error)
	// Erased finds the erasure of a customer who had this external id.
	Erased(ctx context.Context, externalID string) (ledger.PrivacyRequest, error)
	Export(ctx context.Context, r ledger.PrivacyRequest, w io.Writer) (ledger.PrivacyRequest, error)
	// Erase accepts and starts an erasure; from its return on nothing is sent. Asking
	// again returns the first request.
	Erase(ctx context.Context, r ledger.PrivacyRequest) (ledger.PrivacyRequest, error)
	PrivacyRequest(ctx context.Context, id string) (ledger.PrivacyRequest, error)
}

// exportTime bounds the work on one export.
const exportTime = 10 * time.Minute

// maxSubjects bounds how many customers one request names.
const maxSubjects = 100

// privacyAsk is the body of a request: ours, or a regulation as Segment's API has it.
type privacyAsk struct {
	UserID string `json:"userId"`
	Reason string `json:"reason"`
	By     string `json:"by"` // who asks, for the decision log; the API by default

	RegulationType string   `json:"regulationType"`
	SubjectType    string   `json:"subjectType"`
	SubjectIDs     []string `json:"subjectIds"`
}

// parsePrivacyAsk reads a request and returns the external ids it names.
func parsePrivacyAsk(body []byte) (privacyAsk, []string, error) {
	var ask privacyAsk
	if err := json.Unmarshal(body, &ask); err != nil {
		return ask, nil, errors.New(`the body is not JSON: send {"userId": "C000123"}`)
	}
	ids := ask.SubjectIDs
	switch {
	case ask.RegulationType == "" && len(ids) > 0:
		return ask, nil, errors.New("subjectIds belong to a regulation: name its regulationType, or send userId")
	case ask.RegulationType == "":
		ids = []string{ask.UserID}
	case ask.RegulationType != "SUPPRESS_AND_DELETE" && ask.RegulationType != "SUPPRESS_WITH_DELETE":
		return ask, nil, errors.New("regulationType: only SUPPRESS_WITH_DELETE can be asked for here; an erasure suppresses too")
	case !strings.EqualFold(ask.SubjectType, "USER_ID"):
		return ask, nil, errors.New("subjectType: only USER_ID can be asked for here")
	case len(ids) == 0 || len(ids) > maxSubjects:
		return ask, nil, errors.New("subjectIds: name 1 to 100 users")
	}
	for _, id := range ids {
		if id == "" || len(id) > 500 {
			return ask, nil, errors.New("userId is missing or longer than 500 bytes: give the id that events are tracked with")
		}
	}
	if len(ask.Reason) > 2000 || len(ask.By) > 100 {
		return ask, nil, errors.New("reason may have 2000 bytes, by 100")
	}
	if ask.By == "" {
		ask.By = "api"
	}
	return ask, ids, nil
}

// asked checks the key and reads the body.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) (privacyAsk, []string, bool) {
	if !s.mayAsk(w, r) {
		return privacyAsk{}, nil, false
	}
	body, err := readBody(w, r, maxForm)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return privacyAsk{}, nil, false
	}
	ask, ids, err := parsePrivacyAsk(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return ask, nil, false
	}
	return ask, ids, true
}

func (s *Server) mayAsk(w http.ResponseWriter, r *http.Request) bool {
	if s.Privacy != nil && carries(r, s.secrets) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="privacy key"`)
	http.Error(w, "the privacy key is missing or wrong: it is one of TOUCHSTONE_PRIVACY_KEYS, and no write key", http.StatusUnauthorized)
	return false
}

// accepted is one line of the answer to an erasure.
type accepted struct {
	UserID  string `json:"userId"`
	Request string `json:"request,omitempty"`
	Status  string `json:"status"` // accepted, done, unknown
}

// erase accepts erasures. From the answer on nothing is sent to these customers.
func (s *Server) erase(w http.ResponseWriter, r *http.Request) {
	ask, ids, ok := s.asked(w, r)
	if !ok {
		return
	}
	known, err := s.Privacy.ActiveCustomerIDs(r.Context(), ids)
	if err != nil {
		s.fail(w, "privacy_erase", err)
		return
	}
	var answers []accepted
	for _, id := range ids {
		answer, err := s.eraseOne(r.Context(), ask, id, known[id])
		if err != nil {
			s.metrics.privacy.WithLabelValues("erase", "failed").Inc()
			s.fail(w, "privacy_erase", err)
			return
		}
		s.metrics.privacy.WithLabelValues("erase", answer.Status).Inc()
		answers = append(answers, answer)
	}
	if ask.RegulationType == "" {
		status := http.StatusAccepted
		if answers[0].Status == "unknown" {
			status = http.StatusNotFound
		}
		respond(w, status, answers[0])
		return
	}
	respond(w, http.StatusAccepted, map[string]any{"requests": answers})
}

func (s *Server) eraseOne(ctx context.Context, ask privacyAsk, external string, customer lifecycle.CustomerID) (accepted, error) {
	if customer == "" {
		before, err := s.Privacy.Erased(ctx, external)
		if lifecycle.CodeOf(err) == lifecycle.NotFound {
			return accepted{UserID: external, Status: "unknown"}, nil
		}
		return answerOf(external, before), err
	}
	request, err := s.Privacy.Erase(ctx, ledger.PrivacyRequest{CustomerID: customer, By: ask.By, Reason: ask.Reason, RequestedAt: s.Clock.Now()})
	return answerOf(external, request), err
}

func answerOf(external string, r ledger.PrivacyRequest) accepted {
	a := accepted{UserID: external, Request: r.ID, Status: "accepted"}
	if !r.DoneAt.IsZero() {
		a.Status = "done"
	}
	return a
}

// export answers with everything that is held about a customer.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	ask, ids, ok := s.asked(w, r)
	if !ok {
		return
	}
	if ask.RegulationType != "" {
		http.Error(w, "an export names one userId", http.StatusBadRequest)
		return
	}
	known, err := s.Privacy.ActiveCustomerIDs(r.Context(), ids)
	if err != nil {
		s.fail(w, "privacy_export", err)
		return
	}
	customer := known[ids[0]]
	if customer == "" {
		http.Error(w, "no such customer, or erased", http.StatusNotFound)
		return
	}
	// A long history takes longer than a request usually may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exportTime)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(exportTime)) // a test's recorder has none
	out := &download{w: w}
	_, err = s.Privacy.Export(ctx, ledger.PrivacyRequest{CustomerID: customer, By: ask.By, Reason: ask.Reason, RequestedAt: s.Clock.Now()}, out)
	switch {
	case err == nil:
		s.metrics.privacy.WithLabelValues("export", "done").Inc()
	case !out.begun:
		s.fail(w, "privacy_export", err)
	default:
		// The document is cut off in the middle: the connection must say so.
		s.metrics.privacy.WithLabelValues("export", "failed").Inc()
		s.Log.Error("an export broke off", "code", string(lifecycle.CodeOf(err)))
		panic(http.ErrAbortHandler)
	}
}

// download sends headers with the first bytes of a document.
type download struct {
	w     http.ResponseWriter
	begun bool
}

func (d *download) Write(b []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "application/json")
		d.w.Header().Set("Cache-Control", "no-store")
	}
	return d.w.Write(b)
}

// privacyRequest tells what became of a request.
func (s *Server) privacyRequest(w http.ResponseWriter, r *http.Request) {
	if !s.mayAsk(w, r) {
		return
	}
	id := r.PathValue("id")
	if uuid.Validate(id) != nil {
		http.Error(w, "no such request", http.StatusNotFound)
		return
	}
	request, err := s.Privacy.PrivacyRequest(r.Context(), id)
	switch {
	case lifecycle.CodeOf(err) == lifecycle.NotFound:
		http.Error(w, "no such request", http.StatusNotFound)
	case err != nil:
		s.fail(w, "privacy_request", err)
	default:
		respond(w, http.StatusOK, request)
	}
}

// needsConfirmation is the brand's double opt-in.
func (s *Server) needsConfirmation(c lifecycle.Consent, country string) bool {
	return s.Wording != nil && s.Wording.NeedsConfirmation(c, country)
}
