package activities

import (
	"fmt"
	"strings"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/copywriter"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
)

// detailLimit keeps the details below what proxies accept: the Temporal UI
// sends them as a query string.
const detailLimit = 5000

func title(item lifecycle.ReviewItem, c lifecycle.Creative) string {
	if item.Kind == lifecycle.ReviewTouch {
		return fmt.Sprintf("Review %s touches of journey %s", c.Channel, item.Journey)
	}
	return fmt.Sprintf("Review %s copy for slot %s", c.Channel, c.Slot)
}

// markdown is the page a reviewer reads in the Temporal UI. Copy stands in
// code spans and block quotes, so that nothing in it is taken for markup.
func (r *Reviews) markdown(item lifecycle.ReviewItem, c lifecycle.Creative) (string, error) {
	parts, err := r.Preview(c)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", title(item, c))
	offer := "none"
	if o, ok := r.Brand.Offer(c.OfferID); ok {
		offer = o.Label
	}
	fmt.Fprintf(&b, "- **Journey:** %s\n- **Channel:** %s\n- **Offer:** %s\n- **Written by:** %s (%s)\n- **Due:** %s\n\n",
		item.Journey, c.Channel, offer, c.Author, c.Source, item.DueAt.UTC().Format("2006-01-02 15:04 UTC"))
	if len(item.Reasons) > 0 {
		b.WriteString("### Why it needs you\n\n")
		for _, f := range item.Reasons {
			fmt.Fprintf(&b, "- **%s**: %s (seen `%s`, limit `%s`)\n", f.Rule, f.Reason, f.Value, f.Limit)
		}
		b.WriteString("\n")
	}
	b.WriteString("### The copy, as a made-up customer would read it\n\n")
	if parts.Subject != "" {
		fmt.Fprintf(&b, "**Subject:** %s\n\n", parts.Subject)
	}
	if parts.Preheader != "" {
		fmt.Fprintf(&b, "**Preheader:** %s\n\n", parts.Preheader)
	}
	text := parts.Text
	if len(text) > detailLimit/2 {
		text = strings.ToValidUTF8(text[:detailLimit/2], "") + "\n[shortened: `touchstone review show` has all of it]"
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		fmt.Fprintf(&b, "> %s\n", line)
	}
	b.WriteString("\n### What to do\n\n")
	b.WriteString("1. Open the **More Actions** menu at the top right and choose **Send a Signal**.\n")
	b.WriteString("2. Choose **approve_copy** or **reject_copy**.\n")
	fmt.Fprintf(&b, "3. Leave **Data** empty, or paste `{\"by\":\"your name\",\"hash\":\"%s\"}` (reject: add `\"note\":\"why\"`), and press **Submit**.\n\n", item.Content[:12])
	b.WriteString("To change the copy, send **edit_copy** with the parts to replace, for example `{\"by\":\"your name\",\"subject\":\"A new subject\"}`; somebody else then has to approve it.\n\n")
	fmt.Fprintf(&b, "This decision is bound to content `%s`. Copy that changed in the meantime is not released by it.\n", item.Content[:12])
	return b.String(), nil
}

// sample are merge fields of a made-up customer.
func (r *Reviews) sample(c lifecycle.Creative, at time.Time) copywriter.Fields {
	fields := copywriter.SampleFields()
	fields[copywriter.FieldBrandName] = r.Brand.Name
	fields[copywriter.FieldBrandAddress] = r.Brand.Sender.PostalAddress
	fields[copywriter.FieldBrandSMSName] = r.Brand.Sender.SMSName
	fields[copywriter.FieldShopURL] = r.Brand.Links.Shop
	fields[copywriter.FieldCartURL] = r.Brand.Links.Shop
	fields[copywriter.FieldUnsubscribeURL] = r.Links.Unsubscribe(nobody, c.Channel)
	fields[copywriter.FieldPreferencesURL] = link.PreferencesOf(r.Links.Unsubscribe(nobody, c.Channel))
	fields[copywriter.FieldConfirmURL] = r.Links.Confirm(nobody, c.Channel, "")
	if offer, ok := r.Brand.Offer(c.OfferID); ok {
		fields[copywriter.FieldOfferLabel], fields[copywriter.FieldOfferCode] = offer.Label, offer.Code
		fields[copywriter.FieldOfferExpiresOn] = at.Add(offer.ValidFor).In(r.zone())
	}
	return fields
}

// zone is where the made-up customer lives: the brand's.
func (r *Reviews) zone() *time.Location {
	if zone, err := time.LoadLocation(r.Brand.TimeZone); err == nil {
		return zone
	}
	return time.UTC
}

// nobody is the customer id in links of previews.
const nobody lifecycle.CustomerID = "00000000-0000-0000-0000-000000000000"

// Preview renders copy as a made-up customer would read it.
func (r *Reviews) Preview(c lifecycle.Creative) (lifecycle.Parts, error) {
	return r.Renderer.Render(c, r.sample(c, r.Now()))
}

// Objections judges copy as the guardrails will, rendered for the made-up
// customer.
func (r *Reviews) Objections(c lifecycle.Creative) []lifecycle.Finding {
	return r.verdict(c).Findings
}

func (r *Reviews) verdict(c lifecycle.Creative) lifecycle.Verdict {
	at := r.Now()
	return guardrails.JudgeContent(guardrails.Touch{
		At: at, Channel: c.Channel, Class: lifecycle.Marketing, Creative: c, Message: r.preview(c, at), Offer: r.offer(c), Amounts: sampleAmounts(),
	}, r.Policy, r.Brand)
}

// sampleAmounts are the sums that the made-up customer's copy shows.
func sampleAmounts() []lifecycle.Money {
	if cart, ok := copywriter.SampleFields()[copywriter.FieldCartValue].(lifecycle.Money); ok {
		return []lifecycle.Money{cart}
	}
	return nil
}

func (r *Reviews) offer(c lifecycle.Creative) *lifecycle.Offer {
	if offer, ok := r.Brand.Offer(c.OfferID); ok {
		return &offer
	}
	return nil
}

// preview renders copy into a message to nobody.
func (r *Reviews) preview(c lifecycle.Creative, at time.Time) lifecycle.Message {
	parts, err := r.Renderer.Render(c, r.sample(c, at))
	if err != nil {
		parts = lifecycle.Parts{Text: "{{ " + err.Error() + " }}"} // unresolved: the merge-fields rule blocks it
	}
	return lifecycle.Message{
		Channel: c.Channel, Class: lifecycle.Marketing, From: r.Brand.Sender.Email, FromName: r.Brand.Sender.Name,
		Subject: parts.Subject, Preheader: parts.Preheader, HTML: parts.HTML, Text: parts.Text,
		UnsubscribeURL: r.Links.Unsubscribe(nobody, c.Channel), ConfirmURL: r.Links.Confirm(nobody, c.Channel, ""),
	}
}

// brief asks the copywriter for one arm of a step.
func (c *Campaigns) brief(def *journey.Definition, step journey.Step, channel lifecycle.Channel, offerID string) copywriter.Brief {
	brief := copywriter.Brief{
		Slot: step.Touch.Slot, Journey: def.Name, Step: step.ID, Goal: step.Touch.Brief, Channel: channel, Variants: 1, Brand: c.Brand,
	}
	if offer, ok := c.Brand.Offer(offerID); ok {
		brief.Offer = &offer
	}
	return brief
}
