package sendgrid

import (
	"html"
	"slices"
	"strings"
	"unicode"

	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
)

// touchArg is the custom argument that carries the touch id through SendGrid
// into its events. SendGrid keeps custom arguments and categories for long and
// shows them to its users, so nothing but opaque ids and journey names goes
// there.
const touchArg = "touch_id"

// API limits, from the mail/send reference.
const (
	maxCategories  = 10
	maxCategoryLen = 255
)

// requestBody builds the JSON of one message to one person: one
// personalization, text part first, one-click unsubscribe headers (RFC 8058).
// A message that can never be valid is refused here.
func requestBody(m lifecycle.Message) ([]byte, error) {
	refuse := func(detail string) error { return &channel.Error{Class: channel.Refused, Detail: detail} }
	switch {
	case m.Channel != lifecycle.Email:
		return nil, refuse("message is not for the e-mail channel")
	case m.TouchID == "":
		return nil, refuse("message has no touch id")
	case m.To == "" || m.From == "":
		return nil, refuse("message has no recipient or no sender")
	case m.Subject == "" || (m.Text == "" && m.HTML == ""):
		return nil, refuse("message has no subject or no content")
	case m.UnsubscribeURL == "" && m.Class != lifecycle.Transactional && m.Class != lifecycle.Reply:
		return nil, refuse("marketing message has no unsubscribe address")
	case strings.ContainsFunc(m.UnsubscribeURL, func(r rune) bool { return r <= ' ' || r == '<' || r == '>' || r == 0x7f }):
		return nil, refuse("unsubscribe address has characters a header cannot carry")
	}

	p := mail.NewPersonalization()
	p.AddTos(mail.NewEmail(oneLine(m.ToName), m.To))
	out := &mail.SGMailV3{
		From:             mail.NewEmail(oneLine(m.FromName), m.From),
		Subject:          oneLine(m.Subject),
		Personalizations: []*mail.Personalization{p},
		CustomArgs:       map[string]string{touchArg: string(m.TouchID)},
		Categories:       categories(m.Categories),
		TrackingSettings: tracking(),
	}
	if m.ReplyTo != "" {
		out.ReplyTo = mail.NewEmail("", m.ReplyTo)
	}
	if m.Text != "" {
		out.AddContent(mail.NewContent("text/plain", m.Text))
	}
	if m.HTML != "" {
		out.AddContent(mail.NewContent("text/html", untracked(untracked(untracked(m.HTML, m.UnsubscribeURL), m.PreferencesURL), m.ConfirmURL)))
	}
	if m.UnsubscribeURL != "" {
		out.Headers = map[string]string{
			"List-Unsubscribe":      "<" + m.UnsubscribeURL + ">",
			"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		}
	}
	body := mail.GetRequestBody(out)
	if len(body) == 0 {
		return nil, refuse("message does not encode as JSON")
	}
	return body, nil
}

// tracking rewrites links in the HTML part only and keeps SendGrid from adding
// an unsubscribe footer of its own.
func tracking() *mail.TrackingSettings {
	on, off := true, false
	return &mail.TrackingSettings{
		ClickTracking:        &mail.ClickTrackingSetting{Enable: &on, EnableText: &off},
		OpenTracking:         &mail.OpenTrackingSetting{Enable: &on},
		SubscriptionTracking: &mail.SubscriptionTrackingSetting{Enable: &off},
	}
}

// untracked marks every link to url so that SendGrid leaves it alone: a
// rewritten unsubscribe, preference or confirmation link breaks when the tracking
// domain does.
func untracked(body, url string) string {
	if url == "" {
		return body
	}
	for _, address := range slices.Compact([]string{url, html.EscapeString(url)}) {
		for _, quote := range []string{`"`, `'`} {
			href := "href=" + quote + address + quote
			body = strings.ReplaceAll(body, href, `clicktracking="off" `+href)
		}
	}
	return body
}

func categories(names []string) []string {
	var out []string
	for _, n := range names {
		if n == "" || len(n) > maxCategoryLen || slices.Contains(out, n) || len(out) == maxCategories {
			continue
		}
		out = append(out, n)
	}
	return out
}

// oneLine turns control characters into spaces, so that no value can start a
// header of its own.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}
