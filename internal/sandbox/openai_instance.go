package sandbox

import (
	"fmt"
	"maps"
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"touchstone/internal/sandbox/draw"
)

const (
	// maxInstanceDepth stops recursive schemas; below it unions take null and
	// arrays stay as short as they may.
	maxInstanceDepth = 12
	// maxInstanceValues stops schemas that no finite answer satisfies; what
	// follows is null.
	maxInstanceValues = 20_000
)

// instance writes values that satisfy a schema. Strings with a known property
// name are marketing copy.
type instance struct {
	schema *jsonSchema
	key    *draw.Stream
	brief  copyBrief
	values int // written so far
}

func (g *instance) root() any {
	return g.value(g.schema.root, "", draftCopy(g.key, g.brief), 0)
}

// value writes one value for the property called name.
func (g *instance) value(node any, name string, d draft, depth int) any {
	if g.values++; g.values > maxInstanceValues {
		return nil
	}
	schema, ok := node.(map[string]any)
	if !ok {
		return g.words(name, d)
	}
	if ref, ok := schema["$ref"].(string); ok {
		target, err := resolve(g.schema.root, ref)
		if err != nil || depth > 4*maxInstanceDepth {
			return nil
		}
		return g.value(target, name, d, depth+1)
	}
	if v, ok := schema["const"]; ok {
		return v
	}
	if list, ok := schema["enum"].([]any); ok && len(list) > 0 {
		return list[0]
	}
	for _, union := range []string{"anyOf", "oneOf"} {
		if list, ok := schema[union].([]any); ok && len(list) > 0 {
			return g.union(list, name, d, depth)
		}
	}
	types, err := typesOf(schema)
	if err != nil || len(types) == 0 {
		if schema["properties"] != nil {
			types = []string{"object"}
		} else {
			types = []string{"string"}
		}
	}
	first := slices.IndexFunc(types, func(t string) bool { return t != "null" })
	if first < 0 || depth > maxInstanceDepth && slices.Contains(types, "null") {
		return nil
	}
	kind := types[first]
	switch kind {
	case "object":
		return g.object(schema, d, depth)
	case "array":
		return g.array(schema, name, d, depth)
	case "integer", "number":
		return number(schema, kind == "integer")
	case "boolean":
		return true
	}
	return g.text(schema, name, d)
}

func (g *instance) union(list []any, name string, d draft, depth int) any {
	for _, part := range list {
		schema, _ := part.(map[string]any)
		if null := schema["type"] == "null"; null == (depth > maxInstanceDepth) {
			return g.value(part, name, d, depth+1)
		}
	}
	return g.value(list[0], name, d, depth+1)
}

func (g *instance) object(schema map[string]any, d draft, depth int) any {
	properties, _ := schema["properties"].(map[string]any)
	if depth > 0 {
		d = draftCopy(g.key, g.brief) // every nested object is a piece of copy of its own
	}
	_, d.signed = properties["closing"]
	out := make(map[string]any, len(properties))
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out[name] = g.value(properties[name], name, d, depth+1)
	}
	return out
}

func (g *instance) array(schema map[string]any, name string, d draft, depth int) any {
	low, high := 0, 1000
	if v, ok := schema["minItems"].(float64); ok {
		low = int(min(v, maxInstanceValues))
	}
	if v, ok := schema["maxItems"].(float64); ok {
		high = int(v)
	}
	out := []any{}
	items, _ := schema["items"].(map[string]any)
	if isParagraphs(name) && freeText(items) {
		for _, p := range d.written() {
			if len(out) < high {
				out = append(out, p)
			}
		}
	}
	want := max(low, 1)
	if name == "variants" {
		want = max(want, min(g.brief.Variants, 16))
	}
	if depth > maxInstanceDepth {
		want = low
	}
	for len(out) < min(want, high) {
		out = append(out, g.value(items, name, d, depth+1))
	}
	return out
}

// freeText reports whether a schema asks for nothing more than a string.
func freeText(schema map[string]any) bool {
	for key := range schema {
		if key != "type" && key != "description" && key != "title" {
			return false
		}
	}
	return schema["type"] == "string"
}

// number is the smallest allowed value of at least 1, or the closest to it.
func number(schema map[string]any, whole bool) any {
	limit := func(name string, otherwise float64) float64 {
		if v, ok := schema[name].(float64); ok {
			return v
		}
		return otherwise
	}
	step := limit("multipleOf", 0)
	if whole && step == 0 {
		step = 1
	}
	low := max(limit("minimum", math.Inf(-1)), limit("exclusiveMinimum", math.Inf(-1)))
	high := min(limit("maximum", math.Inf(1)), limit("exclusiveMaximum", math.Inf(1)))
	v := min(max(1, low), high)
	if step > 0 {
		if v = math.Ceil(v/step) * step; v > high {
			v -= step
		}
		if v == limit("exclusiveMinimum", math.Inf(-1)) {
			v += step
		}
		if v == limit("exclusiveMaximum", math.Inf(1)) {
			v -= step
		}
	} else if v == limit("exclusiveMinimum", math.Inf(-1)) || v == limit("exclusiveMaximum", math.Inf(1)) {
		if math.IsInf(low, 0) {
			v = high - 1
		} else if math.IsInf(high, 0) {
			v = low + 1
		} else {
			v = (low + high) / 2
		}
	}
	if whole {
		return int64(v)
	}
	return v
}

var formatExamples = map[string]string{
	"date-time": "2026-01-15T10:00:00Z", "time": "10:00:00Z", "date": "2026-01-15", "duration": "P3D", "email": "hello@example.com",
	"hostname": "www.example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uuid": "6d6f6e64-6179-4d6f-8e69-6e6700000001",
}

func (g *instance) text(schema map[string]any, name string, d draft) string {
	if f, ok := schema["format"].(string); ok && formatExamples[f] != "" {
		return formatExamples[f]
	}
	if p, ok := schema["pattern"].(string); ok {
		if re, err := syntax.Parse(p, syntax.Perl); err == nil {
			var b strings.Builder
			example(&b, re.Simplify())
			return b.String()
		}
	}
	s := g.words(name, d)
	if n, ok := schema["maxLength"].(float64); ok {
		for utf8.RuneCountInString(s) > int(n) {
			_, size := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-size]
		}
	}
	if n, ok := schema["minLength"].(float64); ok {
		for utf8.RuneCountInString(s) < int(min(n, maxInstanceValues)) {
			s += "."
		}
	}
	return s
}

// example writes a short string that a regular expression matches.
func example(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			r := re.Rune[0]
			for i := 0; i < len(re.Rune); i += 2 { // prefer a letter over what comes first
				if re.Rune[i] <= 'a' && 'a' <= re.Rune[i+1] {
					r = 'a'
				}
			}
			b.WriteRune(r)
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpPlus, syntax.OpCapture:
		example(b, re.Sub[0])
	case syntax.OpRepeat:
		for range re.Min {
			example(b, re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			example(b, sub)
		}
	case syntax.OpAlternate:
		example(b, re.Sub[0])
	}
}

// isParagraphs reports whether a list of this name holds the body of a message.
func isParagraphs(name string) bool {
	return slices.Contains([]string{"body", "paragraphs", "body_paragraphs", "content", "text", "blocks"}, strings.ToLower(name))
}

// words is the copy for a property by its name.
func (g *instance) words(name string, d draft) string {
	switch n := strings.ToLower(name); {
	case strings.HasPrefix(n, "sms") || strings.HasPrefix(n, "push") || strings.Contains(n, "short"):
		return d.short
	case n == "text" || n == "plain_text" || n == "text_body":
		return d.text(g.brief)
	case strings.Contains(n, "preheader") || strings.Contains(n, "preview"):
		return d.preheader
	case strings.Contains(n, "subject"):
		return d.subject
	case strings.Contains(n, "headline") || strings.Contains(n, "title") || strings.Contains(n, "heading"):
		return d.headline
	case strings.Contains(n, "call_to_action") || n == "cta" || strings.Contains(n, "cta_text") || strings.Contains(n, "cta_label") || strings.Contains(n, "button"):
		return d.action
	case n == "closing" || n == "sign_off" || n == "signature":
		return d.closing
	case strings.Contains(n, "url") || strings.Contains(n, "link") || strings.Contains(n, "href"):
		return g.brief.ShopURL
	case n == "html" || n == "html_body" || n == "body_html":
		return d.html()
	case isParagraphs(n) || strings.Contains(n, "body") || strings.Contains(n, "message"):
		return strings.Join(d.written(), "\n\n")
	case n == "":
		return d.plain()
	case strings.Contains(n, "reason") || strings.Contains(n, "rationale") || strings.Contains(n, "note"):
		return fmt.Sprintf("Written for the slot %q in the brand's tone.", g.brief.Slot)
	}
	return d.paragraphs[0]
}
