package ingest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"github.com/shopspring/decimal"

	"touchstone/internal/lifecycle"
)

// row is one decoded record: the fields of a CSV row, or a JSON object.
type row struct {
	fields []string
	object map[string]json.RawMessage
	header map[string]int
}

// lookup returns the text of a column; absent and null are not found.
func (r *row) lookup(column string) (string, bool) {
	if r.object == nil {
		i, ok := r.header[column]
		if !ok {
			return "", false
		}
		return r.fields[i], true
	}
	return plainText(descend(r.object, column))
}

// descend finds a key of an object, or a dotted path into objects.
func descend(object map[string]json.RawMessage, path string) json.RawMessage {
	if raw, ok := object[path]; ok {
		return raw
	}
	head, tail, dotted := strings.Cut(path, ".")
	if !dotted {
		return nil
	}
	var inner map[string]json.RawMessage
	if raw := object[head]; len(raw) == 0 || json.Unmarshal(raw, &inner) != nil {
		return nil // not an object: the path leads nowhere
	}
	return descend(inner, tail)
}

// plainText is a JSON value as a column would show it.
func plainText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", false
	}
	if raw[0] != '"' {
		return string(raw), true
	}
	if inner := raw[1 : len(raw)-1]; !slices.Contains(inner, '\\') {
		return string(inner), true
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	return s, true
}

// texts is the row as CEL sees it.
func (r *row) texts() map[string]string {
	m := make(map[string]string, len(r.fields)+len(r.object))
	for name, i := range r.header {
		m[name] = r.fields[i]
	}
	for name, raw := range r.object {
		m[name], _ = plainText(raw) // null reads as empty text
	}
	return m
}

// value computes one value of a row.
type value struct {
	Column
	program cel.Program
	format  instantFormat
	comma   bool
}

// get returns the value's text, trimmed; empty when the row has none.
func (v *value) get(r *row) (string, error) {
	s := ""
	switch {
	case v.Constant != nil:
		return *v.Constant, nil
	case v.program != nil:
		out, err := evaluate(v.program, r)
		if err != nil {
			return "", err
		}
		s = fmt.Sprint(out.Value())
	case len(v.Multiply) > 0:
		product := decimal.NewFromInt(1)
		for _, column := range v.Multiply {
			text, _ := r.lookup(column) // absent reads as empty, which is no number
			d, err := parseDecimal(column, text, v.comma)
			if err != nil {
				return "", err
			}
			product = product.Mul(d)
		}
		return product.String(), nil
	default:
		s, _ = r.lookup(v.Column.Column) // absent reads as empty
		s = strings.TrimSpace(s)
	}
	if len(v.Values) > 0 {
		if translated, ok := v.Values[s]; ok {
			return translated, nil
		}
		if v.Otherwise != nil {
			return *v.Otherwise, nil
		}
	}
	return s, nil
}

// number returns the value as an exact decimal.
func (v *value) number(column string, r *row) (decimal.Decimal, error) {
	s, err := v.get(r)
	if err != nil {
		return decimal.Decimal{}, err
	}
	return parseDecimal(column, s, v.comma && len(v.Multiply) == 0 && v.Constant == nil)
}

// parseDecimal reads at most 15 digits before and 12 after the decimal sign.
func parseDecimal(column, s string, comma bool) (decimal.Decimal, error) {
	s = strings.TrimSpace(s)
	if comma {
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	}
	if s == "" {
		return decimal.Decimal{}, reject(column, "is missing")
	}
	unsigned := strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if len(s)-len(unsigned) > 1 || whole+fraction == "" || len(whole) > 15 || len(fraction) > 12 || strings.Trim(whole+fraction, "0123456789") != "" {
		return decimal.Decimal{}, reject(column, "is not a decimal number")
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return decimal.Decimal{}, reject(column, "is not a decimal number")
	}
	return d, nil
}

// money rounds an exact amount of major units to minor units, halves away from
// zero.
func money(column string, d decimal.Decimal, currency string) (lifecycle.Money, error) {
	minor := d.Shift(int32(lifecycle.MinorDigits(currency))).Round(0)
	if minor.Abs().GreaterThan(decimal.NewFromInt(1e15)) {
		return lifecycle.Money{}, reject(column, "is out of range")
	}
	return lifecycle.Money{Amount: minor.IntPart(), Currency: currency}, nil
}

// maxExprCost bounds one CEL evaluation, in CEL's cost units.
const maxExprCost = 100_000

// compile prepares a CEL expression over row. A condition must give a bool, a
// value anything that has a text.
func compile(expr string, condition bool) (cel.Program, error) {
	env, err := cel.NewEnv(cel.Variable("row", cel.MapType(cel.StringType, cel.StringType)), ext.Strings())
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	ast, issues := env.Compile(expr)
	if issues != nil && issues.Err() != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "expression %q: %w", expr, issues.Err())
	}
	switch out := ast.OutputType(); {
	case condition && !out.IsExactType(cel.BoolType):
		return nil, lifecycle.Errorf(lifecycle.Invalid, "expression %q must give true or false, not %s", expr, out)
	case !condition && !slices.ContainsFunc([]*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType, cel.BoolType}, out.IsExactType):
		return nil, lifecycle.Errorf(lifecycle.Invalid, "expression %q must give text, a number or a bool, not %s", expr, out)
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxExprCost))
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "expression %q: %w", expr, err)
	}
	return program, nil
}

func evaluate(p cel.Program, r *row) (ref.Val, error) {
	out, _, err := p.Eval(map[string]any{"row": r.texts()})
	if err != nil {
		return nil, reject("", "an expression of the mapping fails on it: %s", firstLine(err.Error()))
	}
	return out, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
