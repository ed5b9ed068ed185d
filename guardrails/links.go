package guardrails

import (
	"fmt"
	"net/url"
	"strings"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var linksRule = Rule{
	Name:    "links",
	Doc:     "Blocks links that leave the brand's allowed domains, in the HTML and in the text, written out or behind words. Links must be https; public link shorteners are refused even when listed; a link whose words show one host must lead to that host. The touch's own unsubscribe address and the host it is on are allowed.",
	Source:  "practice: phishing protection; carriers filter public shorteners",
	Content: true,
	Check: func(t Touch, _ *Policy, b *brand.Brand) []lifecycle.Finding {
		allowed := b.Links.AllowedDomains
		if u, err := url.Parse(t.Message.UnsubscribeURL); err == nil && u.Hostname() != "" {
			allowed = append(append([]string(nil), allowed...), strings.ToLower(u.Hostname()))
		}
		c := t.read()
		links := append([]link(nil), c.markup.links...)
		for _, p := range c.parts {
			links = append(links, bareLinks(p)...)
		}
		count, first, reason := 0, "", ""
		seen := map[link]bool{}
		for _, l := range links {
			if seen[l] {
				continue
			}
			seen[l] = true
			if wrong := wrongLink(l, allowed); wrong != "" {
				if count == 0 {
					first, reason = placeOf(l.target), "a link in the "+l.part+" "+wrong
				}
				count++
			}
		}
		if count == 0 {
			return nil
		}
		if count > 1 {
			reason += fmt.Sprintf(" (and %d more)", count-1)
		}
		return one(lifecycle.Block, first, "https on "+strings.Join(b.Links.AllowedDomains, ", "), reason)
	},
	Examples: []Example{
		{Name: "own shop", Want: lifecycle.Allow},
		{Name: "subdomain", Change: replaceHTML("https://shop.example/collections", "https://www.shop.example/collections"), Want: lifecycle.Allow},
		{Name: "foreign domain", Change: replaceHTML("https://shop.example/collections", "https://evil.example/collections"), Want: lifecycle.Block},
		{Name: "lookalike suffix", Change: replaceHTML("https://shop.example/collections", "https://notshop.example/collections"), Want: lifecycle.Block},
		{Name: "host hidden behind a login", Change: replaceHTML("https://shop.example/collections", "https://shop.example@evil.example/collections"), Want: lifecycle.Block},
		{Name: "no encryption", Change: replaceHTML("https://shop.example/collections", "http://shop.example/collections"), Want: lifecycle.Block},
		{Name: "scheme left out", Change: replaceHTML("https://shop.example/collections", "//evil.example/collections"), Want: lifecycle.Block},
		{Name: "script", Change: replaceHTML("https://shop.example/collections", "java&#115;cript:alert(1)//"), Want: lifecycle.Block},
		{Name: "relative", Change: replaceHTML("https://shop.example/collections", "/collections"), Want: lifecycle.Block},
		{Name: "foreign domain in the text", Change: replaceText("https://shop.example/collections", "https://evil.example/collections"), Want: lifecycle.Block},
		{Name: "shortener in the text", Change: mailSaying("See bit.ly/3xYz now"), Want: lifecycle.Block},
		{Name: "words show another host", Change: replaceHTML("Browse chairs", "www.bank.example"), Want: lifecycle.Block},
		{Name: "words show the same host", Change: replaceHTML("Browse chairs", "shop.example/chairs"), Want: lifecycle.Allow},
		{Name: "mail to the brand", Change: mailSaying(`<a href="mailto:care@shop.example">Write to us</a>`), Want: lifecycle.Allow},
		{Name: "mail to a stranger", Change: mailSaying(`<a href="mailto:me@evil.example">Write to us</a>`), Want: lifecycle.Block},
		{Name: "ordinary dots", Change: mailSaying("Made in St. Albans, e.g. by hand, approx. 3.5 kg, since v2.0"), Want: lifecycle.Allow},
	},
}

var shorteners = map[string]bool{
	"bit.ly": true, "tinyurl.com": true, "goo.gl": true, "t.co": true, "ow.ly": true, "is.gd": true, "buff.ly": true,
	"rebrand.ly": true, "cutt.ly": true, "t.ly": true, "rb.gy": true, "shorturl.at": true, "tiny.cc": true,
	"bl.ink": true, "lnkd.in": true, "v.gd": true, "s.id": true, "soo.gd": true, "clck.ru": true, "shorte.st": true,
}

// endings tell a host written without a scheme from a sentence without a space.
var endings = map[string]bool{
	"com": true, "net": true, "org": true, "io": true, "co": true, "shop": true, "store": true, "example": true,
	"de": true, "uk": true, "fr": true, "eu": true, "us": true, "ca": true, "au": true, "info": true, "biz": true,
	"app": true, "dev": true, "ly": true, "me": true, "link": true, "site": true, "online": true, "xyz": true,
	"ru": true, "cn": true, "top": true, "click": true, "gd": true, "gl": true, "cc": true, "test": true,
}

// wrongLink says what is wrong with a link, "" for nothing.
func wrongLink(l link, allowed []string) string {
	target := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return -1 // clients drop these inside addresses
		}
		return r
	}, strings.TrimSpace(l.target))
	if target == "" {
		return "is empty"
	}
	if target[0] == '#' {
		return ""
	}
	if strings.Contains(target, `\`) {
		return "has a backslash, which clients read differently"
	}
	u, err := url.Parse(target)
	if err != nil {
		return "cannot be read"
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "mailto":
		_, host, _ = strings.Cut(strings.ToLower(u.Opaque), "@")
		if !domainAllowed(host, allowed) {
			return "writes to another domain: " + host
		}
		return ""
	case scheme == "tel":
		return ""
	case shorteners[strings.TrimPrefix(host, "www.")]:
		return "goes through a public shortener: " + host
	case scheme != "https" && !(scheme == "http" && loopback(host)):
		return "is not https"
	case u.User != nil:
		return "hides its host behind a login"
	case !domainAllowed(host, allowed):
		return "leaves the allowed domains: " + host
	}
	if shown := shownHost(l.text); shown != "" && !sameSite(shown, host) {
		return "shows " + shown + " but leads to " + host
	}
	return ""
}

func domainAllowed(host string, allowed []string) bool {
	for _, d := range allowed {
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}

func sameSite(a, b string) bool {
	a, b = strings.TrimPrefix(a, "www."), strings.TrimPrefix(b, "www.")
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// shownHost is the host a reader sees in the words of a link, or "".
func shownHost(text string) string {
	if !strings.Contains(text, ".") {
		return ""
	}
	for _, field := range strings.Fields(plain(text)) {
		if host := hostOf(field); host != "" {
			return host
		}
	}
	return ""
}

const around = ".,;:!?()[]{}<>\"'*_\u201c\u201d\u2018\u2019\u00ab\u00bb"

// hostOf is the host of a word that a mail client would make a link, or "".
func hostOf(field string) string {
	field = strings.Trim(field, around)
	if !strings.Contains(field, ".") {
		return "" // a full stop after a word
	}
	lower := strings.ToLower(field)
	schemed := false
	if i := strings.Index(lower, "://"); i >= 0 {
		lower, schemed = lower[i+3:], true
	}
	if i := strings.IndexAny(lower, "/?#"); i >= 0 {
		lower = lower[:i]
	}
	if i := strings.LastIndexByte(lower, '@'); i >= 0 {
		if !schemed {
			return "" // an e-mail address
		}
		lower = lower[i+1:]
	}
	lower, _, _ = strings.Cut(lower, ":")
	lower = strings.TrimSuffix(lower, ".")
	if schemed {
		return lower
	}
	last := strings.LastIndexByte(lower, '.')
	if last <= 0 || strings.Contains(lower, "..") {
		return ""
	}
	if strings.HasPrefix(lower, "www.") || shorteners[lower] || endings[lower[last+1:]] {
		return lower
	}
	return ""
}

// bareLinks finds addresses written out in a text. In the HTML they are what
// clients turn into links by themselves.
func bareLinks(p part) []link {
	var list []link
	for from := 0; ; {
		dot := strings.IndexByte(p.text[from:], '.')
		if dot < 0 {
			return list
		}
		start, end := from+dot, from+dot
		for start > from && !isBlank(p.text[start-1]) {
			start--
		}
		for end < len(p.text) && !isBlank(p.text[end]) {
			end++
		}
		from = end
		field := strings.Trim(p.text[start:end], around)
		if i := strings.Index(field, "://"); i > 0 { // "(see:https://..."
			scheme := i
			for scheme > 0 && isLetter(field[scheme-1]) {
				scheme--
			}
			list = append(list, link{target: field[scheme:], part: p.name})
		} else if hostOf(field) != "" {
			list = append(list, link{target: "https://" + field, part: p.name})
		}
	}
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v'
}

// placeOf is a link without what may point to one customer: path, query, login
// and mailbox are left out, because findings are kept and shown.
func placeOf(target string) string {
	u, err := url.Parse(strings.TrimSpace(target))
	switch {
	case err != nil:
		return "unreadable link"
	case u.Scheme == "mailto":
		_, domain, _ := strings.Cut(u.Opaque, "@")
		return "mailto: " + domain
	case u.Host != "":
		return strings.TrimPrefix(u.Scheme+"://"+u.Hostname(), ":")
	case u.Scheme != "":
		return u.Scheme + ": link"
	}
	return "link without host"
}
