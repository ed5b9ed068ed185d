package segment

import "strings"

// condition is a node that is true or false of a customer. Its SQL may yield
// NULL for false; negated asks with IS NOT TRUE, so NULL never leaks into a
// true.
type condition interface {
	match(*moment) bool
	sql(*query) string
}

type constant bool

func (n constant) match(*moment) bool { return bool(n) }

func (n constant) sql(*query) string {
	if n {
		return "true"
	}
	return "false"
}

type all []condition

func (n all) match(m *moment) bool {
	for _, c := range n {
		if !c.match(m) {
			return false
		}
	}
	return true
}

func (n all) sql(q *query) string { return joined(q, n, " AND ") }

type anyOf []condition

func (n anyOf) match(m *moment) bool {
	for _, c := range n {
		if c.match(m) {
			return true
		}
	}
	return false
}

func (n anyOf) sql(q *query) string { return joined(q, n, " OR ") }

func joined(q *query, parts []condition, operator string) string {
	texts := make([]string, len(parts))
	for i, c := range parts {
		texts[i] = c.sql(q)
	}
	return "(" + strings.Join(texts, operator) + ")"
}

type negated struct{ condition }

func (n negated) match(m *moment) bool { return !n.condition.match(m) }

func (n negated) sql(q *query) string { return "((" + n.condition.sql(q) + ") IS NOT TRUE)" }

// flagOf is a yes or no that is always known, usable as a condition by itself.
type flagOf struct{ *flagField }

func (n flagOf) match(m *moment) bool { return n.of(&m.Profile) }

func (n flagOf) sql(*query) string { return "(" + n.condition + ")" }

// present is has(x).
type present struct{ value optional }

// optional is a value a customer may lack.
type optional interface {
	has(*moment) bool
	hasSQL(*query) string
}

func (n present) match(m *moment) bool { return n.value.has(m) }

func (n present) sql(q *query) string { return "(" + n.value.hasSQL(q) + ")" }

// comparison is one of == != < <= > >=.
type comparison string

func (op comparison) holds(order int) bool {
	switch op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return false
}

func (op comparison) sql() string {
	switch op {
	case "==":
		return "="
	case "!=":
		return "<>"
	}
	return string(op)
}

// flipped is the comparison with its sides exchanged.
func (op comparison) flipped() comparison {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}

func (op comparison) equality() bool { return op == "==" || op == "!=" }
