package brand

import (
	_ "embed"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

//go:embed example.yaml
var exampleSource []byte

// ExampleSource is the shipped brand file, for people to copy.
func ExampleSource() []byte { return append([]byte(nil), exampleSource...) }

// Example is the shipped brand: a fictional shop.
func Example() *Brand {
	b, err := Parse("example.yaml", exampleSource)
	if err != nil {
		panic("brand: the shipped example is tested to be valid: " + err.Error())
	}
	return b
}

// Parse reads and validates a brand file. The error is Invalid and lists every
// mistake as file:line:column with what to write instead.
func Parse(file string, source []byte) (*Brand, error) {
	doc, err := yamldoc.Parse(file, source)
	if err != nil {
		return nil, err
	}
	f := doc.Root().Fields("name", "currency", "time_zone", "sender", "voice", "links", "stages", "costs", "offers", "priors", "attribution", "agent_test",
		"topics", "double_opt_in", "preferences")
	b := &Brand{
		Name:     f.Get("name").Required("Larkspur Home").Text(),
		Currency: currency(f.Get("currency").Required("USD")),
		TimeZone: zone(f.Get("time_zone").Required("America/New_York")),
		Sender:   sender(f.Get("sender").Required("{email: hello@shop.example}")),
		Voice:    voice(f.Get("voice")),
		Links:    links(f.Get("links").Required("{shop: https://shop.example}")),
		Stages:   stages(f.Get("stages")),

		Windows:   attributionWindows(f.Get("attribution")),
		AgentTest: agentTest(f.Get("agent_test")),

		Topics:      topics(f.Get("topics")),
		DoubleOptIn: doubleOptIn(f.Get("double_opt_in")),
	}
	b.Preferences = preferences(f.Get("preferences"), b.Topics)
	money := b.Currency
	if !lifecycle.ValidCurrency(money) {
		money = "USD" // reported above; go on, to report the rest
	}
	b.Costs = costs(f.Get("costs"), money)
	b.Priors = priors(f.Get("priors"), money)
	b.Offers = offers(f.Get("offers"), money)
	sort.SliceStable(b.Offers, func(i, j int) bool {
		return b.Offers[i].Cost(b.Priors.OrderValue).Amount < b.Offers[j].Cost(b.Priors.OrderValue).Amount
	})
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return b, nil
}

func currency(n yamldoc.Node) string {
	s := n.Text()
	if n.Present() && !lifecycle.ValidCurrency(s) {
		n.Fail("currency %q is not an ISO 4217 code: write three capital letters, for example USD", s)
	}
	return s
}

func zone(n yamldoc.Node) string {
	s := n.Text()
	if !n.Present() {
		return s
	}
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		n.Fail("time zone %q is not known: write an IANA name, for example Europe/Berlin", s)
	}
	return s
}

func sender(n yamldoc.Node) Sender {
	f := n.Fields("email", "name", "reply_to", "postal_address", "sms_name")
	s := Sender{
		Email:         address(f.Get("email").Required("hello@shop.example")),
		Name:          f.Get("name").Required("Larkspur Home").Text(),
		ReplyTo:       address(f.Get("reply_to")),
		PostalAddress: strings.Join(strings.Fields(f.Get("postal_address").Required("48 Mill Lane, Portland, ME 04101, USA").Text()), " "),
		SMSName:       f.Get("sms_name").Text(),
	}
	if s.ReplyTo == "" {
		s.ReplyTo = s.Email
	}
	if s.SMSName == "" {
		s.SMSName = s.Name
	}
	if n := f.Get("postal_address"); n.Present() && !strings.ContainsAny(s.PostalAddress, "0123456789") {
		n.Fail("postal_address %q has no number: write street, house number or box, postal code and country", s.PostalAddress)
	}
	if n := f.Get("name"); strings.ContainsAny(s.Name, "<>\"\r\n@") {
		n.Fail("sender name %q: leave out quotes, brackets, @ and line breaks", s.Name)
	}
	return s
}

func address(n yamldoc.Node) string {
	s := n.Text()
	if !n.Present() {
		return ""
	}
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || !strings.Contains(s, ".") {
		n.Fail("%s %q is not an e-mail address: write only the address, for example hello@shop.example", n.Name(), s)
	}
	return s
}

// defaultExclamations applies when the file does not say; 0 in the file means none.
const defaultExclamations = 3

func voice(n yamldoc.Node) Voice {
	f := n.Fields("tone", "prefer", "avoid", "max_exclamations", "facts")
	v := Voice{
		Tone:            f.Get("tone").Text(),
		Prefer:          f.Get("prefer").Texts(),
		Avoid:           f.Get("avoid").Texts(),
		MaxExclamations: defaultExclamations,
		Facts:           f.Get("facts").Texts(),
	}
	if m := f.Get("max_exclamations"); m.Present() {
		v.MaxExclamations = m.Int(0, 100)
	}
	for _, word := range v.Prefer {
		for _, bad := range v.Avoid {
			if strings.EqualFold(word, bad) {
				f.Get("avoid").Fail("%q is both in prefer and in avoid: remove it from one", word)
			}
		}
	}
	return v
}

var hostname = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z][a-z0-9-]*$`)

func links(n yamldoc.Node) Links {
	f := n.Fields("shop", "allowed_domains")
	l := Links{Shop: strings.TrimSuffix(f.Get("shop").Required("https://shop.example").Text(), "/")}
	if shop := f.Get("shop"); shop.Present() {
		u, err := url.Parse(l.Shop)
		switch {
		case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "":
			shop.Fail("shop %q is not a base URL: write https://, the host and nothing after the path", l.Shop)
		default:
			l.AllowedDomains = []string{strings.ToLower(u.Hostname())}
		}
	}
	for _, item := range f.Get("allowed_domains").Items() {
		d := strings.ToLower(item.Text())
		if !hostname.MatchString(d) {
			item.Fail("domain %q: write a host name without scheme, port or path, for example shop.example; subdomains are included", d)
			continue
		}
		if !containsFold(l.AllowedDomains, d) {
			l.AllowedDomains = append(l.AllowedDomains, d)
		}
	}
	return l
}

func containsFold(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

func stages(n yamldoc.Node) lifecycle.StageThresholds {
	s := lifecycle.DefaultStageThresholds()
	f := n.Fields("at_risk_after", "lapsed_after", "loyal_orders")
	if v := f.Get("at_risk_after"); v.Present() {
		s.AtRiskAfter = v.Duration()
	}
	if v := f.Get("lapsed_after"); v.Present() {
		s.LapsedAfter = v.Duration()
	}
	if v := f.Get("loyal_orders"); v.Present() {
		s.LoyalOrders = v.Int(2, 1000)
	}
	if s.AtRiskAfter > 0 && s.LapsedAfter > 0 && s.LapsedAfter <= s.AtRiskAfter {
		n.Fail("lapsed_after must be longer than at_risk_after: customers are at risk before they lapse")
	}
	return s
}

// amount reads a decimal amount of major units that is not negative.
func amount(n yamldoc.Node, currency string) lifecycle.Money {
	if !n.Present() {
		return lifecycle.Money{Currency: currency}
	}
	m, err := lifecycle.ParseMoney(n.Text(), currency)
	if err != nil {
		n.Fail("%s: %v: write for example 4.95", n.Name(), err)
		return lifecycle.Money{Currency: currency}
	}
	if m.Amount < 0 {
		n.Fail("%s must not be negative", n.Name())
	}
	return m
}

func channels(n yamldoc.Node, read func(lifecycle.Channel, yamldoc.Node)) {
	for _, e := range n.Entries() {
		c, err := lifecycle.ParseChannel(e.Key)
		if err != nil {
			e.Value.Fail("%v", err)
			continue
		}
		read(c, e.Value)
	}
}

func costs(n yamldoc.Node, currency string) Costs {
	f := n.Fields("per_touch", "fatigue", "margin", "monthly")
	c := Costs{
		PerTouch: map[lifecycle.Channel]lifecycle.Money{},
		Fatigue:  amount(f.Get("fatigue"), currency),
		Margin:   f.Get("margin").Required("0.45").Float(0, 1),
		Monthly:  amount(f.Get("monthly"), currency),
	}
	channels(f.Get("per_touch"), func(ch lifecycle.Channel, v yamldoc.Node) { c.PerTouch[ch] = amount(v, currency) })
	return c
}

func priors(n yamldoc.Node, currency string) Priors {
	f := n.Fields("base_rate", "lift", "offer_lift", "strength", "order_value")
	p := Priors{
		BaseRate:   f.Get("base_rate").Required("0.025").Float(0, 1),
		Lift:       map[lifecycle.Channel]float64{},
		OfferLift:  f.Get("offer_lift").Float(0, 1),
		Strength:   f.Get("strength").Required("200").Float(1, 1e6),
		OrderValue: amount(f.Get("order_value").Required("60.00"), currency),
	}
	channels(f.Get("lift"), func(ch lifecycle.Channel, v yamldoc.Node) { p.Lift[ch] = v.Float(-1, 1) })
	if v := f.Get("order_value"); v.Present() && p.OrderValue.Amount == 0 {
		v.Fail("order_value must be more than zero: write what a usual order is worth")
	}
	return p
}

var (
	offerID   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	offerCode = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,31}$`)
)

func offers(n yamldoc.Node, currency string) []lifecycle.Offer {
	var list []lifecycle.Offer
	ids, codes := map[string]bool{}, map[string]bool{}
	for i, item := range n.Items() {
		f := item.Fields("id", "kind", "percent", "amount", "code", "valid_for", "label")
		o := lifecycle.Offer{
			ID:       f.Get("id").Required("ten-percent").Text(),
			Kind:     lifecycle.OfferKind(f.Get("kind").Required("percent").Text()),
			Code:     f.Get("code").Text(),
			ValidFor: f.Get("valid_for").Required("14d").Duration(),
			Label:    f.Get("label").Text(),
		}
		switch {
		case f.Get("id").Present() && !offerID.MatchString(o.ID):
			f.Get("id").Fail("offer id %q: use lower-case letters, digits and dashes, for example ten-percent", o.ID)
		case ids[o.ID]:
			f.Get("id").Fail("offer id %q is used twice: choose another", o.ID)
		}
		ids[o.ID] = true
		if f.Get("code").Present() {
			switch code := strings.ToUpper(o.Code); {
			case !offerCode.MatchString(o.Code):
				f.Get("code").Fail("code %q: use 3 to 32 letters, digits, dashes or underscores", o.Code)
			case codes[code]:
				f.Get("code").Fail("code %q is used twice: the shop could not tell the offers apart", o.Code)
			default:
				codes[code] = true
			}
		}
		percent, value := f.Get("percent"), f.Get("amount")
		switch o.Kind {
		case lifecycle.PercentOff:
			o.Percent = percent.Required("10").Int(1, 100)
			unused(value, "percent offers have no amount")
		case lifecycle.AmountOff, lifecycle.FreeShipping:
			o.Amount = amount(value.Required("4.95"), currency)
			unused(percent, fmt.Sprintf("%s offers have no percent", o.Kind))
			if o.Kind == lifecycle.AmountOff && value.Present() && o.Amount.Amount == 0 {
				value.Fail("amount must be more than zero")
			}
		default:
			if f.Get("kind").Present() {
				f.Get("kind").Fail("offer kind %q: use percent, amount or free_shipping", o.Kind)
			}
		}
		if o.Label == "" {
			f.Get("label").Fail("offer %d has no label: write what the customer gets, for example 10%% off your next order", i+1)
		}
		list = append(list, o)
	}
	return list
}

func unused(n yamldoc.Node, why string) {
	if n.Present() {
		n.Fail("%s: remove it", why)
	}
}
