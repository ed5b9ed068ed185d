package segment

import (
	"fmt"
	"time"

	"touchstone/internal/lifecycle"
)

// Expr is a compiled segment. It is immutable and safe for concurrent use.
type Expr struct {
	source string
	root   condition
	used   []use
	event  *Error // first use of event.*, nil when there is none
	entry  *Error // first use of entry.*, nil when there is none
}

// Env is what a segment is evaluated over: one customer at one instant. Event
// holds the properties of the current event, Entry those of the event that
// started the journey; either may be nil, and then every property is missing.
type Env struct {
	Now     time.Time
	Profile lifecycle.Profile
	Stages  lifecycle.StageThresholds
	Event   map[string]any
	Entry   map[string]any
}

// Error is what is wrong with a segment, and where. Line and Column start at 1
// and count characters of the expression.
type Error struct {
	Line, Column int
	Message      string // lower case, no full stop
	Hint         string // what to write instead, may be empty
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("%d:%d: %s: %s", e.Line, e.Column, e.Message, e.Hint)
}

// String returns the source the segment was compiled from.
func (e *Expr) String() string { return e.source }

// UsesEvent reports whether the segment asks for properties of the current
// event, which exist only while an event is being handled.
func (e *Expr) UsesEvent() bool { return e.event != nil }

// UsesEntry reports whether the segment asks for properties of the event that
// started the journey.
func (e *Expr) UsesEntry() bool { return e.entry != nil }

// Match reports whether the customer is in the segment. Instants are compared
// in whole microseconds, the resolution of the database. An erased customer is
// in no segment.
func (e *Expr) Match(env Env) (bool, error) {
	if env.Now.IsZero() {
		return false, lifecycle.Errorf(lifecycle.Invalid, "segment %q needs the instant to evaluate at: set Env.Now", e.source)
	}
	if !env.Profile.Customer.ErasedAt.IsZero() {
		return false, nil
	}
	return e.root.match(newMoment(env)), nil
}

// SQL returns the condition for a cohort and its arguments, numbered from
// firstArg. It belongs in
//
//	SELECT c.id FROM customers c JOIN customer_stats s ON s.customer_id = c.id
//	WHERE c.erased_at IS NULL AND (<where>)
//
// A segment that asks for event.* or entry.* has no cohort and is refused with
// an *Error.
func (e *Expr) SQL(now time.Time, stages lifecycle.StageThresholds, firstArg int) (where string, args []any, err error) {
	if e.event != nil {
		return "", nil, e.event
	}
	if e.entry != nil {
		return "", nil, e.entry
	}
	if now.IsZero() || firstArg < 1 {
		return "", nil, lifecycle.Errorf(lifecycle.Invalid, "segment %q needs an instant and a first argument number of at least 1", e.source)
	}
	q := newQuery(now, stages, firstArg)
	where = e.root.sql(q)
	return where, q.args, nil
}

// moment is an Env with everything brought to microseconds.
type moment struct {
	Env
	micros int64 // Now
}

func newMoment(env Env) *moment {
	env.Now = env.Now.Truncate(time.Microsecond)
	env.Stages = wholeMicros(env.Stages)
	env.Profile.Orders.LastAt = env.Profile.Orders.LastAt.Truncate(time.Microsecond)
	return &moment{Env: env, micros: env.Now.UnixMicro()}
}

func wholeMicros(t lifecycle.StageThresholds) lifecycle.StageThresholds {
	t.AtRiskAfter = t.AtRiskAfter.Truncate(time.Microsecond)
	t.LapsedAfter = t.LapsedAfter.Truncate(time.Microsecond)
	return t
}

// query collects the arguments of one SQL condition.
type query struct {
	now    time.Time
	stages lifecycle.StageThresholds
	first  int
	args   []any
	nowArg string // placeholder of now, once it is used
}

func newQuery(now time.Time, stages lifecycle.StageThresholds, first int) *query {
	return &query{now: now.UTC().Truncate(time.Microsecond), stages: wholeMicros(stages), first: first}
}

// arg adds an argument and returns its placeholder with an explicit type.
func (q *query) arg(value any, sqlType string) string {
	q.args = append(q.args, value)
	return fmt.Sprintf("$%d::%s", q.first+len(q.args)-1, sqlType)
}

// instant adds an instant given as microseconds before now.
func (q *query) instant(before int64) string {
	return q.arg(time.UnixMicro(q.now.UnixMicro()-before).UTC(), "timestamptz")
}

// nowInstant is now itself; all uses share one argument.
func (q *query) nowInstant() string {
	if q.nowArg == "" {
		q.nowArg = q.instant(0)
	}
	return q.nowArg
}
