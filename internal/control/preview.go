package control

import (
	"strings"

	"touchstone/activities"
	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
	"touchstone/internal/link"
)

// Preview is copy as a made-up customer would read it, and what the guardrails
// note about it.
type Preview struct {
	Parts      lifecycle.Parts
	Objections []lifecycle.Finding
}

// PreviewCopy renders a creative for a made-up customer and asks the guardrails.
func PreviewCopy(c lifecycle.Creative, b *brand.Brand, policy *guardrails.Policy, links activities.Links, now clock.Clock) (Preview, error) {
	judge := &activities.Reviews{Renderer: copywriter.NewRenderer(), Links: links, Brand: b, Policy: policy, Now: now.Now}
	parts, err := judge.Preview(c)
	if err != nil {
		return Preview{}, lifecycle.Errorf(lifecycle.Internal, "creative %s does not render: %w", c.ID, err)
	}
	return Preview{parts, judge.Objections(c)}, nil
}

// PreviewLinks makes the links of previews and rehearsals: signed ones where the
// configuration has keys, else links of the same shape that lead nowhere.
func PreviewLinks(c config.Config) activities.Links {
	l := previewLinks{base: c.Gateway.PublicURL}
	if signer, err := link.NewSigner(c.LinkKeys()...); err == nil {
		l.signer = &signer
	}
	return l
}

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

func (l previewLinks) Confirm(customer lifecycle.CustomerID, channel lifecycle.Channel, address string) string {
	if l.signer == nil {
		return strings.TrimSuffix(l.base, "/") + "/c/preview"
	}
	return l.signer.Confirm(l.base, customer, channel, address)
}
