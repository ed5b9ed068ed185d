package sandbox

import (
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const mailboxPage = 50

//go:embed mailbox.html
var mailboxSource string

var mailboxTemplate = template.Must(template.New("mailbox").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05") },
}).Parse(mailboxSource))

// mailboxRow is one line of the list.
type mailboxRow struct {
	Number     uint64
	At         time.Time
	To, Name   string
	Subject    string
	Categories []string
	Badges     []string
}

type mailboxListing struct {
	Query      string
	Rows       []mailboxRow
	Total      int // letters found
	Kept       int // letters in the mailbox
	Ever       int // letters accepted since the start
	Repeated   int
	From, To   int
	Newer      string
	Older      string
	HasNewer   bool
	HasOlder   bool
	Simulating bool
}

type nameValue struct{ Name, Value string }

type mailboxEvent struct {
	Kind   string
	At     time.Time
	Detail string
}

type mailboxReading struct {
	mailboxRow
	From, FromName, ReplyTo string
	TouchID, MessageID      string
	UnsubscribeURL          string
	Headers, Args           []nameValue
	HTML, Text              string
	Events                  []mailboxEvent
}

// pageHeaders keep a page of strangers' HTML harmless: no scripts, no remote
// content, no framing.
func pageHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// mailboxList answers GET /mailbox?q=...&page=....
func (s *Server) mailboxList(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	listing := s.searchMailbox(query, page)
	link := func(p int) string { return "/mailbox?" + url.Values{"q": {query}, "page": {strconv.Itoa(p)}}.Encode() }
	listing.Newer, listing.Older = link(page-1), link(page+1)
	pageHeaders(w)
	if err := mailboxTemplate.ExecuteTemplate(w, "list", listing); err != nil {
		s.log.Error("mailbox list", "error", err)
	}
}

// searchMailbox finds letters by address, name, subject or touch id, newest first.
func (s *Server) searchMailbox(query string, page int) mailboxListing {
	o, needle := s.outbox, strings.ToLower(query)
	o.mu.Lock()
	defer o.mu.Unlock()
	listing := mailboxListing{Query: query, Kept: len(o.ring), Ever: len(o.records), Repeated: o.repeated, Simulating: s.opts.OnDelivered != nil}
	skip := (page - 1) * mailboxPage
	for i := range len(o.ring) {
		l := o.letter(uint64(len(o.records) - 1 - i))
		if l == nil || needle != "" && !l.mentions(needle) {
			continue
		}
		if listing.Total++; listing.Total > skip && len(listing.Rows) < mailboxPage {
			listing.Rows = append(listing.Rows, rowOf(l))
		}
	}
	listing.From, listing.To = min(skip+1, listing.Total), skip+len(listing.Rows)
	listing.HasNewer, listing.HasOlder = page > 1, listing.Total > skip+len(listing.Rows)
	return listing
}

func (l *letter) mentions(needle string) bool {
	for _, s := range []string{l.to.Email, l.to.Name, l.subject, l.touch} {
		if strings.Contains(strings.ToLower(s), needle) {
			return true
		}
	}
	return false
}

// rowOf lists a letter with one badge per kind of event, in order of first
// occurrence; the caller holds the lock.
func rowOf(l *letter) mailboxRow {
	row := mailboxRow{Number: l.number, At: l.at, To: l.to.Email, Name: l.to.Name, Subject: l.subject, Categories: l.categories}
	seen := map[string]bool{"processed": true}
	for _, e := range l.events {
		if k := badge(e); !seen[k] {
			seen[k] = true
			row.Badges = append(row.Badges, k)
		}
	}
	return row
}

func badge(e event) string {
	switch {
	case e.kind == "open" && e.machine:
		return "machine open"
	case e.kind == "bounce" && e.bounceType == "blocked":
		return "blocked"
	}
	return e.kind
}

// mailboxLetter answers GET /mailbox/{id}.
func (s *Server) mailboxLetter(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	reading, found := mailboxReading{}, false
	if err == nil {
		reading, found = s.read(number)
	}
	pageHeaders(w)
	if !found {
		w.WriteHeader(http.StatusNotFound)
		if err := mailboxTemplate.ExecuteTemplate(w, "missing", s.opts.KeepBodies); err != nil {
			s.log.Error("mailbox page", "error", err)
		}
		return
	}
	if err := mailboxTemplate.ExecuteTemplate(w, "letter", reading); err != nil {
		s.log.Error("mailbox page", "error", err)
	}
}

func (s *Server) read(number uint64) (mailboxReading, bool) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	l := s.outbox.letter(number)
	if l == nil {
		return mailboxReading{}, false
	}
	reading := mailboxReading{
		mailboxRow: rowOf(l), From: l.from.Email, FromName: l.from.Name, ReplyTo: l.replyTo, TouchID: l.touch, MessageID: sgMessageID(l),
		UnsubscribeURL: unsubscribeURL(l.headers), Headers: pairs(l.headers), Args: pairs(l.args), Text: l.text,
	}
	if l.html != "" {
		reading.HTML = `<base target="_blank">` + l.html
	}
	for _, e := range l.events {
		detail := strings.TrimSpace(strings.Join([]string{e.url, e.reason, e.response, e.userAgent}, " "))
		if e.attempt > 0 {
			detail = fmt.Sprintf("attempt %d: %s", e.attempt, detail)
		}
		reading.Events = append(reading.Events, mailboxEvent{Kind: badge(e), At: e.at, Detail: detail})
	}
	return reading, true
}

func pairs(m map[string]string) []nameValue {
	out := make([]nameValue, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, nameValue{k, m[k]})
	}
	return out
}
