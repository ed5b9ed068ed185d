package copywriter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"touchstone/internal/lifecycle"
)

// Validate checks the Liquid sources of a message when it is written: only
// known merge fields, allowed filters and if/unless/elsif/else, and in the HTML
// part no scripts, forms or frames and no field where escaping cannot protect.
// It returns the merge fields used, sorted. The error names every problem with
// its part and line.
func Validate(p lifecycle.Parts) ([]string, error) {
	var fields, problems []string
	for _, part := range partsOf(p) {
		nodes, err := parsePart(part.name, part.source)
		if err != nil {
			problems = append(problems, part.name+": "+err.Error())
			continue
		}
		for _, n := range nodes {
			for _, f := range n.fields {
				if !slices.Contains(fields, f) {
					fields = append(fields, f)
				}
			}
		}
	}
	slices.Sort(fields)
	if len(problems) > 0 {
		return fields, lifecycle.Errorf(lifecycle.Invalid, "copy does not pass: %s", strings.Join(problems, "; "))
	}
	return fields, nil
}

type partSource struct{ name, source string }

const (
	partSubject   = "subject"
	partPreheader = "preheader"
	partHTML      = "html"
	partText      = "text"
)

func partsOf(p lifecycle.Parts) []partSource {
	return []partSource{{partSubject, p.Subject}, {partPreheader, p.Preheader}, {partText, p.Text}, {partHTML, p.HTML}}
}

// parsePart reads one part and applies the rules of its kind.
func parsePart(name, source string) ([]node, error) {
	nodes, err := parseSource(source)
	if err != nil {
		return nil, err
	}
	if name == partHTML {
		return nodes, checkHTML(nodes)
	}
	for _, n := range nodes {
		if n.kind == textNode {
			if strings.Contains(n.text, "}}") || strings.Contains(n.text, "%}") {
				return nil, fmt.Errorf("line %d: closing braces without opening ones", n.line)
			}
			continue
		}
		for _, used := range n.fields {
			if f, _ := fieldByName(used); f.htmlOnly {
				return nil, fmt.Errorf("line %d: field %s is for the html part only", n.line, used)
			}
		}
	}
	return nodes, nil
}

var (
	activeHTML = regexp.MustCompile(`(?i)<\s*/?\s*(script|iframe|object|embed|form|input|base|link|frame|svg|math)\b|javascript:|vbscript:|<[^>]*\son[a-z]+\s*=`)
	linkStart  = regexp.MustCompile(`(?i)\b(href|src|action|formaction|background|poster|srcset)\s*=\s*["']$`)
)

// checkHTML refuses active content, and merge fields in places where HTML
// escaping of the value is not enough: outside quotes inside a tag, in a style
// sheet, in a comment, or a text at the start of an address.
func checkHTML(nodes []node) error {
	var plain strings.Builder // the literal text, to find constructs that span fields
	place := htmlPlace{}
	for _, n := range nodes {
		switch n.kind {
		case textNode:
			plain.WriteString(n.text)
			place.feed(n.text)
		case outputNode:
			switch {
			case place.style || place.comment:
				return fmt.Errorf("line %d: merge field %s inside a style or comment", n.line, n.field.Name)
			case place.inTag && place.quote == 0:
				return fmt.Errorf("line %d: merge field %s inside a tag needs quotes around the attribute", n.line, n.field.Name)
			case place.inTag && n.field.Kind != LinkField && linkStart.MatchString(place.tail):
				return fmt.Errorf("line %d: merge field %s cannot be an address: use a link field", n.line, n.field.Name)
			}
			place.tail = ""
			plain.WriteByte('x')
		}
	}
	if m := activeHTML.FindString(plain.String()); m != "" {
		return fmt.Errorf("active content %q is not allowed", m)
	}
	return nil
}

// htmlPlace follows where in an HTML document a position is.
type htmlPlace struct {
	inTag   bool
	quote   byte   // of the attribute value we are in, 0 outside
	style   bool   // between <style> and </style>
	comment bool   // between <!-- and -->
	tag     string // text of the tag being read, lower case
	tail    string // last bytes of the tag being read
}

func (h *htmlPlace) feed(s string) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case h.comment:
			if strings.HasPrefix(s[i:], "-->") {
				h.comment = false
			}
		case h.inTag && h.quote != 0:
			if c == h.quote {
				h.quote = 0
			}
			h.grow(c)
		case h.inTag && (c == '"' || c == '\''):
			h.quote = c
			h.grow(c)
		case h.inTag && c == '>':
			h.inTag = false
			name, _, _ := strings.Cut(strings.TrimSpace(h.tag), " ")
			switch name {
			case "style":
				h.style = true
			case "/style":
				h.style = false
			}
			h.tag, h.tail = "", ""
		case h.inTag:
			h.grow(c)
		case strings.HasPrefix(s[i:], "<!--"):
			h.comment = true
		case c == '<':
			h.inTag = true
		}
	}
}

func (h *htmlPlace) grow(c byte) {
	if len(h.tag) < 64 {
		h.tag += strings.ToLower(string(c))
	}
	h.tail += string(c)
	if len(h.tail) > 64 {
		h.tail = h.tail[len(h.tail)-64:]
	}
}
