package copywriter

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
)

// Whatever was rendered before: everybody gets what a fresh renderer gives, with
// their own unsubscribe link and nobody else's.
func TestReprintsAreWhatRenderingGives(t *testing.T) {
	t.Parallel()
	copies := []lifecycle.Parts{
		{Subject: "Hello {{ first_name | default: 'you' }}", HTML: `<p>{{ first_name | default: "you" }}</p><a href="{{ unsubscribe_url }}">leave</a> {{unsubscribe_url}}`, Text: "Bye: {{- unsubscribe_url }}"},
		{Subject: "Until {{ offer.expires_on | default: 'soon' }}", HTML: `<b>{{ cart.value | default: "-" }}{{ last_item | default: "" }}</b> {{ unsubscribe_url }}`, Text: "{{ last_item | default: '-' }} {{ unsubscribe_url }}"},
		{Subject: "Hi", HTML: `{% if preferences_url %}<a href="{{ preferences_url }}">choose</a>{% endif %} <a href="{{ unsubscribe_url }}">leave</a>`, Text: "{{ preferences_url | default: '-' }} {{ unsubscribe_url }}"},
		{Subject: "Hi", HTML: `{%- if preferences_url -%}<a href="{{preferences_url}}">choose</a>{% endif %} <a href="{{ unsubscribe_url }}">leave</a>`, Text: "{{ preferences_url }} {{ unsubscribe_url }}"},
		{Subject: "No link", Text: "{{ first_name | default: 'you' }}"},
	}
	shared := NewRenderer()
	rapid.Check(t, func(t *rapid.T) {
		c := lifecycle.Creative{Channel: lifecycle.Email, Parts: rapid.SampledFrom(copies).Draw(t, "copy")}
		fields := Fields{FieldUnsubscribeURL: fmt.Sprintf("https://shop.example/u/%d?a=1&b=2", rapid.IntRange(0, 1000).Draw(t, "customer"))}
		if rapid.Bool().Draw(t, "page") {
			fields[FieldPreferencesURL] = fmt.Sprint(fields[FieldUnsubscribeURL]) + "/preferences"
		}
		if name := rapid.SampledFrom([]string{"", "Ada", "Bo & Co", "-"}).Draw(t, "name"); name != "" {
			fields[FieldFirstName] = name
		}
		if item := rapid.SampledFrom([]string{"", "Ada", "Lamp"}).Draw(t, "item"); item != "" {
			fields[FieldLastItem] = item
		}
		if rapid.Bool().Draw(t, "offer") {
			fields[FieldOfferExpiresOn] = time.Date(2026, 3, rapid.IntRange(1, 3).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		}
		got, err := shared.Render(c, fields)
		want, wantErr := NewRenderer().Render(c, fields)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Fatalf("%+v (%v)\nwant %+v (%v)", got, err, want, wantErr)
		}
	})
}

func TestReprintable(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`<a href="{{ unsubscribe_url }}">x</a>`:                    true,
		`{{unsubscribe_url}}`:                                      true,
		`{{ unsubscribe_url | upcase }}`:                           false,
		`{% if unsubscribe_url %}{{ unsubscribe_url }}{% endif %}`: false,
		`{% if preferences_url %}<a href="{{ preferences_url }}">p</a>{% endif %}{{ unsubscribe_url }}`: true,
		`{{ preferences_url | upcase }}{{ unsubscribe_url }}`:                                           false,
		`{% unless preferences_url %}x{% endunless %}{{ unsubscribe_url }}`:                             false,
		`nothing`: false,
	} {
		if got := reprintable(lifecycle.Parts{HTML: body}); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	if reprintable(lifecycle.Parts{Subject: "{{ unsubscribe_url }}", HTML: "{{ unsubscribe_url }}"}) {
		t.Error("a link in the subject")
	}
}
