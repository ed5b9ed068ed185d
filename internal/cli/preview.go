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
	judge := &activities.Reviews{Renderer: copywriter.NewRenderer(), Links: s.links(), Brand: s.brand, Policy: s.policy, Now: s.clock.Now}
	parts, err := judge.Preview(c)
	if err != nil {
		return preview{}, lifecycle.Errorf(lifecycle.Internal, "creative %s does not render: %w", c.ID, err)
	}
	return preview{parts, judge.Objections(c)}, nil
}
