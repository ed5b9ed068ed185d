package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"touchstone/internal/lifecycle"
)

// Kind says what a file holds.
type Kind string

// Kinds of files.
const (
	Customers Kind = "customers"
	Events    Kind = "events"
	Orders    Kind = "orders"
	Touches   Kind = "touches" // and who was held out of them
)

// ParseKind returns the kind named s.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Customers, Events, Orders, Touches:
		return k, nil
	}
	return "", lifecycle.Errorf(lifecycle.Invalid, "unknown kind of import %q: use customers, events, orders or touches", s)
}

// DefaultWindow is how many rows apart the lines of one order may stand.
const DefaultWindow = 10_000

// Mapping says how the columns of a foreign file become ours. The zero Mapping
// takes columns that already carry our names.
type Mapping struct {
	Kind      Kind   `yaml:"kind"`
	Delimiter string `yaml:"delimiter"` // one character; empty = found from the header
	Decimal   string `yaml:"decimal"`   // "." (default) or ","
	// Lines: each row is one line of an order. Rows with the same order_id become
	// one order: total and items are added up, everything else comes from the
	// first line. The lines need not stand together, but each at most Window
	// rows after the one before it; a later one is rejected.
	Lines  bool `yaml:"lines"`
	Window int  `yaml:"window"`
	// Skip is a CEL condition over row (column name to text); rows for which it
	// holds are left out, counted, and not rejected.
	Skip       string            `yaml:"skip"`
	Columns    map[string]Column `yaml:"columns"`
	Attributes map[string]Column `yaml:"attributes"` // of customers
	Properties map[string]Column `yaml:"properties"` // of events

	source string // the YAML text; part of an import's identity
}

// Column says where one value comes from: exactly one of Column, Constant,
// Expr and Multiply; written as a plain string it is the column's name.
type Column struct {
	Column    string            `yaml:"column"`
	Constant  *string           `yaml:"constant"`
	Expr      string            `yaml:"expr"`      // CEL over row, giving text
	Multiply  []string          `yaml:"multiply"`  // exact product of decimal columns
	Layout    string            `yaml:"layout"`    // Go time layout, or "unix", "unix_ms"
	Zone      string            `yaml:"zone"`      // IANA zone of instants without an offset
	Values    map[string]string `yaml:"values"`    // translation of values
	Otherwise *string           `yaml:"otherwise"` // for values not in Values; unset = as they are
	Type      string            `yaml:"type"`      // of attributes and properties: string (default), number, bool
}

// UnmarshalYAML accepts a column name in place of the whole structure.
func (c *Column) UnmarshalYAML(unmarshal func(any) error) error {
	var name string
	if err := unmarshal(&name); err == nil {
		c.Column = name
		return nil
	}
	type plain Column
	return unmarshal((*plain)(c))
}

// maxMapping bounds a mapping file.
const maxMapping = 256 << 10

// ParseMapping reads a mapping file. Its errors name line and column.
func ParseMapping(text []byte) (Mapping, error) {
	var m Mapping
	if len(text) > maxMapping {
		return m, lifecycle.Errorf(lifecycle.Invalid, "the mapping is larger than %d KB", maxMapping>>10)
	}
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&m)
	if errors.Is(err, io.EOF) {
		return m, lifecycle.Errorf(lifecycle.Invalid, "the mapping is empty: write at least kind and columns")
	}
	if err != nil {
		return m, lifecycle.Errorf(lifecycle.Invalid, "mapping: %s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	m.source = string(text)
	return m, m.validate()
}

func (m Mapping) validate() error {
	if m.Kind != "" {
		if _, err := ParseKind(string(m.Kind)); err != nil {
			return fmt.Errorf("mapping: %w", err)
		}
	}
	if len(m.Delimiter) > 1 || strings.ContainsAny(m.Delimiter, "\"\r\n") {
		return lifecycle.Errorf(lifecycle.Invalid, "mapping: delimiter must be one character other than a quote or line break")
	}
	if m.Decimal != "" && m.Decimal != "." && m.Decimal != "," {
		return lifecycle.Errorf(lifecycle.Invalid, "mapping: decimal must be \".\" or \",\"")
	}
	if m.Lines && m.Kind != Orders {
		return lifecycle.Errorf(lifecycle.Invalid, "mapping: lines belongs to kind orders")
	}
	if m.Window < 0 || m.Window > 1_000_000 {
		return lifecycle.Errorf(lifecycle.Invalid, "mapping: window must lie between 1 and 1000000 rows")
	}
	for group, columns := range map[string]map[string]Column{"columns": m.Columns, "attributes": m.Attributes, "properties": m.Properties} {
		for name, c := range columns {
			if group == "columns" && !slices.Contains(targets[m.Kind], name) && m.Kind != "" {
				return lifecycle.Errorf(lifecycle.Invalid, "mapping: %s have no column %q: use one of %s", m.Kind, name, strings.Join(targets[m.Kind], ", "))
			}
			if err := c.validate(); err != nil {
				return lifecycle.Errorf(lifecycle.Invalid, "mapping: %s.%s: %w", group, name, err)
			}
		}
	}
	return nil
}

func (c Column) validate() error {
	n := 0
	for _, set := range []bool{c.Column != "", c.Constant != nil, c.Expr != "", len(c.Multiply) > 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("give exactly one of column, constant, expr and multiply")
	}
	switch c.Type {
	case "", "string", "number", "bool":
	default:
		return fmt.Errorf("type must be string, number or bool")
	}
	if c.Otherwise != nil && len(c.Values) == 0 {
		return fmt.Errorf("otherwise needs values")
	}
	_, err := c.format()
	return err
}

// format is how the column's instants are written.
func (c Column) format() (instantFormat, error) {
	f := instantFormat{layout: c.Layout}
	switch c.Layout {
	case "unix":
		f = instantFormat{unix: "s"}
	case "unix_ms":
		f = instantFormat{unix: "ms"}
	}
	if c.Zone == "Local" {
		return f, fmt.Errorf("zone must be an IANA name, not Local")
	}
	if c.Zone != "" {
		loc, err := time.LoadLocation(c.Zone)
		if err != nil {
			return f, fmt.Errorf("zone %q is not an IANA time zone", c.Zone)
		}
		f.zone = loc
	}
	return f, nil
}

// customerTargets are the columns of a customer besides attributes.
var customerTargets = []string{
	"external_id", "email", "phone", "first_name", "last_name", "locale", "country", "region", "postal_code",
	"time_zone", "created_at", "consent_email", "consent_sms", "consent_whatsapp", "consent_push", "consent_web",
	"consent_at", "consent_source", "consent_wording", "consent_ip",
	"consent_basis", "consent_form", "consent_user_agent", "consent_confirmed_at",
}

// targets lists the columns each kind knows. Orders may carry columns of the
// customer, used when the customer is not known yet.
var targets = map[Kind][]string{
	Customers: append(slices.Clone(customerTargets), "attributes"),
	Events:    {"external_id", "name", "at", "message_id", "source", "properties"},
	Touches: {"external_id", "at", "journey", "campaign", "arm", "entry", "step", "agent", "channel", "class", "offer", "cost", "currency",
		"state", "opened_at", "clicked_at"},
	Orders: append([]string{"order_id", "at", "total", "currency", "items", "first_item", "coupon"}, customerTargets...),
}
