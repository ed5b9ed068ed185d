package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/internal/sandbox/draw"
)

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// mailSend answers POST /v3/mail/send.
func (s *Server) mailSend(w http.ResponseWriter, r *http.Request) {
	if !s.mailDoor(w, r, http.MethodPost) {
		s.refused.Add(1)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.refused.Add(1)
		mailError(w, http.StatusUnsupportedMediaType, "Content-Type should be application/json.", "")
		return
	}
	m, status, problems := s.readMail(w, r)
	if status != 0 {
		s.refused.Add(1)
		if status == http.StatusRequestEntityTooLarge {
			writeHTML(w, status)
			return
		}
		for _, p := range problems {
			s.violated("sendgrid", "mail/send: %s", p.Message)
		}
		writeJSON(w, status, map[string]any{"errors": problems})
		return
	}
	if m.sandboxMode() {
		w.WriteHeader(http.StatusOK)
		return
	}
	now := s.opts.Clock.Now()
	id := s.accept(m, now)
	if f, struck := s.faults.take(SendGrid, Cut, Slow); struck {
		if f.Kind == Cut {
			cut(w)
			return
		}
		pause(r, f.delay())
	}
	w.Header().Set("X-Message-Id", id)
	w.WriteHeader(http.StatusAccepted)
}

// readMail decodes and checks the body; status is 0 when it is good.
func (s *Server) readMail(w http.ResponseWriter, r *http.Request) (*mail, int, []mailProblem) {
	buf := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxRequestBytes)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, http.StatusRequestEntityTooLarge, nil
		}
		return nil, http.StatusBadRequest, []mailProblem{problem("", "Bad Request: the body could not be read")}
	}
	m := new(mail)
	dec := json.NewDecoder(buf)
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, http.StatusBadRequest, []mailProblem{decodeProblem(err)}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, http.StatusBadRequest, []mailProblem{problem("", "Bad Request: the body is not valid JSON")}
	}
	if problems := checkMail(m, s.opts.Clock.Now(), s.knownBatch); len(problems) > 0 {
		return nil, http.StatusBadRequest, problems
	}
	for i := range m.Personalizations {
		from := m.From
		if p := m.Personalizations[i].From; p != nil {
			from = p
		}
		if !s.verified(from.Email) {
			return nil, http.StatusForbidden, []mailProblem{problem("from",
				"The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.")}
		}
	}
	return m, 0, nil
}

// mailDoor checks faults, key and method of a /v3 request and answers when one
// of them is wrong.
func (s *Server) mailDoor(w http.ResponseWriter, r *http.Request, method string) bool {
	if f, struck := s.faults.take(SendGrid, RateLimited, Unavailable, CutBefore, Refused); struck {
		switch f.Kind {
		case RateLimited:
			h := w.Header()
			h.Set("X-RateLimit-Limit", "600")
			h.Set("X-RateLimit-Remaining", "0")
			h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(f.reset()).Unix()+1, 10))
			mailError(w, http.StatusTooManyRequests, "too many requests", "")
		case Unavailable:
			writeHTML(w, f.status(http.StatusServiceUnavailable))
		case CutBefore:
			cut(w)
		default:
			mailError(w, f.status(http.StatusBadRequest), "Bad Request: refused on demand", "personalizations")
		}
		return false
	}
	if !bearer(r, s.opts.SendGridKey) {
		mailError(w, http.StatusUnauthorized, "The provided authorization grant is invalid, expired, or revoked", "")
		return false
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		mailError(w, http.StatusMethodNotAllowed, "method not allowed", "")
		return false
	}
	return true
}

// mailError answers with one error in the vendor's form.
func mailError(w http.ResponseWriter, status int, message, field string) {
	writeJSON(w, status, map[string]any{"errors": []mailProblem{problem(field, message)}})
}

func (s *Server) verified(email string) bool {
	if len(s.opts.VerifiedSenders) == 0 {
		return true
	}
	domain := email[strings.LastIndexByte(email, '@')+1:]
	for _, v := range s.opts.VerifiedSenders {
		if strings.EqualFold(v, email) || strings.EqualFold(v, domain) {
			return true
		}
	}
	return false
}

// accept puts one letter per recipient on its way and returns the X-Message-Id.
func (s *Server) accept(m *mail, now time.Time) string {
	var text, html string
	for _, part := range m.Content {
		switch part.Type {
		case "text/plain":
			text = part.Value
		case "text/html":
			html = part.Value
		}
	}
	var letters []*letter
	for i := range m.Personalizations {
		p := &m.Personalizations[i]
		args := merged(m.CustomArgs, p.CustomArgs)
		base := letter{
			at: now, due: now, from: *m.From, html: html, text: text, headers: merged(m.Headers, p.Headers), categories: m.Categories,
			args: args, touch: args[s.opts.TouchArg], opens: m.opens(), clicks: m.clicks(), counts: true,
			bypass: m.MailSettings != nil && on(m.MailSettings.BypassListManagement),
		}
		if p.From != nil {
			base.from = *p.From
		}
		if m.ReplyTo != nil {
			base.replyTo = m.ReplyTo.Email
		}
		if p.Subject != nil {
			base.subject = *p.Subject
		} else if m.Subject != nil {
			base.subject = *m.Subject
		}
		if m.ASM != nil {
			base.group = *m.ASM.GroupID
		}
		for _, at := range []*int64{m.SendAt, p.SendAt} {
			if at != nil {
				base.due = time.Unix(*at, 0).UTC()
			}
		}
		if base.due.Before(now) {
			base.due = now
		}
		for _, list := range [][]address{p.To, p.CC, p.BCC} {
			for _, a := range list {
				l := base
				l.to = a
				letters = append(letters, &l)
				base.counts = false // the other recipients share the one touch
			}
		}
	}
	return s.outbox.accept(letters, s.opts.EventDelay, s.opts.OnDelivered != nil, s.messageID)
}

// messageID is the X-Message-Id of the request whose first letter has this number.
func (s *Server) messageID(number uint64) string {
	d := draw.Of(s.opts.Seed, draw.Text("message"), number)
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], d.Uint64())
	binary.BigEndian.PutUint64(raw[8:], d.Uint64())
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// mailBatch hands out a batch id.
func (s *Server) mailBatch(w http.ResponseWriter, r *http.Request) {
	if !s.mailDoor(w, r, http.MethodPost) {
		return
	}
	s.batchMu.Lock()
	id := s.messageID(1<<63 + uint64(len(s.batches)))
	s.batches[id] = true
	s.batchMu.Unlock()
	writeJSON(w, http.StatusCreated, map[string]string{"batch_id": id})
}

func (s *Server) knownBatch(id string) bool {
	s.batchMu.Lock()
	defer s.batchMu.Unlock()
	return s.batches[id]
}
