package segment

import (
	"cmp"
	"slices"
	"strings"
)

// text is a node with a string value that may be missing. Order is by bytes in
// both worlds.
type text interface {
	value(*moment) (string, bool)
	sql(*query) string
}

type textLiteral string

func (n textLiteral) value(*moment) (string, bool) { return string(n), true }

func (n textLiteral) sql(q *query) string { return q.arg(string(n), "text") }

type textOf struct{ *textField }

func (n textOf) value(m *moment) (string, bool) {
	v := n.of(&m.Profile)
	return v, v != ""
}

func (n textOf) sql(*query) string { return "NULLIF(" + n.column + ", '')" }

func (n textOf) has(m *moment) bool { return n.of(&m.Profile) != "" }

func (n textOf) hasSQL(*query) string { return n.column + " <> ''" }

// textCompare compares two texts; false when either is missing.
type textCompare struct {
	op          comparison
	left, right text
}

func (n textCompare) match(m *moment) bool {
	a, ok := n.left.value(m)
	if !ok {
		return false
	}
	b, ok := n.right.value(m)
	return ok && n.op.holds(cmp.Compare(a, b))
}

func (n textCompare) sql(q *query) string {
	if literal, ok := n.right.(textLiteral); ok && n.op == "==" && literal != "" {
		switch left := n.left.(type) {
		case textOf:
			return "(" + left.column + " = " + literal.sql(q) + ")"
		case dynamicText:
			return left.contains(q, string(literal))
		}
	}
	collate := ""
	if !n.op.equality() {
		collate = ` COLLATE "C"`
	}
	return "((" + n.left.sql(q) + ")" + collate + " " + n.op.sql() + " " + n.right.sql(q) + ")"
}

// textIn holds when the text equals one of a list.
type textIn struct {
	value text
	list  []string
}

func (n textIn) match(m *moment) bool {
	v, ok := n.value.value(m)
	return ok && slices.Contains(n.list, v)
}

func (n textIn) sql(q *query) string {
	if field, ok := n.value.(textOf); ok {
		given := []string{}
		for _, v := range n.list {
			if v != "" {
				given = append(given, v)
			}
		}
		return "(" + field.column + " = ANY(" + q.arg(given, "text[]") + "))"
	}
	return "(" + n.value.sql(q) + " = ANY(" + q.arg(n.list, "text[]") + "))"
}

// textTest is startsWith, endsWith or contains.
type textTest struct {
	function      string
	value, within text
}

func (n textTest) match(m *moment) bool {
	v, ok := n.value.value(m)
	if !ok {
		return false
	}
	part, ok := n.within.value(m)
	if !ok {
		return false
	}
	switch n.function {
	case "startsWith":
		return strings.HasPrefix(v, part)
	case "endsWith":
		return strings.HasSuffix(v, part)
	}
	return strings.Contains(v, part)
}

func (n textTest) sql(q *query) string {
	v, part := n.value.sql(q), n.within.sql(q)
	switch n.function {
	case "startsWith":
		return "starts_with(" + v + ", " + part + ")"
	case "endsWith":
		return "(right(" + v + ", length(" + part + ")) = " + part + ")"
	}
	return "(strpos(" + v + ", " + part + ") > 0)"
}
