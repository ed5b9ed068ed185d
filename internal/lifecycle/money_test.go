package lifecycle_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
)

func TestParseMoney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, currency string
		want           int64
	}{
		{"12.50", "USD", 1250}, {"12.5", "USD", 1250}, {"12", "USD", 1200}, {"-3", "EUR", -300}, {"+3.10", "GBP", 310},
		{"0", "USD", 0}, {".5", "USD", 50}, {"5.", "USD", 500}, {"1200", "JPY", 1200}, {"1.2345", "KWD", 0}, {"1.234", "KWD", 1234},
		{"1.500", "USD", 150}, {" 7 ", "USD", 700}, {"92233720368547758.07", "USD", 9223372036854775807},
	} {
		got, err := lifecycle.ParseMoney(c.text, c.currency)
		if c.want == 0 && strings.Trim(c.text, "0") != "" {
			if err == nil {
				t.Errorf("ParseMoney(%q, %s) = %v, want an error", c.text, c.currency, got)
			}
			continue
		}
		if err != nil || got.Amount != c.want {
			t.Errorf("ParseMoney(%q, %s) = %v, %v; want %d", c.text, c.currency, got, err, c.want)
		}
	}
	for _, text := range []string{"", "-", ".", "1,50", "1e3", "12.345", "abc", "--1", "1.-5", "92233720368547758.08", "١٢"} {
		if got, err := lifecycle.ParseMoney(text, "USD"); err == nil {
			t.Errorf("ParseMoney(%q, USD) = %v, want an error", text, got)
		}
	}
	if _, err := lifecycle.ParseMoney("1", "usd"); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("a lower-case currency: %v", err)
	}
}

func TestMoneyRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := lifecycle.Money{
			Amount:   rapid.Int64Range(-1<<53, 1<<53).Draw(t, "amount"),
			Currency: rapid.SampledFrom([]string{"USD", "JPY", "KWD", "EUR"}).Draw(t, "currency"),
		}
		text, currency, _ := strings.Cut(want.String(), " ")
		got, err := lifecycle.ParseMoney(text, currency)
		if err != nil || got != want {
			t.Fatalf("%+v -> %q -> %+v, %v", want, want, got, err)
		}
	})
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"12.50", "-0.01", ".", "1e9", "999999999999999999999"} {
		f.Add(s, "USD")
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		money, err := lifecycle.ParseMoney(text, currency)
		if err != nil {
			return
		}
		again, err := lifecycle.ParseMoney(strings.TrimSuffix(money.String(), " "+currency), currency)
		if err != nil || again != money {
			t.Fatalf("%q: %v -> %v, %v", text, money, again, err)
		}
	})
}
