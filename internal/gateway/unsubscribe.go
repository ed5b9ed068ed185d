package gateway

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"

	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// Unsubscribed is the event of a customer leaving a channel.
const Unsubscribed = postgres.Unsubscribed

// maxForm bounds the form of an unsubscribe request.
const maxForm = 64 << 10

//go:embed unsubscribe.html
var pageSource string

var page = template.Must(template.New("unsubscribe").Parse(pageSource))

// pageData is what the page shows; never who the customer is.
type pageData struct {
	Title   string
	Message string
	Action  string // the label of the button; empty = no button
	Choices string // address of the preference page; empty = no link
}

// unsubscribePage shows what a click would do. It changes nothing: mail
// scanners open every link of a message.
func (s *Server) unsubscribePage(w http.ResponseWriter, r *http.Request) {
	claims, err := s.Links.Verify(r.PathValue("token"))
	if err != nil {
		s.show(w, http.StatusNotFound, damaged)
		return
	}
	s.show(w, http.StatusOK, pageData{
		Title:   "Unsubscribe",
		Message: "Do you want to stop receiving " + kindOf(claims.Channel) + " from " + s.sender() + "?",
		Action:  "Yes, unsubscribe me",
		Choices: s.choicesBelow(r),
	})
}

// choicesBelow is the preference page, as seen from the unsubscribe page.
func (s *Server) choicesBelow(r *http.Request) string {
	if s.Choices == nil {
		return ""
	}
	return link.PreferencesOf(url.PathEscape(r.PathValue("token")))
}

// unsubscribe takes the customer off the channel at once: RFC 8058 section 3.2
// allows neither a redirect nor a question. Repetition is a success.
func (s *Server) unsubscribe(w http.ResponseWriter, r *http.Request) {
	claims, err := s.Links.Verify(r.PathValue("token"))
	if err != nil {
		s.metrics.unsubscribe.WithLabelValues("unknown", "refused").Inc()
		s.show(w, http.StatusNotFound, damaged)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	// ParseMultipartForm reads both kinds of form and says so when the body is
	// not multipart; the values decide either way.
	_ = r.ParseMultipartForm(maxForm) // a form that could not be read has no values
	if r.PostForm.Get("List-Unsubscribe") != "One-Click" && r.PostForm.Get("confirm") != "yes" {
		http.Error(w, "send the form List-Unsubscribe=One-Click", http.StatusBadRequest)
		return
	}
	changed, err := s.leave(r, claims)
	switch {
	case lifecycle.CodeOf(err) == lifecycle.NotFound: // erased: nothing is sent to them anyway
	case err != nil:
		s.metrics.unsubscribe.WithLabelValues(string(claims.Channel), "failed").Inc()
		s.fail(w, "unsubscribe", err)
		return
	}
	result := "repeated"
	if changed {
		result = "changed"
		if s.OnEvents != nil {
			s.OnEvents()
		}
	}
	s.metrics.unsubscribe.WithLabelValues(string(claims.Channel), result).Inc()
	s.show(w, http.StatusOK, pageData{
		Title:   "You are unsubscribed",
		Message: "You will receive no more " + kindOf(claims.Channel) + " from " + s.sender() + ". Messages about your orders and your account are not affected.",
		Choices: s.choicesBelow(r),
	})
}

// leave records that the customer left the channel.
func (s *Server) leave(r *http.Request, claims link.Claims) (bool, error) {
	listens, err := s.Listens(r.Context())
	if err != nil {
		return false, err
	}
	properties, err := json.Marshal(map[string]string{"channel": string(claims.Channel), "list": claims.List, "source": "one-click"})
	if err != nil {
		return false, lifecycle.Errorf(lifecycle.Internal, "encode event: %w", err)
	}
	now := s.Clock.Now()
	return s.Unsubscribing.Unsubscribe(r.Context(), postgres.Unsubscription{
		Customer: claims.Customer, Channel: claims.Channel, List: claims.List, Source: "one-click", At: now, Listens: listens,
		IP: s.clientIP(r), UserAgent: clip(r.UserAgent(), 500),
		// Written only when it is news, so a fresh id cannot double it.
		Event: postgres.BulkEvent{ID: ingest.EventIDOf("unsubscribed/" + rand.Text()), Name: Unsubscribed,
			At: now, ReceivedAt: now, Source: "one-click", Properties: properties},
	})
}

var damaged = pageData{
	Title:   "This link does not work",
	Message: "It is damaged or incomplete. Please open it again from the message, or answer the message and ask to be taken off.",
}

func kindOf(ch lifecycle.Channel) string {
	switch ch {
	case lifecycle.Email:
		return "marketing e-mails"
	case lifecycle.SMS:
		return "marketing text messages"
	case lifecycle.WhatsApp:
		return "marketing messages on WhatsApp"
	case lifecycle.Push:
		return "marketing notifications"
	}
	return "marketing messages"
}

func (s *Server) sender() string {
	if s.Brand == "" {
		return "us"
	}
	return s.Brand
}

func (s *Server) show(w http.ResponseWriter, status int, data pageData) {
	s.render(w, status, page, data)
}
