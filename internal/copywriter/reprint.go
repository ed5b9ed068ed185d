package copywriter

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"sync"
	"time"

	"touchstone/internal/lifecycle"
)

// prints keeps what was rendered for one piece of copy, by the words that went
// into it: everybody with the same words gets the same message but for the
// unsubscribe link, and the preference page below it, which are put in anew.
type prints struct {
	mu    sync.Mutex
	known map[string]printed
}

type printed struct {
	parts lifecycle.Parts
	link  string // the unsubscribe link that stands in the parts
}

// printsLimit bounds what is kept of one piece of copy, some megabytes. Beyond it
// all is dropped: copy with so many different words is not worth keeping.
const printsLimit = 1024

// get returns the parts for these words with the customer's own link.
func (p *prints) get(words, link string) (lifecycle.Parts, bool) {
	p.mu.Lock()
	known, ok := p.known[words]
	p.mu.Unlock()
	if !ok {
		return lifecycle.Parts{}, false
	}
	parts := known.parts
	parts.Text = strings.ReplaceAll(parts.Text, known.link, link)
	parts.HTML = strings.ReplaceAll(parts.HTML, html.EscapeString(known.link), html.EscapeString(link))
	return parts, true
}

func (p *prints) put(words, link string, parts lifecycle.Parts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= printsLimit {
		p.known = map[string]printed{}
	}
	p.known[words] = printed{parts, link}
}

var (
	mentionsLink = regexp.MustCompile(FieldUnsubscribeURL + `|` + FieldPreferencesURL)
	plainLink    = regexp.MustCompile(`\{\{-?\s*(` + FieldUnsubscribeURL + `|` + FieldPreferencesURL + `)\s*-?\}\}|\{%-?\s*if\s+` + FieldPreferencesURL + `\s*-?%\}`)
)

// reprintable reports whether the copy uses the unsubscribe link or the preference
// page, in its bodies only, and only as they are, or asks whether there is a page:
// then they can be put in after rendering.
func reprintable(p lifecycle.Parts) bool {
	used := 0
	for _, body := range []string{p.HTML, p.Text} {
		plain := len(plainLink.FindAllStringIndex(body, -1))
		if plain != len(mentionsLink.FindAllStringIndex(body, -1)) {
			return false
		}
		used += plain
	}
	return used > 0 && !mentionsLink.MatchString(p.Subject+p.Preheader)
}

// words are the values that go into the copy besides the unsubscribe link and what
// is below it.
func (c *compiled) words(values map[string]any, link string) string {
	var b strings.Builder
	for _, name := range c.fields {
		if name == FieldUnsubscribeURL {
			continue
		}
		switch v := values[variable(name)].(type) {
		case nil:
			b.WriteByte(1) // absent; no value holds a control character
		case string:
			if name == FieldPreferencesURL && strings.HasPrefix(v, link) {
				v = "\x02" + v[len(link):]
			}
			b.WriteString(v)
		case time.Time:
			b.WriteString(v.Format(time.RFC3339Nano))
		default:
			fmt.Fprintf(&b, "%#v", v)
		}
		b.WriteByte(0)
	}
	return b.String()
}
