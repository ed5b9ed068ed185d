package segment_test

import (
	"errors"
	"strings"
	"testing"

	"touchstone/internal/segment"
)

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		source       string
		line, column int
		says         string
	}{
		{"", 1, 1, "empty"},
		{"   ", 1, 1, "empty"},
		{"stage = \"new\"", 1, 7, "=="},
		{"stage == \"new\" &&\n  customer.contry == \"US\"", 2, 3, "did you mean customer.country"},
		{`stage == "lapsd"`, 1, 10, `did you mean "lapsed"`},
		{`stage > "new"`, 1, 1, "no order"},
		{`stage == attributes.plan`, 1, 1, "constants"},
		{`stage.startsWith("l")`, 1, 1, "use ==, != or in"},
		{`consent.email`, 1, 1, "compare it"},
		{`has(consent.email)`, 1, 5, "always known"},
		{`has(orders.count)`, 1, 5, "always known"},
		{`has(customer.has_email)`, 1, 5, "always known"},
		{`orders.count`, 1, 1, "not a condition"},
		{`orders.count == "3"`, 1, 1, "a number with a text"},
		{`orders.revenue / orders.count > 3`, 1, 1, "average_value"},
		{`orders.count % 2 == 0`, 1, 1, "compare the number itself"},
		{`orders.days_since_last == 3`, 1, 1, "fractions"},
		{`orders.days_since_last in [3]`, 1, 1, "fractions"},
		{`orders.days_since_last > 99999`, 1, 1, "century"},
		{`attributes.a + 1 > 2`, 1, 1, "arithmetic needs"},
		{`attributes.address.city == "x"`, 1, 1, "nested"},
		{`attributes == "x"`, 1, 1, "does not name a property"},
		{`attributes.x == null`, 1, 17, "has(x)"},
		{`orders == 3`, 1, 1, "group of values"},
		{`1 == 1`, 1, 1, "two constants"},
		{`"a" in ["a"]`, 1, 1, "constants"},
		{`customer.country in []`, 1, 1, "empty"},
		{`customer.country in ["US", 3]`, 1, 1, "same kind"},
		{`stage in ["new", "odl"]`, 1, 18, "never"},
		{`customer.country.matches("U.")`, 1, 1, "startsWith"},
		{`attributes.tags.exists(t, t == "x")`, 1, 1, "attributes.list"},
		{`size(customer.country) > 2`, 1, 5, "not part of segments"},
		{`stage == "new" ? true : false`, 1, 1, "(a && b)"},
		{`orders.count > 3u`, 1, 16, "unsigned"},
		{`cusomer.country == "US"`, 1, 1, "did you mean customer.country"},
		{`zzz > 3`, 1, 1, "start with one of"},
		{`{"a": 1} == attributes.x`, 1, 1, "not part of segments"},
		{`[1, 2]`, 1, 1, "after in"},
		{`true < attributes.x`, 1, 1, "no order"},
		{`customer.has_email > 3`, 1, 1, "true or false"},
		{`orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue * orders.revenue > 1`, 1, 1, "range of numbers"},
		{"attributes.x == \"a\\u0000b\"", 1, 17, "characters"},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), 0, 0, "recursion"},
		{"true" + strings.Repeat(" || true", 600), 0, 0, ""},
	} {
		_, err := segment.Compile(tc.source)
		var problem *segment.Error
		if !errors.As(err, &problem) {
			t.Errorf("%s: %v, want an *Error", tc.source, err)
			continue
		}
		if tc.line != 0 && (problem.Line != tc.line || problem.Column != tc.column) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s\n got %v\nwant %d:%d … %s", tc.source, err, tc.line, tc.column, tc.says)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`stage == "lapsed" && orders.count >= 2 && consent.email == "granted"`, `!has(attributes["a-b"]) || "x" in attributes.tags`,
		`orders.revenue * 2 - orders.average_value > 7 * 12`, `event.cart_id == entry.cart_id`, `customer.country in ["US", "CA"] // note`, "((((", "a.b.c(d)", `has(x`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := segment.Compile(source)
		if err != nil {
			var problem *segment.Error
			if !errors.As(err, &problem) || problem.Line < 1 || problem.Column < 1 || problem.Message == "" {
				t.Fatalf("%q: %#v has no place or no message", source, err)
			}
			return
		}
		if _, err := e.Match(segment.Env{Now: now}); err != nil {
			t.Fatalf("%q: %v", source, err)
		}
		if e.String() != source {
			t.Fatalf("%q came back as %q", source, e)
		}
	})
}
