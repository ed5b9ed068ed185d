package cli

import (
	"strings"

	"touchstone/activities"
	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
)

// preview is copy as a made-up customer would read it.
type preview struct {
	parts      lifecycle.Parts
	objections []lifecycle.Finding
}

// previewLinks makes links for previews and rehearsals: signed ones where there
// are keys, else links of the same shape that lead nowhere.
type previewLinks struct {
	signer *link.Signer
	base   string
}

func (l previewLinks) Unsubscribe(customer lifecycle.CustomerID, channel lifecycle.Channel) string {
	if l.signer == nil {
		return strings.TrimSuffix(l.base, "/") + "/u/preview"
	}
	return l.signer.Unsubscribe(l.base, customer, channel)
}

func (s *session) links() activities.Links {
	l := previewLinks{base: s.config.Gateway.PublicURL}
	if signer, err := link.NewSigner(s.config.LinkKeys()...); err == nil {
		l.signer = &signer
	}
	return l
}

// preview renders a creative for a made-up customer and asks the guardrails.
func (s *session) preview(c lifecycle.Creative) (preview, error) {
	renderer, links := copywriter.NewRenderer(), s.links()
	fields := copywriter.SampleFields()
	fields[copywriter.FieldBrandName] = s.brand.Name
	fields[copywriter.FieldBrandAddress] = s.brand.Sender.PostalAddress
	fields[copywriter.FieldBrandSMSName] = s.brand.Sender.SMSName
	fields[copywriter.FieldShopURL] = s.brand.Links.Shop
	fields[copywriter.FieldUnsubscribeURL] = links.Unsubscribe(nobody, c.Channel)
	if offer, ok := s.brand.Offer(c.OfferID); ok {
		fields[copywriter.FieldOfferLabel], fields[copywriter.FieldOfferCode] = offer.Label, offer.Code
		fields[copywriter.FieldOfferExpiresOn] = s.clock.Now().Add(offer.ValidFor)
	}
	parts, err := renderer.Render(c, fields)
	if err != nil {
		return preview{}, lifecycle.Errorf(lifecycle.Internal, "creative %s does not render: %w", c.ID, err)
	}
	judge := &activities.Reviews{Renderer: renderer, Links: links, Brand: s.brand, Policy: s.policy, Now: s.clock.Now}
	return preview{parts, judge.Objections(c)}, nil
}

// nobody is the customer id in links of previews.
const nobody lifecycle.CustomerID = "00000000-0000-0000-0000-000000000000"
