package ingest

import (
	"cmp"
	"strings"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// TouchRow is a touch of the past, or an entry of somebody held out of it, before
// its customer is looked up.
type TouchRow struct {
	ExternalID string // of the customer
	postgres.BulkTouch
}

// touch decodes the columns of a touch.
func (p *plan) touch(r *row) (*TouchRow, error) {
	t := &TouchRow{}
	var err error
	if t.ExternalID, err = p.required("external_id", r, maxID); err != nil {
		return nil, err
	}
	if t.At, err = p.instant("at", r); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"journey", &t.Touch.Journey}, {"campaign", &t.Touch.Campaign}, {"entry", &t.Entry}, {"step", &t.Touch.Step},
		{"agent", &t.Touch.Agent}, {"offer", &t.Touch.OfferID}} {
		if *f.into, err = p.part(f.name, r); err != nil {
			return nil, err
		}
	}
	if t.Touch.Journey == "" {
		return nil, reject("journey", "is missing")
	}
	t.Entry = cmp.Or(t.Entry, t.Touch.Campaign, t.At.Format(time.RFC3339Nano))
	if t.Arm, err = p.arm(r); err != nil {
		return nil, err
	}
	if t.Arm != ledger.Treated {
		return t, p.nothingSent(r)
	}
	return t, p.sent(r, t)
}

// part is text that becomes part of a ledger key.
func (p *plan) part(name string, r *row) (string, error) {
	s, err := p.text(name, r, maxShort)
	if err == nil && strings.ContainsAny(s, "/\r\n\t") {
		err = reject(name, "contains a slash or a line break")
	}
	return s, err
}

// arm reads who was to get the touch; without the column everybody was.
func (p *plan) arm(r *row) (ledger.Arm, error) {
	s, err := p.values["arm"].get(r)
	if err != nil {
		return "", err
	}
	switch a := ledger.Arm(s); a {
	case "":
		return ledger.Treated, nil
	case ledger.Treated, ledger.Holdout, ledger.GlobalHoldout:
		return a, nil
	}
	return "", reject("arm", "is not an arm: use treated, holdout or global_holdout")
}

// nothingSent refuses rows of held-out customers that speak of a message.
func (p *plan) nothingSent(r *row) error {
	for _, name := range []string{"state", "opened_at", "clicked_at", "cost"} {
		s, err := p.values[name].get(r)
		if err != nil {
			return err
		}
		if s != "" {
			return reject(name, "is given for somebody held out, who got nothing")
		}
	}
	return nil
}

// touchStates are what may have become of a touch of the past.
var touchStates = map[string]lifecycle.TouchState{
	"": lifecycle.TouchDelivered, "accepted": lifecycle.TouchAccepted, "delivered": lifecycle.TouchDelivered,
	"bounced": lifecycle.TouchBounced, "complained": lifecycle.TouchComplained,
}

// sent decodes what a message that went out has.
func (p *plan) sent(r *row, t *TouchRow) error {
	s, err := p.required("channel", r, maxShort)
	if err != nil {
		return err
	}
	if t.Touch.Channel, err = lifecycle.ParseChannel(s); err != nil {
		return reject("channel", "is not a channel: use one of %v", lifecycle.Channels)
	}
	if s, err = p.values["class"].get(r); err != nil {
		return err
	}
	if t.Touch.Class, err = lifecycle.ParseMessageClass(s); err != nil {
		return reject("class", "is not a message class: use marketing, transactional or reply")
	}
	if s, err = p.values["state"].get(r); err != nil {
		return err
	}
	known := false
	if t.Touch.State, known = touchStates[s]; !known {
		return reject("state", "is not what becomes of a touch: use accepted, delivered, bounced or complained")
	}
	for _, f := range []struct {
		name string
		into *time.Time
	}{{"opened_at", &t.Opened}, {"clicked_at", &t.Clicked}} {
		if s, err = p.values[f.name].get(r); err != nil {
			return err
		}
		if s == "" {
			continue
		}
		if *f.into, err = p.instant(f.name, r); err != nil {
			return err
		}
		if f.into.Before(t.At) {
			return reject(f.name, "lies before the touch was sent")
		}
	}
	t.Touch.Step = cmp.Or(t.Touch.Step, string(t.Touch.Channel)+" "+t.At.Format(time.RFC3339Nano))
	return p.cost(r, t)
}

// cost reads what sending cost.
func (p *plan) cost(r *row, t *TouchRow) error {
	s, err := p.text("currency", r, maxShort)
	if err != nil {
		return err
	}
	t.Touch.Cost.Currency = cmp.Or(s, p.currency)
	if err := currency("currency", t.Touch.Cost.Currency, p.currency); err != nil {
		return err
	}
	if s, err = p.values["cost"].get(r); err != nil || s == "" {
		return err
	}
	d, err := p.values["cost"].number("cost", r)
	if err != nil {
		return err
	}
	if d.IsNegative() {
		return reject("cost", "is negative")
	}
	t.Touch.Cost, err = money("cost", d, p.currency)
	return err
}
