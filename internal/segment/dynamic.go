package segment

import (
	"encoding/json"
	"fmt"
	"math"
)

// dynamic is a property whose type is only known when it is looked at:
// attributes.NAME, event.NAME, entry.NAME. Compared with a text it is a text,
// with a number a number, with true or false a flag; a property of another
// type counts as missing. Only attributes have SQL: Expr.SQL refuses the others.
type dynamic struct{ space, name string }

func (d dynamic) get(m *moment) any {
	switch d.space {
	case "event":
		return m.Event[d.name]
	case "entry":
		return m.Entry[d.name]
	}
	return m.Profile.Customer.Attributes[d.name]
}

func (d dynamic) json(q *query) string { return "(c.attributes -> " + q.arg(d.name, "text") + ")" }

func (d dynamic) has(m *moment) bool { return d.get(m) != nil }

func (d dynamic) hasSQL(q *query) string { return "jsonb_typeof" + d.json(q) + " <> 'null'" }

// contains is equality with a scalar in a form a GIN index on attributes serves.
func (d dynamic) contains(q *query, scalar any) string {
	document, err := json.Marshal(map[string]any{d.name: scalar})
	if err != nil {
		panic(fmt.Sprintf("segment: a text or flag always marshals: %v", err))
	}
	return "(c.attributes @> " + q.arg(string(document), "jsonb") + ")"
}

// dynamicText is a property read as text.
type dynamicText struct{ dynamic }

func (n dynamicText) value(m *moment) (string, bool) {
	v, ok := n.get(m).(string)
	return v, ok
}

func (n dynamicText) sql(q *query) string {
	v := n.json(q)
	return "(CASE WHEN jsonb_typeof" + v + " = 'string' THEN " + v + " #>> '{}' END)"
}

// Numbers outside these magnitudes are treated alike in both worlds: smaller
// ones are zero, larger ones missing.
const (
	smallestNumber = 1e-300
	largestNumber  = 1e300
)

// dynamicNumber is a property read as a number.
type dynamicNumber struct{ dynamic }

func (n dynamicNumber) value(m *moment) (float64, bool) {
	v, ok := asNumber(n.get(m))
	if !ok || math.IsNaN(v) || math.Abs(v) > largestNumber {
		return 0, false
	}
	if math.Abs(v) < smallestNumber {
		return 0, true
	}
	return v, true
}

// asNumber accepts what JSON decoding and Go code produce.
func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

func (n dynamicNumber) sql(q *query) string {
	v := n.json(q)
	return fmt.Sprintf("(CASE WHEN jsonb_typeof%s = 'number' THEN CASE WHEN abs(%s::numeric) < %g THEN 0 WHEN abs(%s::numeric) <= %g THEN %s::float8 END END)",
		v, v, smallestNumber, v, largestNumber, v)
}

func (n dynamicNumber) bounds() (float64, float64) { return largestNumber, smallestNumber }

// flagCompare compares a property with true or false, or with another property.
type flagCompare struct {
	differ      bool // != instead of ==
	left, right dynamic
}

func (n flagCompare) match(m *moment) bool {
	a, ok := n.left.get(m).(bool)
	if !ok {
		return false
	}
	b, ok := n.right.get(m).(bool)
	return ok && (a == b) != n.differ
}

func (n flagCompare) sql(q *query) string {
	op := " = "
	if n.differ {
		op = " <> "
	}
	return "(" + flagSQL(q, n.left) + op + flagSQL(q, n.right) + ")"
}

func flagSQL(q *query, d dynamic) string {
	v := d.json(q)
	return "(CASE WHEN jsonb_typeof" + v + " = 'boolean' THEN " + v + "::boolean END)"
}

// flagIs holds when a property is the flag wanted.
type flagIs struct {
	dynamic
	wanted bool
}

func (n flagIs) match(m *moment) bool {
	v, ok := n.get(m).(bool)
	return ok && v == n.wanted
}

func (n flagIs) sql(q *query) string { return n.contains(q, n.wanted) }

// listHas holds when a property is a list with the text in it.
type listHas struct {
	dynamic
	wanted string
}

func (n listHas) match(m *moment) bool {
	switch list := n.get(m).(type) {
	case []any:
		for _, v := range list {
			if v == n.wanted {
				return true
			}
		}
	case []string:
		for _, v := range list {
			if v == n.wanted {
				return true
			}
		}
	}
	return false
}

func (n listHas) sql(q *query) string {
	v := n.json(q)
	return "(jsonb_typeof" + v + " = 'array' AND " + v + " ? " + q.arg(n.wanted, "text") + ")"
}
