package copywriter

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Liquid source is read here before the template engine sees it, with a
// grammar much smaller than Liquid's: output of one allow-listed field through
// allow-listed filters, and if/unless/elsif/else with comparisons. The engine
// then gets the source written anew from what was read, so nothing this file
// did not understand can reach it.

// nodeKind is what a piece of a source is.
type nodeKind int

const (
	textNode nodeKind = iota
	outputNode
	tagNode
)

// node is a piece of a Liquid source.
type node struct {
	kind   nodeKind
	text   string   // of a textNode
	source string   // between the delimiters as written
	field  Field    // of an outputNode: the field it shows
	code   string   // canonical Liquid between the delimiters, without the final output filter
	fields []string // every field the node mentions
	line   int

	trimLeft, trimRight bool // {{- and -}}: drop the white space before or after
}

// filterArgs lists the filters copy may use and how many arguments they take.
var filterArgs = map[string]int{"default": 1, "capitalize": 0, "upcase": 0, "downcase": 0, "truncate": 1, "date": 1}

var (
	tokenPattern = regexp.MustCompile(`^(?:\s+|("[^"{}\r\n]*"|'[^'{}\r\n]*')|(-?[0-9]{1,9}(?:\.[0-9]{1,6})?)|([a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*)|(==|!=|<=|>=|<|>|\||:|,))`)
	datePattern  = regexp.MustCompile(`^(?:%-?[dmYyBbAaeHIMp]|[ ,./:-])*$`)
)

type token struct {
	kind byte // s string, n number, w word, p punctuation
	text string
}

// parseSource splits a Liquid source into nodes, or says what is wrong with it.
func parseSource(src string) ([]node, error) {
	var nodes []node
	line, depth := 1, 0
	for src != "" {
		start := nextDelimiter(src)
		if start < 0 {
			nodes = append(nodes, node{kind: textNode, text: src, line: line})
			break
		}
		if start > 0 {
			nodes = append(nodes, node{kind: textNode, text: src[:start], line: line})
			line += strings.Count(src[:start], "\n")
		}
		closing := "}}"
		if src[start+1] == '%' {
			closing = "%}"
		}
		rest := src[start+2:]
		end := strings.Index(rest, closing)
		if end < 0 || strings.ContainsAny(rest[:end], "\r\n") {
			return nil, fmt.Errorf("line %d: %q has no %q on the same line", line, src[start:start+2], closing)
		}
		n := node{line: line, kind: outputNode, source: rest[:end]}
		inner := rest[:end]
		inner, n.trimLeft = strings.CutPrefix(inner, "-")
		inner, n.trimRight = strings.CutSuffix(inner, "-")
		if closing == "%}" {
			n.kind = tagNode
		}
		if err := n.read(inner, &depth); err != nil {
			return nil, fmt.Errorf("line %d: {%s%s%s}: %w", line, src[start+1:start+2], rest[:end], closing[:1], err)
		}
		nodes = append(nodes, n)
		src = rest[end+2:]
	}
	if depth > 0 {
		return nil, fmt.Errorf("an if or unless is not closed: write {%% endif %%} or {%% endunless %%}")
	}
	return nodes, nil
}

// read fills the node from what stands between its delimiters; depth counts
// the open blocks.
func (n *node) read(inner string, depth *int) error {
	if words := strings.Fields(inner); n.kind == tagNode && (len(words) == 0 || !slices.Contains(tags, words[0])) {
		return fmt.Errorf("tag %q is not allowed: use if, unless, elsif and else", strings.Join(words[:min(1, len(words))], ""))
	}
	toks, err := tokenize(inner)
	if err != nil {
		return err
	}
	p := &sourceParser{tokens: toks, node: n}
	if n.kind == tagNode {
		return p.tag(depth)
	}
	return p.output()
}

var tags = []string{"if", "unless", "elsif", "else", "endif", "endunless"}

func nextDelimiter(s string) int {
	a, b := strings.Index(s, "{{"), strings.Index(s, "{%")
	if a < 0 || (b >= 0 && b < a) {
		return b
	}
	return a
}

func tokenize(s string) ([]token, error) {
	var out []token
	for s != "" {
		m := tokenPattern.FindStringSubmatch(s)
		if m == nil {
			return nil, fmt.Errorf("cannot read %q", s)
		}
		s = s[len(m[0]):]
		for i, kind := range []byte("snwp") {
			if m[i+1] != "" {
				out = append(out, token{kind, m[i+1]})
			}
		}
	}
	return out, nil
}

// sourceParser reads the inside of one pair of delimiters into node.
type sourceParser struct {
	tokens []token
	node   *node
}

func (p *sourceParser) take() (token, bool) {
	if len(p.tokens) == 0 {
		return token{}, false
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t, true
}

func (p *sourceParser) punctuation(s string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == (token{'p', s}) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

// reference reads a field name.
func (p *sourceParser) reference(t token) (Field, error) {
	f, ok := fieldByName(t.text)
	if t.kind != 'w' || !ok {
		return Field{}, fmt.Errorf("unknown merge field %q: use one of %s", t.text, fieldNames())
	}
	p.node.fields = append(p.node.fields, f.Name)
	return f, nil
}

// output reads: field ("|" filter (":" argument)?)*.
func (p *sourceParser) output() error {
	t, ok := p.take()
	if !ok {
		return fmt.Errorf("nothing between the braces: name a merge field")
	}
	f, err := p.reference(t)
	if err != nil {
		return err
	}
	p.node.field, p.node.code = f, variable(f.Name)
	dated := false
	for len(p.tokens) > 0 {
		if !p.punctuation("|") {
			return fmt.Errorf("unexpected %q: only filters may follow a field", p.tokens[0].text)
		}
		name, _ := p.take()
		want, known := filterArgs[name.text]
		if !known {
			return fmt.Errorf("filter %q is not allowed: use default, capitalize, upcase, downcase, truncate or date", name.text)
		}
		p.node.code += " | " + name.text
		if want == 0 {
			continue
		}
		var arg token
		if p.punctuation(":") {
			arg, _ = p.take()
		}
		code, err := p.argument(name.text, f, arg)
		if err != nil {
			return err
		}
		dated = dated || name.text == "date"
		p.node.code += ": " + code
	}
	if dated && f.Kind != DateField {
		return fmt.Errorf("filter date needs a date field, %s is %s", f.Name, f.Kind)
	}
	return nil
}

func (p *sourceParser) argument(filter string, f Field, t token) (string, error) {
	switch filter {
	case "default":
		if t.kind == 'w' {
			other, err := p.reference(t)
			if err != nil {
				return "", err
			}
			if other.Kind != f.Kind {
				return "", fmt.Errorf("default for %s is %s, the field is %s", f.Name, other.Kind, f.Kind)
			}
			return variable(other.Name), nil
		}
		if t.kind == 's' && f.Kind == LinkField {
			return "", fmt.Errorf("default for a link must be another link field")
		}
		if t.kind == 's' {
			return t.text, nil
		}
	case "truncate":
		if n, err := strconv.Atoi(t.text); t.kind == 'n' && err == nil && n > 0 {
			return t.text, nil
		}
	case "date":
		if t.kind == 's' && datePattern.MatchString(t.text[1:len(t.text)-1]) {
			return t.text, nil
		}
		return "", fmt.Errorf(`filter date needs a format such as "%%B %%-d"`)
	}
	return "", fmt.Errorf("filter %s needs an argument, for example %s", filter,
		map[string]string{"default": `default: "there"`, "truncate": "truncate: 40"}[filter])
}

// tag reads one of tags.
func (p *sourceParser) tag(depth *int) error {
	name, _ := p.take()
	p.node.code = name.text
	switch name.text {
	case "if", "unless", "elsif":
		if name.text != "elsif" {
			*depth++
		}
		return p.condition()
	case "endif", "endunless":
		*depth--
	}
	if len(p.tokens) > 0 {
		return fmt.Errorf("unexpected %q after %s", p.tokens[0].text, name.text)
	}
	return nil
}

var comparisons = []string{"==", "!=", "<", ">", "<=", ">=", "contains"}

// condition reads: field (comparison literal)? (("and"|"or") ...)*.
func (p *sourceParser) condition() error {
	for {
		t, ok := p.take()
		if !ok {
			return fmt.Errorf("condition is incomplete: write for example if offer.code")
		}
		f, err := p.reference(t)
		if err != nil {
			return err
		}
		p.node.code += " " + variable(f.Name)
		if len(p.tokens) > 0 && slices.Contains(comparisons, p.tokens[0].text) {
			op, _ := p.take()
			literal, _ := p.take()
			if f.Kind != TextField || literal.kind != 's' || strings.Contains(literal.text, "%") {
				return fmt.Errorf("compare a text field with a quoted text without %%, for example first_name == \"Ada\"")
			}
			p.node.code += " " + op.text + " " + literal.text
		}
		if len(p.tokens) == 0 {
			return nil
		}
		join, _ := p.take()
		if join.text != "and" && join.text != "or" {
			return fmt.Errorf("unexpected %q in the condition: join with and, or", join.text)
		}
		p.node.code += " " + join.text
	}
}

// variable is the flat name under which the engine knows a field.
func variable(field string) string { return "f_" + strings.ReplaceAll(field, ".", "__") }

// liquidSource writes nodes as the source for the engine. Every output ends in
// the filter that fits the part, which receives the field's name for its errors.
func liquidSource(nodes []node) string {
	var b strings.Builder
	for _, n := range nodes {
		open, end, code := "{{", "}}", n.code
		switch n.kind {
		case textNode:
			b.WriteString(n.text)
			continue
		case outputNode:
			code += fmt.Sprintf(" | out: %q", n.field.Name)
		case tagNode:
			open, end = "{%", "%}"
		}
		if n.trimLeft {
			open += "-"
		}
		if n.trimRight {
			end = "-" + end
		}
		b.WriteString(open + " " + code + " " + end)
	}
	return b.String()
}
