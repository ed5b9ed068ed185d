package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	netmail "net/mail"
	"strings"
	"time"
)

// Limits of POST /v3/mail/send, from the vendor's API reference.
const (
	maxRequestBytes    = 30 << 20
	maxPersonalization = 1000
	maxRecipients      = 1000
	maxCategories      = 10
	maxCategoryLength  = 255
	maxCustomArgs      = 10_000 // bytes, per personalization after merging
	maxAddressLength   = 320
	maxGroups          = 25
	maxSchedule        = 72 * time.Hour
)

// mailProblem is one entry of the vendor's error list.
type mailProblem struct {
	Message string  `json:"message"`
	Field   *string `json:"field"`
	Help    *string `json:"help"`
}

// mailCheck collects the problems of one message.
type mailCheck struct {
	now      time.Time
	problems []mailProblem
}

func (c *mailCheck) fail(field, format string, args ...any) {
	c.problems = append(c.problems, problem(field, fmt.Sprintf(format, args...)))
}

func problem(field, message string) mailProblem {
	p := mailProblem{Message: message}
	if field != "" {
		help := "https://docs.sendgrid.com/api-reference/mail-send/errors#" + strings.ReplaceAll(field, ".", "-")
		p.Field, p.Help = &field, &help
	}
	return p
}

// decodeProblem words a JSON error as the vendor's schema check does.
func decodeProblem(err error) mailProblem {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		field := kind.Field
		if strings.Contains(field, "custom_args") {
			return problem(field, "All values of custom arguments object must be strings.")
		}
		return problem(field, fmt.Sprintf("Invalid type. Expected: %s, given: %s.", jsonName(kind.Type.Kind().String()), kind.Value))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return problem(name, "Additional property "+name+" is not allowed")
	}
	return problem("", "Bad Request: the body is not valid JSON")
}

func jsonName(goKind string) string {
	switch goKind {
	case "struct", "map", "ptr":
		return "object"
	case "slice":
		return "array"
	case "bool":
		return "boolean"
	case "int", "int64":
		return "integer"
	}
	return goKind
}

// checkMail returns what the vendor would refuse; knownBatch says whether a
// batch id was handed out.
func checkMail(m *mail, now time.Time, knownBatch func(string) bool) []mailProblem {
	c := &mailCheck{now: now}
	c.sender(m)
	c.personalizations(m)
	c.content(m)
	c.annotations(m)
	c.settings(m, knownBatch)
	return c.problems
}

func (c *mailCheck) sender(m *mail) {
	switch {
	case m.From == nil:
		c.fail("from", "The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.")
	case !validEmail(m.From.Email):
		c.fail("from.email", "The from email does not contain a valid address.")
	}
	if m.ReplyTo != nil && len(m.ReplyToList) > 0 {
		c.fail("reply_to", "Use either reply_to or reply_to_list, not both.")
	}
	if m.ReplyTo != nil && !validEmail(m.ReplyTo.Email) {
		c.fail("reply_to.email", "The reply_to email does not contain a valid address.")
	}
	if len(m.ReplyToList) > maxRecipients {
		c.fail("reply_to_list", "The reply_to_list is limited to %d addresses.", maxRecipients)
	}
	for i, a := range m.ReplyToList {
		if !validEmail(a.Email) {
			c.fail(fmt.Sprintf("reply_to_list.%d.email", i), "The reply_to_list email does not contain a valid address.")
		}
	}
}

func (c *mailCheck) personalizations(m *mail) {
	if len(m.Personalizations) == 0 {
		c.fail("personalizations", "The personalizations field is required and must have at least one personalization.")
		return
	}
	if n := len(m.Personalizations); n > maxPersonalization {
		c.fail("personalizations", "The personalization block is limited to %d personalizations per API request. You have provided %d personalizations.", maxPersonalization, n)
		return
	}
	subjects, recipients := 0, 0
	for i := range m.Personalizations {
		p := &m.Personalizations[i]
		at := func(field string) string { return fmt.Sprintf("personalizations.%d.%s", i, field) }
		if len(p.To) == 0 {
			c.fail(at("to"), "The to array is required for all personalization objects, and must have at least one email object with a valid email address.")
		}
		recipients += len(p.To) + len(p.CC) + len(p.BCC)
		c.recipients(p, at)
		if p.From != nil && !validEmail(p.From.Email) {
			c.fail(at("from.email"), "The from email does not contain a valid address.")
		}
		if p.Subject != nil {
			subjects++
			if *p.Subject == "" {
				c.fail(at("subject"), "The subject of your email must be a string at least one character in length.")
			}
		}
		c.headers(p.Headers, at("headers"))
		c.customArgs(m.CustomArgs, p.CustomArgs, at("custom_args"))
		c.sendAt(p.SendAt, at("send_at"))
	}
	if recipients > maxRecipients {
		c.fail("personalizations", "There is a limit of %d total recipients (to + cc + bcc) per request.", maxRecipients)
	}
	switch {
	case m.Subject != nil && *m.Subject == "":
		c.fail("subject", "The subject of your email must be a string at least one character in length.")
	case m.Subject == nil && m.TemplateID == "" && subjects < len(m.Personalizations):
		c.fail("subject", "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.")
	}
}

func (c *mailCheck) recipients(p *personalization, at func(string) string) {
	single := len(p.To) == 1 && len(p.CC) == 0 && len(p.BCC) == 0
	var seen map[string]bool
	if !single {
		seen = map[string]bool{}
	}
	for _, list := range []struct {
		field string
		all   []address
	}{{"to", p.To}, {"cc", p.CC}, {"bcc", p.BCC}} {
		for j, a := range list.all {
			field := list.field
			switch {
			case len(a.Email) > maxAddressLength:
				c.fail(at(fmt.Sprintf("%s.%d.email", field, j)), "The email exceeds the maximum total length of %d characters.", maxAddressLength)
			case !validEmail(a.Email):
				c.fail(at(fmt.Sprintf("%s.%d.email", field, j)), "Does not contain a valid address.")
			case !single && seen[strings.ToLower(a.Email)]:
				c.fail(at(field), "Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [%s].", a.Email)
			case !single:
				seen[strings.ToLower(a.Email)] = true
			}
		}
	}
}

func (c *mailCheck) content(m *mail) {
	if len(m.Content) == 0 && m.TemplateID == "" {
		c.fail("content", "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block.")
	}
	seen := map[string]int{}
	for i, part := range m.Content {
		at := fmt.Sprintf("content.%d.", i)
		if part.Value == "" {
			c.fail(at+"value", "The content value must be a string at least one character in length.")
		}
		kind, _, err := mime.ParseMediaType(part.Type)
		if err != nil || strings.ContainsAny(part.Type, "\r\n;") {
			c.fail(at+"type", "The content type must be a media type without parameters and line breaks.")
			continue
		}
		if _, twice := seen[kind]; twice {
			c.fail(at+"type", "Each content type may be used only once: %s.", kind)
		}
		seen[kind] = i
		first := map[string]int{"text/plain": 0, "text/html": 1}
		rank, known := first[kind]
		for other, j := range seen {
			otherRank, otherKnown := first[other]
			if j < i && known && (!otherKnown || otherRank > rank) {
				c.fail("content", "If present, text/plain and text/html may only be provided once and must be first, in this order.")
				break
			}
		}
	}
	for i, a := range m.Attachments {
		at := fmt.Sprintf("attachments.%d.", i)
		if raw, err := base64.StdEncoding.DecodeString(a.Content); err != nil || len(raw) == 0 {
			c.fail(at+"content", "The attachment content must be a base64 encoded string at least one character in length.")
		}
		if a.Filename == "" || strings.ContainsAny(a.Filename, "\r\n") {
			c.fail(at+"filename", "The attachment filename is required and must not contain line breaks.")
		}
		if a.Disposition != "" && a.Disposition != "inline" && a.Disposition != "attachment" {
			c.fail(at+"disposition", "The attachment disposition must be inline or attachment.")
		}
	}
	if m.TemplateID != "" {
		c.fail("template_id", "The template_id %s does not exist: this account holds no templates.", m.TemplateID)
	}
}

func (c *mailCheck) annotations(m *mail) {
	c.headers(m.Headers, "headers")
	if len(m.Categories) > maxCategories {
		c.fail("categories", "The categories may not exceed %d items. You have provided %d.", maxCategories, len(m.Categories))
	}
	seen := map[string]bool{}
	for i, name := range m.Categories {
		field := fmt.Sprintf("categories.%d", i)
		switch {
		case name == "" || len(name) > maxCategoryLength:
			c.fail(field, "The category must be a string between 1 and %d characters in length.", maxCategoryLength)
		case seen[name]:
			c.fail("categories", "The categories must be unique. You have included %s more than once.", name)
		}
		seen[name] = true
	}
	if m.CustomArgs != nil && len(m.CustomArgs) == 0 {
		c.fail("custom_args", "custom_args cannot be empty.")
	}
	c.sendAt(m.SendAt, "send_at")
}

func (c *mailCheck) settings(m *mail, knownBatch func(string) bool) {
	if m.ASM != nil {
		if m.ASM.GroupID == nil || *m.ASM.GroupID <= 0 {
			c.fail("asm.group_id", "The asm group_id is required and must be a positive integer.")
		}
		if len(m.ASM.GroupsToDisplay) > maxGroups {
			c.fail("asm.groups_to_display", "You can specify up to %d unsubscribe groups to display.", maxGroups)
		}
	}
	if m.BatchID != "" && !knownBatch(m.BatchID) {
		c.fail("batch_id", "The batch_id must be one that was generated by this account.")
	}
	if m.IPPoolName != nil && (len(*m.IPPoolName) < 2 || len(*m.IPPoolName) > 64) {
		c.fail("ip_pool_name", "The ip_pool_name must be a string between 2 and 64 characters in length.")
	}
	if s := m.MailSettings; s != nil && on(s.BypassListManagement) &&
		(on(s.BypassSpamManagement) || on(s.BypassBounceManagement) || on(s.BypassUnsubscribeManagement)) {
		c.fail("mail_settings.bypass_list_management", "bypass_list_management cannot be combined with the other bypass settings.")
	}
}

// reservedHeaders may not be set by the sender, in lower case.
var reservedHeaders = map[string]bool{
	"x-sg-id": true, "x-sg-eid": true, "received": true, "dkim-signature": true, "content-type": true,
	"content-transfer-encoding": true, "to": true, "from": true, "subject": true, "reply-to": true, "cc": true, "bcc": true,
}

func (c *mailCheck) headers(headers map[string]string, field string) {
	for name, value := range headers {
		if reservedHeaders[strings.ToLower(name)] {
			c.fail(field, "Header cannot be one of the reserved keys: %s.", name)
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
			c.fail(field, "Header keys cannot contain non-ASCII characters or empty spaces: %q.", name)
		}
		if strings.ContainsAny(value, "\r\n") {
			c.fail(field, "The value of header %s must not contain line breaks.", name)
		}
	}
}

func (c *mailCheck) customArgs(global, own map[string]string, field string) {
	if own != nil && len(own) == 0 {
		c.fail(field, "custom_args cannot be empty.")
	}
	size := 2
	count := func(k, v string) { size += len(k) + len(v) + 6 } // "k":"v",
	for k, v := range own {
		count(k, v)
	}
	for k, v := range global {
		if _, overridden := own[k]; !overridden {
			count(k, v)
		}
	}
	if size > maxCustomArgs {
		c.fail(field, "The combined size of both global and personalization custom arguments may not exceed 10,000 bytes per personalization.")
	}
}

func (c *mailCheck) sendAt(at *int64, field string) {
	if at != nil && time.Unix(*at, 0).After(c.now.Add(maxSchedule)) {
		c.fail(field, "Scheduling more than 72 hours in advance is forbidden.")
	}
}

// merged is the arguments of one personalization over those of the message.
func merged(global, own map[string]string) map[string]string {
	if len(own) == 0 {
		return global
	}
	out := maps.Clone(own)
	for k, v := range global {
		if _, overridden := own[k]; !overridden {
			out[k] = v
		}
	}
	return out
}

// validEmail accepts a bare address with a dotted domain. Plain ones, nearly
// all, are decided without the full parser.
func validEmail(s string) bool {
	if len(s) == 0 || len(s) > maxAddressLength {
		return false
	}
	at, dot := -1, -1
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_' || b == '+':
		case b == '.':
			if i == 0 || i == len(s)-1 || s[i-1] == '.' || s[i-1] == '@' {
				return false
			}
			dot = i
		case b == '@' && at < 0 && i > 0 && s[i-1] != '.':
			at = i
		default:
			a, err := netmail.ParseAddress(s)
			return err == nil && a.Address == s && strings.Contains(s[strings.LastIndexByte(s, '@'):], ".")
		}
	}
	return at > 0 && dot > at
}
