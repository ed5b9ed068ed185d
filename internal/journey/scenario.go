package journey

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

// Scenario is one invented customer and what happens to them, for Simulate.
type Scenario struct {
	Start    time.Time
	Zone     *time.Location
	For      time.Duration // how long to watch
	Profile  lifecycle.Profile
	Stages   lifecycle.StageThresholds
	Events   []lifecycle.Event // in order of time
	Verdicts map[string]Ruling // by step id; none = allowed
	Holdout  bool
}

// Ruling is what becomes of a touch in a scenario instead of being sent.
type Ruling struct {
	Outcome lifecycle.Outcome // Defer or Block
	By      time.Duration     // with Defer
}

const defaultWatch = 90 * 24 * time.Hour

// ParseScenario reads a scenario file. Ages such as last: 120d count back from
// the start, at: 3d counts forward. Mistakes come back as Errors.
func ParseScenario(file string, source []byte) (*Scenario, error) {
	root, r := read(file, source)
	if len(r.errors) > 0 {
		return nil, r.errors.sorted()
	}
	s := &Scenario{Zone: time.UTC, For: defaultWatch, Stages: lifecycle.DefaultStageThresholds(), Verdicts: map[string]Ruling{}}
	s.Profile.Consents = map[lifecycle.Channel]lifecycle.Consent{}
	if f, ok := root.fields("key", "start", "zone", "for", "customer", "consent", "orders", "engagement", "touches", "stages", "events", "verdicts", "holdout"); ok {
		s.read(root, f)
	}
	if len(r.errors) > 0 {
		return nil, r.errors.sorted()
	}
	return s, nil
}

func (s *Scenario) read(root node, f map[string]node) {
	start, ok := f["start"]
	if !ok {
		root.fail("add start: 2026-03-02T09:00:00Z", "start is missing")
		return
	}
	if text, ok := start.text("start", 40); ok {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.Year() < 1970 || at.Year() > 2200 {
			start.fail("write it as 2026-03-02T09:00:00Z", "start %q is not an instant", text)
		}
		s.Start = at.UTC()
	}
	if n, ok := f["zone"]; ok {
		if text, ok := n.text("zone", 60); ok {
			zone, err := time.LoadLocation(text)
			if err != nil || text == "Local" {
				n.fail("use an IANA name such as America/New_York", "unknown zone %q", text)
			} else {
				s.Zone = zone
				s.Profile.Customer.TimeZone = text
			}
		}
	}
	if n, ok := f["for"]; ok {
		s.For = n.duration("for")
	}
	if n, ok := f["customer"]; ok {
		s.customer(n)
	}
	if n, ok := f["consent"]; ok {
		s.consent(n)
	}
	if n, ok := f["orders"]; ok {
		s.orders(n)
	}
	if n, ok := f["engagement"]; ok {
		s.engagement(n)
	}
	if n, ok := f["touches"]; ok {
		if f, ok := n.fields("key of touches", "count", "last"); ok {
			s.Profile.Touches = lifecycle.TouchStats{Count: count(f["count"]), LastAt: s.ago(f["last"])}
		}
	}
	if n, ok := f["stages"]; ok {
		s.stages(n)
	}
	if n, ok := f["events"]; ok {
		for _, item := range n.items("events") {
			s.event(item)
		}
		slices.SortStableFunc(s.Events, func(a, b lifecycle.Event) int { return a.At.Compare(b.At) })
	}
	if n, ok := f["verdicts"]; ok {
		s.verdicts(n)
	}
	if n, ok := f["holdout"]; ok {
		s.Holdout = n.flag("holdout")
	}
}

func (s *Scenario) customer(n node) {
	f, ok := n.fields("key of customer", "id", "country", "region", "locale", "email", "phone", "signed_up", "attributes")
	if !ok {
		return
	}
	c := &s.Profile.Customer
	for key, to := range map[string]*string{"id": &c.ExternalID, "country": &c.Country, "region": &c.Region, "locale": &c.Locale, "email": &c.Email, "phone": &c.Phone} {
		if n, ok := f[key]; ok {
			*to, _ = n.text(key, 200)
		}
	}
	c.CreatedAt = s.ago(f["signed_up"])
	if n, ok := f["attributes"]; ok {
		c.Attributes = n.properties("attributes")
	}
}

func (s *Scenario) consent(n node) {
	var known []string
	for _, c := range lifecycle.Channels {
		known = append(known, string(c))
	}
	f, _ := n.fields("channel", known...)
	for name, n := range f {
		state := lifecycle.ConsentState(n.choice("consent", string(lifecycle.ConsentGranted), string(lifecycle.ConsentWithdrawn), string(lifecycle.ConsentPending), string(lifecycle.ConsentUnknown)))
		s.Profile.Consents[lifecycle.Channel(name)] = lifecycle.Consent{Channel: lifecycle.Channel(name), State: state, At: s.Start}
	}
}

func (s *Scenario) orders(n node) {
	f, ok := n.fields("key of orders", "count", "revenue", "currency", "first", "last", "last_item")
	if !ok {
		return
	}
	o := &s.Profile.Orders
	currency := "USD"
	if n, ok := f["currency"]; ok {
		currency = n.choice("currency", "USD", "EUR", "GBP", "CAD", "AUD", "JPY")
	}
	o.Count, o.FirstAt, o.LastAt = count(f["count"]), s.ago(f["first"]), s.ago(f["last"])
	o.Revenue.Currency = currency
	if n, ok := f["revenue"]; ok {
		text := ""
		if n.present() {
			text = n.yaml.GetToken().Value
		}
		money, err := lifecycle.ParseMoney(text, currency)
		if err != nil {
			n.fail("", "revenue: %v", err)
		}
		o.Revenue = money
	}
	if n, ok := f["last_item"]; ok {
		o.LastItem, _ = n.text("last_item", 200)
	}
}

func (s *Scenario) engagement(n node) {
	f, ok := n.fields("key of engagement", "weight", "last", "open", "click")
	if !ok {
		return
	}
	e := &s.Profile.Engagement
	e.At, e.LastOpenAt, e.LastClickAt = s.ago(f["last"]), s.ago(f["open"]), s.ago(f["click"])
	if n, ok := f["weight"]; ok {
		v, isNumber := n.value(0).(float64)
		if !isNumber || v < 0 || v > 1000 {
			n.fail("write a number from 0 to 1000", "weight is not a number")
		}
		e.Weight = v
		if e.At.IsZero() {
			e.At = s.Start
		}
	}
}

func (s *Scenario) stages(n node) {
	f, ok := n.fields("key of stages", "at_risk_after", "lapsed_after", "loyal_orders")
	if !ok {
		return
	}
	if n, ok := f["at_risk_after"]; ok {
		s.Stages.AtRiskAfter = n.duration("at_risk_after")
	}
	if n, ok := f["lapsed_after"]; ok {
		s.Stages.LapsedAfter = n.duration("lapsed_after")
	}
	if n, ok := f["loyal_orders"]; ok {
		s.Stages.LoyalOrders = n.whole("loyal_orders", 1, 1000)
	}
}

func (s *Scenario) event(n node) {
	f, ok := n.fields("key of an event", "event", "at", "properties")
	if !ok {
		return
	}
	e := lifecycle.Event{}
	if name, ok := f["event"]; ok {
		e.Name, _ = name.text("event", 200)
	} else {
		n.fail("add event: Order Completed", "the event has no name")
	}
	if at, ok := f["at"]; ok {
		e.At = s.Start.Add(at.offset("at"))
	} else {
		n.fail("add at: 3d, counted from the start", "the event has no time")
	}
	if properties, ok := f["properties"]; ok {
		e.Properties = properties.properties("properties")
	}
	s.Events = append(s.Events, e)
}

func (s *Scenario) verdicts(n node) {
	mapping, ok := n.yaml.(*ast.MappingNode)
	if !ok {
		n.fail("write verdicts: {nudge: block}", "verdicts must be keys with values, not %s", kind(n.yaml))
		return
	}
	for _, v := range mapping.Values {
		at := node{n.r, v.Value, v.Value, join(n.path, v.Key.String())}
		text, ok := at.text("verdict", 40)
		if !ok {
			continue
		}
		by, isDefer := strings.CutPrefix(text, "defer ")
		length, err := clock.ParseDuration(by)
		switch {
		case text == "block":
			s.Verdicts[v.Key.String()] = Ruling{Outcome: lifecycle.Block}
		case isDefer && err == nil && length > 0:
			s.Verdicts[v.Key.String()] = Ruling{Outcome: lifecycle.Defer, By: length}
		default:
			at.fail("write block or defer 6h", "unknown verdict %q", text)
		}
	}
}

// ago is an instant given as an age; absent is the zero instant.
func (s *Scenario) ago(n node) time.Time {
	if n.r == nil {
		return time.Time{}
	}
	return s.Start.Add(-n.offset(n.path))
}

// offset reads a length of time of zero or more.
func (n node) offset(what string) time.Duration {
	text, ok := n.text(what, 40)
	if !ok {
		return 0
	}
	d, err := clock.ParseDuration(text)
	if err != nil {
		n.fail("", "%s: %v", what, err)
	}
	return d
}

func count(n node) int {
	if n.r == nil {
		return 0
	}
	return n.whole("count", 0, 1_000_000)
}

func (n node) flag(what string) bool {
	v, ok := n.yaml.(*ast.BoolNode)
	if !ok {
		n.fail("write true or false", "%s must be true or false, not %s", what, kind(n.yaml))
		return false
	}
	return v.Value
}

// properties reads free-form keys and values.
func (n node) properties(what string) map[string]any {
	m, ok := n.value(0).(map[string]any)
	if !ok {
		n.fail("write {name: value}", "%s must be keys with values, not %s", what, kind(n.yaml))
	}
	return m
}

// value converts YAML to what JSON decoding would give.
func (n node) value(depth int) any {
	if depth > maxDepth {
		n.fail("flatten it", "%s is nested too deeply", n.path)
		return nil
	}
	inside := func(v ast.Node) any { return node{n.r, v, v, n.path}.value(depth + 1) }
	switch v := n.yaml.(type) {
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return v.Value.Value
	case *ast.BoolNode:
		return v.Value
	case *ast.IntegerNode, *ast.FloatNode:
		f, err := strconv.ParseFloat(v.GetToken().Value, 64)
		if err != nil {
			n.fail("put it in quotes", "%s is not a plain number", v.GetToken().Value)
		}
		return f
	case *ast.SequenceNode:
		list := make([]any, len(v.Values))
		for i, item := range v.Values {
			list[i] = inside(item)
		}
		return list
	case *ast.MappingNode:
		m := map[string]any{}
		for _, item := range v.Values {
			m[item.Key.GetToken().Value] = inside(item.Value)
		}
		return m
	case *ast.NullNode:
		return nil
	}
	n.fail("write the value out", "%s cannot be used here", kind(n.yaml))
	return nil
}
