package segment

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// number is a node with a numeric value that may be missing. All numbers are
// 64-bit floating point in both worlds. The bounds say how large the value can
// get and of what it is a multiple, so that compilation can refuse arithmetic
// that might overflow or underflow, which the database treats as an error.
type number interface {
	value(*moment) (float64, bool)
	sql(*query) string
	bounds() (largest, grain float64)
}

type numberLiteral float64

func (n numberLiteral) value(*moment) (float64, bool) { return float64(n), true }

func (n numberLiteral) sql(q *query) string { return q.arg(float64(n), "float8") }

func (n numberLiteral) bounds() (float64, float64) {
	v := math.Abs(float64(n))
	if v == 0 {
		return 0, 1
	}
	return v, math.Nextafter(v, math.Inf(1)) - v
}

type numberOf struct{ *numberField }

func (n numberOf) value(m *moment) (float64, bool) { return n.of(m) }

func (n numberOf) sql(q *query) string { return n.expression(q) }

func (n numberOf) bounds() (float64, float64) { return n.largest, n.grain }

func (n numberOf) has(m *moment) bool {
	_, ok := n.of(m)
	return ok
}

func (n numberOf) hasSQL(q *query) string { return n.expression(q) + " IS NOT NULL" }

const microsPerDay = 24 * 60 * 60 * 1e6

// daysOf is the time since an instant, in days.
type daysOf struct{ *instantField }

// since is the microseconds from the instant to now.
func (n daysOf) since(m *moment) (int64, bool) {
	at := n.of(&m.Profile)
	if at.IsZero() {
		return 0, false
	}
	return m.micros - at.Truncate(time.Microsecond).UnixMicro(), true
}

func (n daysOf) value(m *moment) (float64, bool) {
	micros, ok := n.since(m)
	return float64(micros) / microsPerDay, ok
}

func (n daysOf) sql(q *query) string {
	return "((EXTRACT(EPOCH FROM (" + q.nowInstant() + " - " + n.column + ")) * 1000000)::float8 / 86400000000::float8)"
}

func (n daysOf) bounds() (float64, float64) { return 1e8, 1e-28 }

func (n daysOf) has(m *moment) bool { return !n.of(&m.Profile).IsZero() }

func (n daysOf) hasSQL(*query) string { return n.column + " IS NOT NULL" }

// daysCompare compares days since an instant with a literal. It asks the
// column for an instant, so that an index serves.
type daysCompare struct {
	op     comparison
	field  daysOf
	micros int64
}

func (n daysCompare) match(m *moment) bool {
	since, ok := n.field.since(m)
	return ok && n.op.holds(cmp.Compare(since, n.micros))
}

func (n daysCompare) sql(q *query) string {
	return "(" + n.field.column + " " + n.op.flipped().sql() + " " + q.instant(n.micros) + ")"
}

// numberCompare compares two numbers; false when either is missing.
type numberCompare struct {
	op          comparison
	left, right number
}

func (n numberCompare) match(m *moment) bool {
	a, ok := n.left.value(m)
	if !ok {
		return false
	}
	b, ok := n.right.value(m)
	return ok && n.op.holds(cmp.Compare(a, b))
}

func (n numberCompare) sql(q *query) string {
	if field, ok := n.left.(numberOf); ok && field.whole != "" {
		if limit, ok := n.right.(numberLiteral); ok && math.Trunc(float64(limit)) == float64(limit) && math.Abs(float64(limit)) < 1<<53 {
			return "(" + field.whole + " " + n.op.sql() + " " + q.arg(int64(limit), "bigint") + ")"
		}
	}
	return "(" + n.left.sql(q) + " " + n.op.sql() + " " + n.right.sql(q) + ")"
}

// numberIn holds when the number equals one of a list.
type numberIn struct {
	value number
	list  []float64
}

func (n numberIn) match(m *moment) bool {
	v, ok := n.value.value(m)
	return ok && slices.Contains(n.list, v)
}

func (n numberIn) sql(q *query) string {
	return "(" + n.value.sql(q) + " = ANY(" + q.arg(n.list, "float8[]") + "))"
}

// arithmetic is a sum, difference or product.
type arithmetic struct {
	op          byte // + - *
	left, right number
}

func (n arithmetic) value(m *moment) (float64, bool) {
	a, ok := n.left.value(m)
	if !ok {
		return 0, false
	}
	b, ok := n.right.value(m)
	if !ok {
		return 0, false
	}
	return calculate(n.op, a, b), true
}

func calculate(op byte, a, b float64) float64 {
	switch op {
	case '+':
		return a + b
	case '-':
		return a - b
	}
	return a * b
}

func (n arithmetic) sql(q *query) string {
	return "(" + n.left.sql(q) + " " + string(n.op) + " " + n.right.sql(q) + ")"
}

func (n arithmetic) bounds() (float64, float64) {
	a, grainA := n.left.bounds()
	b, grainB := n.right.bounds()
	if n.op == '*' {
		return a * b, grainA * grainB * 0x1p-53
	}
	return a + b, min(grainA, grainB)
}

// safe reports whether no customer can make the number overflow or underflow.
func safe(n number) bool {
	largest, grain := n.bounds()
	return largest < 1e300 && grain > 1e-300
}
