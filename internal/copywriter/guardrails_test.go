package copywriter_test

import (
	"net/http/httptest"
	"testing"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
)

// Shipped templates and the sandbox's model must give copy that the default
// policy lets through for the shipped brand: otherwise every touch of a first
// run would wait for a person.
func TestWrittenCopyPassesTheDefaultPolicy(t *testing.T) {
	t.Parallel()
	stand, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stand.Handler())
	defer server.Close()
	model, err := copywriter.NewModel(copywriter.ModelConfig{BaseURL: server.URL + "/v1", APIKey: "k", Model: "gpt-5-mini", Currency: "USD"}, nil, clock)
	if err != nil {
		t.Fatal(err)
	}
	b, policy, renderer := brand.Example(), guardrails.DefaultPolicy(), copywriter.NewRenderer()
	customer := lifecycle.Profile{Customer: lifecycle.Customer{FirstName: "Ada"}, Orders: lifecycle.OrderStats{LastItem: "Lamp"}}
	offers := []*lifecycle.Offer{nil}
	for i := range b.Offers {
		offers = append(offers, &b.Offers[i])
	}
	for _, w := range []copywriter.Writer{copywriter.NewTemplates(clock), model} {
		for _, slot := range slots {
			for _, channel := range lifecycle.Channels {
				for _, offer := range offers {
					written, err := w.Write(t.Context(), copywriter.Brief{Slot: slot, Journey: slot, Goal: "bring the customer back", Channel: channel, Offer: offer, Variants: 2, Brand: b})
					if err != nil {
						t.Errorf("%T %s %s: %v", w, slot, channel, err)
					}
					for _, c := range written {
						unsubscribe := b.Links.Shop + "/u/x"
						out, err := renderer.Render(c, copywriter.FieldsOf(b, customer, copywriter.Occasion{Offer: offer, UnsubscribeURL: unsubscribe}))
						if err != nil {
							t.Errorf("%T %s %s: %v", w, slot, channel, err)
							continue
						}
						v := guardrails.JudgeContent(guardrails.Touch{
							At: testNow, Customer: customer, Channel: channel, Creative: c, Offer: offer,
							Message: lifecycle.Message{Channel: channel, Subject: out.Subject, Preheader: out.Preheader, HTML: out.HTML, Text: out.Text,
								UnsubscribeURL: unsubscribe, From: b.Sender.Email, FromName: b.Sender.Name},
						}, policy, b)
						if v.Outcome != lifecycle.Allow {
							t.Errorf("%T %s %s offer %s: %s, %s\n%s\n%s", w, slot, channel, c.OfferID, v.Outcome, v.Reason(), out.Subject, out.Text)
						}
					}
				}
			}
		}
	}
}
