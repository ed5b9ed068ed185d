package guardrails

import (
	"net"
	"net/url"
	"strings"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var oneClickRule = Rule{
	Name:    "one-click",
	Doc:     "Blocks marketing e-mail without a one-click unsubscribe address for the List-Unsubscribe header. It must be https with a token of its own; http is accepted for this machine only.",
	Source:  "RFC 8058 section 3.1; Google and Yahoo sender requirements",
	Content: true,
	Check: func(t Touch, _ *Policy, _ *brand.Brand) []lifecycle.Finding {
		if t.Channel != lifecycle.Email || !t.marketing() {
			return nil
		}
		wrong := wrongOneClick(t.Message.UnsubscribeURL)
		if wrong == "" {
			return nil
		}
		return one(lifecycle.Block, placeOf(t.Message.UnsubscribeURL), "https address with a token", "the one-click unsubscribe address "+wrong)
	},
	Examples: []Example{
		{Name: "https", Want: lifecycle.Allow},
		{Name: "absent", Change: unsubscribeAt(""), Want: lifecycle.Block},
		{Name: "http", Change: unsubscribeAt("http://shop.example/u/abc"), Want: lifecycle.Block},
		{Name: "http on this machine", Change: unsubscribeAt("http://127.0.0.1:8080/u/abc"), Want: lifecycle.Allow},
		{Name: "mail address", Change: unsubscribeAt("mailto:out@shop.example"), Want: lifecycle.Block},
		{Name: "no token", Change: unsubscribeAt("https://shop.example/"), Want: lifecycle.Block},
		{Name: "receipt", Change: func(t *Touch) {
			unsubscribeAt("")(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
	},
}

func wrongOneClick(address string) string {
	if address == "" {
		return "is missing"
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "":
		return "is not an address"
	case strings.ContainsAny(address, " <>\r\n"):
		return "has characters that break the header"
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return "is not https"
	case u.User != nil:
		return "carries a login"
	case strings.Trim(u.Path, "/") == "" && u.RawQuery == "":
		return "has no token for the customer"
	}
	return ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func unsubscribeAt(url string) func(*Touch) {
	return func(t *Touch) { t.Message.UnsubscribeURL = url }
}
