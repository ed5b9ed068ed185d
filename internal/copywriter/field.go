package copywriter

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"touchstone/internal/lifecycle"
)

// FieldKind is the type of a merge field's value.
type FieldKind string

// Field kinds and the Go type of their values in Fields.
const (
	TextField  FieldKind = "text"  // string
	MoneyField FieldKind = "money" // lifecycle.Money
	DateField  FieldKind = "date"  // time.Time, already in the customer's zone
	LinkField  FieldKind = "link"  // string, an absolute http(s) address
)

// Field is one merge field that copy may use.
type Field struct {
	Name   string
	Kind   FieldKind
	About  string
	Sample any // a value of the kind, for previews

	// customer marks values the customer or the outside supplied. They are
	// cleaned harder: text that carries a link counts as missing.
	customer bool
	// htmlOnly marks fields made of the other parts of the same message.
	htmlOnly bool
}

// Names of the merge fields.
const (
	FieldFirstName      = "first_name"
	FieldLastItem       = "last_item"
	FieldBrandName      = "brand.name"
	FieldBrandAddress   = "brand.address"
	FieldBrandSMSName   = "brand.sms_name"
	FieldShopURL        = "shop_url"
	FieldUnsubscribeURL = "unsubscribe_url"
	FieldPreferencesURL = "preferences_url"
	FieldConfirmURL     = "confirm_url"
	FieldOfferLabel     = "offer.label"
	FieldOfferCode      = "offer.code"
	FieldOfferExpiresOn = "offer.expires_on"
	FieldCartValue      = "cart.value"
	FieldCartFirstItem  = "cart.first_item"
	FieldCartURL        = "cart.url"
	FieldSubject        = "subject"
	FieldPreheader      = "preheader"
)

var catalogue = []Field{
	{Name: FieldFirstName, Kind: TextField, About: "the customer's first name", Sample: "Ada", customer: true},
	{Name: FieldLastItem, Kind: TextField, About: "a product of the customer's last order", Sample: "Linen Shirt", customer: true},
	{Name: FieldBrandName, Kind: TextField, About: "the brand", Sample: "Example Shop"},
	{Name: FieldBrandAddress, Kind: TextField, About: "the brand's postal address", Sample: "1 Main Street, Springfield, IL 62701, USA"},
	{Name: FieldBrandSMSName, Kind: TextField, About: "the brand at the start of a text message", Sample: "ExampleShop"},
	{Name: FieldShopURL, Kind: LinkField, About: "the shop", Sample: "https://shop.example.com/"},
	{Name: FieldUnsubscribeURL, Kind: LinkField, About: "unsubscribes this customer", Sample: "https://shop.example.com/u/sample"},
	{Name: FieldPreferencesURL, Kind: LinkField, About: "the customer's preferences", Sample: "https://shop.example.com/u/sample/preferences"},
	{Name: FieldConfirmURL, Kind: LinkField, About: "confirms a consent, in messages that ask for it", Sample: "https://shop.example.com/c/sample"},
	{Name: FieldOfferLabel, Kind: TextField, About: "the offer in words", Sample: "10% off your next order"},
	{Name: FieldOfferCode, Kind: TextField, About: "what to type at checkout", Sample: "SAMPLE10"},
	{Name: FieldOfferExpiresOn, Kind: DateField, About: "the last day of the offer", Sample: time.Date(2030, 6, 14, 12, 0, 0, 0, time.UTC)},
	{Name: FieldCartValue, Kind: MoneyField, About: "what is in the cart", Sample: lifecycle.Money{Amount: 8450, Currency: "USD"}},
	{Name: FieldCartFirstItem, Kind: TextField, About: "a product in the cart", Sample: "Walnut Desk Lamp", customer: true},
	{Name: FieldCartURL, Kind: LinkField, About: "the customer's cart", Sample: "https://shop.example.com/cart"},
	{Name: FieldSubject, Kind: TextField, About: "the subject of this message", htmlOnly: true},
	{Name: FieldPreheader, Kind: TextField, About: "the preheader of this message", htmlOnly: true},
}

// Catalogue lists every merge field copy may use.
func Catalogue() []Field { return slices.Clone(catalogue) }

func fieldByName(name string) (Field, bool) {
	i := slices.IndexFunc(catalogue, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return catalogue[i], true
}

func fieldNames() string {
	names := make([]string, len(catalogue))
	for i, f := range catalogue {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// Fields are the values of merge fields for one customer, by field name. A
// missing, zero or unusable value counts as absent: a default in the copy
// applies, and without one rendering fails instead of sending a gap.
type Fields map[string]any

// SampleFields returns the sample value of every field, for previews.
func SampleFields() Fields {
	out := Fields{}
	for _, f := range catalogue {
		if f.Sample != nil {
			out[f.Name] = f.Sample
		}
	}
	return out
}

// maxValueRunes bounds a text value: names longer than this are abuse.
const maxValueRunes = 200

// value checks and cleans v for template use. The result is nil when absent.
func (f Field) value(v any) (any, error) {
	wrong := func() error {
		return lifecycle.Errorf(lifecycle.Invalid, "merge field %s is %s, its value must not be a %T", f.Name, f.Kind, v)
	}
	switch f.Kind {
	case TextField:
		s, ok := v.(string)
		if !ok {
			return nil, wrong()
		}
		s = cleanText(s)
		if s == "" || f.customer && carriesLink(s) {
			return nil, nil
		}
		return s, nil
	case MoneyField:
		m, ok := v.(lifecycle.Money)
		if !ok {
			return nil, wrong()
		}
		if m.Currency == "" {
			return nil, nil
		}
		return formatMoney(m), nil
	case DateField:
		d, ok := v.(time.Time)
		if !ok {
			return nil, wrong()
		}
		if d.IsZero() {
			return nil, nil
		}
		return d, nil
	case LinkField:
		s, ok := v.(string)
		if !ok {
			return nil, wrong()
		}
		if s == "" {
			return nil, nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
			strings.ContainsAny(s, " \"'<>{}\\`") || strings.ContainsFunc(s, unicode.IsControl) {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "merge field %s is not an absolute http(s) address", f.Name)
		}
		return s, nil
	}
	return nil, lifecycle.Errorf(lifecycle.Internal, "merge field %s has unknown kind %q", f.Name, f.Kind)
}

// cleanText makes a value harmless in any part: one line, no control or
// invisible formatting characters (they can reorder text), nothing that looks
// like a template, bounded length.
func cleanText(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r) && r != '\u200d': // the joiner holds emoji together
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	s = strings.NewReplacer("{", "(", "}", ")").Replace(s)
	if r := []rune(s); len(r) > maxValueRunes {
		s = strings.TrimSpace(string(r[:maxValueRunes]))
	}
	return s
}

func carriesLink(s string) bool {
	l := strings.ToLower(s)
	return strings.Contains(l, "://") || strings.Contains(l, "www.")
}

var currencySigns = map[string]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "CA$", "AUD": "A$"}

// formatMoney writes an amount the way English copy does: $84.50, or
// "84.50 CHF" for currencies without a well-known sign.
func formatMoney(m lifecycle.Money) string {
	sign, known := currencySigns[m.Currency]
	if !known {
		return m.String()
	}
	text, _ := strings.CutSuffix(m.String(), " "+m.Currency)
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		return "-" + sign + rest
	}
	return sign + text
}

func formatDate(d time.Time) string { return fmt.Sprintf("%s %d, %d", d.Month(), d.Day(), d.Year()) }
