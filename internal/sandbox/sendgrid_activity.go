package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// activityMessage is one entry of GET /v3/messages (Email Activity). The
// subject of a message that left the mailbox is empty.
type activityMessage struct {
	FromEmail     string `json:"from_email"`
	MsgID         string `json:"msg_id"`
	Subject       string `json:"subject"`
	ToEmail       string `json:"to_email"`
	Status        string `json:"status"`
	OpensCount    int    `json:"opens_count"`
	ClicksCount   int    `json:"clicks_count"`
	LastEventTime string `json:"last_event_time"`
}

// criterion is one comparison of an Email Activity query.
type criterion struct {
	field string // msg_id, to_email, from_email, subject, status or unique_args
	arg   string // of unique_args['arg']
	value string
}

// parseActivityQuery reads field="value" and unique_args['name']="value",
// each optionally in parentheses, joined by AND.
func parseActivityQuery(query string) ([]criterion, error) {
	p := &queryText{rest: query}
	var out []criterion
	for {
		parens := 0
		for p.eat("(") {
			parens++
		}
		c, err := p.criterion()
		if err != nil {
			return nil, err
		}
		for ; parens > 0; parens-- {
			if !p.eat(")") {
				return nil, fmt.Errorf("invalid syntax: missing ')'")
			}
		}
		out = append(out, c)
		if p.space(); p.rest == "" {
			return out, nil
		}
		if !p.eat("AND") {
			return nil, fmt.Errorf("invalid syntax: expected AND, found '%.20s'", p.rest)
		}
	}
}

type queryText struct{ rest string }

func (p *queryText) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

func (p *queryText) eat(token string) bool {
	p.space()
	if len(p.rest) < len(token) || !strings.EqualFold(p.rest[:len(token)], token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *queryText) criterion() (criterion, error) {
	p.space()
	end := strings.IndexFunc(p.rest, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	if end <= 0 {
		return criterion{}, fmt.Errorf("invalid syntax: expected a field name")
	}
	c := criterion{field: p.rest[:end]}
	p.rest = p.rest[end:]
	switch c.field {
	case "msg_id", "to_email", "from_email", "subject", "status":
	case "unique_args":
		if !p.eat("[") {
			return criterion{}, fmt.Errorf("invalid syntax: write unique_args['name']")
		}
		var err error
		if c.arg, err = p.quoted('\''); err != nil {
			return criterion{}, err
		}
		if !p.eat("]") {
			return criterion{}, fmt.Errorf("invalid syntax: missing ']'")
		}
	default:
		return criterion{}, fmt.Errorf("invalid syntax: '%s' is not a known field", c.field)
	}
	if !p.eat("=") {
		return criterion{}, fmt.Errorf("invalid syntax: expected = after %s", c.field)
	}
	var err error
	c.value, err = p.quoted('"')
	return c, err
}

func (p *queryText) quoted(mark byte) (string, error) {
	p.space()
	if p.rest == "" || p.rest[0] != mark {
		return "", fmt.Errorf("invalid syntax: expected %c", mark)
	}
	end := strings.IndexByte(p.rest[1:], mark)
	if end < 0 {
		return "", fmt.Errorf("invalid syntax: missing closing %c", mark)
	}
	value := p.rest[1 : 1+end]
	p.rest = p.rest[end+2:]
	return value, nil
}

// messages answers GET /v3/messages?query=...&limit=....
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	if !s.mailDoor(w, r, http.MethodGet) {
		return
	}
	limit := 10
	if raw := r.URL.Query().Get("limit"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > 1000 {
			mailError(w, http.StatusBadRequest, "limit must be between 1 and 1000", "")
			return
		}
		limit = n
	}
	var criteria []criterion
	if query := r.URL.Query().Get("query"); query != "" {
		var err error
		if criteria, err = parseActivityQuery(query); err != nil {
			mailError(w, http.StatusBadRequest, err.Error(), "")
			return
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"messages": s.findMessages(criteria, limit)})
}

// findMessages searches newest first. A touch id is found by index among all
// letters; other unique arguments and subjects only among those in the mailbox.
func (s *Server) findMessages(criteria []criterion, limit int) []activityMessage {
	o := s.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	out := []activityMessage{}
	add := func(number uint64) bool {
		if m := s.activity(number); s.matches(number, m, criteria) {
			out = append(out, m)
		}
		return len(out) < limit
	}
	for _, c := range criteria {
		if c.field == "unique_args" && c.arg == s.opts.TouchArg {
			key, _ := keyOf(c.value)
			if t, known := o.touches[key]; known {
				for next := t.latest + 1; next != 0; next = o.records[next-1].next {
					if !add(uint64(next - 1)) {
						break
					}
				}
			}
			return out
		}
	}
	for i := len(o.records) - 1; i >= 0 && add(uint64(i)); i-- {
	}
	return out
}

// activity builds the answer for one letter; the caller holds the lock.
func (s *Server) activity(number uint64) activityMessage {
	r := s.outbox.records[number]
	m := activityMessage{
		FromEmail: r.from, ToEmail: r.to, Status: r.outcome.String(), OpensCount: int(r.opens), ClicksCount: int(r.clicks),
		LastEventTime: time.Unix(r.last, 0).UTC().Format(time.RFC3339),
	}
	if l := s.outbox.letter(number); l != nil {
		m.Subject, m.MsgID = l.subject, sgMessageID(l)
	} else {
		m.MsgID = s.messageID(uint64(r.first)) + fmt.Sprintf(".recvd-sandbox-1-0-%x.0", number)
	}
	return m
}

func (s *Server) matches(number uint64, m activityMessage, criteria []criterion) bool {
	for _, c := range criteria {
		ok := true
		switch c.field {
		case "msg_id":
			n, numbered := numberOf(c.value)
			ok = m.MsgID == c.value || numbered && n == number && strings.HasPrefix(c.value, s.messageID(uint64(s.outbox.records[number].first))+".")
		case "to_email":
			ok = strings.EqualFold(m.ToEmail, c.value)
		case "from_email":
			ok = strings.EqualFold(m.FromEmail, c.value)
		case "subject":
			ok = m.Subject == c.value
		case "status":
			ok = m.Status == c.value
		case "unique_args":
			if c.arg != s.opts.TouchArg { // the touch id was found by index
				l := s.outbox.letter(number)
				ok = l != nil && l.args[c.arg] == c.value
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// letter is the readable letter of a number, nil once it left the mailbox; the
// caller holds the lock.
func (o *outbox) letter(number uint64) *letter {
	slot := number % uint64(o.keep)
	if slot >= uint64(len(o.ring)) || o.ring[slot].number != number {
		return nil
	}
	return o.ring[slot]
}

// activityEvent is one event in GET /v3/messages/{msg_id}.
type activityEvent struct {
	EventName  string `json:"event_name"`
	Processed  string `json:"processed"`
	Reason     string `json:"reason,omitempty"`
	URL        string `json:"url,omitempty"`
	BounceType string `json:"bounce_type"`
	UserAgent  string `json:"http_user_agent"`
	MXServer   string `json:"mx_server"`
}

var activityNames = map[string]string{"bounce": "bounced", "open": "opened", "click": "clicked", "spamreport": "spam_report"}

// message answers GET /v3/messages/{msg_id}.
func (s *Server) message(w http.ResponseWriter, r *http.Request) {
	if !s.mailDoor(w, r, http.MethodGet) {
		return
	}
	number, ok := numberOf(r.PathValue("id"))
	s.outbox.mu.Lock()
	if !ok || number >= uint64(len(s.outbox.records)) ||
		!s.matches(number, activityMessage{}, []criterion{{field: "msg_id", value: r.PathValue("id")}}) {
		s.outbox.mu.Unlock()
		mailError(w, http.StatusNotFound, "message not found", "")
		return
	}
	answer := struct {
		activityMessage
		Categories []string          `json:"categories"`
		UniqueArgs map[string]string `json:"unique_args"`
		Events     []activityEvent   `json:"events"`
	}{activityMessage: s.activity(number), Categories: []string{}, UniqueArgs: map[string]string{}, Events: []activityEvent{}}
	if l := s.outbox.letter(number); l != nil {
		answer.Categories = append(answer.Categories, l.categories...)
		for k, v := range l.args {
			answer.UniqueArgs[k] = v
		}
		for _, e := range l.events {
			name := e.kind
			if n, renamed := activityNames[e.kind]; renamed {
				name = n
			}
			bounce := map[string]string{"bounce": "hard", "blocked": "soft"}[e.bounceType]
			answer.Events = append(answer.Events, activityEvent{EventName: name, Processed: e.at.Format(time.RFC3339),
				Reason: e.reason, URL: e.url, BounceType: bounce, UserAgent: e.userAgent})
		}
	}
	s.outbox.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}
