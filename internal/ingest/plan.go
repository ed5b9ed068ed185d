package ingest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"touchstone/internal/lifecycle"
)

// plan is a mapping made ready for one file: what to take from where.
type plan struct {
	kind     Kind
	mapped   bool // a mapping was given: columns it does not name are ignored
	header   map[string]int
	columns  int // of a CSV file
	delim    byte
	skip     cel.Program
	values   map[string]*value
	extras   []namedValue // attributes or properties
	lines    bool
	window   int
	ignored  []string // columns of the header nobody asked for
	currency string   // the brand's
	now      time.Time
	zones    *zones
}

type namedValue struct {
	name string
	value
}

// newPlan compiles what does not depend on a header.
func newPlan(kind Kind, m Mapping, currency string, now time.Time) (*plan, error) {
	if m.Kind != "" && m.Kind != kind {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the mapping is for %s, the import for %s: use the mapping's kind", m.Kind, kind)
	}
	m.Kind = kind
	if err := m.validate(); err != nil {
		return nil, err
	}
	p := &plan{
		kind: kind, mapped: len(m.Columns)+len(m.Attributes)+len(m.Properties) > 0, delim: 0,
		values: map[string]*value{}, lines: m.Lines, window: m.Window, currency: currency, now: now, zones: &zones{},
	}
	if p.window == 0 {
		p.window = DefaultWindow
	}
	if m.Delimiter != "" {
		p.delim = m.Delimiter[0]
	}
	var err error
	if m.Skip != "" {
		if p.skip, err = compile(m.Skip, true); err != nil {
			return nil, err
		}
	}
	comma := m.Decimal == ","
	for name, c := range m.Columns {
		v, err := newValue(c, comma)
		if err != nil {
			return nil, err
		}
		p.values[name] = &v
	}
	for _, name := range targets[kind] {
		if p.values[name] == nil {
			p.values[name] = &value{Column: Column{Column: name}, comma: comma}
		}
	}
	extras := m.Attributes
	if kind == Events {
		extras = m.Properties
	}
	for name, c := range extras {
		v, err := newValue(c, comma)
		if err != nil {
			return nil, err
		}
		p.extras = append(p.extras, namedValue{name, v})
	}
	slices.SortFunc(p.extras, func(a, b namedValue) int { return strings.Compare(a.name, b.name) })
	return p, nil
}

func newValue(c Column, comma bool) (value, error) {
	v := value{Column: c, comma: comma}
	var err error
	if v.format, err = c.format(); err != nil {
		return v, err
	}
	if c.Expr != "" {
		v.program, err = compile(c.Expr, false)
	}
	return v, err
}

// takeHeader binds the plan to the columns of a CSV file.
func (p *plan) takeHeader(line string) error {
	if p.delim == 0 {
		p.delim = sniffDelimiter(line)
	}
	names, err := splitFields(line, p.delim, nil)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "the header cannot be read: %w", err)
	}
	p.header = make(map[string]int, len(names))
	p.columns = len(names)
	for i, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "column %d of the header has no name: name every column", i+1)
		}
		if _, twice := p.header[name]; twice {
			return lifecycle.Errorf(lifecycle.Invalid, "the header names column %q twice: rename one", name)
		}
		p.header[name] = i
	}
	used := map[string]bool{}
	for name, v := range p.values {
		if err := p.need(name, v, used); err != nil {
			return err
		}
	}
	for _, e := range p.extras {
		if err := p.need(e.name, &e.value, used); err != nil {
			return err
		}
	}
	if missing := p.missing(); len(missing) > 0 {
		return lifecycle.Errorf(lifecycle.Invalid, "the file has no column for %s: rename the columns or give a mapping", strings.Join(missing, ", "))
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		switch {
		case used[name]:
		case !p.mapped && p.kind != Orders && p.kind != Touches:
			p.extras = append(p.extras, namedValue{name, value{Column: Column{Column: name}}})
		default:
			p.ignored = append(p.ignored, name)
		}
	}
	return nil
}

// need records the header columns a value uses and fails when the mapping names
// one the file does not have. Columns nobody mapped may be absent.
func (p *plan) need(target string, v *value, used map[string]bool) error {
	for _, column := range append(slices.Clone(v.Multiply), v.Column.Column) {
		if column == "" {
			continue
		}
		if _, ok := p.header[column]; !ok && (column != target || len(v.Multiply) > 0) {
			return lifecycle.Errorf(lifecycle.Invalid, "the mapping takes %s from column %q, which the file does not have", target, column)
		}
		used[column] = true
	}
	return nil
}

// missing lists the required targets that no column of a CSV file can fill.
func (p *plan) missing() []string {
	needed := map[Kind][]string{
		Customers: {"external_id"},
		Events:    {"external_id", "name", "at"},
		Orders:    {"order_id", "external_id", "at", "total"},
		Touches:   {"external_id", "at", "journey"},
	}[p.kind]
	var missing []string
	for _, name := range needed {
		v := p.values[name]
		if _, ok := p.header[v.Column.Column]; v.Column.Column != "" && !ok {
			missing = append(missing, name)
		}
	}
	return missing
}

// fields decodes one CSV record.
func (p *plan) fields(record string, buf []string) (row, error) {
	fields, err := splitFields(record, p.delim, buf[:0])
	if err != nil {
		return row{}, err
	}
	if len(fields) != p.columns {
		return row{}, reject("", "has %d columns, the header %d", len(fields), p.columns)
	}
	return row{fields: fields, header: p.header}, nil
}

// text returns a target as text of at most limit bytes.
func (p *plan) text(name string, r *row, limit int) (string, error) {
	s, err := p.values[name].get(r)
	if err != nil {
		return "", err
	}
	return s, text(name, s, limit)
}

func (p *plan) required(name string, r *row, limit int) (string, error) {
	s, err := p.values[name].get(r)
	if err != nil {
		return "", err
	}
	return s, required(name, s, limit)
}

func (p *plan) instant(name string, r *row) (time.Time, error) {
	v := p.values[name]
	s, err := v.get(r)
	if err != nil {
		return time.Time{}, err
	}
	return v.format.instant(name, s, p.now)
}

// extra returns the JSON of one attribute or property, nil when the row has none.
func (v *namedValue) json(r *row) (json.RawMessage, error) {
	if r.object != nil && v.program == nil && v.Constant == nil && len(v.Multiply) == 0 && v.Type == "" && len(v.Values) == 0 {
		if raw := descend(r.object, v.Column.Column); string(raw) != "null" {
			return raw, nil
		}
		return nil, nil
	}
	s, err := v.get(r)
	if err != nil || s == "" {
		return nil, err
	}
	switch v.Type {
	case "number":
		d, err := v.number(v.name, r)
		if err != nil {
			return nil, err
		}
		return json.RawMessage(d.String()), nil
	case "bool":
		yes, err := truth(v.name, s)
		if err != nil {
			return nil, err
		}
		if yes {
			return json.RawMessage("true"), nil
		}
		return json.RawMessage("false"), nil
	}
	return quote(s), nil
}

func quote(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic("ingest: text always marshals: " + err.Error())
	}
	return b
}

// truth reads the usual ways to write yes and no.
func truth(column, s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y", "1":
		return true, nil
	case "false", "f", "no", "n", "0":
		return false, nil
	}
	return false, reject(column, "is neither true nor false")
}
