package sandbox

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"

	"touchstone/internal/sandbox/draw"
)

// copyBrief is what the writer understands of a request: the last user message
// when it is a JSON object with these keys. Anything else gives neutral copy.
type copyBrief struct {
	Slot        string       `json:"slot"`
	Goal        string       `json:"goal"`
	Channel     string       `json:"channel"`
	Brand       string       `json:"brand"`
	ShopURL     string       `json:"shop_url"`
	Offer       *offerBrief  `json:"offer"`
	MergeFields []mergeField `json:"merge_fields"`
	Prefer      []string     `json:"prefer_words"`
	Avoid       []string     `json:"avoid_words"`
	Variants    int          `json:"variants"`
}

type offerBrief struct {
	Label string `json:"label"`
	Code  string `json:"code"`
}

// mergeField is a name, or an object with a name.
type mergeField string

// UnmarshalJSON accepts "first_name" and {"name":"first_name"}.
func (m *mergeField) UnmarshalJSON(raw []byte) error {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		*m = mergeField(name)
		return nil
	}
	var object struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	*m = mergeField(object.Name)
	return nil
}

// readBrief reads each key on its own, so that an unknown shape of one of them
// does not lose the others.
func readBrief(user string) copyBrief {
	b := copyBrief{ShopURL: "https://shop.example.com/"}
	var keys map[string]json.RawMessage
	if json.Unmarshal([]byte(user), &keys) != nil {
		return b
	}
	read := func(name string, into any) {
		if raw, ok := keys[name]; ok {
			_ = json.Unmarshal(raw, into) // a key of another shape is one the writer does not understand
		}
	}
	read("slot", &b.Slot)
	read("goal", &b.Goal)
	read("channel", &b.Channel)
	read("brand", &b.Brand)
	read("shop_url", &b.ShopURL)
	read("offer", &b.Offer)
	read("merge_fields", &b.MergeFields)
	read("prefer_words", &b.Prefer)
	read("avoid_words", &b.Avoid)
	read("variants", &b.Variants)
	if b.Offer != nil && b.Offer.Label == "" {
		b.Offer = nil
	}
	return b
}

// mobile reports whether the copy is for a small screen.
func (b copyBrief) mobile() bool {
	return slices.Contains([]string{"sms", "push", "whatsapp"}, strings.ToLower(b.Channel))
}

// field is the first listed merge field whose name contains all the parts, or "".
func (b copyBrief) field(parts ...string) string {
	for _, f := range b.MergeFields {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(strings.ToLower(string(f)), p)
		}
		if all {
			return string(f)
		}
	}
	return ""
}

// token is the Liquid expression for the first field, with a default where one
// is given, and "" when there is none.
func token(otherwise string, fields ...string) string {
	for _, f := range fields {
		switch {
		case f != "" && otherwise != "":
			return "{{ " + f + ` | default: "` + otherwise + `" }}`
		case f != "":
			return "{{ " + f + " }}"
		}
	}
	return ""
}

// replacements say what the placeholders of the phrase book stand for. Merge
// fields are used where they are listed; an offer's label and code are written
// out only when there is no field for them.
func (b copyBrief) replacements() map[string]string {
	r := map[string]string{
		"{name}":  token("there", b.field("first_name"), b.field("firstname")),
		"{item}":  token("your last order", b.field("cart", "item"), b.field("item"), b.field("product")),
		"{brand}": b.Brand,
	}
	if f := b.field("brand", "name"); f != "" {
		r["{brand}"] = token("", f)
	}
	if b.Offer == nil {
		return r
	}
	r["{offer}"], r["{code}"] = b.Offer.Label, b.Offer.Code
	if f := b.field("offer", "label"); f != "" {
		r["{offer}"] = token("", f)
	}
	if f := b.field("offer", "code"); f != "" {
		r["{code}"] = token("", f)
	}
	return r
}

// draft is one coherent piece of copy.
type draft struct {
	subject, preheader, headline string
	paragraphs                   []string
	closing                      string
	signed                       bool // the closing has a property of its own
	action, url                  string
	short                        string // without link and opt-out
}

// body is the paragraphs with the closing.
func (d draft) body() []string { return append(slices.Clone(d.paragraphs), d.closing) }

// written is the body without a closing that stands elsewhere.
func (d draft) written() []string {
	if d.signed {
		return d.paragraphs
	}
	return d.body()
}

func (d draft) plain() string {
	return strings.Join(d.body(), "\n\n") + "\n\n" + d.action + ": " + d.url
}

// text is the message as the channel of the brief shows it.
func (d draft) text(b copyBrief) string {
	if !b.mobile() {
		return d.plain()
	}
	s := d.short + " " + d.url
	if strings.EqualFold(b.Channel, "sms") {
		if b.Brand != "" {
			s = b.Brand + ": " + s
		}
		s += " Reply STOP to opt out."
	}
	return s
}

func (d draft) html() string {
	var b strings.Builder
	b.WriteString("<h1>" + html.EscapeString(d.headline) + "</h1>")
	for _, p := range d.body() {
		b.WriteString("<p>" + escapeText(p) + "</p>")
	}
	b.WriteString(`<p><a href="` + html.EscapeString(d.url) + `">` + html.EscapeString(d.action) + "</a></p>")
	return b.String()
}

// escapeText escapes for HTML but leaves Liquid expressions as they are.
func escapeText(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{{")
		b.WriteString(html.EscapeString(before))
		if !found {
			return b.String()
		}
		inside, after, _ := strings.Cut(rest, "}}")
		b.WriteString("{{" + inside + "}}")
		s = after
	}
}

// compose answers a request with text that follows its response format.
func compose(key *draw.Stream, req *chatRequest, schema *jsonSchema, user string) string {
	brief := readBrief(user)
	if schema == nil && (req.ResponseFormat == nil || req.ResponseFormat.Type != "json_object") {
		return draftCopy(key, brief).plain()
	}
	var value any
	if schema != nil {
		value = (&instance{schema: schema, key: key, brief: brief}).root()
	} else {
		d := draftCopy(key, brief)
		value = map[string]any{"subject": d.subject, "preheader": d.preheader, "headline": d.headline, "body": d.body(),
			"call_to_action": d.action, "text": d.plain()}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic("sandbox: decoded JSON always encodes: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// draftCopy writes one piece of copy from the phrase book. The offer's label
// and code (or their merge fields) appear exactly when there is an offer;
// nothing else is promised.
func draftCopy(key *draw.Stream, b copyBrief) draft {
	book, replace := phrasesFor(b), b.replacements()
	pick := func(choices []string) string { return fill(key, choices, replace, b) }
	d := draft{
		subject: pick(book.subjects), preheader: pick(book.preheaders), headline: pick(book.headlines),
		action: pick(book.actions), url: b.ShopURL, short: pick(book.shorts), closing: pick(book.closers),
	}
	d.paragraphs = []string{pick(book.openers), pick(book.middles)}
	if b.Offer != nil {
		d.subject, d.preheader = pick(offerSubjects), pick(offerPreheaders)
		if key.Bool(0.5) {
			d.subject = pick(book.subjects)
		}
		long, short := offerParagraphs, offerShorts
		if replace["{code}"] == "" {
			long, short = codelessOffers, codelessOffers
		}
		d.paragraphs = append(d.paragraphs, pick(long))
		d.short += " " + pick(short)
	}
	return d
}

// fill picks a phrase whose placeholders can all be filled and which has none
// of the words to avoid; phrases with a preferred word go first.
func fill(key *draw.Stream, choices []string, replace map[string]string, b copyBrief) string {
	var usable, preferred []string
	for _, c := range choices {
		text, ok := c, true
		for placeholder := range placeholders(c) {
			value := replace[placeholder]
			ok = ok && value != ""
			text = strings.ReplaceAll(text, placeholder, value)
		}
		if !ok || containsWord(text, b.Avoid) {
			continue
		}
		usable = append(usable, text)
		if containsWord(text, b.Prefer) {
			preferred = append(preferred, text)
		}
	}
	if len(preferred) > 0 && key.Bool(0.7) {
		return draw.Pick(key, preferred)
	}
	if len(usable) == 0 {
		return "See what is new."
	}
	return draw.Pick(key, usable)
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func placeholders(s string) map[string]bool {
	out := map[string]bool{}
	for _, p := range placeholder.FindAllString(s, -1) {
		out[p] = true
	}
	return out
}

// containsWord reports whether text holds one of the words, whole and without
// regard to case.
func containsWord(text string, words []string) bool {
	lower := strings.ToLower(text)
	for _, w := range words {
		w = strings.ToLower(strings.TrimSpace(w))
		if w == "" {
			continue
		}
		for from := 0; ; {
			i := strings.Index(lower[from:], w)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(w)
			if (start == 0 || !wordByte(lower[start-1])) && (end == len(lower) || !wordByte(lower[end])) {
				return true
			}
			from = start + 1
		}
	}
	return false
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}
