package ingest

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// identify makes a customer of the traits of an identify message. Traits it
// knows become fields, traits named <channel>_consent become consents, and the
// others become attributes.
func (t *Tracker) identify(w *wireMessage, user string, at time.Time) (*CustomerRow, error) {
	c := lifecycle.Customer{ExternalID: user}
	// The context is the library's guess: what cannot be used is left out, while
	// a trait that cannot be used rejects the message.
	if z := w.Context.Timezone; t.zones.zone("timezone", z) == nil {
		c.TimeZone = z
	}
	if l := w.Context.Locale; text("locale", l, maxShort) == nil {
		c.Locale = l
	}
	out := &CustomerRow{}
	rest := map[string]json.RawMessage{}
	for _, name := range sortedKeys(w.Traits) {
		raw := w.Traits[name]
		if channel, ok := strings.CutSuffix(name, "_consent"); ok {
			ch, err := lifecycle.ParseChannel(channel)
			if err == nil {
				consent, err := t.consentTrait(name, raw, ch, at, w.Context.IP, w.Context.Agent)
				if err != nil {
					return nil, err
				}
				if consent.State != lifecycle.ConsentUnknown {
					out.Consents = append(out.Consents, consent)
				}
				continue
			}
		}
		known, err := t.trait(&c, name, raw)
		if err != nil {
			return nil, err
		}
		if !known {
			rest[name] = raw
		}
	}
	if len(rest) > 0 {
		c.Attributes = make(map[string]any, len(rest))
		for name, raw := range rest {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				return nil, reject("traits", "is not valid JSON")
			}
			c.Attributes[name] = v
		}
	}
	out.Customer = c
	return out, nil
}

// trait stores a trait that has a field of its own.
func (t *Tracker) trait(c *lifecycle.Customer, name string, raw json.RawMessage) (known bool, err error) {
	s, _ := plainText(raw) // null clears nothing: it reads as empty and is left out
	put := func(into *string, limit int, check func(column, s string) error) (bool, error) {
		if s == "" {
			return true, nil
		}
		if err := text(name, s, limit); err != nil {
			return true, err
		}
		if check != nil {
			if err := check(name, s); err != nil {
				return true, err
			}
		}
		*into = s
		return true, nil
	}
	switch name {
	case "email":
		return put(&c.Email, maxEmail, email)
	case "phone":
		return put(&c.Phone, maxShort, phone)
	case "firstName", "first_name":
		return put(&c.FirstName, maxName, nil)
	case "lastName", "last_name":
		return put(&c.LastName, maxName, nil)
	case "locale":
		return put(&c.Locale, maxShort, nil)
	case "timezone", "time_zone":
		return put(&c.TimeZone, maxShort, t.zones.zone)
	case "country":
		return put(&c.Country, maxShort, country)
	case "createdAt", "created_at":
		if s == "" {
			return true, nil
		}
		c.CreatedAt, err = instantFormat{}.instant(name, s, t.Now)
		return true, err
	case "address":
		return true, t.address(c, raw)
	}
	return false, nil
}

// address reads the parts of the address trait that the store keeps. Only a
// two-letter country is used: names of countries have many spellings.
func (t *Tracker) address(c *lifecycle.Customer, raw json.RawMessage) error {
	if string(raw) == "null" {
		return nil
	}
	var a struct {
		Country    string `json:"country"`
		State      string `json:"state"`
		PostalCode string `json:"postalCode"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return reject("address", "is not an object of texts")
	}
	for name, s := range map[string]string{"address.state": a.State, "address.postalCode": a.PostalCode} {
		if err := text(name, s, maxShort); err != nil {
			return err
		}
	}
	if country("address.country", a.Country) == nil {
		c.Country = a.Country
	}
	c.Region, c.PostalCode = a.State, a.PostalCode
	return nil
}

// consentTrait reads a consent written as a bool, a word, or an object with
// state, at, source, basis and proof. IP and user agent are those of the context
// unless the object says others: a server speaks for somebody else.
func (t *Tracker) consentTrait(name string, raw json.RawMessage, ch lifecycle.Channel, at time.Time, ip, agent string) (lifecycle.Consent, error) {
	c := lifecycle.Consent{Channel: ch, State: lifecycle.ConsentUnknown, At: at, Source: "identify"}
	if text(name, ip, maxShort) == nil {
		c.IP = ip
	}
	if text(name, agent, maxAgent) == nil {
		c.UserAgent = agent
	}
	state, ok := plainText(raw)
	if !ok {
		return c, nil
	}
	if raw[0] == '{' {
		var o struct {
			State   json.RawMessage `json:"state"`
			At      string          `json:"at"`
			Source  string          `json:"source"`
			Wording string          `json:"wording"`
			Basis   string          `json:"basis"`
			Form    string          `json:"form"`
			IP      string          `json:"ip"`
			Agent   string          `json:"userAgent"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return c, reject(name, "is not a consent object")
		}
		state, _ = plainText(o.State) // absent: refused below
		if o.At != "" {
			var err error
			if c.At, err = (instantFormat{}).instant(name+".at", o.At, t.Now); err != nil {
				return c, err
			}
		}
		if err := text(name+".source", o.Source, maxShort); err != nil {
			return c, err
		}
		if err := text(name+".wording", o.Wording, maxWording); err != nil {
			return c, err
		}
		for _, v := range []struct {
			key, value string
			limit      int
		}{{".form", o.Form, maxShort}, {".ip", o.IP, maxShort}, {".userAgent", o.Agent, maxAgent}} {
			if err := text(name+v.key, v.value, v.limit); err != nil {
				return c, err
			}
		}
		var err error
		if c.Basis, err = basis(name+".basis", o.Basis); err != nil {
			return c, err
		}
		c.Source, c.IP, c.UserAgent = cmp.Or(o.Source, c.Source), cmp.Or(o.IP, c.IP), cmp.Or(o.Agent, c.UserAgent)
		c.Wording, c.Form = o.Wording, o.Form
	}
	var err error
	c.State, err = consentState(name, state)
	return c, err
}
