package postgres

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Names of profile values in customers.stated, besides the columns' own.
const (
	fieldCreatedAt = "created_at"
	fieldTimeZone  = "time_zone"
	attributeSpace = "attributes."
)

// stated is the time of a statement, and hint that of a hint, as customers.stated
// has them: the greater of two wins. So the latest statement does, any statement
// beats a hint, and of hints the earliest wins, so that they cost one write. What
// stands without a time, from a file, is at 0.
func stated(at time.Time) int64 { return max(at.UnixMicro(), 1) }

func hint(at time.Time) int64 { return min(-at.UnixMicro(), -1) }

// profile is a customer's row being changed.
type profile struct {
	dbsqlc.Customer
	stated     map[string]int64
	attributes map[string]json.RawMessage
	changed    bool
}

func openProfile(row dbsqlc.Customer) (*profile, error) {
	p := &profile{Customer: row, stated: map[string]int64{}, attributes: map[string]json.RawMessage{}}
	for _, part := range []struct {
		from json.RawMessage
		into any
	}{{row.Stated, &p.stated}, {row.Attributes, &p.attributes}} {
		if len(part.from) == 0 {
			continue
		}
		if err := json.Unmarshal(part.from, part.into); err != nil {
			return nil, lifecycle.Errorf(lifecycle.Internal, "decode the profile of customer %s: %w", row.ID, err)
		}
	}
	return p, nil
}

// close brings what was changed into the row.
func (p *profile) close() (err error) {
	if p.attributes == nil {
		p.attributes = map[string]json.RawMessage{}
	}
	if p.Stated, err = json.Marshal(p.stated); err == nil {
		p.Attributes, err = json.Marshal(p.attributes)
	}
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "encode the profile of customer %s: %w", p.ID, err)
	}
	p.Attributes = withoutNUL(p.Attributes)
	return nil
}

// columns are the text values of a profile; email and phone may be null.
func (p *profile) columns() map[string]*string {
	if p.Email == nil {
		p.Email = new(string)
	}
	if p.Phone == nil {
		p.Phone = new(string)
	}
	return map[string]*string{"email": p.Email, "phone": p.Phone, "first_name": &p.FirstName, "last_name": &p.LastName,
		"locale": &p.Locale, "country": &p.Country, "region": &p.Region, "postal_code": &p.PostalCode, fieldTimeZone: &p.TimeZone}
}

// wins decides between a value said at a time and the one that stands. Of two said
// at the same time the greater text wins, whichever came first.
func (p *profile) wins(name string, at int64, value, standing string) bool {
	said, before := p.stated[name]
	if !before && standing == "" {
		return true
	}
	return at > said || at == said && before && value > standing
}

func (p *profile) say(name string, at int64) { p.stated[name], p.changed = at, true }

// text states a text column.
func (p *profile) text(name, value string, at int64) {
	into := p.columns()[name]
	if value != "" && p.wins(name, at, value, *into) {
		*into = value
		p.say(name, at)
	}
}

// attribute states an attribute.
func (p *profile) attribute(name string, value json.RawMessage, at int64) {
	standing := string(p.attributes[name])
	if p.wins(attributeSpace+name, at, string(value), standing) {
		p.attributes[name] = value
		p.say(attributeSpace+name, at)
	}
}

// created states the sign-up; of two hints the earlier instant wins.
func (p *profile) created(value time.Time, at int64) {
	const layout = time.RFC3339Nano
	if value.IsZero() || !p.wins(fieldCreatedAt, at, value.UTC().Format(layout), p.CreatedAt.UTC().Format(layout)) {
		return
	}
	p.CreatedAt = instant(value)
	p.say(fieldCreatedAt, at)
}

// state applies what a message states.
func (p *profile) state(c *lifecycle.Customer, at int64) error {
	for name, value := range map[string]string{"email": c.Email, "phone": c.Phone, "first_name": c.FirstName, "last_name": c.LastName,
		"locale": c.Locale, "country": c.Country, "region": c.Region, "postal_code": c.PostalCode, fieldTimeZone: c.TimeZone} {
		p.text(name, value, at)
	}
	p.created(c.CreatedAt, at)
	for name, value := range c.Attributes {
		encoded, err := json.Marshal(value)
		if err != nil {
			return lifecycle.Errorf(lifecycle.Invalid, "encode attribute %q: %w", name, err)
		}
		p.attribute(name, encoded, at)
	}
	return nil
}

// absorb takes over what the profile of the same person under another id says.
func (p *profile) absorb(other *profile) {
	for name, value := range other.columns() {
		p.text(name, *value, other.stated[name])
	}
	p.created(other.CreatedAt, other.stated[fieldCreatedAt])
	for name, value := range other.attributes {
		p.attribute(name, value, other.stated[attributeSpace+name])
	}
}

// profiles applies traits and hints to the customers.
func (t *tracking) profiles(ctx context.Context) error {
	about := map[string][]int{} // messages by customer
	for i := range t.Messages {
		m := &t.Messages[i]
		p := t.names[m.User]
		if m.User == "" || p.erased {
			continue
		}
		if m.Traits != nil || p.heeds(m) {
			about[p.id] = append(about[p.id], i)
		}
	}
	return t.change(ctx, slices.Sorted(maps.Keys(about)), func(p *profile) error {
		for _, i := range about[p.ID] {
			m := &t.Messages[i]
			p.created(m.At, hint(m.At))
			p.text(fieldTimeZone, m.TimeZone, hint(m.At))
			if m.Traits == nil {
				continue
			}
			if err := p.state(&m.Traits.Customer, stated(m.At)); err != nil {
				return err
			}
		}
		return nil
	})
}

// heeds reports whether the hints of a message are news.
func (p *person) heeds(m *Tracked) bool {
	at := hint(m.At)
	zone := m.TimeZone != "" && (p.zoneStated == 0 && p.zone == "" || p.zoneStated < 0 && at > p.zoneStated)
	return zone || p.createdStated < 0 && at > p.createdStated
}

// change runs work on the profiles of customers and saves those it changed.
func (t *tracking) change(ctx context.Context, ids []string, work func(*profile) error) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := t.q.LockProfiles(ctx, ids)
	if err != nil {
		return err
	}
	var changed []dbsqlc.Customer
	for _, row := range rows {
		p, err := openProfile(row)
		if err != nil {
			return err
		}
		if err := work(p); err != nil {
			return err
		}
		if !p.changed {
			continue
		}
		if err := p.close(); err != nil {
			return err
		}
		p.Email, p.Phone = optional(given[string](p.Email)), optional(given[string](p.Phone))
		changed = append(changed, p.Customer)
	}
	if len(changed) == 0 {
		return nil
	}
	encoded, err := batch(changed)
	if err != nil {
		return err
	}
	return t.q.SaveProfiles(ctx, encoded)
}

// consents applies the consents of the batch. Those of customers with several
// names are kept by name first: see the SettleConsents query.
func (t *tracking) consents(ctx context.Context) error {
	var own []dbsqlc.Consent
	var named []dbsqlc.ConsentStatement
	groups := map[string]bool{}
	said := newStatements()
	for i := range t.Messages {
		m := &t.Messages[i]
		if m.Traits == nil || t.names[m.User].erased {
			continue
		}
		p := t.names[m.User]
		for _, c := range m.Traits.Consents {
			said.add(lifecycle.CustomerID(p.id), ledger.ConsentRow{Consent: c, Live: !m.Quiet})
			row := consentRow(lifecycle.CustomerID(p.id), c)
			if p.aliased.IsZero() {
				own = append(own, row)
				continue
			}
			groups[p.id] = true
			named = append(named, dbsqlc.ConsentStatement{ExternalID: m.User, Channel: row.Channel, State: row.State, At: row.At,
				Source: row.Source, Wording: row.Wording, Ip: row.Ip, Basis: row.Basis, Form: row.Form, UserAgent: row.UserAgent, ConfirmedAt: row.ConfirmedAt})
		}
	}
	var counting []statement
	if len(own) > 0 {
		saved, err := importConsents(ctx, t.tx, own)
		if err != nil {
			return err
		}
		counting = saved
	}
	if len(named) > 0 {
		encoded, err := batch(latest(named, func(c dbsqlc.ConsentStatement) (place [2]string, at time.Time, withdrawn bool) {
			return [2]string{c.ExternalID, c.Channel}, c.At, c.State == string(lifecycle.ConsentWithdrawn)
		}))
		if err != nil {
			return err
		}
		if err := t.q.SaveConsentStatements(ctx, encoded); err != nil {
			return err
		}
		settled, err := t.q.SettleConsents(ctx, slices.Sorted(maps.Keys(groups)))
		if err != nil {
			return err
		}
		for _, r := range settled {
			counting = append(counting, statement{lifecycle.CustomerID(r.CustomerID), lifecycle.Channel(r.Channel), lifecycle.ConsentState(r.State)})
		}
	}
	return said.follow(ctx, t.q, t.tx, counting, t.Now)
}

// latest keeps one row for each place: the latest, a withdrawal at the same
// instant.
func latest[Row any](rows []Row, key func(Row) (place [2]string, at time.Time, withdrawn bool)) []Row {
	kept := map[[2]string]int{}
	var out []Row
	for _, row := range rows {
		place, at, withdrawn := key(row)
		i, again := kept[place]
		if !again {
			kept[place] = len(out)
			out = append(out, row)
			continue
		}
		_, standing, _ := key(out[i])
		if at.After(standing) || at.Equal(standing) && withdrawn {
			out[i] = row
		}
	}
	return out
}
