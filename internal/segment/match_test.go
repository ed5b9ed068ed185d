package segment_test

import (
	"fmt"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

func compile(t *testing.T, source string) *segment.Expr {
	t.Helper()
	e, err := segment.Compile(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return e
}

func TestMatch(t *testing.T) {
	t.Parallel()
	env := segment.Env{
		Now: now, Stages: lifecycle.DefaultStageThresholds(),
		Profile: lifecycle.Profile{
			Customer: lifecycle.Customer{
				ExternalID: "c1", Country: "US", Email: "a@example.com", CreatedAt: now.Add(-100 * day),
				Attributes: map[string]any{"plan": "gold", "size": 3, "vip": true, "tags": []string{"a", "b"}, "none": nil, "first-order": "x"},
			},
			Consents: map[lifecycle.Channel]lifecycle.Consent{lifecycle.Email: {State: lifecycle.ConsentGranted}},
			Orders:   lifecycle.OrderStats{Count: 2, Revenue: lifecycle.Money{Amount: 2468, Currency: "USD"}, LastAt: now.Add(-90 * day)},
		},
		Event: map[string]any{"cart_id": "k1", "value": 12.5},
		Entry: map[string]any{"cart_id": "k1"},
	}
	for source, want := range map[string]bool{
		`orders.revenue == 24.68`:                   true,
		`orders.average_value == 12.34`:             true,
		`orders.days_since_last > 90`:               false, // exactly 90
		`orders.days_since_last >= 90`:              true,
		`90 <= orders.days_since_last`:              true,
		`stage == "at_risk"`:                        true,
		`stage != "lapsed"`:                         true,
		`consent.email == "granted"`:                true,
		`consent.sms == "unknown"`:                  true,
		`consent.sms != "granted"`:                  true,
		`customer.has_email && !customer.has_phone`: true,
		// What the customer lacks makes every comparison false.
		`orders.days_since_first > 1`:               false,
		`orders.days_since_first < 1`:               false,
		`!(orders.days_since_first < 1)`:            true,
		`customer.region == ""`:                     false,
		`customer.region != "NY"`:                   false,
		`!(customer.region == "NY")`:                true,
		`has(customer.region)`:                      false,
		`has(attributes.plan)`:                      true,
		`has(attributes.none)`:                      false,
		`attributes.plan != 3`:                      false, // another type
		`attributes.plan == "gold"`:                 true,
		`attributes.plan == attributes.size`:        false,
		`attributes.plan != attributes.size`:        false,
		`attributes.size >= 3 && attributes.vip`:    true,
		`attributes["first-order"] == "x"`:          true,
		`"b" in attributes.tags`:                    true,
		`"c" in attributes.tags`:                    false,
		`"g" in attributes.plan`:                    false,
		`event.cart_id == entry.cart_id`:            true,
		`event.value > 12 && event.value in [12.5]`: true,
		`event.missing == entry.missing`:            false,
		`customer.country.startsWith("U")`:          true,
		`customer.days_since_signup > 7 * 12 + 1`:   true,
		`-orders.count == -2`:                       true,
	} {
		got, err := compile(t, source).Match(env)
		if err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", source, got, err, want)
		}
	}
	env.Profile.Customer.ErasedAt = now
	if in, err := compile(t, "true").Match(env); in || err != nil {
		t.Errorf("an erased customer matched: %v, %v", in, err)
	}
	if _, err := compile(t, "true").Match(segment.Env{}); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("no instant: %v", err)
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	if e := compile(t, `stage == "new" && event.x == "y"`); !e.UsesEvent() || e.UsesEntry() {
		t.Error("event.x is a use of the event only")
	}
	if e := compile(t, `has(entry.x)`); e.UsesEvent() || !e.UsesEntry() {
		t.Error("entry.x is a use of the entry only")
	}
}

// TestRevenueMinorUnits compares the currencies known to SQL with the domain's
// for every possible code.
func TestRevenueMinorUnits(t *testing.T) {
	t.Parallel()
	where, _, err := compile(t, `orders.revenue > 1`).SQL(now, lifecycle.DefaultStageThresholds(), 1)
	if err != nil {
		t.Fatal(err)
	}
	divisor := segment.SQLDivisors(where)
	for i := range 26 * 26 * 26 {
		code := string([]byte{byte('A' + i/676), byte('A' + i/26%26), byte('A' + i%26)})
		want := map[int]string{0: "1", 2: "100", 3: "1000"}[lifecycle.MinorDigits(code)]
		got, ok := divisor[code]
		if !ok {
			got = "100"
		}
		if got != want {
			t.Errorf("%s: SQL divides by %s, want %s", code, got, want)
		}
	}
	if len(divisor) < 20 {
		t.Errorf("only %d currencies found in %s", len(divisor), where)
	}
}

// TestAgreesWithCEL evaluates random segments over customers who lack nothing
// with the CEL interpreter: where no value is missing, ours is CEL.
func TestAgreesWithCEL(t *testing.T) {
	t.Parallel()
	var options []cel.EnvOption
	for _, name := range []string{"customer", "orders", "engagement", "touches", "attributes", "consent"} {
		options = append(options, cel.Variable(name, cel.MapType(cel.StringType, cel.DynType)))
	}
	env, err := cel.NewEnv(append(options, cel.Variable("stage", cel.StringType))...)
	if err != nil {
		t.Fatal(err)
	}
	stages := lifecycle.DefaultStageThresholds()
	days := func(at time.Time) float64 { return float64(now.Sub(at)) / float64(day) }
	rapid.Check(t, func(t *rapid.T) {
		p := profiles().Draw(t, "profile")
		p.Customer.ExternalID, p.Customer.Email, p.Customer.ErasedAt = "c1", "a@example.com", time.Time{}
		p.Customer.Country, p.Customer.Region, p.Orders.LastItem = "US", "New York", "zz"
		p.Customer.Attributes = map[string]any{"plan": "gold", "size": 2.5, "vip": true}
		p.Orders.Count = max(p.Orders.Count, 1)
		p.Orders.Revenue.Currency = "JPY"
		now := now.Truncate(time.Microsecond)
		for _, at := range []*time.Time{&p.Orders.FirstAt, &p.Orders.LastAt, &p.Engagement.LastOpenAt, &p.Engagement.LastClickAt, &p.Touches.LastAt} {
			*at = now.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "days")) * day)
		}
		consent := map[string]any{}
		for _, ch := range lifecycle.Channels {
			consent[string(ch)] = "unknown"
			if c, ok := p.Consents[ch]; ok {
				consent[string(ch)] = string(c.State)
			}
		}
		values := map[string]any{
			"customer": map[string]any{"country": "US", "region": "New York", "id": "c1", "has_email": true, "has_phone": p.Customer.Phone != ""},
			"orders": map[string]any{
				"count": float64(p.Orders.Count), "revenue": float64(p.Orders.Revenue.Amount), "average_value": float64(p.Orders.Revenue.Amount) / float64(p.Orders.Count),
				"last_item": "zz", "days_since_first": days(p.Orders.FirstAt.Add(789)), "days_since_last": days(p.Orders.LastAt.Add(789)),
			},
			"engagement": map[string]any{"days_since_open": days(p.Engagement.LastOpenAt.Add(789)), "days_since_click": days(p.Engagement.LastClickAt.Add(789))},
			"touches":    map[string]any{"count": float64(p.Touches.Count), "days_since_last": days(p.Touches.LastAt.Add(789))},
			"attributes": p.Customer.Attributes, "consent": consent, "stage": string(p.Stage(now, stages)),
		}
		g := grammar{t}
		text := func() string {
			return g.pick([]string{"customer.country", "customer.region", "orders.last_item", "attributes.plan"})
		}
		number := func() string {
			return g.pick([]string{"orders.count", "orders.revenue", "orders.average_value", "touches.count", "attributes.size"})
		}
		leaf := func() string {
			return g.pick([]string{
				text() + " " + g.order() + " " + g.quoted(), text() + " in " + g.list(g.quoted), text() + `.contains(` + g.quoted() + `)`, text() + `.startsWith("N")`, text() + `.endsWith("k")`,
				number() + " " + g.order() + " " + g.pick(limits), number() + " in " + g.list(func() string { return g.pick(limits) }),
				"orders.count * 2.0 - touches.count " + g.strict() + " orders.average_value + 1.0",
				g.pick([]string{"orders.days_since_last", "orders.days_since_first", "engagement.days_since_open", "touches.days_since_last"}) + " " + g.strict() + " " + g.pick([]string{"0", "7", "30.0", "90", "100"}),
				"stage " + g.equality() + " " + g.stage(), "stage in " + g.list(g.stage), "consent.sms " + g.equality() + " " + g.consentState(),
				"attributes.vip", "has(attributes.plan)", "has(attributes.absent)", "customer.has_phone", "attributes.vip != true",
			})
		}
		source := fmt.Sprintf("(%s || %s) && !(%s && %s)", leaf(), leaf(), leaf(), leaf())
		tree, issues := env.Compile(source)
		if issues.Err() != nil {
			t.Fatalf("%s is not CEL: %v", source, issues.Err())
		}
		program, err := env.Program(tree)
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := program.Eval(values)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		e, err := segment.Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Match(segment.Env{Now: now, Profile: p, Stages: stages})
		if err != nil {
			t.Fatal(err)
		}
		if got != want.Value() {
			t.Fatalf("%s: ours %v, CEL %v for %+v", source, got, want, values)
		}
	})
}
