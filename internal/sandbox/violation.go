package sandbox

import (
	"fmt"
	"net/http"
	"sync"
)

// maxViolations bounds how many kinds of violation are kept apart.
const maxViolations = 1000

// Violation is a request that a vendor's documented contract does not allow: an
// unknown field, a value out of range, a forbidden header. The vendor refuses it
// or, worse, takes it in silence; either way a client of ours is wrong.
type Violation struct {
	Vendor string `json:"vendor"` // sendgrid, openai, twilio, fcm, webpush, mixpanel
	Rule   string `json:"rule"`   // what is not allowed, without values that identify people
	Count  int    `json:"count"`
}

// violations counts violations by vendor and rule.
type violations struct {
	mu    sync.Mutex
	index map[[2]string]int
	list  []Violation
}

// violated records that a request breaks the vendor's contract. Injected faults
// never count: they are the vendor's doing.
func (s *Server) violated(vendor, format string, args ...any) {
	v := &s.violations
	v.mu.Lock()
	defer v.mu.Unlock()
	key := [2]string{vendor, fmt.Sprintf(format, args...)}
	if i, known := v.index[key]; known {
		v.list[i].Count++
		return
	}
	if len(v.list) == maxViolations {
		return
	}
	if v.index == nil {
		v.index = map[[2]string]int{}
	}
	v.index[key] = len(v.list)
	v.list = append(v.list, Violation{Vendor: vendor, Rule: key[1], Count: 1})
}

// Violations lists what broke the vendors' contracts so far, in order of first
// occurrence.
func (s *Server) Violations() []Violation {
	s.violations.mu.Lock()
	defer s.violations.mu.Unlock()
	return append([]Violation{}, s.violations.list...)
}

// listViolations answers GET /sandbox/violations.
func (s *Server) listViolations(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Violations())
}
