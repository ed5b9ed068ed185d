package copywriter_test

import (
	"html"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
)

func email(p lifecycle.Parts) lifecycle.Creative {
	if p.Subject == "" {
		p.Subject = "Hello"
	}
	return lifecycle.Creative{Channel: lifecycle.Email, Parts: p}
}

func render(t *testing.T, p lifecycle.Parts, data copywriter.Fields) lifecycle.Parts {
	t.Helper()
	out, err := copywriter.NewRenderer().Render(email(p), data)
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	return out
}

func TestRender(t *testing.T) {
	t.Parallel()
	june := time.Date(2030, 6, 4, 12, 0, 0, 0, time.UTC)
	data := copywriter.Fields{
		"first_name": "ada", "offer.label": "10% off", "offer.expires_on": june,
		"cart.value": lifecycle.Money{Amount: 8450, Currency: "USD"}, "shop_url": "https://shop.example.com/?a=1&b=2",
	}
	cases := []struct{ source, want string }{
		{`Hi {{ first_name | capitalize }}!`, "Hi Ada!"},
		{`Hi {{first_name|upcase}}`, "Hi ADA"},
		{`Hi {{ last_item | default: "there" }}`, "Hi there"},
		{`{{ last_item | default: first_name | capitalize }}`, "Ada"},
		{`{{ cart.url | default: shop_url }}`, "https://shop.example.com/?a=1&b=2"},
		{`until {{ offer.expires_on }}`, "until June 4, 2030"},
		{`until {{ offer.expires_on | date: "%d.%m." }}`, "until 04.06."},
		{`{{ cart.value }}`, "$84.50"},
		{`{{ offer.label | truncate: 3 }}`, "10%…"},
		{`{% if offer.code %}code{% else %}no code{% endif %}`, "no code"},
		{`{% if first_name == "ada" and offer.label %}yes{% endif %}`, "yes"},
		{`{% unless last_item %}none{% endunless %}`, "none"},
		{"a {{- first_name -}} b", "aadab"},
		{"{ x } {first_name} %", "{ x } {first_name} %"},
		{`{{ last_item | default: "" }}.`, "."},
	}
	for _, c := range cases {
		if got := render(t, lifecycle.Parts{Text: c.source}, data).Text; got != c.want {
			t.Errorf("%s rendered %q, want %q", c.source, got, c.want)
		}
	}
}

func TestMissingAndUnknownFieldsAreNamed(t *testing.T) {
	t.Parallel()
	r := copywriter.NewRenderer()
	_, err := r.Render(email(lifecycle.Parts{Text: "Hi {{ first_name }}"}), copywriter.Fields{"first_name": "  "})
	if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), "first_name has no value") {
		t.Errorf("missing value: %v", err)
	}
	_, err = r.Render(email(lifecycle.Parts{Text: "Hi {{ frist_name }}"}), nil)
	if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), `"frist_name"`) || !strings.Contains(err.Error(), "first_name") {
		t.Errorf("unknown field: %v", err)
	}
	_, err = r.Render(email(lifecycle.Parts{Text: "Hi"}), copywriter.Fields{"shoe_size": "9"})
	if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), "shoe_size") {
		t.Errorf("unknown value: %v", err)
	}
	_, err = r.Render(email(lifecycle.Parts{Text: "{{ cart.value }}"}), copywriter.Fields{"cart.value": "84.50"})
	if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), "cart.value") {
		t.Errorf("wrong type: %v", err)
	}
	_, err = r.Render(email(lifecycle.Parts{Text: "{{ shop_url }}"}), copywriter.Fields{"shop_url": "javascript:alert(1)"})
	if lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("script address: %v", err)
	}
}

func TestEmptySubjectIsRefused(t *testing.T) {
	t.Parallel()
	c := lifecycle.Creative{Channel: lifecycle.Email, Parts: lifecycle.Parts{Subject: `{% if offer.code %}Code{% endif %}`, Text: "x"}}
	if _, err := copywriter.NewRenderer().Render(c, nil); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestHostileValues(t *testing.T) {
	t.Parallel()
	p := lifecycle.Parts{
		Subject: `For {{ first_name | default: "you" }}`,
		Text:    `Hi {{ first_name | default: "you" }}`,
		HTML:    `<p title="{{ first_name | default: "you" }}">{{ first_name | default: "you" }} {{ subject }}</p>`,
	}
	for _, name := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "Ada\r\nBcc: evil@example.com", "{{ offer.code }}", "{% raw %}",
		"}}{{", "{{{{", "\u202eada", "\x00\x1b[31m", "' onmouseover='x", "&lt;", strings.Repeat("x", 10_000), "\xff\xfe", "{\u200b{ x }\u200b}",
	} {
		out := render(t, p, copywriter.Fields{"first_name": name})
		if strings.ContainsAny(out.Subject, "\r\n\x00") || strings.ContainsAny(out.Text, "\r\n\x00\x1b\u202e") {
			t.Errorf("%q: subject %q, text %q", name, out.Subject, out.Text)
		}
		for part, s := range map[string]string{"subject": out.Subject, "text": out.Text, "html": out.HTML} {
			if strings.Contains(s, "{{") || strings.Contains(s, "{%") || strings.Contains(s, "}}") {
				t.Errorf("%q: template syntax in %s: %q", name, part, s)
			}
			if len(s) > 2000 {
				t.Errorf("%q: %s has %d bytes", name, part, len(s))
			}
		}
		if strings.Count(out.HTML, "<") != 2 || strings.Count(out.HTML, `"`) != 2 {
			t.Errorf("%q breaks out of the markup: %s", name, out.HTML)
		}
	}
	for _, name := range []string{"http://evil.example", "see www.evil.example now"} {
		if out := render(t, p, copywriter.Fields{"first_name": name}); out.Text != "Hi you" {
			t.Errorf("a name that is a link was used: %q", out.Text)
		}
	}
}

func TestValuesRoundTripThroughHTML(t *testing.T) {
	t.Parallel()
	r := copywriter.NewRenderer()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.String().Draw(rt, "name")
		c := email(lifecycle.Parts{
			Text: `[{{ first_name | default: "-" }}]`,
			HTML: `<i title='{{ first_name | default: "-" }}'>{{ first_name | default: "-" }}</i>`,
		})
		out, err := r.Render(c, copywriter.Fields{"first_name": name})
		if err != nil {
			rt.Fatal(err)
		}
		plain := out.Text[1 : len(out.Text)-1]
		escaped := html.EscapeString(plain)
		if want := `<i title='` + escaped + `'>` + escaped + `</i>`; out.HTML != want {
			rt.Fatalf("html %q, want %q", out.HTML, want)
		}
	})
}

func TestRendererIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := copywriter.NewRenderer()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := strings.Repeat("x", i+1)
			for range 200 {
				out, err := r.Render(email(lifecycle.Parts{Text: "{% if first_name %}{{ first_name }}{% endif %}"}), copywriter.Fields{"first_name": name})
				if err != nil || out.Text != name {
					t.Errorf("got %q, %v, want %q", out.Text, err, name)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzRender(f *testing.F) {
	f.Add(`Hi {{ first_name | default: "you" }}{% if offer.code %} {{ offer.code }}{% endif %}`, "Ada")
	f.Add(`<a href="{{ shop_url }}">{{- subject -}}</a>{{{`, "{{ x }}")
	f.Add(`{% unless cart.value %}{{ last_item | truncate: 3 }}{% elsif first_name == 'a' %}{% endunless %}`, "<b>")
	f.Fuzz(func(t *testing.T, source, name string) {
		for _, p := range []lifecycle.Parts{{Text: source}, {HTML: source}} {
			_, invalid := copywriter.Validate(p)
			data := copywriter.SampleFields()
			data["first_name"], data["last_item"] = name, name
			out, err := copywriter.NewRenderer().Render(email(p), data)
			if err != nil {
				if code := lifecycle.CodeOf(err); code != lifecycle.Invalid {
					t.Fatalf("unclassified error %v", err)
				}
				continue
			}
			if invalid != nil {
				t.Fatalf("invalid copy rendered: %v", invalid)
			}
			if strings.Contains(out.Text, "{{") || strings.Contains(out.HTML, "{{") {
				t.Fatalf("unresolved field in %q / %q", out.Text, out.HTML)
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	// 4 KB of HTML with a dozen fields, as a campaign mail has.
	words := strings.Repeat("Our new collection is here and it suits you. ", 10)
	paragraph := `<p style="margin:0">{{ first_name | default: "friend" }}, ` + words + "</p>\n"
	c := email(lifecycle.Parts{
		Subject: `{{ first_name | default: "you" }}, we miss you`, Preheader: "{{ offer.label }}",
		HTML: `<title>{{ subject }}</title><p>{{ preheader }}</p>` + strings.Repeat(paragraph, 8) +
			`<a href="{{ shop_url }}">Shop</a>{% if offer.code %}{{ offer.code }}{% endif %}<a href="{{ unsubscribe_url }}">Unsubscribe</a>`,
		Text: "Hi {{ first_name }},\n" + words + "{{ shop_url }} {{ offer.label }} {{ brand.address }} {{ unsubscribe_url }}",
	})
	r, data := copywriter.NewRenderer(), copywriter.SampleFields()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Render(c, data); err != nil {
			b.Fatal(err)
		}
	}
}
