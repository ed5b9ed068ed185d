package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/internal/sandbox/draw"
)

// Vendor names a vendor the sandbox stands in for.
type Vendor string

// Vendors of this sandbox.
const (
	SendGrid Vendor = "sendgrid"
	OpenAI   Vendor = "openai"
)

// FaultKind names a way to misbehave.
type FaultKind string

// Faults of both vendors.
const (
	RateLimited FaultKind = "rate_limited" // 429 with the reset headers; ResetSeconds, default 1
	Unavailable FaultKind = "unavailable"  // 5xx with an HTML body; Status, default 503
	CutBefore   FaultKind = "cut_before"   // connection closed, nothing accepted
	Cut         FaultKind = "cut"          // accepted, then the connection closed without an answer
	Slow        FaultKind = "slow"         // accepted, answered after DelayMS, default 1,000
	Refused     FaultKind = "refused_400"  // refused in the vendor's form; Status, default 400
)

// Faults of SendGrid's event webhook, drawn per event.
const (
	WebhooksLost       FaultKind = "webhooks_lost"
	WebhooksDuplicated FaultKind = "webhooks_duplicated" // a copy with a new sg_event_id follows later
	WebhooksReordered  FaultKind = "webhooks_reordered"  // held back for one to three posts
)

// Faults of OpenAI's answers.
const (
	QuotaExceeded  FaultKind = "insufficient_quota" // 429 that waiting does not cure
	ModelRefusal   FaultKind = "refusal"            // refusal set, content null
	Truncated      FaultKind = "truncated"          // JSON cut off, finish_reason length
	ContentFilter  FaultKind = "content_filter"     // finish_reason content_filter
	NotJSON        FaultKind = "not_json"           // prose where JSON was asked for
	SchemaViolated FaultKind = "schema_violated"    // JSON that does not match the schema, as compatible servers may answer
)

var (
	commonFaults   = []FaultKind{RateLimited, Unavailable, CutBefore, Cut, Slow, Refused}
	sendGridFaults = append([]FaultKind{WebhooksLost, WebhooksDuplicated, WebhooksReordered}, commonFaults...)
	openAIFaults   = append([]FaultKind{QuotaExceeded, ModelRefusal, Truncated, ContentFilter, NotJSON, SchemaViolated}, commonFaults...)
)

// Fault is one way to misbehave, for the next Count occasions, at a Rate, or
// at a Rate until Count times struck. Neither = once.
type Fault struct {
	ID           int       `json:"id"`
	Vendor       Vendor    `json:"vendor"`
	Kind         FaultKind `json:"kind"`
	Count        int       `json:"count,omitempty"` // what is left of it
	Rate         float64   `json:"rate,omitempty"`  // share of occasions in [0,1]
	Status       int       `json:"status,omitempty"`
	ResetSeconds int       `json:"reset_seconds,omitempty"`
	DelayMS      int       `json:"delay_ms,omitempty"`
	Struck       int       `json:"struck"` // how often it happened so far
}

// Validate says what is wrong with a fault, or nil.
func (f Fault) Validate() error {
	var kinds []FaultKind
	switch f.Vendor {
	case SendGrid:
		kinds = sendGridFaults
	case OpenAI:
		kinds = openAIFaults
	default:
		return fmt.Errorf("fault vendor %q: use %s or %s", f.Vendor, SendGrid, OpenAI)
	}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("fault kind %q of %s: use one of %v", f.Kind, f.Vendor, kinds)
	case f.Count < 0 || f.ResetSeconds < 0 || f.DelayMS < 0:
		return fmt.Errorf("fault %s: count, reset_seconds and delay_ms must not be negative", f.Kind)
	case f.Rate < 0 || f.Rate > 1:
		return fmt.Errorf("fault %s: rate %v is not in [0,1]", f.Kind, f.Rate)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("fault %s: status %d is not an error status", f.Kind, f.Status)
	}
	return nil
}

// delay is how long Slow waits, in real time.
func (f Fault) delay() time.Duration {
	if f.DelayMS == 0 {
		return time.Second
	}
	return time.Duration(f.DelayMS) * time.Millisecond
}

// reset is how long until a rate limit lifts, in real time.
func (f Fault) reset() time.Duration { return time.Duration(max(f.ResetSeconds, 1)) * time.Second }

// status is the fault's own status or the usual one.
func (f Fault) status(usual int) int {
	if f.Status != 0 {
		return f.Status
	}
	return usual
}

type activeFault struct {
	Fault
	limited bool // ends when Count reaches 0
	draws   uint64
}

type faultSet struct {
	seed   uint64
	active atomic.Int32 // faults in force; 0 makes take free
	mu     sync.Mutex
	lastID int
	faults []*activeFault
}

func (f *faultSet) add(fault Fault) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastID++
	fault.ID, fault.Struck = f.lastID, 0
	if fault.Count == 0 && fault.Rate == 0 {
		fault.Count = 1
	}
	f.faults = append(f.faults, &activeFault{Fault: fault, limited: fault.Count > 0})
	f.active.Add(1)
	return fault
}

// take draws the first fault of one of these kinds that strikes now.
func (f *faultSet) take(vendor Vendor, kinds ...FaultKind) (Fault, bool) {
	if f.active.Load() == 0 {
		return Fault{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.faults {
		if a.Vendor != vendor || !slices.Contains(kinds, a.Kind) || a.limited && a.Count == 0 {
			continue
		}
		if a.Rate > 0 {
			a.draws++
			s := draw.Of(f.seed, draw.Text("fault"), uint64(a.ID), a.draws)
			if !s.Bool(a.Rate) {
				continue
			}
		}
		a.Struck++
		if a.limited {
			if a.Count--; a.Count == 0 {
				f.active.Add(-1)
			}
		}
		return a.Fault, true
	}
	return Fault{}, false
}

func (f *faultSet) list() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, 0, len(f.faults))
	for _, a := range f.faults {
		out = append(out, a.Fault)
	}
	return out
}

func (f *faultSet) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
	f.active.Store(0)
}

// Inject puts a fault in force and returns it with its id.
func (s *Server) Inject(f Fault) (Fault, error) {
	if err := f.Validate(); err != nil {
		return Fault{}, err
	}
	return s.faults.add(f), nil
}

// Faults lists the faults injected since the last ClearFaults, spent ones too.
func (s *Server) Faults() []Fault { return s.faults.list() }

// ClearFaults ends all faults.
func (s *Server) ClearFaults() { s.faults.clear() }

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"faults": s.faults.list()})
}

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(&f)
	if err == nil {
		f, err = s.Inject(f)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.log.Info("fault injected", "vendor", f.Vendor, "kind", f.Kind, "count", f.Count, "rate", f.Rate)
	writeJSON(w, http.StatusCreated, f)
}

func (s *Server) clearFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.clear()
	w.WriteHeader(http.StatusNoContent)
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
				_ = tcp.SetLinger(0) // a reset is nicer to have than to insist on
			}
			_ = conn.Close() // the point is that the client sees it broken
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// pause waits in real time unless the client has gone.
func pause(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone; nothing left to tell it
}

// writeHTML answers as the proxies before the vendors do.
func writeHTML(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	text := http.StatusText(status)
	_, _ = fmt.Fprintf(w, "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", status, text, status, text) // as above
}
