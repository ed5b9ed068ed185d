package gateway

import (
	"net/http"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// confirmView is the page behind the link of a double opt-in.
type confirmView struct {
	Language, Title, Message string
	Sentence                 string // what is confirmed; empty = no button
	Yes, Not                 string
}

// confirmPage shows what a click would confirm. It changes nothing: mail scanners
// open every link.
func (s *Server) confirmPage(w http.ResponseWriter, r *http.Request) {
	claims, page, p, ok := s.confirming(w, r)
	if !ok {
		return
	}
	if p.Consents[claims.Channel].State != lifecycle.ConsentPending {
		s.render(w, http.StatusOK, confirmTemplate, s.confirmed(page, p.Consents[claims.Channel].State == lifecycle.ConsentGranted))
		return
	}
	s.render(w, http.StatusOK, confirmTemplate, confirmView{Language: page.Language, Title: s.text(page, "confirm_title", ""), Message: s.text(page, "confirm", ""),
		Sentence: s.sentence(page, p, claims.Channel), Yes: s.text(page, "confirm_yes", ""), Not: s.text(page, "confirm_not", "")})
}

// confirm makes the pending consent a yes. Repetition is a success.
func (s *Server) confirm(w http.ResponseWriter, r *http.Request) {
	claims, page, p, ok := s.confirming(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("confirm") != "yes" {
		http.Error(w, "send the form of the page: confirm=yes", http.StatusBadRequest)
		return
	}
	listens, err := s.Listens(r.Context())
	if err != nil {
		s.fail(w, "confirm", err)
		return
	}
	now := s.Clock.Now()
	news, err := s.Choices.Confirm(r.Context(), postgres.Confirmation{Customer: claims.Customer, Channel: claims.Channel, Address: claims.Address, At: now,
		IP: s.clientIP(r), UserAgent: clip(r.UserAgent(), 500), Listens: listens,
		Event: s.choiceEvent(postgres.ConsentConfirmed, map[string]any{"channel": string(claims.Channel)})})
	if err != nil {
		s.noPreferences(w, err)
		return
	}
	result := "repeated"
	if news {
		result = "confirmed"
		if s.OnEvents != nil {
			s.OnEvents()
		}
	}
	s.metrics.preferences.WithLabelValues(result).Inc()
	s.render(w, http.StatusOK, confirmTemplate, s.confirmed(page, news || p.Consents[claims.Channel].State == lifecycle.ConsentGranted))
}

// confirming reads a link and the customer it speaks for.
func (s *Server) confirming(w http.ResponseWriter, r *http.Request) (link.Claims, brand.Page, postgres.Preferences, bool) {
	page := s.pages().Page(language(r))
	claims, err := s.Links.VerifyConfirm(r.PathValue("token"))
	if err != nil || s.Choices == nil {
		s.render(w, http.StatusNotFound, confirmTemplate, confirmView{Language: page.Language, Title: s.text(page, "damaged_title", ""), Message: s.text(page, "damaged", "")})
		return claims, page, postgres.Preferences{}, false
	}
	p, err := s.Choices.Preferences(r.Context(), claims.Customer)
	if err != nil {
		s.noPreferences(w, err)
		return claims, page, p, false
	}
	return claims, s.pages().Page(p.Customer.Locale), p, true
}

// confirmed thanks, or says that there is nothing to confirm.
func (s *Server) confirmed(page brand.Page, yes bool) confirmView {
	kind := "closed"
	if yes {
		kind = "thanks"
	}
	return confirmView{Language: page.Language, Title: s.text(page, kind+"_title", ""), Message: s.text(page, kind, "")}
}
