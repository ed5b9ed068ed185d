package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	netmail "net/mail"
	"strings"
	"sync"
)

// Limits of one erasure, from the Recipients' Data Erasure API.
const (
	maxErased     = 5000
	maxErasedBody = 256 << 10
)

// erasures remembers which addresses were asked to be erased.
type erasures struct {
	mu   sync.Mutex
	list []string
}

// Erased lists the addresses that the vendor was asked to erase, in order.
func (s *Server) Erased() []string {
	s.erasures.mu.Lock()
	defer s.erasures.mu.Unlock()
	return append([]string{}, s.erasures.list...)
}

// eraseJob answers POST /v3/recipients/erasejob.
func (s *Server) eraseJob(w http.ResponseWriter, r *http.Request) {
	if !s.mailDoor(w, r, http.MethodPost) {
		return
	}
	refuse := func(message string) {
		s.violated("sendgrid", "recipients/erasejob: %s", strings.SplitN(message, " ", 2)[0])
		mailError(w, http.StatusBadRequest, message, "email_addresses")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse("Content-Type should be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxErasedBody))
	if err != nil {
		refuse("Payload is larger than 256Kb")
		return
	}
	var ask struct {
		Addresses []string `json:"email_addresses"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&ask); err != nil {
		refuse("Body is not what the API asks for")
		return
	}
	if len(ask.Addresses) == 0 || len(ask.Addresses) > maxErased {
		refuse("Number of email_addresses must be 1 to 5000")
		return
	}
	for _, address := range ask.Addresses {
		if a, err := netmail.ParseAddress(address); err != nil || a.Address != address {
			refuse("Email_address " + address + " is not valid")
			return
		}
	}
	s.erasures.mu.Lock()
	s.erasures.list = append(s.erasures.list, ask.Addresses...)
	job := len(s.erasures.list)
	s.erasures.mu.Unlock()
	writeJSON(w, http.StatusAccepted, map[string]string{"job_id": fmt.Sprintf("12a975bd-c742-4713-8f47-%012x", job)})
}
