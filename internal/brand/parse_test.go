package brand_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

func TestExample(t *testing.T) {
	t.Parallel()
	b := brand.Example()
	if b.Name != "Larkspur Home" || b.Currency != "USD" || b.Links.Shop != "https://shop.example" {
		t.Errorf("example: %+v", b)
	}
	var ids []string
	for _, o := range b.Offers {
		ids = append(ids, o.ID)
		if o.Code == "" || o.ValidFor == 0 || o.Label == "" {
			t.Errorf("offer %+v is incomplete", o)
		}
	}
	if got := strings.Join(ids, " "); got != "free-shipping ten-percent fifteen-percent" {
		t.Errorf("offers, cheapest first: %s", got)
	}
	if got := b.Offers[0].Amount; got != (lifecycle.Money{Amount: 495, Currency: "USD"}) {
		t.Errorf("free shipping costs %v", got)
	}
	if b.Stages.AtRiskAfter != 45*24*time.Hour || b.Stages.LoyalOrders != 4 {
		t.Errorf("stages %+v", b.Stages)
	}
	for _, c := range lifecycle.Channels {
		if _, ok := b.Costs.PerTouch[c]; !ok {
			t.Errorf("no cost for %s", c)
		}
		if _, ok := b.Priors.Lift[c]; !ok {
			t.Errorf("no prior lift for %s", c)
		}
	}
	if b.Voice.MaxExclamations != 1 || strings.Contains(b.Voice.Tone, "\n") {
		t.Errorf("voice %+v", b.Voice)
	}
}

// change replaces one line of the example and returns the resulting mistakes.
func change(t *testing.T, from, to string) string {
	t.Helper()
	source := string(brand.ExampleSource())
	if strings.Count(source, from) != 1 {
		t.Fatalf("%q must occur once in the example", from)
	}
	_, err := brand.Parse("brand.yaml", []byte(strings.Replace(source, from, to, 1)))
	if err == nil {
		return ""
	}
	if lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("code of %v", err)
	}
	return err.Error()
}

func TestParseNamesPlaceAndFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, to, want string }{
		{"currency", "currency: USD", "currency: dollars", "brand.yaml:4:11: currency \"dollars\" is not an ISO 4217 code"},
		{"zone", "America/New_York", "Eastern", "brand.yaml:5:12: time zone \"Eastern\" is not known"},
		{"local zone", "America/New_York", "Local", "write an IANA name"},
		{"address", "email: hello@shop.example", "email: Larkspur <hello@shop.example>", "write only the address"},
		{"postal", "48 Mill Lane, Portland, ME 04101, USA", "Portland", "has no number"},
		{"shop scheme", "shop: https://shop.example", "shop: http://shop.example", "is not a base URL"},
		{"domain", "[shop.example]", "[https://shop.example]", "write a host name without scheme"},
		{"unknown key", "max_exclamations", "max_exclamation", "did you mean max_exclamations?"},
		{"stages", "lapsed_after: 90d", "lapsed_after: 30d", "lapsed_after must be longer"},
		{"duration", "valid_for: 7d", "valid_for: week", "valid_for: duration"},
		{"margin", "margin: 0.45", "margin: 45", "margin must be a number from 0 to 1"},
		{"channel", "email: 0.01", "mail: 0.01", "unknown channel \"mail\""},
		{"sub-cent", "email: 0.01", "email: 0.0011", "more than the 2 decimals"},
		{"negative", "fatigue: 0.05", "fatigue: -0.05", "must not be negative"},
		{"kind", "kind: free_shipping", "kind: gift", "use percent, amount or free_shipping"},
		{"percent", "percent: 10\n", "percent: 110\n", "percent must be a whole number from 1 to 100"},
		{"twice", "id: fifteen-percent", "id: ten-percent", "used twice"},
		{"code twice", "code: TAKE15", "code: take10", "could not tell the offers apart"},
		{"missing amount", "    amount: 4.95 # what shipping costs us\n", "", "amount is missing"},
		{"label", "    label: 10% off your next order\n", "", "has no label"},
		{"words", "prefer: [home,", "prefer: [cheap,", "both in prefer and in avoid"},
		{"list", "facts:\n    - Free returns within 30 days\n    - Linen from 100% European flax", "facts: true", "must be a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := change(t, c.from, c.to); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want it to say %q", got, c.want)
			}
		})
	}
}

func TestExclamationsZeroAndUnsetDiffer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"max_exclamations: 0": 0, "": 3} {
		source := strings.Replace(string(brand.ExampleSource()), "max_exclamations: 1", text, 1)
		b, err := brand.Parse("brand.yaml", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		if b.Voice.MaxExclamations != want {
			t.Errorf("%q allows %d, want %d", text, b.Voice.MaxExclamations, want)
		}
	}
}

func TestParseReportsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := brand.Parse("b.yaml", []byte("name: X\n"))
	if err == nil || strings.Count(err.Error(), "\n") < 4 || !strings.Contains(err.Error(), "sender is missing") {
		t.Errorf("mistakes: %v", err)
	}
	if _, err := brand.Parse("b.yaml", nil); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("empty file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(brand.ExampleSource()))
	f.Add("name: X\noffers: [{id: a}]\n")
	f.Fuzz(func(t *testing.T, source string) {
		b, err := brand.Parse("b.yaml", []byte(source))
		if err != nil {
			if lifecycle.CodeOf(err) != lifecycle.Invalid || b != nil {
				t.Fatalf("%v, %v", b, err)
			}
			return
		}
		if !lifecycle.ValidCurrency(b.Currency) || b.Sender.PostalAddress == "" || b.Priors.OrderValue.Amount <= 0 {
			t.Fatalf("accepted %+v", b)
		}
	})
}
