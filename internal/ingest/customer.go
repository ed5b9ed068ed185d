package ingest

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// CustomerRow is a customer as a source describes it: fields it does not
// mention are empty and leave what is stored as it is.
type CustomerRow struct {
	Customer lifecycle.Customer
	Consents []lifecycle.Consent
	// Hint: said in passing, used only when the customer is not known yet.
	Hint bool
}

// merge lays a later description of the same customer over an earlier one.
func (c *CustomerRow) merge(later *CustomerRow) {
	for _, f := range [][2]*string{
		{&c.Customer.Email, &later.Customer.Email}, {&c.Customer.Phone, &later.Customer.Phone},
		{&c.Customer.FirstName, &later.Customer.FirstName}, {&c.Customer.LastName, &later.Customer.LastName},
		{&c.Customer.Locale, &later.Customer.Locale}, {&c.Customer.Country, &later.Customer.Country},
		{&c.Customer.Region, &later.Customer.Region}, {&c.Customer.PostalCode, &later.Customer.PostalCode},
		{&c.Customer.TimeZone, &later.Customer.TimeZone},
	} {
		if *f[1] != "" {
			*f[0] = *f[1]
		}
	}
	if !later.Customer.CreatedAt.IsZero() {
		c.Customer.CreatedAt = later.Customer.CreatedAt
	}
	if c.Customer.Attributes == nil {
		c.Customer.Attributes = later.Customer.Attributes
	} else {
		maps.Copy(c.Customer.Attributes, later.Customer.Attributes)
	}
	c.Consents = append(c.Consents, later.Consents...) // the store counts the latest and keeps all
}

// customer decodes the columns of a customer.
func (p *plan) customer(r *row) (*CustomerRow, error) {
	var c lifecycle.Customer
	var err error
	if c.ExternalID, err = p.required("external_id", r, maxID); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name  string
		into  *string
		limit int
		check func(column, s string) error
	}{
		{"email", &c.Email, maxEmail, email},
		{"phone", &c.Phone, maxShort, phone},
		{"first_name", &c.FirstName, maxName, nil},
		{"last_name", &c.LastName, maxName, nil},
		{"locale", &c.Locale, maxShort, nil},
		{"country", &c.Country, maxShort, country},
		{"region", &c.Region, maxShort, nil},
		{"postal_code", &c.PostalCode, maxShort, nil},
		{"time_zone", &c.TimeZone, maxShort, p.zones.zone},
	} {
		if *f.into, err = p.text(f.name, r, f.limit); err != nil {
			return nil, err
		}
		if *f.into == "" || f.check == nil {
			continue
		}
		if err := f.check(f.name, *f.into); err != nil {
			return nil, err
		}
	}
	if s, err := p.values["created_at"].get(r); err != nil {
		return nil, err
	} else if s != "" {
		if c.CreatedAt, err = p.instant("created_at", r); err != nil {
			return nil, err
		}
	}
	out := &CustomerRow{}
	if out.Consents, err = p.consents(r, c.CreatedAt); err != nil {
		return nil, err
	}
	if p.kind == Customers {
		if c.Attributes, err = p.attributes(r); err != nil {
			return nil, err
		}
	}
	out.Customer = c
	return out, nil
}

// consents reads consent_<channel> columns. A consent without an instant counts
// from the sign-up, and without that from now.
func (p *plan) consents(r *row, signUp time.Time) ([]lifecycle.Consent, error) {
	var consents []lifecycle.Consent
	for _, ch := range lifecycle.Channels {
		name := "consent_" + string(ch)
		s, err := p.values[name].get(r)
		if err != nil {
			return nil, err
		}
		if s == "" {
			continue
		}
		c := lifecycle.Consent{Channel: ch, At: signUp}
		if c.State, err = consentState(name, s); err != nil {
			return nil, err
		}
		if c.State == lifecycle.ConsentUnknown {
			continue
		}
		if s, err = p.values["consent_at"].get(r); err != nil {
			return nil, err
		} else if s != "" {
			if c.At, err = p.instant("consent_at", r); err != nil {
				return nil, err
			}
		}
		if c.At.IsZero() {
			c.At = p.now
		}
		if c.Source, err = p.text("consent_source", r, maxShort); err != nil {
			return nil, err
		}
		if c.Source == "" {
			c.Source = "import"
		}
		if c.Wording, err = p.text("consent_wording", r, maxWording); err != nil {
			return nil, err
		}
		if c.IP, err = p.text("consent_ip", r, maxShort); err != nil {
			return nil, err
		}
		if err := p.proof(&c, r); err != nil {
			return nil, err
		}
		consents = append(consents, c)
	}
	return consents, nil
}

// proof reads the columns about what a consent rests on.
func (p *plan) proof(c *lifecycle.Consent, r *row) (err error) {
	s, err := p.values["consent_basis"].get(r)
	if err != nil {
		return err
	}
	if c.Basis, err = basis("consent_basis", s); err != nil {
		return err
	}
	if c.Form, err = p.text("consent_form", r, maxShort); err != nil {
		return err
	}
	if c.UserAgent, err = p.text("consent_user_agent", r, maxAgent); err != nil {
		return err
	}
	if s, err = p.values["consent_confirmed_at"].get(r); err == nil && s != "" {
		c.ConfirmedAt, err = p.instant("consent_confirmed_at", r)
	}
	return err
}

// basis reads what a consent rests on.
func basis(column, s string) (lifecycle.Basis, error) {
	b, err := lifecycle.ParseBasis(strings.ToLower(s))
	if err != nil {
		return "", reject(column, "is not a basis of consent: use express, written, purchase or inquiry")
	}
	return b, nil
}

// consentState reads the words sources use for consent.
func consentState(column, s string) (lifecycle.ConsentState, error) {
	switch strings.ToLower(s) {
	case "granted", "subscribed", "opted_in", "opt_in", "true", "t", "yes", "y", "1":
		return lifecycle.ConsentGranted, nil
	case "withdrawn", "unsubscribed", "opted_out", "opt_out", "false", "f", "no", "n", "0":
		return lifecycle.ConsentWithdrawn, nil
	case "pending", "unconfirmed":
		return lifecycle.ConsentPending, nil
	case "unknown", "never_subscribed":
		return lifecycle.ConsentUnknown, nil
	}
	return "", reject(column, "is not a consent state: use granted, withdrawn, pending or unknown")
}

// attributes collects the free attributes of a customer: a column "attributes"
// holding a JSON object, mapped attributes, and columns nobody claimed.
func (p *plan) attributes(r *row) (map[string]any, error) {
	raw, err := p.rest("attributes", r)
	if err != nil || raw == nil {
		return nil, err
	}
	attributes := map[string]any{}
	if err := json.Unmarshal(raw, &attributes); err != nil {
		return nil, reject("attributes", "is not a JSON object")
	}
	return attributes, nil
}

// rest builds the JSON object of what has no column of its own; nil when empty.
// target is "attributes" or "properties".
func (p *plan) rest(target string, r *row) (json.RawMessage, error) {
	base := json.RawMessage(nil)
	if s, err := p.values[target].get(r); err != nil {
		return nil, err
	} else if s != "" {
		base = json.RawMessage(s)
		if err := document(target, base); err != nil {
			return nil, err
		}
	}
	var members []byte
	add := func(name string, raw json.RawMessage) {
		members = append(append(append(append(members, ','), quote(name)...), ':'), raw...)
	}
	for i := range p.extras {
		raw, err := p.extras[i].json(r)
		if err != nil {
			return nil, err
		}
		if raw != nil {
			add(p.extras[i].name, raw)
		}
	}
	if r.object != nil && !p.mapped {
		for _, name := range sortedKeys(r.object) {
			if _, known := p.values[name]; !known && string(r.object[name]) != "null" {
				add(name, r.object[name])
			}
		}
	}
	if members == nil {
		return base, nil
	}
	joined := append(append([]byte{'{'}, members[1:]...), '}')
	if base != nil {
		var err error
		if joined, err = overlay(base, joined); err != nil {
			return nil, reject(target, "is not a JSON object")
		}
	}
	return joined, document(target, joined)
}

// overlay returns the members of base with those of top added or replaced.
func overlay(base, top json.RawMessage) (json.RawMessage, error) {
	merged := map[string]json.RawMessage{}
	for _, raw := range []json.RawMessage{base, top} {
		if err := json.Unmarshal(raw, &merged); err != nil {
			return nil, err
		}
	}
	return json.Marshal(merged)
}
