package copywriter_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
)

var testNow = time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return testNow }

func testBrand() *brand.Brand {
	return &brand.Brand{
		Name: "Larch & Co", Currency: "USD",
		Sender: brand.Sender{PostalAddress: "1 Main Street, Springfield, IL 62701, USA", SMSName: "Larch"},
		Voice:  brand.Voice{Tone: "warm", Prefer: []string{"home"}, Avoid: []string{"cheap"}, Facts: []string{"Free returns"}},
		Links:  brand.Links{Shop: "https://shop.example.com/"},
	}
}

var tenPercent = lifecycle.Offer{ID: "ten", Kind: lifecycle.PercentOff, Percent: 10, Code: "TEN", Label: "10% off your next order"}

func brief(slot string, c lifecycle.Channel, offer *lifecycle.Offer) copywriter.Brief {
	return copywriter.Brief{Slot: slot, Journey: "j", Step: "s", Goal: "bring the customer back", Channel: c, Offer: offer, Variants: 2, Brand: testBrand()}
}

var slots = []string{"welcome.first", "cart-recovery", "winback/offer", "at-risk", "spring sale"}

func TestTemplatesRenderForEverySlotChannelAndOffer(t *testing.T) {
	t.Parallel()
	r := copywriter.NewRenderer()
	percent := regexp.MustCompile(`\d+ ?%`)
	for _, slot := range slots {
		for _, channel := range lifecycle.Channels {
			for _, offer := range []*lifecycle.Offer{nil, &tenPercent} {
				written, err := copywriter.NewTemplates(clock).Write(t.Context(), brief(slot, channel, offer))
				if err != nil || len(written) != 2 {
					t.Fatalf("%s %s: %d creatives, %v", slot, channel, len(written), err)
				}
				if written[0].ContentHash() == written[1].ContentHash() {
					t.Errorf("%s %s: variants are the same", slot, channel)
				}
				for _, c := range written {
					name := slot + " " + string(channel) + " " + c.Variant
					if c.Source != lifecycle.FromTemplate || c.Status != lifecycle.CreativeDraft || c.ID == "" || c.Author == "" || !c.CreatedAt.Equal(testNow) {
						t.Errorf("%s: %+v", name, c)
					}
					full := copywriter.FieldsOf(testBrand(), lifecycle.Profile{
						Customer: lifecycle.Customer{FirstName: "Ada", TimeZone: "America/New_York"}, Orders: lifecycle.OrderStats{LastItem: "Lamp"},
					}, copywriter.Occasion{Offer: offer, OfferUntil: testNow.Add(72 * time.Hour), UnsubscribeURL: "https://u.example.com/u/1"})
					bare := copywriter.FieldsOf(testBrand(), lifecycle.Profile{}, copywriter.Occasion{Offer: offer, UnsubscribeURL: "https://u.example.com/u/1"})
					for _, data := range []copywriter.Fields{full, bare} {
						out, err := r.Render(c, data)
						if err != nil {
							t.Fatalf("%s: %v", name, err)
						}
						checkRendered(t, name, channel, offer, out, percent)
					}
				}
			}
		}
	}
}

func checkRendered(t *testing.T, name string, channel lifecycle.Channel, offer *lifecycle.Offer, out lifecycle.Parts, percent *regexp.Regexp) {
	t.Helper()
	all := out.Subject + "\n" + out.Preheader + "\n" + out.Text + "\n" + out.HTML
	if strings.Contains(all, "{{") || strings.Contains(all, "[[") || strings.Contains(all, "<no value>") {
		t.Errorf("%s: unresolved: %s", name, all)
	}
	styles := regexp.MustCompile(`(?s)<style>.*</style>|style="[^"]*"|width="[^"]*"`).ReplaceAllString(all, "")
	if offer == nil && (percent.MatchString(styles) || strings.Contains(styles, "Use code")) {
		t.Errorf("%s: promises something without an offer", name)
	}
	switch channel {
	case lifecycle.Email:
		for _, part := range []string{out.Text, out.HTML} {
			for _, must := range []string{"Springfield, IL 62701", "https://u.example.com/u/1", "https://shop.example.com/"} {
				if !strings.Contains(part, must) {
					t.Errorf("%s: lacks %s", name, must)
				}
			}
			if offer != nil && (!strings.Contains(part, "10% off your next order") || !strings.Contains(part, "TEN")) {
				t.Errorf("%s: lacks the offer", name)
			}
		}
		if !strings.Contains(out.HTML, "Larch &amp; Co") || !strings.Contains(out.Text, "Larch & Co") {
			t.Errorf("%s: brand name not escaped for its part", name)
		}
		if !strings.Contains(out.HTML, "<title>") || !strings.Contains(out.HTML, `lang="en"`) || len(out.Subject) > 90 {
			t.Errorf("%s: subject %q, html head %.200s", name, out.Subject, out.HTML)
		}
	case lifecycle.SMS, lifecycle.WhatsApp:
		if !strings.HasPrefix(out.Text, "Larch: ") || !strings.HasSuffix(out.Text, "Reply STOP to opt out") || strings.Contains(out.Text, "\n") || len(out.Text) > 320 {
			t.Errorf("%s: %q", name, out.Text)
		}
	default:
		if out.Subject == "" || out.Text == "" || out.HTML != "" {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

func TestBriefIsChecked(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*copywriter.Brief){
		"no brand":      func(b *copywriter.Brief) { b.Brand = nil },
		"no slot":       func(b *copywriter.Brief) { b.Slot = "" },
		"channel":       func(b *copywriter.Brief) { b.Channel = "fax" },
		"no variants":   func(b *copywriter.Brief) { b.Variants = 0 },
		"many variants": func(b *copywriter.Brief) { b.Variants = 100 },
		"unknown field": func(b *copywriter.Brief) { b.MergeFields = []string{"shoe_size"} },
	} {
		b := brief("welcome", lifecycle.Email, nil)
		spoil(&b)
		if _, err := copywriter.NewTemplates(clock).Write(t.Context(), b); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOfferDateIsShownInTheCustomersZone(t *testing.T) {
	t.Parallel()
	until := time.Date(2030, 3, 5, 2, 0, 0, 0, time.UTC) // still March 4 in New York
	for zone, want := range map[string]string{"America/New_York": "March 4, 2030", "": "March 5, 2030", "Nowhere/Land": "March 5, 2030"} {
		p := lifecycle.Profile{Customer: lifecycle.Customer{TimeZone: zone}}
		data := copywriter.FieldsOf(testBrand(), p, copywriter.Occasion{Offer: &tenPercent, OfferUntil: until})
		if got := render(t, lifecycle.Parts{Text: "{{ offer.expires_on }}"}, data).Text; got != want {
			t.Errorf("zone %q: %q, want %q", zone, got, want)
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	c := lifecycle.Creative{ID: "old", Slot: "s", Channel: lifecycle.Email, Variant: "a", OfferID: "ten", Parts: lifecycle.Parts{Subject: "Hi", Text: "x"},
		Source: lifecycle.FromModel, Model: "m", Author: "model m", Status: lifecycle.CreativeApproved, ApprovedBy: "bob", Cost: lifecycle.Money{Amount: 3, Currency: "USD"}}
	parts := lifecycle.Parts{Subject: "Hello", Text: "y"}
	e, err := copywriter.Edit(c, parts, "eve", testNow)
	if err != nil {
		t.Fatal(err)
	}
	want := c
	want.ID, want.Parts, want.Source, want.Author = e.ID, parts, lifecycle.FromPerson, "eve"
	want.Status, want.ApprovedBy, want.CreatedAt, want.Model, want.Cost = lifecycle.CreativeDraft, "", testNow, "", lifecycle.Money{Currency: "USD"}
	if e != want || e.ID == c.ID || e.ID == "" || e.ContentHash() == c.ContentHash() {
		t.Errorf("got %+v, want %+v", e, want)
	}
	for name, err := range map[string]error{
		"no author":     second(copywriter.Edit(c, parts, "", testNow)),
		"nothing new":   second(copywriter.Edit(c, c.Parts, "eve", testNow)),
		"unknown field": second(copywriter.Edit(c, lifecycle.Parts{Subject: "Hi", Text: "{{ x }}"}, "eve", testNow)),
		"no text part":  second(copywriter.Edit(c, lifecycle.Parts{Subject: "Hi", HTML: "<p>x</p>"}, "eve", testNow)),
	} {
		if code := lifecycle.CodeOf(err); code != lifecycle.Invalid && code != lifecycle.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
