package config

import "fmt"

// Privacy is about requests to export and erase, and about proof of consent.
type Privacy struct {
	// Keys are shown by the shop's own systems at /v1/privacy; several while keys
	// rotate. They must not be write keys, which may stand in the pages of a shop.
	Keys []string `yaml:"keys"`
	// ClientIPHeader is the header in which a trusted proxy in front says where a
	// request comes from, such as X-Forwarded-For; empty = the connection's address.
	ClientIPHeader string `yaml:"client_ip_header"`
}

// problems reports what makes the doors unsafe.
func (p Privacy) problems(writeKeys []string) (problems []string) {
	for _, k := range p.Keys {
		if len(k) < 24 {
			problems = append(problems, fmt.Sprintf("a privacy key has %d characters: use at least 24, for example from `openssl rand -hex 32`", len(k)))
		}
		for _, w := range writeKeys {
			if k == w {
				problems = append(problems, "a privacy key is a write key too, and write keys may be public: draw another for TOUCHSTONE_PRIVACY_KEYS")
			}
		}
	}
	return problems
}
