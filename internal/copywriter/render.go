package copywriter

import (
	"errors"
	"fmt"
	"html"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/osteele/liquid"
	"github.com/osteele/liquid/expressions"
	"github.com/osteele/tuesday"

	"touchstone/internal/lifecycle"
)

// Renderer fills merge fields. Compiled copy is kept by content, so a campaign
// compiles each creative once. Safe for concurrent use.
type Renderer struct {
	html *liquid.Engine // escapes every value for HTML
	text *liquid.Engine

	mu    sync.RWMutex
	cache map[lifecycle.Parts]*compiled
}

// cacheLimit bounds the compiled copies held. Beyond it all are dropped: a
// brand has far fewer creatives in use.
const cacheLimit = 2048

type compiled struct {
	fields                         []string
	subject, preheader, text, html *liquid.Template
	prints                         *prints // nil when it cannot be reprinted
}

// NewRenderer returns an empty renderer.
func NewRenderer() *Renderer {
	return &Renderer{
		html:  newEngine(html.EscapeString),
		text:  newEngine(func(s string) string { return s }),
		cache: map[lifecycle.Parts]*compiled{},
	}
}

// missingValue is a field used without value and without default.
type missingValue struct{ field string }

func (e missingValue) Error() string {
	return fmt.Sprintf("merge field %s has no value for this customer: add a default, for example {{ %s | default: \"there\" }}, or test it with if", e.field, e.field)
}

// newEngine returns a Liquid engine whose output filter ends in escape. Its
// filters replace the standard ones of the same name; copy can use no others,
// see parseSource.
func newEngine(escape func(string) string) *liquid.Engine {
	e := liquid.NewEngine()
	e.StrictVariables()
	e.RegisterFilter("default", func(v, other any) any {
		if v == nil {
			return other
		}
		return v
	})
	onText := func(name string, f func(string) string) {
		e.RegisterFilter(name, func(v any) any {
			if s, ok := v.(string); ok {
				return f(s)
			}
			return v
		})
	}
	onText("capitalize", func(s string) string {
		r, n := utf8.DecodeRuneInString(s)
		return string(unicode.ToUpper(r)) + s[n:]
	})
	onText("upcase", strings.ToUpper)
	onText("downcase", strings.ToLower)
	e.RegisterFilter("truncate", func(v any, n int) any {
		if r := []rune(fmt.Sprint(v)); v != nil && len(r) > n {
			return strings.TrimSpace(string(r[:n])) + "…"
		}
		return v
	})
	e.RegisterFilter("date", func(v any, format string) (any, error) {
		if d, ok := v.(time.Time); ok {
			return tuesday.Strftime(format, d)
		}
		return v, nil
	})
	e.RegisterFilter("out", func(v any, field string) (string, error) {
		switch v := v.(type) {
		case nil:
			return "", missingValue{field}
		case time.Time:
			return escape(formatDate(v)), nil
		default:
			return escape(fmt.Sprint(v)), nil
		}
	})
	return e
}

// Render fills the creative's parts with the fields' values. An unknown field,
// a value of the wrong type, or a field without value and default is an
// Invalid error that names it; nothing half-filled is ever returned.
//
// Values are cleaned (see Fields) and HTML-escaped in the HTML part. Subject
// and preheader come out as one line, so no value can add a mail header.
func (r *Renderer) Render(c lifecycle.Creative, data Fields) (lifecycle.Parts, error) {
	tpl, err := r.compile(c.Parts)
	if err != nil {
		return lifecycle.Parts{}, err
	}
	values := make(map[string]any, len(tpl.fields))
	for _, name := range tpl.fields {
		v, given := data[name]
		f, _ := fieldByName(name)
		if !given || v == nil || f.htmlOnly {
			continue
		}
		clean, err := f.value(v)
		if err != nil {
			return lifecycle.Parts{}, err
		}
		if clean != nil {
			values[variable(name)] = clean
		}
	}
	for name := range data {
		if _, ok := fieldByName(name); !ok {
			return lifecycle.Parts{}, lifecycle.Errorf(lifecycle.Invalid, "unknown merge field %q: use one of %s", name, fieldNames())
		}
	}

	link, _ := values[variable(FieldUnsubscribeURL)].(string)
	if tpl.prints == nil || link == "" {
		return tpl.fill(c.Channel, values)
	}
	words := string(c.Channel) + tpl.words(values, link)
	if out, ok := tpl.prints.get(words, link); ok {
		return out, nil
	}
	out, err := tpl.fill(c.Channel, values)
	if err == nil {
		tpl.prints.put(words, link, out)
	}
	return out, err
}

// fill renders all parts.
func (tpl *compiled) fill(channel lifecycle.Channel, values map[string]any) (out lifecycle.Parts, err error) {
	if out.Subject, err = fill(tpl.subject, values); err != nil {
		return lifecycle.Parts{}, err
	}
	if out.Preheader, err = fill(tpl.preheader, values); err != nil {
		return lifecycle.Parts{}, err
	}
	if out.Text, err = fill(tpl.text, values); err != nil {
		return lifecycle.Parts{}, err
	}
	out.Subject, out.Preheader = singleLine(out.Subject), singleLine(out.Preheader)
	if channel == lifecycle.Email && out.Subject == "" {
		return lifecycle.Parts{}, lifecycle.Errorf(lifecycle.Invalid, "subject renders to nothing: write a subject that does not depend on a merge field alone")
	}
	if out.Subject != "" {
		values[variable(FieldSubject)] = out.Subject
	}
	if out.Preheader != "" {
		values[variable(FieldPreheader)] = out.Preheader
	}
	if out.HTML, err = fill(tpl.html, values); err != nil {
		return lifecycle.Parts{}, err
	}
	return out, nil
}

func (r *Renderer) compile(p lifecycle.Parts) (*compiled, error) {
	r.mu.RLock()
	c, ok := r.cache[p]
	r.mu.RUnlock()
	if ok {
		return c, nil
	}
	fields, err := Validate(p)
	if err != nil {
		return nil, err
	}
	c = &compiled{fields: fields}
	if reprintable(p) {
		c.prints = &prints{}
	}
	for _, part := range partsOf(p) {
		if part.source == "" {
			continue
		}
		nodes, err := parsePart(part.name, part.source)
		if err != nil {
			return nil, err
		}
		engine := r.text
		if part.name == partHTML {
			engine = r.html
		}
		tpl, err := parseTemplate(engine, liquidSource(nodes))
		if err != nil {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "copy does not pass: %s: %w", part.name, err)
		}
		switch part.name {
		case partSubject:
			c.subject = tpl
		case partPreheader:
			c.preheader = tpl
		case partText:
			c.text = tpl
		case partHTML:
			c.html = tpl
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= cacheLimit {
		clear(r.cache)
	}
	r.cache[p] = c
	return c, nil
}

// parseTemplate compiles a source; the engine panics on some malformed input.
func parseTemplate(e *liquid.Engine, source string) (t *liquid.Template, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("template engine: %v", p)
		}
	}()
	t, serr := e.ParseString(source)
	if serr != nil {
		return nil, serr
	}
	return t, nil
}

// fill renders a compiled part; a nil part is empty.
func fill(t *liquid.Template, values map[string]any) (out string, err error) {
	if t == nil {
		return "", nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = lifecycle.Errorf(lifecycle.Internal, "template engine: %v", p)
		}
	}()
	out, serr := t.RenderString(values)
	if serr != nil {
		var missing missingValue
		if errors.As(causeOf(serr), &missing) {
			return "", lifecycle.Errorf(lifecycle.Invalid, "%w", missing)
		}
		return "", lifecycle.Errorf(lifecycle.Invalid, "copy does not render: %w", serr)
	}
	return out, nil
}

// causeOf digs the filter's own error out of the engine's wrapping.
func causeOf(err error) error {
	for range 8 {
		var f expressions.FilterError
		if errors.As(err, &f) {
			return f.Err
		}
		c, ok := err.(interface{ Cause() error })
		if !ok || c.Cause() == nil {
			return err
		}
		err = c.Cause()
	}
	return err
}

// singleLine removes every line break and control character.
func singleLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
