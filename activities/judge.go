package activities

import (
	"slices"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/copywriter"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
)

// judge renders a touch for its customer and lets the guardrails judge it.
// approved says that a person approved this very touch.
func (p *passage) judge(step journey.Step, touch lifecycle.Touch, creative lifecycle.Creative, stage guardrails.Stage, approved bool) (lifecycle.Verdict, lifecycle.Message, error) {
	message, err := p.message(touch, creative)
	if err != nil {
		return lifecycle.Verdict{Outcome: lifecycle.Block, Findings: []lifecycle.Finding{{
			Rule: "merge-fields", Outcome: lifecycle.Block, Value: err.Error(), Limit: "renders for this customer", Reason: "the copy cannot be rendered for this customer",
		}}}, lifecycle.Message{}, nil
	}
	var offer *lifecycle.Offer
	if o, ok := p.Brand.Offer(touch.OfferID); ok {
		offer = &o
	}
	over, _, err := p.over()
	if err != nil {
		return lifecycle.Verdict{}, message, err
	}
	var suppressed []guardrails.Suppression
	for _, s := range p.sit.Suppressed {
		suppressed = append(suppressed, guardrails.Suppression{Channel: s.Channel, Reason: s.Reason, At: s.At})
	}
	verdict := p.judged.ask(guardrails.Touch{
		At: p.now, Stage: stage, Customer: p.sit.Profile, Suppressed: suppressed, Channel: touch.Channel, Class: touch.Class,
		Tags: touch.Tags, Journey: touch.Journey, Campaign: touch.Campaign, Step: touch.Step, Priority: p.def.Priority,
		Exit: over, Creative: creative, Message: message, Offer: offer, Recent: earlier(p.sit.Recent, touch.ID), Window: p.def.Window,
		RequireReview: step.Touch.AlwaysReview || p.admission.ReviewsAll(touch.Journey), Approved: approved, Amounts: p.amounts(),
	}, p.Policy, p.Brand)
	return verdict, message, nil
}

// earlier leaves the touch itself out: after a crash between reservation and
// call it holds a slot already, and would be a duplicate of itself.
func earlier(recent []lifecycle.TouchRecord, id lifecycle.TouchID) []lifecycle.TouchRecord {
	i := slices.IndexFunc(recent, func(r lifecycle.TouchRecord) bool { return r.ID == id })
	if i < 0 {
		return recent
	}
	return slices.Concat(recent[:i], recent[i+1:])
}

// amounts are sums the copy may name besides the offer: what lies in the cart.
func (p *passage) amounts() []lifecycle.Money {
	if cart := p.cartValue(); cart.Amount > 0 {
		return []lifecycle.Money{cart}
	}
	return nil
}

// message renders the creative for the passage's customer.
func (p *passage) message(touch lifecycle.Touch, creative lifecycle.Creative) (lifecycle.Message, error) {
	customer := p.sit.Profile.Customer
	unsubscribe := p.Links.Unsubscribe(customer.ID, touch.Channel)
	confirm := p.confirm(touch)
	parts, err := p.Renderer.Render(creative, p.fields(touch, unsubscribe, confirm))
	if err != nil {
		return lifecycle.Message{}, err
	}
	return lifecycle.Message{
		TouchID: touch.ID, Channel: touch.Channel, Class: touch.Class,
		To: address(customer, touch.Channel), ToName: customer.FirstName,
		From: p.Brand.Sender.Email, FromName: p.Brand.Sender.Name, ReplyTo: p.Brand.Sender.ReplyTo,
		Subject: parts.Subject, Preheader: parts.Preheader, HTML: parts.HTML, Text: parts.Text,
		UnsubscribeURL: unsubscribe, PreferencesURL: link.PreferencesOf(unsubscribe), ConfirmURL: confirm, Categories: []string{touch.Journey},
	}, nil
}

// confirm is the link by which the customer confirms the consent that started the
// run; empty when nothing waits for it. Marketing never has one.
func (p *passage) confirm(touch lifecycle.Touch) string {
	asked, _ := p.sit.Run.Entry["channel"].(string)
	channel := lifecycle.Channel(asked)
	if touch.Class != lifecycle.Transactional || p.sit.Profile.Consents[channel].State != lifecycle.ConsentPending {
		return ""
	}
	return p.Links.Confirm(touch.CustomerID, channel, address(p.sit.Profile.Customer, channel))
}

// fields are the merge fields of a touch.
func (p *passage) fields(touch lifecycle.Touch, unsubscribe, confirm string) copywriter.Fields {
	occasion := copywriter.Occasion{
		UnsubscribeURL: unsubscribe, PreferencesURL: link.PreferencesOf(unsubscribe), ConfirmURL: confirm, CartValue: p.cartValue(), CartFirstItem: cartItem(p.sit.Run.Entry), CartURL: p.Brand.Links.Shop,
	}
	if offer, ok := p.Brand.Offer(touch.OfferID); ok {
		occasion.Offer, occasion.OfferUntil = &offer, p.now.Add(offer.ValidFor)
	}
	return copywriter.FieldsOf(p.Brand, p.sit.Profile, occasion)
}

// cartItem is the name of the first product of the cart that started the run.
func cartItem(entry map[string]any) string {
	products, _ := entry["products"].([]any)
	if len(products) == 0 {
		return ""
	}
	product, _ := products[0].(map[string]any)
	name, _ := product["name"].(string)
	return name
}

// soonest is how long a touch waits after losing the last cap slot to another
// touch before it is judged again on fresh rows.
const soonest = time.Hour
