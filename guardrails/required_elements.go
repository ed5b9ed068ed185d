package guardrails

import (
	"net/mail"
	"strings"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var requiredElementsRule = Rule{
	Name:    "required-elements",
	Doc:     "Blocks e-mail without the brand's sender, a subject or a text part, and marketing e-mail unless both the HTML and the text show the postal address and the unsubscribe link (the touch's own one-click address, or a page below it). What an inline style hides does not count. Marketing texts must begin with the brand's name and say STOP.",
	Source:  "CAN-SPAM, 15 USC 7704(a)(1), (a)(3), (a)(5); Google and Yahoo sender requirements; CTIA 5.1",
	Content: true,
	Check: func(t Touch, _ *Policy, b *brand.Brand) []lifecycle.Finding {
		var missing []string
		switch t.Channel {
		case lifecycle.Email:
			missing = missingFromMail(t, b)
		case lifecycle.SMS:
			missing = missingFromText(t, b)
		}
		if len(missing) == 0 {
			return nil
		}
		list := strings.Join(missing, ", ")
		return one(lifecycle.Block, "missing: "+list, "all required elements", "the message lacks "+list)
	},
	Examples: []Example{
		{Name: "complete", Want: lifecycle.Allow},
		{Name: "no text part", Change: func(t *Touch) { t.Message.Text = " \n" }, Want: lifecycle.Block},
		{Name: "text only is fine", Change: func(t *Touch) { t.Message.HTML = "" }, Want: lifecycle.Allow},
		{Name: "no subject", Change: func(t *Touch) { t.Message.Subject = "" }, Want: lifecycle.Block},
		{Name: "no sender", Change: func(t *Touch) { t.Message.From = "" }, Want: lifecycle.Block},
		{Name: "somebody else's address", Change: func(t *Touch) { t.Message.From = "hello@other.example" }, Want: lifecycle.Block},
		{Name: "postal address missing in the HTML", Change: replaceHTML("48 Mill Lane", ""), Want: lifecycle.Block},
		{Name: "postal address missing in the text", Change: replaceText("48 Mill Lane", ""), Want: lifecycle.Block},
		{Name: "postal address over several lines", Change: replaceHTML("48 Mill Lane, Portland", "48 Mill Lane<br>\nPortland"), Want: lifecycle.Allow},
		{Name: "postal address hidden", Change: replaceHTML(`<p class="address">`, `<p style="display: none">`), Want: lifecycle.Block},
		{Name: "unsubscribe link missing in the HTML", Change: replaceHTML("/u/", "/x/"), Want: lifecycle.Block},
		{Name: "unsubscribe link missing in the text", Change: replaceText("/u/", "/x/"), Want: lifecycle.Block},
		{Name: "receipt without unsubscribe link", Change: func(t *Touch) {
			replaceText("/u/", "/x/")(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
		{Name: "text message", Change: smsSaying("Larkspur: your chair is back. Reply STOP to opt out"), Want: lifecycle.Allow},
		{Name: "text message without STOP", Change: smsSaying("Larkspur: your chair is back."), Want: lifecycle.Block},
		{Name: "text message without a name", Change: smsSaying("Your chair is back. Reply STOP to opt out"), Want: lifecycle.Block},
	},
}

func missingFromMail(t Touch, b *brand.Brand) []string {
	var missing []string
	m := t.Message
	if _, err := mail.ParseAddress(m.From); err != nil || !strings.EqualFold(m.From, b.Sender.Email) {
		missing = append(missing, "the sender "+b.Sender.Email)
	}
	if strings.TrimSpace(m.Subject) == "" {
		missing = append(missing, "a subject")
	}
	if strings.TrimSpace(m.Text) == "" {
		missing = append(missing, "a text part")
	}
	if !t.marketing() {
		return missing
	}
	c := t.read()
	address := words(b.Sender.PostalAddress)
	if m.HTML != "" {
		if _, ok := says(c.part("HTML").tokens, address); !ok {
			missing = append(missing, "the postal address in the HTML")
		}
		if !c.markup.leadsTo(m.UnsubscribeURL) {
			missing = append(missing, "the unsubscribe link in the HTML")
		}
	}
	if _, ok := says(c.part("text").tokens, address); !ok {
		missing = append(missing, "the postal address in the text")
	}
	if m.UnsubscribeURL == "" || !strings.Contains(m.Text, m.UnsubscribeURL) {
		missing = append(missing, "the unsubscribe link in the text")
	}
	return missing
}

// leadsTo reports whether a visible link with words on it leads to the URL or below it.
func (m *markup) leadsTo(url string) bool {
	if url == "" {
		return false
	}
	for _, l := range m.links {
		if !l.hidden && l.text != "" && strings.HasPrefix(strings.TrimSpace(l.target), url) {
			return true
		}
	}
	return false
}

func missingFromText(t Touch, b *brand.Brand) []string {
	if !t.marketing() {
		return nil
	}
	var missing []string
	text := t.read().part("text")
	name := words(b.Sender.SMSName)
	if at, ok := says(text.tokens, name); !ok || at > 0 {
		missing = append(missing, "the name "+b.Sender.SMSName+" at its start")
	}
	if _, ok := says(text.tokens, []string{"stop"}); !ok {
		missing = append(missing, "how to opt out (STOP)")
	}
	return missing
}

func replaceHTML(from, to string) func(*Touch) {
	return func(t *Touch) { t.Message.HTML = strings.ReplaceAll(t.Message.HTML, from, to) }
}

func replaceText(from, to string) func(*Touch) {
	return func(t *Touch) { t.Message.Text = strings.ReplaceAll(t.Message.Text, from, to) }
}

// mailSaying puts a sentence into both parts.
func mailSaying(sentence string) func(*Touch) {
	return func(t *Touch) {
		replaceHTML("<!-- more -->", "<p>"+sentence+"</p>")(t)
		replaceText("--\n", sentence+"\n--\n")(t)
	}
}

func smsSaying(body string) func(*Touch) {
	return func(t *Touch) {
		t.Channel = lifecycle.SMS
		t.Message = lifecycle.Message{Channel: lifecycle.SMS, To: "+12025550123", Text: body}
	}
}
