package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/sandbox/draw"
)

// event is one entry of the event webhook.
type event struct {
	kind       string
	at         time.Time
	letter     *letter
	reason     string
	status     string
	response   string
	bounceType string // "bounce" (hard) or "blocked"
	attempt    int
	machine    bool
	url        string
	userAgent  string
	ip         string
}

// sgMessageID names one letter of a request; the last part carries its number.
func sgMessageID(l *letter) string {
	return fmt.Sprintf("%s.recvd-sandbox-1-%X-%x.0", l.messageID, l.at.Unix(), l.number)
}

// numberOf reads the letter number back out of an sg_message_id.
func numberOf(id string) (uint64, bool) {
	id, ok := strings.CutSuffix(id, ".0")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 16, 64)
	return n, err == nil
}

// reserved names in an event belong to the vendor; custom arguments with these
// names are overwritten.
var reserved = map[string]bool{
	"email": true, "timestamp": true, "smtp-id": true, "event": true, "category": true, "sg_event_id": true, "sg_message_id": true,
	"reason": true, "status": true, "response": true, "attempt": true, "type": true, "useragent": true, "ip": true, "url": true,
	"url_offset": true, "sg_machine_open": true, "sg_content_type": true, "asm_group_id": true, "tls": true, "bounce_classification": true,
}

// eventID is new for every copy that is sent, as with the vendor.
func (s *Server) eventID(kind string, serial uint64) string {
	d := draw.Of(s.opts.Seed, draw.Text("event"), serial)
	return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf("%s-0-%016x%08x-0", kind, d.Uint64(), d.Uint64()>>32)))
}

// encode writes one event as SendGrid does: one flat JSON object.
func (e event) encode(id string) []byte {
	b := make([]byte, 0, 512)
	b = append(b, '{')
	text := func(name, value string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = quoted(b, name)
		b = append(b, ':')
		b = quoted(b, value)
	}
	raw := func(name, value string) {
		b = append(b, ',')
		b = quoted(b, name)
		b = append(b, ':')
		b = append(b, value...)
	}
	l := e.letter
	text("email", l.to.Email)
	raw("timestamp", strconv.FormatInt(e.at.Unix(), 10))
	text("event", e.kind)
	text("sg_event_id", id)
	if e.kind != "bounce" || l.number%16 != 0 { // some bounces come late and without it, as with the vendor
		text("sg_message_id", sgMessageID(l))
		text("smtp-id", "<"+l.messageID+"@sandbox>")
	}
	switch len(l.categories) {
	case 0:
	case 1:
		text("category", l.categories[0])
	default:
		list := []byte{'['}
		for i, c := range l.categories {
			if i > 0 {
				list = append(list, ',')
			}
			list = quoted(list, c)
		}
		raw("category", string(append(list, ']')))
	}
	for _, f := range [...]struct{ name, value string }{{"reason", e.reason}, {"status", e.status}, {"response", e.response},
		{"type", e.bounceType}, {"url", e.url}, {"useragent", e.userAgent}, {"ip", e.ip}} {
		if f.value != "" {
			text(f.name, f.value)
		}
	}
	switch e.kind {
	case "open":
		raw("sg_machine_open", strconv.FormatBool(e.machine))
		text("sg_content_type", "html")
	case "click":
		raw("url_offset", `{"index":0,"type":"html"}`)
	case "deferred":
		text("attempt", strconv.Itoa(e.attempt))
	case "delivered", "bounce":
		raw("tls", "1")
	}
	if l.group != 0 {
		raw("asm_group_id", strconv.Itoa(l.group))
	}
	for _, name := range slices.Sorted(maps.Keys(l.args)) {
		if !reserved[name] {
			text(name, l.args[name])
		}
	}
	return append(b, '}')
}

// quoted appends a JSON string; plain ASCII without the marshaller.
func quoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			j, err := json.Marshal(s)
			if err != nil {
				panic("sandbox: strings always marshal: " + err.Error())
			}
			return append(b, j...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
