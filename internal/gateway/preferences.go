package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"

	"touchstone/internal/brand"
	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// ChoiceStore keeps what customers choose; *postgres.Store is one.
type ChoiceStore interface {
	Preferences(ctx context.Context, id lifecycle.CustomerID) (postgres.Preferences, error)
	Choose(ctx context.Context, c postgres.Choices) (changed []string, err error)
	Confirm(ctx context.Context, c postgres.Confirmation) (confirmed bool, err error)
}

// preferenceSource is where consents of the page come from.
const preferenceSource = "preference-centre"

// preferencesView is what the page shows. It never says who the customer is, but
// for the last two digits of a number: links are forwarded.
type preferencesView struct {
	Language, Title, Intro string
	Notice                 string // after saving
	Channels               []choice
	Topics                 []choice
	Frequencies            []choice
	Heads                  struct{ Channels, Topics, Frequency string }
	Save, Stop, StopAbout  string
	Message                string // instead of the form
}

// choice is one thing to tick.
type choice struct {
	Name  string // of the form's field value
	Label string
	About string
	On    bool
	Off   string // why it cannot be ticked
}

// preferencesPage shows what the customer chose. It changes nothing.
func (s *Server) preferencesPage(w http.ResponseWriter, r *http.Request) {
	claims, ok := s.visitor(w, r)
	if !ok {
		return
	}
	p, err := s.Choices.Preferences(r.Context(), claims.Customer)
	if err != nil {
		s.noPreferences(w, err)
		return
	}
	s.render(w, http.StatusOK, preferencesTemplate, s.preferencesOf(p, ""))
}

// visitor reads the token of a link. There is no log-in: the token is the right.
func (s *Server) visitor(w http.ResponseWriter, r *http.Request) (link.Claims, bool) {
	claims, err := s.Links.Verify(r.PathValue("token"))
	if err != nil || s.Choices == nil {
		page := s.pages().Page(language(r))
		s.render(w, http.StatusNotFound, preferencesTemplate, preferencesView{Language: page.Language,
			Title: s.text(page, "damaged_title", ""), Message: s.text(page, "damaged", "")})
		return claims, false
	}
	return claims, true
}

// noPreferences answers for customers who are erased or unknown, and for a store
// that does not answer.
func (s *Server) noPreferences(w http.ResponseWriter, err error) {
	if lifecycle.CodeOf(err) != lifecycle.NotFound {
		s.fail(w, "preferences", err)
		return
	}
	page := s.pages().Page("")
	s.render(w, http.StatusOK, preferencesTemplate, preferencesView{Language: page.Language, Title: s.text(page, "gone_title", ""), Message: s.text(page, "gone", "")})
}

func (s *Server) pages() brand.Preferences {
	if s.Wording == nil {
		return brand.Preferences{}
	}
	return s.Wording.Preferences
}

func (s *Server) text(page brand.Page, key, number string) string {
	return page.Text(key, s.sender(), number)
}

// preferencesOf builds the page in the customer's language.
func (s *Server) preferencesOf(p postgres.Preferences, notice string) preferencesView {
	page := s.pages().Page(p.Customer.Locale)
	v := preferencesView{Language: page.Language, Title: s.text(page, "title", ""), Intro: s.text(page, "intro", ""),
		Save: s.text(page, "save", ""), Stop: s.text(page, "stop", ""), StopAbout: s.text(page, "stop_about", "")}
	v.Heads.Channels, v.Heads.Topics, v.Heads.Frequency = s.text(page, "channels", ""), s.text(page, "topics", ""), s.text(page, "frequency", "")
	if notice != "" {
		v.Notice = s.text(page, notice, "")
	}
	for _, ch := range reachable(p) {
		c := choice{Name: string(ch), Label: s.sentence(page, p, ch), On: p.Consents[ch].State == lifecycle.ConsentGranted}
		switch {
		case slices.Contains(p.Barred, ch):
			c.On, c.Off = false, s.text(page, "barred", "")
		case p.Consents[ch].State == lifecycle.ConsentPending:
			c.About = s.text(page, "pending", "")
		}
		v.Channels = append(v.Channels, c)
	}
	for _, t := range page.Topics {
		v.Topics = append(v.Topics, choice{Name: t.ID, Label: t.Title, About: t.About, On: !slices.Contains(p.Wishes.Left, t.ID)})
	}
	for _, f := range lifecycle.Frequencies {
		v.Frequencies = append(v.Frequencies, choice{Name: string(f), Label: s.text(page, frequencyText[f], ""), On: p.Wishes.Frequency == f})
	}
	return v
}

var frequencyText = map[lifecycle.Frequency]string{
	lifecycle.Unreduced: "as_it_comes", lifecycle.AtMostWeekly: "weekly", lifecycle.AtMostMonthly: "monthly",
}

// reachable are the channels a customer can choose about: those with an address,
// and those that they ever said something about.
func reachable(p postgres.Preferences) []lifecycle.Channel {
	var list []lifecycle.Channel
	for _, ch := range lifecycle.Channels {
		_, spoken := p.Consents[ch]
		switch ch {
		case lifecycle.Email:
			spoken = p.Customer.Email != ""
		case lifecycle.SMS:
			spoken = p.Customer.Phone != ""
		case lifecycle.WhatsApp:
			spoken = spoken && p.Customer.Phone != ""
		}
		if spoken {
			list = append(list, ch)
		}
	}
	return list
}

// sentence is what the customer agrees to by ticking a channel; it is kept as proof.
func (s *Server) sentence(page brand.Page, p postgres.Preferences, ch lifecycle.Channel) string {
	number := p.Customer.Phone
	if len(number) > 2 {
		number = "…" + number[len(number)-2:]
	}
	return s.text(page, string(ch), number)
}

// choose stores what the customer sent. Only what the person changed is changed: a
// page that was left open must not undo what was decided elsewhere since, so the
// form carries what it showed.
func (s *Server) choose(w http.ResponseWriter, r *http.Request) {
	claims, ok := s.visitor(w, r)
	if !ok {
		s.metrics.preferences.WithLabelValues("refused").Inc()
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	before, err := s.Choices.Preferences(r.Context(), claims.Customer)
	if err != nil {
		s.noPreferences(w, err)
		return
	}
	choices, notice := s.choicesOf(r, before)
	if notice == "" {
		http.Error(w, "send the form of the page: action=save or action=stop", http.StatusBadRequest)
		return
	}
	if choices.Listens, err = s.Listens(r.Context()); err != nil {
		s.fail(w, "preferences", err)
		return
	}
	changed, err := s.Choices.Choose(r.Context(), choices)
	if err != nil {
		s.metrics.preferences.WithLabelValues("failed").Inc()
		s.noPreferences(w, err)
		return
	}
	result := "changed"
	if len(changed) == 0 {
		result = "unchanged"
		if notice == "saved" {
			notice = "unchanged"
		}
	} else if s.OnEvents != nil {
		s.OnEvents()
	}
	s.metrics.preferences.WithLabelValues(result).Inc()
	after, err := s.Choices.Preferences(r.Context(), claims.Customer)
	if err != nil {
		s.noPreferences(w, err)
		return
	}
	s.render(w, http.StatusOK, preferencesTemplate, s.preferencesOf(after, notice))
}

// choicesOf reads the form; notice is the key of the text that answers it, empty
// when it is no form of the page.
func (s *Server) choicesOf(r *http.Request, p postgres.Preferences) (c postgres.Choices, notice string) {
	page := s.pages().Page(p.Customer.Locale)
	c = postgres.Choices{Customer: p.Customer.ID, At: s.Clock.Now(), Source: preferenceSource, Form: page.Form, Wording: map[string]string{},
		IP: s.clientIP(r), UserAgent: clip(r.UserAgent(), 500), Event: s.choiceEvent}
	switch r.PostForm.Get("action") {
	case "stop":
		for _, ch := range lifecycle.Channels {
			if ch == lifecycle.Push || slices.Contains(reachable(p), ch) {
				c.Consents = append(c.Consents, lifecycle.Consent{Channel: ch, State: lifecycle.ConsentWithdrawn, Wording: s.text(page, "stop_about", "")})
			}
		}
		return c, "stopped"
	case "save":
	default:
		return c, ""
	}
	has := func(field, name string) bool { return slices.Contains(r.PostForm[field], name) }
	for _, ch := range reachable(p) {
		was, is := has("had_channel", string(ch)), has("channel", string(ch))
		if was == is || !has("shown", string(ch)) || is && slices.Contains(p.Barred, ch) {
			continue
		}
		consent := lifecycle.Consent{Channel: ch, State: lifecycle.ConsentWithdrawn, Wording: s.sentence(page, p, ch), Source: preferenceSource}
		if is {
			consent.State = lifecycle.ConsentGranted
			if s.Wording != nil && s.Wording.NeedsConfirmation(consent, p.Customer.Country) {
				consent.State = lifecycle.ConsentPending
			}
		}
		c.Consents = append(c.Consents, consent)
	}
	for _, t := range page.Topics {
		was, is := has("had_topic", t.ID), has("topic", t.ID)
		if was == is || !has("shown", "topic/"+t.ID) {
			continue
		}
		c.Topics = append(c.Topics, postgres.TopicChoice{Topic: t.ID, Left: !is})
		c.Wording["topic/"+t.ID] = t.Title + " " + t.About
	}
	if now := r.PostForm.Get("frequency"); r.PostForm.Has("frequency") && now != r.PostForm.Get("had_frequency") {
		if f := lifecycle.Frequency(now); slices.Contains(lifecycle.Frequencies, f) {
			c.Frequency, c.Wording["frequency"] = &f, s.text(page, frequencyText[f], "")
		}
	}
	return c, "saved"
}

// choiceEvent makes an event of something chosen. It is written only when it is
// news, so a fresh id cannot double it.
func (s *Server) choiceEvent(name string, properties map[string]any) postgres.BulkEvent {
	encoded, err := json.Marshal(properties)
	if err != nil {
		panic("gateway: names and numbers must marshal: " + err.Error())
	}
	now := s.Clock.Now()
	return postgres.BulkEvent{ID: ingest.EventIDOf(name + "/" + rand.Text()), Name: name, At: now, ReceivedAt: now, Source: preferenceSource, Properties: encoded}
}
