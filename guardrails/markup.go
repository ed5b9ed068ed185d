package guardrails

import (
	"html"
	"strings"
)

// link is one way out of a message.
type link struct {
	target string
	text   string // what the reader sees; empty for bare URLs
	part   string // "HTML" or "text"
	hidden bool
}

// markup is the HTML part taken apart. It is read the way mail clients read it
// as far as the rules need: text, links, images, and what inline styles hide.
// Style sheets are not resolved.
type markup struct {
	visible   strings.Builder // text a reader sees, with image descriptions
	hidden    strings.Builder // text an inline style hides
	links     []link
	values    []string // attribute values and style sheets, to look for leftovers
	images    int
	noAlt     int      // images without a description
	forbidden []string // elements mail may not contain

	buffer []attribute // of the tag being read
	open   []element
	depth  int // hidden elements open
	anchor int // index+1 in links of the anchor being read
	start  int // where its text begins in visible
}

type element struct {
	name   string
	hidden bool
}

// breaks are elements that end a line; cells end a word.
var breaks = map[string]bool{
	"address": true, "blockquote": true, "br": true, "center": true, "div": true, "dl": true, "dt": true, "dd": true,
	"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "hr": true, "li": true, "ol": true, "p": true,
	"section": true, "table": true, "tbody": true, "tr": true, "ul": true, "body": true, "html": true, "head": true,
}

var voids = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true,
	"link": true, "meta": true, "source": true, "track": true, "wbr": true,
}

var forbiddenElements = map[string]bool{
	"script": true, "form": true, "iframe": true, "object": true, "embed": true, "input": true, "base": true, "frame": true,
}

func readMarkup(source string) *markup {
	m := &markup{}
	m.visible.Grow(len(source) * 2 / 3)
	for source != "" {
		i := strings.IndexByte(source, '<')
		if i < 0 {
			m.text(source)
			break
		}
		m.text(source[:i])
		source = m.tag(source[i:])
	}
	m.closeAnchor()
	return m
}

func (m *markup) text(s string) {
	if s == "" {
		return
	}
	if strings.IndexByte(s, '&') >= 0 {
		s = html.UnescapeString(s)
	}
	if m.depth > 0 {
		m.hidden.WriteString(s)
	} else {
		m.visible.WriteString(s)
	}
}

func (m *markup) gap(s string) {
	if m.depth > 0 {
		m.hidden.WriteString(s)
	} else {
		m.visible.WriteString(s)
	}
}

// tag reads what begins with < and returns the rest.
func (m *markup) tag(s string) string {
	switch {
	case strings.HasPrefix(s, "<!--"):
		return after(s[4:], "-->")
	case strings.HasPrefix(s, "<!") || strings.HasPrefix(s, "<?"):
		return after(s, ">")
	case strings.HasPrefix(s, "</"):
		name, rest := elementName(s[2:])
		m.close(name)
		return after(rest, ">")
	}
	name, rest := elementName(s[1:])
	if name == "" {
		m.text("<")
		return s[1:]
	}
	attributes, rest, selfClosed := readAttributes(m.buffer[:0], rest)
	m.buffer = attributes
	m.openElement(name, attributes, selfClosed)
	switch name {
	case "script", "style":
		end := indexFold(rest, "</"+name)
		m.values = append(m.values, strings.ReplaceAll(rest[:end], "}}", "} }")) // nested rules end like merge fields
		return rest[end:]
	}
	return rest
}

func after(s, mark string) string {
	if i := strings.Index(s, mark); i >= 0 {
		return s[i+len(mark):]
	}
	return ""
}

// indexFold finds an ASCII mark whatever its case, or the end.
func indexFold(s, mark string) int {
	for i := 0; i+len(mark) <= len(s); i++ {
		j := strings.IndexByte(s[i:], mark[0])
		if j < 0 {
			return len(s)
		}
		i += j
		if i+len(mark) <= len(s) && strings.EqualFold(s[i:i+len(mark)], mark) {
			return i
		}
	}
	return len(s)
}

func elementName(s string) (name, rest string) {
	i := 0
	for i < len(s) && (isLetter(s[i]) || i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == ':' || s[i] == '-')) {
		i++
	}
	return strings.ToLower(s[:i]), s[i:]
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

type attribute struct{ name, value string }

// readAttributes appends to list up to the end of the tag.
func readAttributes(list []attribute, s string) (_ []attribute, rest string, selfClosed bool) {
	for {
		s = strings.TrimLeft(s, " \t\r\n\f")
		if s == "" {
			return list, "", selfClosed
		}
		if s[0] == '>' {
			return list, s[1:], selfClosed
		}
		if s[0] == '/' {
			selfClosed, s = true, s[1:]
			continue
		}
		selfClosed = false
		i := 1 + strings.IndexAny(s[1:], " \t\r\n\f/>=")
		if i == 0 {
			i = len(s)
		}
		a := attribute{name: strings.ToLower(s[:i])}
		s = strings.TrimLeft(s[i:], " \t\r\n\f")
		if strings.HasPrefix(s, "=") {
			s = strings.TrimLeft(s[1:], " \t\r\n\f")
			if s != "" && (s[0] == '"' || s[0] == '\'') {
				end := strings.IndexByte(s[1:], s[0])
				if end < 0 {
					return append(list, attribute{a.name, html.UnescapeString(s[1:])}), "", false
				}
				a.value, s = s[1:1+end], s[2+end:]
			} else {
				end := strings.IndexAny(s, " \t\r\n\f>")
				if end < 0 {
					end = len(s)
				}
				a.value, s = s[:end], s[end:]
			}
			if strings.IndexByte(a.value, '&') >= 0 {
				a.value = html.UnescapeString(a.value)
			}
		}
		list = append(list, a)
	}
}

func (m *markup) openElement(name string, attributes []attribute, selfClosed bool) {
	if breaks[name] {
		m.gap("\n")
	} else if name == "td" || name == "th" {
		m.gap(" ")
	}
	if forbiddenElements[name] {
		m.forbidden = append(m.forbidden, name)
	}
	e := element{name: name, hidden: name == "title" || name == "template" || name == "noscript"}
	var alt string
	var described bool
	for _, a := range attributes {
		if a.value != "" && a.name != "style" && a.name != "class" && a.name != "width" && a.name != "height" {
			m.values = append(m.values, a.value)
		}
		switch a.name {
		case "style":
			e.hidden = e.hidden || hides(a.value)
		case "hidden":
			e.hidden = true
		case "alt":
			alt, described = a.value, true
		case "href":
			if name == "a" || name == "area" {
				m.closeAnchor()
				m.links = append(m.links, link{target: a.value, part: "HTML", hidden: m.depth > 0 || e.hidden})
				if name == "a" {
					m.anchor, m.start = len(m.links), m.visible.Len()
				}
			}
		case "action", "formaction":
			m.links = append(m.links, link{target: a.value, part: "HTML", hidden: true})
		}
		if len(a.name) > 2 && a.name[:2] == "on" {
			m.forbidden = append(m.forbidden, a.name)
		}
	}
	if name == "img" {
		m.images++
		if !described {
			m.noAlt++
		}
		m.text(alt)
	}
	if voids[name] || selfClosed && name != "a" {
		return
	}
	m.open = append(m.open, e)
	if e.hidden {
		m.depth++
	}
}

// maxUnwind bounds how far a closing tag looks for its opening one. Beyond it
// hidden text stays hidden, which is the strict side.
const maxUnwind = 64

func (m *markup) close(name string) {
	if name == "a" {
		m.closeAnchor()
	}
	if breaks[name] {
		m.gap("\n")
	} else if name == "td" || name == "th" {
		m.gap(" ")
	}
	for i := len(m.open) - 1; i >= 0 && i >= len(m.open)-maxUnwind; i-- {
		if m.open[i].name != name {
			continue
		}
		for _, e := range m.open[i:] {
			if e.hidden {
				m.depth--
			}
		}
		m.open = m.open[:i]
		return
	}
}

func (m *markup) closeAnchor() {
	if m.anchor > 0 {
		m.links[m.anchor-1].text = strings.TrimSpace(m.visible.String()[m.start:])
		m.anchor = 0
	}
}

// hides reports whether an inline style makes text unreadable.
func hides(style string) bool {
	var color, background string
	for style != "" {
		var declaration string
		declaration, style, _ = strings.Cut(style, ";")
		name, value, found := strings.Cut(declaration, ":")
		if !found {
			continue
		}
		value = strings.TrimSpace(strings.ToLower(value))
		if i := strings.IndexByte(value, '!'); i >= 0 {
			value = strings.TrimSpace(value[:i])
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "display":
			if value == "none" {
				return true
			}
		case "visibility":
			if value == "hidden" || value == "collapse" {
				return true
			}
		case "font-size", "max-height", "opacity":
			if number := strings.TrimRight(value, "pxemrt%"); strings.Trim(number, "0.") == "" && number != "" || value == "1px" {
				return true
			}
		case "color":
			color = value
		case "background", "background-color":
			background = value
		}
	}
	return color != "" && color == background
}
