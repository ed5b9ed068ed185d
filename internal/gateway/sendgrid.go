package gateway

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/ledger"
)

// maxWebhook is above the 768 KB at which the provider cuts its posts.
const maxWebhook = 1 << 20

// sendgrid takes the provider's signed event posts. Anything but 2xx makes the
// provider repeat the whole post for a day, so it is answered only after the
// outcomes are committed, and entries that can never be read are left out.
func (s *Server) sendgrid(w http.ResponseWriter, r *http.Request) {
	if s.SendGrid == nil {
		http.Error(w, "no event webhook key is configured", http.StatusNotFound)
		return
	}
	body, err := readBody(w, r, maxWebhook)
	if err != nil {
		status := http.StatusBadRequest
		if err == errTooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	if err := s.SendGrid.Verify(r.Header, body); err != nil {
		s.metrics.signatures.WithLabelValues("sendgrid").Inc()
		s.Log.Warn("webhook refused", "door", "sendgrid", "reason", err.Error())
		http.Error(w, "the signature is missing or wrong", http.StatusForbidden)
		return
	}
	events, err := sendgrid.ParseEvents(body)
	if events == nil && err != nil {
		http.Error(w, "the body is not a JSON array of events", http.StatusBadRequest)
		return
	}
	if err != nil {
		s.metrics.unreadable.WithLabelValues("sendgrid").Inc()
		s.Log.Warn("webhook entries left out", "door", "sendgrid", "reason", err.Error())
	}
	outcomes := make([]ledger.Outcome, 0, len(events))
	now := s.Clock.Now()
	for _, e := range events {
		o, ok := outcomeOf(e, now)
		if !ok {
			s.metrics.unreadable.WithLabelValues("sendgrid").Inc()
			continue
		}
		outcomes = append(outcomes, o)
	}
	fresh := 0
	if len(outcomes) > 0 {
		if fresh, err = s.Outcomes.ApplyOutcomes(r.Context(), outcomes); err != nil {
			s.fail(w, "sendgrid", err)
			return
		}
	}
	for _, o := range outcomes {
		s.metrics.outcome(o)
	}
	if fresh > 0 && s.OnOutcomes != nil {
		s.OnOutcomes(r.Context(), outcomes)
	}
	w.WriteHeader(http.StatusNoContent)
}

// outcomeKinds translates the provider's words. A bounce and the types that
// change nothing are not here.
var outcomeKinds = map[sendgrid.EventType]ledger.OutcomeKind{
	sendgrid.Processed:        ledger.OutcomeProcessed,
	sendgrid.Deferred:         ledger.OutcomeDeferred,
	sendgrid.Delivered:        ledger.OutcomeDelivered,
	sendgrid.Dropped:          ledger.OutcomeDropped,
	sendgrid.Open:             ledger.OutcomeOpened,
	sendgrid.Click:            ledger.OutcomeClicked,
	sendgrid.SpamReport:       ledger.OutcomeComplained,
	sendgrid.Unsubscribe:      ledger.OutcomeUnsubscribe,
	sendgrid.GroupUnsubscribe: ledger.OutcomeUnsubscribe,
}

// outcomeOf is what an event means to the ledger. Nothing, when it is of a type
// that changes nothing, or stamped outside any plausible time.
func outcomeOf(e sendgrid.Event, now time.Time) (ledger.Outcome, bool) {
	o := ledger.Outcome{Key: e.Key, TouchID: e.TouchID, Provider: plain(e.ProviderID, 200), Machine: e.Machine, At: e.At}
	if _, err := uuid.Parse(string(e.TouchID)); err != nil {
		o.TouchID = "" // not one of ours; the provider's id may still say whose
	}
	var known bool
	if o.Kind, known = outcomeKinds[e.Type]; e.Type == sendgrid.Bounce {
		o.Kind, known = ledger.OutcomeBlocked, true
		if e.Hard {
			o.Kind = ledger.OutcomeBounced
		}
	}
	if !known || e.At.Year() < 2000 || e.At.After(now.Add(48*time.Hour)) {
		return o, false
	}
	o.Detail = detail(e)
	if reason, yes := e.Suppresses(); yes {
		o.Suppress = true
		if o.Detail == "" {
			o.Detail = reason
		}
	}
	return o, true
}

// addresses finds e-mail addresses in what mail servers answer.
var addresses = regexp.MustCompile(`[^\s<>"'(),:;]+@[^\s<>"'(),:;]+`)

// detail is the reason or link of an event without personal data: addresses
// and everything behind the path of a link are taken out.
func detail(e sendgrid.Event) string {
	if e.URL != "" {
		u, err := url.Parse(e.URL)
		if err != nil {
			return "a link that cannot be read"
		}
		return plain((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), 500)
	}
	text := addresses.ReplaceAllString(e.Reason, "(address)")
	if e.Status != "" {
		text = strings.TrimSpace(e.Status + " " + text)
	}
	return plain(text, 500)
}

// plain makes text storable: valid UTF-8 without NUL, at most limit bytes.
func plain(s string, limit int) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}
