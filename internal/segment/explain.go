package segment

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// use is a value a segment asks for.
type use struct {
	name  string
	value any
}

// uses notes that the segment asks for a value, once per name.
func (c *compiler) uses(name string, value any) any {
	for _, u := range c.used {
		if u.name == name {
			return value
		}
	}
	c.used = append(c.used, use{name, value})
	return value
}

// Explain tells which values the segment saw, in the order it names them:
// "orders.count = 3, customer.region is missing". It may hold personal data.
func (e *Expr) Explain(env Env) string {
	m := newMoment(env)
	seen := make([]string, len(e.used))
	for i, u := range e.used {
		if text, ok := shown(u.value, m); ok {
			seen[i] = u.name + " = " + text
		} else {
			seen[i] = u.name + " is missing"
		}
	}
	return strings.Join(seen, ", ")
}

func shown(value any, m *moment) (string, bool) {
	switch v := value.(type) {
	case daysOf:
		days, ok := v.value(m)
		return strconv.FormatFloat(days, 'f', 1, 64), ok
	case number:
		n, ok := v.value(m)
		return strconv.FormatFloat(n, 'f', -1, 64), ok
	case text:
		s, ok := v.value(m)
		return s, ok
	case choiceOf:
		return v.of(m), true
	case flagOf:
		return strconv.FormatBool(v.match(m)), true
	case dynamic:
		raw := v.get(m)
		if s, ok := raw.(string); ok {
			return s, true
		}
		encoded, err := json.Marshal(raw)
		if err != nil {
			return fmt.Sprint(raw), true
		}
		return string(encoded), raw != nil
	}
	return "", false
}
