package journey

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"touchstone/internal/clock"
	"touchstone/internal/segment"
)

// reader collects the mistakes of one file.
type reader struct {
	file   string
	lines  []string
	errors Errors
}

// node is one value of the document, with its place in words. An absent value
// has a nil yaml and the place of its parent.
type node struct {
	r    *reader
	yaml ast.Node
	at   ast.Node
	path string
}

// Limits on what a definition may be.
const (
	maxSource  = 256 << 10
	maxNesting = 40 // of YAML; steps have their own limit
)

// bareExpression finds expressions YAML would misread: those that start with !
// or with a quoted text.
var bareExpression = regexp.MustCompile(`^\s*(?:-\s+)?(?:\{\s*)?(?:when|segment):\s+(!|"(?:[^"\\]|\\.)*"\s*[^\s#,}]|'(?:[^']|'')*'\s*[^\s#,}'])`)

func read(file string, source []byte) (root node, r *reader) {
	r = &reader{file: file, lines: strings.Split(string(source), "\n")}
	if len(source) > maxSource {
		r.add(1, 1, "", "larger than 256 KB", "keep one journey per file")
		return node{r: r}, r
	}
	for i, line := range r.lines {
		if m := bareExpression.FindStringSubmatchIndex(line); m != nil {
			r.add(i+1, m[2]+1, "", "YAML misreads an expression that starts like this", "put the whole expression in single quotes")
		}
		if indent := len(line) - len(strings.TrimLeft(line, " -?:\t")); indent > 4*maxNesting || strings.Count(line, "[")+strings.Count(line, "{") > maxNesting {
			r.add(i+1, 1, "", "nested too deeply", "split the journey into two")
		}
	}
	if len(r.errors) > 0 {
		return node{r: r}, r
	}
	parsed, err := parseYAML(source)
	if err != nil {
		line, column, message := 1, 1, err.Error()
		var at yaml.Error
		if errors.As(err, &at) {
			message = at.GetMessage()
			if token := at.GetToken(); token != nil && token.Position != nil {
				line, column = token.Position.Line, max(token.Position.Column, 1)
			}
		}
		r.add(line, column, "", "not YAML: "+message, "")
		return node{r: r}, r
	}
	for _, doc := range parsed.Docs {
		switch {
		case doc == nil || doc.Body == nil:
		case root.yaml != nil:
			node{r: r, at: doc.Body}.fail("keep one journey per file", "a second YAML document")
		default:
			root = node{r: r, yaml: doc.Body, at: doc.Body}
		}
	}
	root.r = r
	if root.yaml == nil {
		r.add(1, 1, "", "the file is empty", "start with journey: name")
	}
	return root, r
}

// parseYAML turns the parser's panics on malformed input into errors.
func parseYAML(source []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return parser.ParseBytes(source, 0)
}

func (r *reader) add(line, column int, path, message, fix string) {
	r.errors = append(r.errors, &Error{File: r.file, Line: line, Column: column, Path: path, Message: message, Fix: fix})
}

func (n node) fail(fix, format string, args ...any) {
	line, column := position(n.at)
	n.r.add(line, column, n.path, fmt.Sprintf(format, args...), fix)
}

func position(n ast.Node) (line, column int) {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return position(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return position(m.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 1
	}
	p := n.GetToken().Position
	return max(p.Line, 1), max(p.Column, 1)
}

func (n node) present() bool { return n.yaml != nil && n.yaml.Type() != ast.NullType }

// fields reads a mapping whose keys are all known; others are mistakes. what
// names the mapping in messages.
func (n node) fields(what string, known ...string) (map[string]node, bool) {
	var values []*ast.MappingValueNode
	switch m := n.yaml.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		n.fail(fmt.Sprintf("write %s", strings.Join(known, ", ")), "%s must be keys with values, not %s", what, kind(n.yaml))
		return nil, false
	}
	found := map[string]node{}
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			node{n.r, nil, v.Key, n.path}.fail("use one of "+strings.Join(known, ", "), "%s cannot be a key", v.Key.GetToken().Value)
			continue
		}
		name := key.Value
		place := node{n.r, v.Value, v.Key, join(n.path, name)}
		if _, twice := found[name]; twice {
			place.fail("remove one of them", "%s is given twice", name)
			continue
		}
		if !oneOf(known, name) {
			place.fail(suggest(name, known), "unknown %s %q", what, name)
			continue
		}
		if place.present() {
			place.at = v.Value
		}
		found[name] = place
	}
	return found, true
}

func oneOf(known []string, name string) bool {
	for _, k := range known {
		if k == name {
			return true
		}
	}
	return false
}

func suggest(word string, known []string) string {
	if near := segment.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "use one of " + strings.Join(known, ", ")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// items reads a list.
func (n node) items(what string) []node {
	list, ok := n.yaml.(*ast.SequenceNode)
	if !ok {
		n.fail("write [a, b], or - before each", "%s must be a list, not %s", what, kind(n.yaml))
		return nil
	}
	all := make([]node, len(list.Values))
	for i, v := range list.Values {
		all[i] = node{n.r, v, v, fmt.Sprintf("%s[%d]", n.path, i)}
	}
	return all
}

// text reads a text; numbers and flags are mistakes, as in the schema.
func (n node) text(what string, maxLength int) (string, bool) {
	var value string
	switch v := n.yaml.(type) {
	case *ast.StringNode:
		value = v.Value
	case *ast.LiteralNode:
		value = v.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		n.fail("put it in quotes", "%s must be text, not %s", what, kind(n.yaml))
		return "", false
	default:
		n.fail("", "%s must be text, not %s", what, kind(n.yaml))
		return "", false
	}
	value = strings.TrimSpace(value)
	if value == "" {
		n.fail("fill it or remove it", "%s is empty", what)
		return "", false
	}
	if len([]rune(value)) > maxLength {
		n.fail(fmt.Sprintf("use at most %d characters", maxLength), "%s is too long", what)
		return "", false
	}
	return value, true
}

func kind(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	}
	return "text"
}

var word = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// name reads an identifier such as winback-nudge.
func (n node) name(what string) string {
	s, ok := n.text(what, 63)
	if ok && !word.MatchString(s) {
		n.fail("use lower-case letters, digits and hyphens, starting with a letter", "%s %q is not a name", what, s)
		return ""
	}
	return s
}

// choice reads one of a few words.
func (n node) choice(what string, known ...string) string {
	s, ok := n.text(what, 100)
	if ok && !oneOf(known, s) {
		n.fail(suggest(s, known), "unknown %s %q", what, s)
		return ""
	}
	return s
}

// duration reads a length of time longer than zero and at most two years.
func (n node) duration(what string) time.Duration {
	s, ok := n.text(what, 40)
	if !ok {
		return 0
	}
	d, err := clock.ParseDuration(s)
	switch {
	case err != nil:
		n.fail("", "%s: %v", what, err)
	case d < time.Minute:
		n.fail("use at least 1m", "%s %q is too short", what, s)
	case d > 2*366*24*time.Hour:
		n.fail("use at most 104w", "%s %q is too long", what, s)
	default:
		return d
	}
	return 0
}

var percent = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,4})?%$`)

// percent reads "10%" as 0.1.
func (n node) percent(what string) float64 {
	var s string
	switch v := n.yaml.(type) {
	case *ast.StringNode:
		s = v.Value
	default:
		n.fail("write it as 10%", "%s must be a percentage, not %s", what, kind(n.yaml))
		return 0
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !percent.MatchString(s) || v > 100 {
		n.fail("write it as 10%", "%s %q is not a percentage from 0%% to 100%%", what, s)
		return 0
	}
	return v / 100
}

// whole reads a whole number within [low, high].
func (n node) whole(what string, low, high int) int {
	v, ok := n.yaml.(*ast.IntegerNode)
	if !ok {
		n.fail(fmt.Sprintf("write a whole number from %d to %d", low, high), "%s must be a number, not %s", what, kind(n.yaml))
		return low
	}
	number, err := strconv.Atoi(v.GetToken().Value)
	if err != nil || number < low || number > high {
		n.fail(fmt.Sprintf("write a whole number from %d to %d", low, high), "%s %s is out of range", what, v.GetToken().Value)
		return low
	}
	return number
}
