package copywriter_test

import (
	"slices"
	"strings"
	"testing"

	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
)

func TestValidateListsFields(t *testing.T) {
	t.Parallel()
	fields, err := copywriter.Validate(lifecycle.Parts{
		Subject: `{{ first_name | default: "you" }}`,
		Text:    `{% if offer.code and offer.label != "x" %}{{ offer.code }}{% elsif last_item %}{{ last_item }}{% endif %}`,
		HTML:    `<a href="{{ shop_url }}">{{ first_name | default: last_item }}</a>`,
	})
	want := []string{"first_name", "last_item", "offer.code", "offer.label", "shop_url"}
	if err != nil || !slices.Equal(fields, want) {
		t.Errorf("Validate = %v, %v, want %v", fields, err, want)
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct{ source, says string }{
		{"{{ frist_name }}", "unknown merge field"},
		{"{{ customer.email }}", "unknown merge field"},
		{"{{ first_name | escape }}", `filter "escape" is not allowed`},
		{"{{ first_name | out: 'x' }}", `filter "out" is not allowed`},
		{"{{ first_name | json }}", "not allowed"},
		{"{{ first_name | default }}", "needs an argument"},
		{"{{ first_name | truncate: x }}", "needs an argument"},
		{"{{ first_name | date: '%B' }}", "needs a date field"},
		{"{{ offer.expires_on | date: '%Z' }}", "needs a format"},
		{"{{ first_name", "has no"},
		{"{{ first_name }", "has no"},
		{"{{ first_name\n}}", "on the same line"},
		{"{{{ first_name }}}", "cannot read"},
		{"{{ }}", "nothing between"},
		{"{{ 'x' }}", "unknown merge field"},
		{"{{ first_name last_item }}", "unexpected"},
		{"{{ first_name[0] }}", "cannot read"},
		{"first_name }}", "closing braces"},
		{"{% for x in y %}{% endfor %}", `tag "for" is not allowed`},
		{"{% assign x = 1 %}", "not allowed"},
		{"{% include 'x' %}", "not allowed"},
		{"{% raw %}{% endraw %}", "not allowed"},
		{"{% comment %}{% endcomment %}", "not allowed"},
		{"{% if first_name %}", "not closed"},
		{"{% if %}{% endif %}", "incomplete"},
		{"{% if cart.value == 'x' %}{% endif %}", "compare a text field"},
		{"{% if first_name == last_item %}{% endif %}", "compare a text field"},
		{"{{ shop_url | default: 'javascript:x' }}", "another link field"},
		{"{{ first_name | default: shop_url }}", "default for first_name is link"},
		{"{{ subject }}", "html part only"},
	}
	for _, c := range cases {
		_, err := copywriter.Validate(lifecycle.Parts{Text: c.source})
		if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "text: ") {
			t.Errorf("%s: %v, want it to say %q", c.source, err, c.says)
		}
	}
}

func TestUnbalancedTagsDoNotRender(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"{% endif %}", "{% else %}", "{% if first_name %}{% endunless %}", "{% endif %}{% if first_name %}"} {
		if _, err := copywriter.NewRenderer().Render(email(lifecycle.Parts{Text: source}), nil); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestValidateHTML(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`<p>{{ first_name }}</p>`, `<a href="{{ shop_url }}">x</a>`, `<a href='{{ cart.url | default: shop_url }}' title="{{ first_name }}">x</a>`,
		`<style>p { color: red; }</style><p>{{ preheader }}</p>`, `<img alt="{{ last_item }}" src="https://shop.example.com/a.png">`,
		`<!-- note --><p>{{ first_name }}</p>`,
	} {
		if _, err := copywriter.Validate(lifecycle.Parts{HTML: source}); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	for source, says := range map[string]string{
		`<p title={{ first_name }}>`:                               "needs quotes",
		`<p {{ first_name }}>`:                                     "needs quotes",
		`<{{ first_name }}>`:                                       "needs quotes",
		`<a href="{{ first_name }}">`:                              "cannot be an address",
		`<img src='{{ last_item }}'>`:                              "cannot be an address",
		`<style>p { color: {{ first_name }}; }</style>`:            "inside a style",
		`<STYLE type="text/css">{{ first_name }}</STYLE>`:          "inside a style",
		`<!-- {{ first_name }} -->`:                                "comment",
		`<script>alert(1)</script>`:                                "active content",
		`<ScRiPt src="x">`:                                         "active content",
		`<img src="x" onerror="alert(1)">`:                         "active content",
		`<a href="javascript:alert(1)">`:                           "active content",
		`<iframe src="https://shop.example.com/"></iframe>`:        "active content",
		`<form action="/"><input name="q"></form>`:                 "active content",
		`{% if first_name %}<p title={{ first_name }}>{% endif %}`: "needs quotes",
		`<a href="x" title="a>b" class={{ first_name }}>x</a>`:     "needs quotes",
	} {
		if _, err := copywriter.Validate(lifecycle.Parts{HTML: source}); lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", source, err, says)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(`<a href="{{ shop_url }}">{% if offer.code == 'x' %}{{- first_name | default: "a" -}}{% endif %}</a>`)
	f.Add("{{{%}}%}{{ '")
	f.Fuzz(func(t *testing.T, source string) {
		for _, p := range []lifecycle.Parts{{Text: source}, {HTML: source}} {
			fields, err := copywriter.Validate(p)
			if err != nil && lifecycle.CodeOf(err) != lifecycle.Invalid {
				t.Fatalf("unclassified error %v", err)
			}
			if !slices.IsSorted(fields) {
				t.Fatalf("fields not sorted: %v", fields)
			}
		}
	})
}
