package segment

import (
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// Field describes one value of the customer model for people and editors.
type Field struct {
	Name     string   // as written in a segment
	Type     string   // text, number, days, flag or one of a list
	Values   []string // the possible values, when there is a list
	Optional bool     // a customer may lack it; ask with has()
	Meaning  string
}

// Fields lists the customer model in the order of the documentation. The open
// namespaces attributes.NAME, affinity.NAME, event.NAME and entry.NAME are not in it.
func Fields() []Field {
	var all []Field
	for _, f := range textFields {
		all = append(all, Field{Name: f.name, Type: "text", Optional: true, Meaning: f.meaning})
	}
	for _, f := range flagFields {
		all = append(all, Field{Name: f.name, Type: "flag", Meaning: f.meaning})
	}
	for _, f := range instantFields {
		all = append(all, Field{Name: f.name, Type: "days", Optional: true, Meaning: f.meaning})
	}
	for _, f := range numberFields {
		all = append(all, Field{Name: f.name, Type: "number", Optional: f.optional, Meaning: f.meaning})
	}
	for _, f := range choiceFields() {
		all = append(all, Field{Name: f.name, Type: "one of", Values: f.values, Meaning: f.meaning})
	}
	return all
}

// names lists every name a segment may use without a namespace of its own.
func names() []string {
	var all []string
	for _, f := range Fields() {
		all = append(all, f.Name)
	}
	return all
}

// textField is text the customer may lack; "" in memory and in its column.
type textField struct {
	name, column, meaning string
	of                    func(*lifecycle.Profile) string
}

var textFields = []*textField{
	{"customer.id", "c.external_id", "the brand's own id of the customer", func(p *lifecycle.Profile) string { return p.Customer.ExternalID }},
	{"customer.country", "c.country", "ISO 3166-1 code, such as US", func(p *lifecycle.Profile) string { return p.Customer.Country }},
	{"customer.region", "c.region", "state or province code", func(p *lifecycle.Profile) string { return p.Customer.Region }},
	{"customer.locale", "c.locale", "BCP 47 language tag, such as en-US", func(p *lifecycle.Profile) string { return p.Customer.Locale }},
	{"customer.time_zone", "c.time_zone", "IANA name, such as America/New_York", func(p *lifecycle.Profile) string { return p.Customer.TimeZone }},
	{"orders.last_item", "s.last_item", "name of a product in the last order", func(p *lifecycle.Profile) string { return p.Orders.LastItem }},
}

// flagField is a yes or no that is always known.
type flagField struct {
	name, condition, meaning string
	of                       func(*lifecycle.Profile) bool
}

var flagFields = []*flagField{
	{"customer.has_email", "c.email <> ''", "an e-mail address is on file", func(p *lifecycle.Profile) bool { return p.Customer.Email != "" }},
	{"customer.has_phone", "c.phone <> ''", "a phone number is on file", func(p *lifecycle.Profile) bool { return p.Customer.Phone != "" }},
}

// instantField is an instant the customer may lack, asked for as the days
// since, in fractions: 36 hours ago is 1.5.
type instantField struct {
	name, column, meaning string
	of                    func(*lifecycle.Profile) time.Time
}

var instantFields = []*instantField{
	{"customer.days_since_signup", "c.created_at", "days since sign-up", func(p *lifecycle.Profile) time.Time { return p.Customer.CreatedAt }},
	{"orders.days_since_first", "s.first_order_at", "days since the first order", func(p *lifecycle.Profile) time.Time { return p.Orders.FirstAt }},
	{"orders.days_since_last", "s.last_order_at", "days since the last order", func(p *lifecycle.Profile) time.Time { return p.Orders.LastAt }},
	{"engagement.days_since_open", "s.last_open_at", "days since a person last opened an e-mail; machine opens are left out", func(p *lifecycle.Profile) time.Time { return p.Engagement.LastOpenAt }},
	{"engagement.days_since_click", "s.last_click_at", "days since the last click; bot clicks are left out", func(p *lifecycle.Profile) time.Time { return p.Engagement.LastClickAt }},
	{"touches.days_since_last", "s.last_touch_at", "days since the last marketing touch", func(p *lifecycle.Profile) time.Time { return p.Touches.LastAt }},
	{"cart.days_since_change", "(SELECT k.changed_at FROM carts k WHERE k.customer_id = c.id)", "days since something was put into or taken out of the cart; missing when it is empty", func(p *lifecycle.Profile) time.Time { return p.Cart.ChangedAt }},
}

// numberField is a number of the customer model with the bounds that keep
// arithmetic on it free of overflow and underflow.
type numberField struct {
	name, meaning string
	optional      bool
	whole         string // the integer column behind it, when it is one
	largest       float64
	grain         float64 // every value is a multiple of it
	of            func(*moment) (float64, bool)
	expression    func(*query) string
}

// Revenue is divided once by a power of ten, so that the result is the number
// nearest to the decimal amount, as a literal is. minorUnits is the divisor in
// SQL; a test compares it with lifecycle.MinorDigits for every code.
const (
	minorUnits   = `(CASE WHEN s.currency IN ('BHD','IQD','JOD','KWD','LYD','OMR','TND') THEN 1000 WHEN s.currency IN ('BIF','CLP','DJF','GNF','ISK','JPY','KMF','KRW','PYG','RWF','UGX','UYI','VND','VUV','XAF','XOF','XPF') THEN 1 ELSE 100 END)::float8`
	majorRevenue = `(s.revenue::float8 / ` + minorUnits + `)`
)

func revenue(m *moment) float64 {
	divisor := 1.0
	for range lifecycle.MinorDigits(m.Profile.Orders.Revenue.Currency) {
		divisor *= 10
	}
	return float64(m.Profile.Orders.Revenue.Amount) / divisor
}

var numberFields = []*numberField{
	{
		name: "orders.count", meaning: "orders, refunds not counted", whole: "s.orders_count", largest: 1 << 31, grain: 1,
		of:         func(m *moment) (float64, bool) { return float64(m.Profile.Orders.Count), true },
		expression: func(*query) string { return "s.orders_count::float8" },
	},
	{
		name: "orders.revenue", meaning: "net revenue in major units of the brand's currency", largest: 1e19, grain: 1e-20,
		of:         func(m *moment) (float64, bool) { return revenue(m), true },
		expression: func(*query) string { return majorRevenue },
	},
	{
		name: "orders.average_value", meaning: "revenue per order, in major units", optional: true, largest: 1e19, grain: 1e-30,
		of: func(m *moment) (float64, bool) {
			n := m.Profile.Orders.Count
			if n == 0 {
				return 0, false
			}
			return revenue(m) / float64(n), true
		},
		expression: func(*query) string { return "(" + majorRevenue + " / NULLIF(s.orders_count, 0)::float8)" },
	},
	{
		name: "engagement.score", meaning: "0 to 1: decayed sum of clicks, opens and orders, to six decimals", largest: 1, grain: 1e-22,
		of:         func(m *moment) (float64, bool) { return score(m), true },
		expression: scoreSQL,
	},
	{
		name: "touches.count", meaning: "marketing touches received", whole: "s.touches_count", largest: 1 << 31, grain: 1,
		of:         func(m *moment) (float64, bool) { return float64(m.Profile.Touches.Count), true },
		expression: func(*query) string { return "s.touches_count::float8" },
	},
	{
		name: "cart.items", meaning: "pieces in the cart", largest: 1 << 31, grain: 1,
		of: func(m *moment) (float64, bool) { return float64(m.Profile.Cart.Items), true },
		expression: func(*query) string {
			return "coalesce((SELECT k.items FROM carts k WHERE k.customer_id = c.id), 0)::float8"
		},
	},
	{
		name: "cart.value", meaning: "what lies in the cart, in major units", largest: 1e13, grain: 1e-22,
		of: func(m *moment) (float64, bool) { return m.Profile.Cart.Value, true },
		expression: func(*query) string {
			return "coalesce((SELECT k.value FROM carts k WHERE k.customer_id = c.id), 0)::float8"
		},
	},
}

// choice is a value out of a fixed list that every customer has.
type choice struct {
	name, meaning string
	values        []string
	of            func(*moment) string
	among         func(q *query, values []string) string // condition: the value is one of these
}

func choiceFields() []*choice {
	all := []*choice{{
		name: "stage", meaning: "place in the lifecycle, from the brand's thresholds", values: stageNames(),
		of:    func(m *moment) string { return string(m.Profile.Stage(m.Now, m.Stages)) },
		among: stageSQL,
	}}
	for _, ch := range lifecycle.Channels {
		all = append(all, &choice{
			name: "consent." + string(ch), meaning: "what the customer said about " + string(ch), values: consentStates,
			of:    func(m *moment) string { return consentOf(m, ch) },
			among: func(q *query, values []string) string { return consentSQL(q, ch, values) },
		})
	}
	return all
}

// lookup finds a field of the closed part of the model.
func lookup(name string) (any, bool) {
	for _, f := range textFields {
		if f.name == name {
			return textOf{f}, true
		}
	}
	for _, f := range flagFields {
		if f.name == name {
			return flagOf{f}, true
		}
	}
	for _, f := range instantFields {
		if f.name == name {
			return daysOf{f}, true
		}
	}
	for _, f := range numberFields {
		if f.name == name {
			return numberOf{f}, true
		}
	}
	for _, f := range choiceFields() {
		if f.name == name {
			return choiceOf{f}, true
		}
	}
	return nil, false
}

// namespaces are the words before the first dot.
var namespaces = []string{"customer", "attributes", "consent", "stage", "orders", "engagement", "touches", "cart", "affinity", "event", "entry"}

// inNamespace lists the fields that share the namespace of a name.
func inNamespace(name string) []string {
	space, _, _ := strings.Cut(name, ".")
	var found []string
	for _, n := range names() {
		if strings.HasPrefix(n, space+".") {
			found = append(found, n)
		}
	}
	return found
}
