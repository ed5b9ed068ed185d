package config

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Console says where people's pages are served and how people sign in.
type Console struct {
	Listen    string `yaml:"listen"`     // beyond this machine only with an https public URL
	PublicURL string `yaml:"public_url"` // as people's browsers reach it
	Mailbox   string `yaml:"mailbox"`    // URL of the sandbox's mailbox; empty: no link
	OIDC      OIDC   `yaml:"oidc"`
}

// OIDC is an OpenID Connect provider; an empty issuer means none: people sign in
// with tokens.
type OIDC struct {
	Issuer       string `yaml:"issuer"`
	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret"`
}

// Secure reports whether browsers reach the console over TLS.
func (c Console) Secure() bool { return strings.HasPrefix(c.PublicURL, "https://") }

// problems reports what makes the console impossible or unsafe.
func (c Console) problems() (problems []string) {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		problems = append(problems, fmt.Sprintf("console.public_url %q: give an absolute URL without a path, such as https://console.example.com", c.PublicURL))
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		problems = append(problems, fmt.Sprintf("console.listen %q: give host:port, such as 127.0.0.1:8702", c.Listen))
	case !loopback(host) && !c.Secure():
		problems = append(problems, fmt.Sprintf("console.listen %q is reached from other machines, where tokens and cookies must not travel in the clear: put TLS in front and set TOUCHSTONE_CONSOLE_URL to its https address", c.Listen))
	}
	if o := c.OIDC; o.Issuer != "" && o.ClientID == "" {
		problems = append(problems, "console.oidc: an issuer needs a client_id: register Touchstone at the identity provider and set TOUCHSTONE_OIDC_CLIENT_ID")
	}
	return problems
}
