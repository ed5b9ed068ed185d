package yamldoc

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"touchstone/internal/clock"
)

// Node is one value of a document, present or not. Reading a value of the
// wrong kind records a mistake and returns the zero value; reading an absent
// one returns the zero value silently, use Required where it must be there.
type Node struct {
	doc  *Document
	at   ast.Node // where mistakes are reported; the parent when absent
	node ast.Node // nil when absent or null
	name string
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key   string
	Value Node
}

// Root is the document's top value.
func (d *Document) Root() Node {
	return Node{doc: d, at: d.root, node: present(d.root), name: "the file"}
}

func present(n ast.Node) ast.Node {
	if n == nil || n.Type() == ast.NullType {
		return nil
	}
	return n
}

// Present reports whether there is a value.
func (n Node) Present() bool { return n.node != nil }

// Fail records a mistake at the value's place. The text says what to write instead.
func (n Node) Fail(format string, args ...any) { n.doc.failAt(n.at, format, args...) }

// Required records a mistake when the value is absent, and returns the node.
func (n Node) Required(example string) Node {
	if !n.Present() {
		n.Fail("%s is missing: add it, for example %s: %s", n.name, n.name, example)
	}
	return n
}

// Entries returns the keys of a mapping in the order of the file.
func (n Node) Entries() []Entry {
	var values []*ast.MappingValueNode
	switch m := n.node.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		n.Fail("%s must hold keys with values, not %s", n.name, kind(n.node))
		return nil
	}
	entries := make([]Entry, 0, len(values))
	seen := map[string]bool{}
	for _, v := range values {
		key, ok := scalar(v.Key)
		if !ok {
			n.doc.failAt(v, "keys of %s must be plain words", n.name)
			continue
		}
		if seen[key] {
			n.doc.failAt(v, "%s is given twice: remove one", key)
			continue
		}
		seen[key] = true
		at := v.Value
		if present(at) == nil {
			at = v
		}
		entries = append(entries, Entry{key, Node{doc: n.doc, at: at, node: present(v.Value), name: key}})
	}
	return entries
}

// Fields is a mapping whose keys are all known.
type Fields struct {
	parent Node
	byName map[string]Node
}

// Fields reads a mapping and records a mistake for every key not in known.
func (n Node) Fields(known ...string) Fields {
	f := Fields{parent: n, byName: map[string]Node{}}
	for _, e := range n.Entries() {
		if !contains(known, e.Key) {
			hint := "use one of " + strings.Join(known, ", ")
			if near := nearest(e.Key, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			e.Value.Fail("unknown key %s in %s: %s", e.Key, n.name, hint)
			continue
		}
		f.byName[e.Key] = e.Value
	}
	return f
}

// Get returns the value of a key, absent when the file does not have it.
func (f Fields) Get(key string) Node {
	if n, ok := f.byName[key]; ok {
		return n
	}
	return Node{doc: f.parent.doc, at: f.parent.at, name: key}
}

// Items returns the elements of a list.
func (n Node) Items() []Node {
	if n.node == nil {
		return nil
	}
	s, ok := n.node.(*ast.SequenceNode)
	if !ok {
		n.Fail("%s must be a list, not %s: write - before each item", n.name, kind(n.node))
		return nil
	}
	items := make([]Node, 0, len(s.Values))
	for _, v := range s.Values {
		items = append(items, Node{doc: n.doc, at: v, node: present(v), name: "item of " + n.name})
	}
	return items
}

// Text is a scalar as written, without surrounding space.
func (n Node) Text() string {
	if n.node == nil {
		return ""
	}
	s, ok := scalar(n.node)
	if !ok {
		n.Fail("%s must be text, not %s", n.name, kind(n.node))
	}
	return strings.TrimSpace(s)
}

// Texts is a list of non-empty texts.
func (n Node) Texts() []string {
	var texts []string
	for _, item := range n.Items() {
		if t := item.Text(); t != "" {
			texts = append(texts, t)
		} else {
			item.Fail("an empty %s: fill it or remove it", item.name)
		}
	}
	return texts
}

// Int is a whole number within [low, high].
func (n Node) Int(low, high int) int {
	if n.node == nil {
		return 0
	}
	v, err := strconv.Atoi(n.Text())
	if err != nil || v < low || v > high {
		n.Fail("%s must be a whole number from %d to %d, not %q", n.name, low, high, n.Text())
		return 0
	}
	return v
}

// Float is a number within [low, high].
func (n Node) Float(low, high float64) float64 {
	if n.node == nil {
		return 0
	}
	v, err := strconv.ParseFloat(n.Text(), 64)
	if err != nil || math.IsNaN(v) || v < low || v > high {
		n.Fail("%s must be a number from %v to %v, not %q", n.name, low, high, n.Text())
		return 0
	}
	return v
}

// Duration is a length of time such as 36h, 3d or 1w, longer than zero.
func (n Node) Duration() time.Duration {
	if n.node == nil {
		return 0
	}
	v, err := clock.ParseDuration(n.Text())
	if err == nil && v <= 0 {
		n.Fail("%s must be longer than zero, for example 3d", n.name)
		return 0
	}
	if err != nil {
		n.Fail("%s: %v", n.name, err)
		return 0
	}
	return v
}

// Name is the key the value stands under.
func (n Node) Name() string { return n.name }

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// nearest returns the known key within two edits of s, or "".
func nearest(s string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if d := edits(s, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance, cut off at 3 by length difference.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
