package segment_test

import (
	"fmt"
	"math"
	"strings"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
)

// now has nanoseconds, to prove that both worlds drop them.
var now = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)

const day = 24 * time.Hour

// instants draws instants around the limits that expressions compare with.
func instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 3).Draw(t, "missing") == 0 {
			return time.Time{}
		}
		days := rapid.SampledFrom([]int{0, 1, 3, 7, 30, 45, 90, 91, 400, 4000, -2}).Draw(t, "days")
		off := rapid.SampledFrom([]time.Duration{0, 0, 1, -1, time.Microsecond, -time.Microsecond, 5 * time.Hour, 11*time.Hour + 777}).Draw(t, "off")
		return now.Add(-time.Duration(days)*day + off)
	})
}

var words = []string{"", "US", "us", "CA", "New York", "gold", "Zürich", "ß", "a%b_c", `quo"te`, "café", "日本", "zz", "Z"}

func properties() *rapid.Generator[map[string]any] {
	value := rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "flag")
		case 2:
			return []any{rapid.SampledFrom(words).Draw(t, "item"), 7.0, true}
		case 3:
			return map[string]any{"gold": 1.0}
		case 4, 5:
			return rapid.SampledFrom([]float64{0, 1, -1, 2.5, 0.1, 100, 1e15, 1e300, 9e299, -1e301, 1e-299, 1e-305}).Draw(t, "number")
		}
		return rapid.SampledFrom(words).Draw(t, "text")
	})
	return rapid.MapOfN(rapid.SampledFrom([]string{"plan", "size", "vip", "first-order"}), value, 0, 4)
}

// profiles draws customers, with values missing, empty and at the limits.
func profiles() *rapid.Generator[lifecycle.Profile] {
	return rapid.Custom(func(t *rapid.T) lifecycle.Profile {
		word := func(label string) string { return rapid.SampledFrom(words).Draw(t, label) }
		p := lifecycle.Profile{
			Customer: lifecycle.Customer{
				Country: word("country"), Region: word("region"), Locale: word("locale"), TimeZone: word("zone"),
				Attributes: properties().Draw(t, "attributes"),
				CreatedAt:  now.Add(-time.Duration(rapid.IntRange(0, 3).Draw(t, "age")) * 30 * day),
			},
			Consents: map[lifecycle.Channel]lifecycle.Consent{},
			Orders: lifecycle.OrderStats{
				Count: rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3, 4, 5, 40}).Draw(t, "count"),
				Revenue: lifecycle.Money{
					Amount:   rapid.SampledFrom([]int64{0, 1, 1234, 10000, -550, 333, 987654321, math.MaxInt64}).Draw(t, "revenue"),
					Currency: rapid.SampledFrom([]string{"", "USD", "JPY", "KWD"}).Draw(t, "currency"),
				},
				FirstAt: instants().Draw(t, "first"), LastAt: instants().Draw(t, "last"), LastItem: word("item"),
			},
			Engagement: lifecycle.Engagement{
				Weight:     rapid.SampledFrom([]float64{0, 0, 1, 0.3, 5.5, 1e-12, 5e-324, 1e9, 1e300, 44, 0.123}).Draw(t, "weight"),
				At:         instants().Draw(t, "engaged"),
				LastOpenAt: instants().Draw(t, "open"), LastClickAt: instants().Draw(t, "click"),
			},
			Touches: lifecycle.TouchStats{Count: rapid.IntRange(0, 3).Draw(t, "touches"), LastAt: instants().Draw(t, "touched")},
		}
		if rapid.Bool().Draw(t, "cart") {
			p.Cart = lifecycle.Cart{Items: rapid.IntRange(1, 4).Draw(t, "pieces"), Value: rapid.SampledFrom([]float64{0, 12.34, 45, 1e12, 0.1}).Draw(t, "value"), ChangedAt: now.Add(-time.Duration(rapid.IntRange(0, 9).Draw(t, "changed")) * day)}
		}
		if rapid.Bool().Draw(t, "interested") {
			p.Affinities = lifecycle.Affinities{}
			for _, name := range []string{"shoes", "p-1"} {
				p.Affinities[name] = rapid.SampledFrom([]float64{0, 1, 2.5, 3, 1e-9, 0.1, 90, 1e6}).Draw(t, name) / lifecycle.AffinityLeft(now)
			}
		}
		if rapid.Bool().Draw(t, "email") {
			p.Customer.Email = "someone@example.com"
		}
		if rapid.Bool().Draw(t, "phone") {
			p.Customer.Phone = "+15550100"
		}
		if rapid.IntRange(0, 19).Draw(t, "erased") == 0 {
			p.Customer.ErasedAt = now.Add(-day)
		}
		for _, ch := range lifecycle.Channels {
			if state := rapid.SampledFrom([]lifecycle.ConsentState{"", lifecycle.ConsentGranted, lifecycle.ConsentWithdrawn}).Draw(t, string(ch)); state != "" {
				p.Consents[ch] = lifecycle.Consent{Channel: ch, State: state, At: now}
			}
		}
		return p
	})
}

// population is the same customers in every run.
func population(n int) []lifecycle.Profile {
	g := profiles()
	all := make([]lifecycle.Profile, n)
	for i := range all {
		all[i] = g.Example(i)
		all[i].Customer.ID = lifecycle.CustomerID(fmt.Sprintf("00000000-0000-7000-8000-%012d", i))
		all[i].Customer.ExternalID = fmt.Sprintf("c%03d", i)
	}
	return all
}

var (
	textNames   = []string{"customer.id", "customer.country", "customer.region", "customer.locale", "customer.time_zone", "orders.last_item"}
	numberNames = []string{"orders.count", "orders.revenue", "orders.average_value", "engagement.score", "touches.count", "cart.items", "cart.value", "affinity.shoes", `affinity["p-1"]`, "affinity.none"}
	dayNames    = []string{"customer.days_since_signup", "orders.days_since_first", "orders.days_since_last", "engagement.days_since_open", "engagement.days_since_click", "touches.days_since_last", "cart.days_since_change"}
	properNames = []string{"attributes.plan", "attributes.size", "attributes.vip", `attributes["first-order"]`, "attributes.absent"}
	limits      = []string{"0", "1", "2", "3", "0.5", "7", "12.34", "90", "45.0", "-1", "100", "0.259182", "1e15", "0.1", "333.0"}
)

// grammar writes random segments that compile.
type grammar struct{ *rapid.T }

func (g grammar) pick(from []string) string { return rapid.SampledFrom(from).Draw(g.T, "pick") }

func (g grammar) quoted() string {
	return fmt.Sprintf("%q", g.pick(append([]string{"c007", "c1"}, words...)))
}

func (g grammar) order() string    { return g.pick([]string{"==", "!=", "<", "<=", ">", ">="}) }
func (g grammar) strict() string   { return g.pick([]string{"<", "<=", ">", ">="}) }
func (g grammar) equality() string { return g.pick([]string{"==", "!="}) }

func (g grammar) list(item func() string) string {
	items := make([]string, rapid.IntRange(1, 4).Draw(g.T, "items"))
	for i := range items {
		items[i] = item()
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func (g grammar) number(depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(g.T, "number") {
		case 0:
			return "(" + g.number(depth-1) + g.pick([]string{" + ", " - "}) + g.number(depth-1) + ")"
		case 1:
			return "(" + g.pick(numberNames) + " * " + g.pick([]string{"2", "0.5", "-3", "0", "orders.count", "engagement.score"}) + ")"
		case 2:
			return g.pick(dayNames)
		}
	}
	return g.pick(numberNames)
}

func (g grammar) consent() string {
	return "consent." + g.pick([]string{"email", "sms", "whatsapp", "push", "web"})
}

func (g grammar) consentState() string {
	return g.pick([]string{`"granted"`, `"withdrawn"`, `"unknown"`})
}

func (g grammar) stage() string {
	return g.pick([]string{`"prospect"`, `"new"`, `"active"`, `"loyal"`, `"at_risk"`, `"lapsed"`})
}

func (g grammar) condition(depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 5).Draw(g.T, "node") {
		case 0, 1:
			return "(" + g.condition(depth-1) + " && " + g.condition(depth-1) + ")"
		case 2, 3:
			return "(" + g.condition(depth-1) + " || " + g.condition(depth-1) + ")"
		case 4:
			return "!(" + g.condition(depth-1) + ")"
		}
	}
	switch rapid.IntRange(0, 22).Draw(g.T, "leaf") {
	case 0:
		return g.pick(textNames) + " " + g.order() + " " + g.quoted()
	case 1:
		return g.pick(textNames) + " in " + g.list(g.quoted)
	case 2:
		return g.pick(textNames) + " " + g.order() + " " + g.pick(textNames)
	case 3:
		return g.pick(append(textNames, properNames...)) + "." + g.pick([]string{"startsWith", "endsWith", "contains"}) + "(" + g.quoted() + ")"
	case 4:
		return g.pick(numberNames) + " " + g.order() + " " + g.pick(limits)
	case 5:
		return g.pick(numberNames) + " in " + g.list(func() string { return g.pick(limits) })
	case 6:
		return g.number(2) + " " + g.strict() + " " + g.number(2)
	case 7, 8:
		return g.pick(dayNames) + " " + g.strict() + " " + g.pick(limits[:11])
	case 9:
		return g.pick(limits[:11]) + " " + g.strict() + " " + g.pick(dayNames)
	case 10:
		return "stage " + g.equality() + " " + g.stage()
	case 11:
		return "stage in " + g.list(g.stage)
	case 12:
		return g.consent() + " " + g.equality() + " " + g.consentState()
	case 13:
		return g.consent() + " in " + g.list(g.consentState)
	case 14:
		return g.pick([]string{"customer.has_email", "customer.has_phone", "true", "false", "customer.has_email != true", "false == customer.has_phone"})
	case 15:
		return "has(" + g.pick([]string{"customer.country", "orders.last_item", "orders.days_since_last", "orders.average_value", "touches.days_since_last", "cart.days_since_change", "attributes.plan", "attributes.vip", "attributes.absent"}) + ")"
	case 16, 17:
		return g.pick(properNames) + " " + g.order() + " " + g.quoted()
	case 18:
		return g.pick(properNames) + " " + g.order() + " " + g.pick(limits)
	case 19:
		return g.pick(properNames) + g.pick([]string{"", " == true", " != true", " == false", " != false"})
	case 20:
		return g.pick([]string{g.quoted() + " in " + g.pick(properNames), g.pick(properNames) + " in " + g.list(g.quoted), g.pick(properNames) + " in " + g.list(func() string { return g.pick(limits) })})
	case 21:
		return g.pick(properNames) + " " + g.order() + " " + g.pick(properNames)
	}
	return g.pick(append(textNames, numberNames...)) + " " + g.equality() + " " + g.pick(properNames)
}
