package copywriter

import (
	"embed"
	"fmt"
	"html"
	"strings"
	"sync"
	"text/template"

	"touchstone/internal/lifecycle"
)

//go:embed layout
var layoutFiles embed.FS

// layouts are the shipped layouts. Their own actions stand in double square
// brackets, so that Liquid's braces pass through.
var layouts = sync.OnceValues(func() (*template.Template, error) {
	return template.New("layouts").Delims("[[", "]]").ParseFS(layoutFiles, "layout/*")
})

// layOut turns written copy into the Liquid parts of a message. The layout
// brings the offer's terms, the link, the postal address and the unsubscribe
// link. The preheader is a visible line: mailbox providers forbid hidden text.
func layOut(b Brief, c Copy) (lifecycle.Parts, error) {
	t, err := layouts()
	if err != nil {
		return lifecycle.Parts{}, fmt.Errorf("embedded layout: %w", err)
	}
	view := struct {
		Copy
		Offer  bool
		Target string // where the button leads
		Asked  bool   // the customer asked for this message: it advertises nothing
	}{c, b.Offer != nil, "{{ shop_url }}", b.kind() == kindConfirm}
	switch b.kind() {
	case kindCart:
		view.Target = "{{ cart.url | default: shop_url }}"
	case kindConfirm:
		view.Target = "{{ confirm_url }}"
	}
	execute := func(name string, data any) (string, error) {
		var s strings.Builder
		if err := t.ExecuteTemplate(&s, name, data); err != nil {
			return "", fmt.Errorf("layout %s: %w", name, err)
		}
		return strings.TrimSpace(s.String()) + "\n", nil
	}

	var p lifecycle.Parts
	switch b.Channel {
	case lifecycle.Email:
		p.Subject, p.Preheader = c.Subject, c.Preheader
		if p.Text, err = execute("email.txt", view); err != nil {
			return lifecycle.Parts{}, err
		}
		if view.Copy, err = c.escaped(); err != nil {
			return lifecycle.Parts{}, err
		}
		if p.HTML, err = execute("email.html", view); err != nil {
			return lifecycle.Parts{}, err
		}
	case lifecycle.SMS, lifecycle.WhatsApp:
		if p.Text, err = execute("sms.txt", view); err != nil {
			return lifecycle.Parts{}, err
		}
		p.Text = strings.TrimSpace(p.Text)
	case lifecycle.Push, lifecycle.Web:
		p.Subject, p.Text = c.Headline, strings.Join(c.Paragraphs[:min(1, len(c.Paragraphs))], "")
	}
	return p, nil
}

// escaped is the copy with its words escaped for HTML and its merge fields
// left alone.
func (c Copy) escaped() (Copy, error) {
	var failed error
	escape := func(s string) string {
		nodes, err := parseSource(s)
		if err != nil {
			failed = err
			return ""
		}
		var b strings.Builder
		for _, n := range nodes {
			switch n.kind {
			case textNode:
				b.WriteString(html.EscapeString(n.text))
			case outputNode:
				b.WriteString("{{" + n.source + "}}")
			case tagNode:
				b.WriteString("{%" + n.source + "%}")
			}
		}
		return b.String()
	}
	out := Copy{Headline: escape(c.Headline), CallToAction: escape(c.CallToAction), Closing: escape(c.Closing)}
	for _, p := range c.Paragraphs {
		out.Paragraphs = append(out.Paragraphs, escape(p))
	}
	return out, failed
}
