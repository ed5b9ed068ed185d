package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox/draw"
)

// Delivery sets how often delivery goes wrong; all shares are in [0,1].
type Delivery struct {
	HardBounce float64 // of addresses: they do not exist and always bounce
	Block      float64 // of messages: blocked, the address stays good
	Defer      float64 // of messages: deferred once, delivered later
}

// Delivered is a message in somebody's inbox.
type Delivered struct {
	Channel        lifecycle.Channel
	TouchID        string // empty when the message carried none
	MessageID      string // the vendor's id of the message
	To             string // e-mail address, E.164 number or device address
	From           string
	Subject        string
	HTML           string
	Text           string
	UnsubscribeURL string   // the HTTPS URI of List-Unsubscribe, empty when there is none
	OneClick       bool     // List-Unsubscribe-Post is set as RFC 8058 asks
	Links          []string // tracked links in the HTML, in order, without the unsubscribe link
	Categories     []string
	CustomArgs     map[string]string
	At             time.Time // business time of delivery
}

// ReactionKind is what a recipient does that the vendor can see.
type ReactionKind string

// Reactions, named after the vendor's events.
const (
	Open        ReactionKind = "open"
	Click       ReactionKind = "click"
	SpamReport  ReactionKind = "spamreport"
	Unsubscribe ReactionKind = "unsubscribe" // through the vendor's own link, not through ours
)

// Reaction is something the recipient does After (business time) delivery. The
// vendor reports opens and clicks only while their tracking is on, and clicks
// only on tracked links.
type Reaction struct {
	Kind      ReactionKind
	After     time.Duration
	URL       string // of a click
	Machine   bool   // an open by a mail client's image proxy
	UserAgent string
	IP        string
}

// deliverDue does everything that is due at now.
func (s *Server) deliverDue(now time.Time) {
	for {
		items := s.outbox.popDue(now, 1000)
		for _, d := range items {
			switch d.step {
			case stepProcess:
				s.process(d)
			case stepDeliver, stepRetry:
				s.deliver(d)
			case stepReact:
				s.react(d)
			}
		}
		if len(items) < 1000 {
			return
		}
	}
}

// process sends the letter out of the vendor's house or drops it.
func (s *Server) process(d due) {
	l := d.letter
	if reason := s.suppression(l); reason != "" && !l.bypass {
		s.emit(event{kind: "dropped", at: d.at, letter: l, reason: reason, status: "5.0.0"})
		return
	}
	s.emit(event{kind: "processed", at: d.at, letter: l})
	s.outbox.later(due{at: d.at.Add(s.opts.EventDelay / 2), step: stepDeliver, letter: l})
}

func (s *Server) deliver(d due) {
	l := d.letter
	if d.step == stepDeliver {
		switch s.fate(l) {
		case "bounce":
			s.suppress(l.to.Email, "Bounced Address")
			s.emit(event{kind: "bounce", at: d.at, letter: l, bounceType: "bounce", status: "5.1.1",
				reason: "550 5.1.1 The email account that you tried to reach does not exist"})
			return
		case "block":
			s.emit(event{kind: "bounce", at: d.at, letter: l, bounceType: "blocked", status: "5.7.1",
				reason: "550 5.7.1 The message was refused by the receiving server's policy"})
			return
		case "defer":
			s.emit(event{kind: "deferred", at: d.at, letter: l, attempt: 1, response: "451 4.3.2 The mailbox is busy, try again later"})
			s.outbox.later(due{at: d.at.Add(10 * time.Minute), step: stepRetry, letter: l})
			return
		}
	}
	s.emit(event{kind: "delivered", at: d.at, letter: l, response: "250 2.0.0 OK"})
	if s.opts.OnDelivered == nil {
		return
	}
	var follow []due
	for _, r := range s.opts.OnDelivered(s.inbox(l, d.at)) {
		follow = append(follow, due{at: d.at.Add(max(r.After, 0)), step: stepReact, letter: l, reaction: &r})
	}
	s.outbox.later(follow...)
}

// fate says how the first delivery attempt goes.
func (s *Server) fate(l *letter) string {
	switch role(l.to.Email) {
	case "bounce":
		return "bounce"
	case "block":
		return "block"
	case "defer":
		return "defer"
	}
	rates := s.opts.Delivery
	address := draw.Of(s.opts.Seed, draw.Text("address"), draw.Text(strings.ToLower(l.to.Email)))
	message := draw.Of(s.opts.Seed, draw.Text("fate"), draw.Text(strings.ToLower(l.to.Email)), draw.Text(l.touch))
	switch {
	case address.Bool(rates.HardBounce):
		return "bounce"
	case message.Bool(rates.Block):
		return "block"
	case message.Bool(rates.Defer):
		return "defer"
	}
	return "deliver"
}

// role is the local part of a steering address, see the package comment.
func role(email string) string {
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	if i := strings.IndexAny(local, "+."); i >= 0 {
		local = local[:i]
	}
	return local
}

func (s *Server) suppression(l *letter) string {
	if role(l.to.Email) == "drop" {
		return "Bounced Address"
	}
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.outbox.suppressed[strings.ToLower(l.to.Email)]
}

func (s *Server) suppress(email, reason string) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.outbox.suppressed[strings.ToLower(email)] = reason
}

func (s *Server) react(d due) {
	l, r := d.letter, d.reaction
	e := event{kind: string(r.Kind), at: d.at, letter: l, userAgent: r.UserAgent, ip: r.IP}
	switch r.Kind {
	case Open:
		if !l.opens {
			return
		}
		e.machine = r.Machine
	case Click:
		if !l.clicks || !slices.Contains(trackedLinks(l.html, unsubscribeURL(l.headers)), r.URL) {
			return
		}
		e.url = r.URL
	case SpamReport:
		s.suppress(l.to.Email, "Spam Reporting Address")
	case Unsubscribe:
		s.suppress(l.to.Email, "Unsubscribed Address")
	default:
		s.log.Error("unknown reaction", "kind", r.Kind)
		return
	}
	s.emit(e)
}

func (s *Server) inbox(l *letter, at time.Time) Delivered {
	target := unsubscribeURL(l.headers)
	return Delivered{
		Channel: lifecycle.Email, TouchID: l.touch, MessageID: sgMessageID(l), To: l.to.Email, From: l.from.Email, Subject: l.subject, HTML: l.html, Text: l.text,
		UnsubscribeURL: target, OneClick: strings.EqualFold(header(l.headers, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click"),
		Links: trackedLinks(l.html, target), Categories: l.categories, CustomArgs: l.args, At: at,
	}
}

func header(headers map[string]string, name string) string {
	if v, ok := headers[name]; ok {
		return v
	}
	for k, v := range headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// unsubscribeURL is the first HTTP(S) URI of List-Unsubscribe (RFC 2369).
func unsubscribeURL(headers map[string]string) string {
	rest := header(headers, "List-Unsubscribe")
	for {
		_, after, found := strings.Cut(rest, "<")
		if !found {
			return ""
		}
		uri, tail, found := strings.Cut(after, ">")
		if !found {
			return ""
		}
		if uri = strings.TrimSpace(uri); strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://") {
			return uri
		}
		rest = tail
	}
}

var (
	anchor  = regexp.MustCompile(`(?is)<a\s[^>]*>`)
	hrefIn  = regexp.MustCompile(`(?is)\shref\s*=\s*(?:"([^"]*)"|'([^']*)')`)
	offMark = regexp.MustCompile(`(?i)\sclicktracking\s*=\s*["']?off`)
	unquote = strings.NewReplacer("&amp;", "&", "&#38;", "&", "&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&#43;", "+")
)

// trackedLinks are the web links that the vendor would rewrite: all but those
// marked clicktracking=off and the unsubscribe link.
func trackedLinks(html, unsubscribe string) []string {
	var out []string
	for _, tag := range anchor.FindAllString(html, -1) {
		m := hrefIn.FindStringSubmatch(tag)
		if m == nil || offMark.MatchString(tag) {
			continue
		}
		url := unquote.Replace(m[1] + m[2])
		if (strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")) && url != unsubscribe {
			out = append(out, url)
		}
	}
	return out
}
