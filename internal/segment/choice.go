package segment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// choiceOf is a value out of a fixed list, such as stage or consent.email.
type choiceOf struct{ *choice }

// choiceIn holds when the value is one of a set.
type choiceIn struct {
	field  *choice
	values []string
}

func (n choiceIn) match(m *moment) bool { return slices.Contains(n.values, n.field.of(m)) }

func (n choiceIn) sql(q *query) string { return n.field.among(q, n.values) }

func stageNames() []string {
	var all []string
	for _, s := range lifecycle.Stages {
		all = append(all, string(s))
	}
	return all
}

// stageSQL is lifecycle.Profile.Stage as conditions on the last order, so that
// an index on it serves.
func stageSQL(q *query, values []string) string {
	lapsed, atRisk := q.stages.LapsedAfter.Microseconds(), q.stages.AtRiskAfter.Microseconds()
	recent := func() string {
		return "s.orders_count <> 0 AND s.last_order_at >= " + q.instant(min(lapsed, atRisk))
	}
	loyal := func() string { return q.arg(int64(q.stages.LoyalOrders), "bigint") }
	var any []string
	for _, v := range values {
		switch lifecycle.Stage(v) {
		case lifecycle.Prospect:
			any = append(any, "(s.orders_count = 0)")
		case lifecycle.New:
			any = append(any, "("+recent()+" AND s.orders_count < "+loyal()+" AND s.orders_count = 1)")
		case lifecycle.Active:
			any = append(any, "("+recent()+" AND s.orders_count < "+loyal()+" AND s.orders_count <> 1)")
		case lifecycle.Loyal:
			any = append(any, "("+recent()+" AND s.orders_count >= "+loyal()+")")
		case lifecycle.AtRisk:
			any = append(any, "(s.orders_count <> 0 AND s.last_order_at >= "+q.instant(lapsed)+" AND s.last_order_at < "+q.instant(atRisk)+")")
		case lifecycle.Lapsed:
			any = append(any, "(s.orders_count <> 0 AND (s.last_order_at < "+q.instant(lapsed)+" OR s.last_order_at IS NULL))")
		}
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

var consentStates = []string{string(lifecycle.ConsentGranted), string(lifecycle.ConsentWithdrawn), string(lifecycle.ConsentUnknown)}

// consentOf is the customer's statement; anything but a clear yes or no is unknown.
func consentOf(m *moment, ch lifecycle.Channel) string {
	switch state := m.Profile.Consents[ch].State; state {
	case lifecycle.ConsentGranted, lifecycle.ConsentWithdrawn:
		return string(state)
	}
	return string(lifecycle.ConsentUnknown)
}

func consentSQL(q *query, ch lifecycle.Channel, values []string) string {
	exists := func(states []string) string {
		return "EXISTS (SELECT 1 FROM consents k WHERE k.customer_id = c.id AND k.channel = " +
			q.arg(string(ch), "text") + " AND k.state = ANY(" + q.arg(states, "text[]") + "))"
	}
	if !slices.Contains(values, string(lifecycle.ConsentUnknown)) {
		return exists(values)
	}
	clear := []string{}
	for _, s := range []lifecycle.ConsentState{lifecycle.ConsentGranted, lifecycle.ConsentWithdrawn} {
		if !slices.Contains(values, string(s)) {
			clear = append(clear, string(s))
		}
	}
	return "(NOT " + exists(clear) + ")"
}

// Six decimals hide the last bits in which two exponential functions may
// differ; beyond these bounds the score is 0 or 1 at that resolution, and the
// database's functions would report underflow.
const (
	scoreDecimals    = 1e6
	negligibleWeight = 1e-9
	maxHalfLives     = 200
	certainWeight    = 40
)

func score(m *moment) float64 {
	e := m.Profile.Engagement
	if e.Weight <= negligibleWeight || e.At.IsZero() {
		return 0
	}
	e.At = e.At.Truncate(time.Microsecond)
	return math.RoundToEven(e.Score(m.Now)*scoreDecimals) / scoreDecimals
}

// scoreSQL is lifecycle.Engagement.Score.
func scoreSQL(q *query) string {
	age := "EXTRACT(EPOCH FROM (" + q.nowInstant() + " - s.engagement_at))::float8"
	halfLives := fmt.Sprintf("least(greatest(%s, 0) / %v::float8, %d)", age, lifecycle.EngagementHalfLife.Seconds(), maxHalfLives)
	weight := fmt.Sprintf("s.engagement_weight * power(2::float8, -%s)", halfLives)
	return fmt.Sprintf("(CASE WHEN s.engagement_weight > %v AND s.engagement_at IS NOT NULL THEN round((1 - exp(-least(%s, %d))) * %v) / %v ELSE 0 END)::float8",
		negligibleWeight, weight, certainWeight, scoreDecimals, scoreDecimals)
}
