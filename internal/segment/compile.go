package segment

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// Limits keep a segment readable and its SQL small.
const (
	maxLength = 4000 // characters
	maxDepth  = 50
	maxNodes  = 500
	// maxAffinity is how long a name of an interest is kept, in bytes of its store.
	maxAffinity = 400
)

// Compile parses and checks a segment. What is wrong comes back as an *Error
// with its place and what to write instead.
func Compile(source string) (*Expr, error) {
	if strings.TrimSpace(source) == "" {
		return nil, &Error{Line: 1, Column: 1, Message: "the segment is empty", Hint: `write a condition such as stage == "lapsed"`}
	}
	if !utf8.ValidString(source) || strings.ContainsRune(source, 0) {
		return nil, &Error{Line: 1, Column: 1, Message: "the segment is not plain UTF-8 text"}
	}
	p, err := parser.NewParser(
		parser.Macros(parser.HasMacro),
		parser.MaxRecursionDepth(maxDepth),
		parser.ExpressionSizeCodePointLimit(maxLength),
		parser.MaxExpressionNodeCount(maxNodes),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the segment parser: %w", err)
	}
	parsed, problems := p.Parse(common.NewTextSource(source))
	if found := problems.GetErrors(); len(found) > 0 {
		return nil, syntaxError(found[0])
	}
	c := &compiler{info: parsed.SourceInfo()}
	root, err := c.condition(parsed.Expr())
	if err != nil {
		return nil, err
	}
	return &Expr{source: source, root: root, used: c.used, event: c.event, entry: c.entry}, nil
}

func syntaxError(e *common.Error) *Error {
	message := strings.TrimPrefix(e.Message, "Syntax error: ")
	if i := strings.Index(message, " expecting "); i > 0 {
		message = message[:i]
	}
	line, column := 1, 1
	if e.Location != nil && e.Location.Line() > 0 {
		line, column = e.Location.Line(), e.Location.Column()+1
	}
	out := &Error{Line: line, Column: column, Message: "cannot read the segment: " + message}
	if strings.Contains(message, "'=") || strings.Contains(message, "'&") || strings.Contains(message, "'|") {
		out.Hint = "compare with ==, combine with && and ||"
	}
	return out
}

// compiler turns the CEL tree into ours.
type compiler struct {
	info         *ast.SourceInfo
	used         []use
	event, entry *Error
}

func (c *compiler) errorf(e ast.Expr, hint, format string, args ...any) *Error {
	line, column := c.start(e)
	return &Error{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// start is the first character of an expression, not its operator.
func (c *compiler) start(e ast.Expr) (line, column int) {
	if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
		return c.start(e.AsSelect().Operand())
	}
	location := c.info.GetStartLocation(e.ID())
	line, column = location.Line(), location.Column()+1
	earlier := func(child ast.Expr) {
		if l, col := c.start(child); l >= 1 && (line < 1 || l < line || l == line && col < column) {
			line, column = l, col
		}
	}
	switch e.Kind() {
	case ast.SelectKind:
		earlier(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			earlier(call.Target())
		}
		for _, a := range call.Args() {
			earlier(a)
		}
	}
	return line, column
}

// condition compiles an expression that must be true or false.
func (c *compiler) condition(e ast.Expr) (condition, error) {
	if e.Kind() == ast.CallKind {
		call := e.AsCall()
		switch name, args := call.FunctionName(), call.Args(); name {
		case "_&&_", "_||_":
			parts := make([]condition, 0, len(args))
			for _, a := range args {
				part, err := c.condition(a)
				if err != nil {
					return nil, err
				}
				parts = append(parts, part)
			}
			if name == "_&&_" {
				return all(parts), nil
			}
			return anyOf(parts), nil
		case "!_":
			inner, err := c.condition(args[0])
			if err != nil {
				return nil, err
			}
			return negated{inner}, nil
		case "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_":
			return c.compare(e, comparison(strings.Trim(name, "_")), args[0], args[1])
		case "@in":
			return c.membership(e, args[0], args[1])
		case "startsWith", "endsWith", "contains":
			if call.IsMemberFunction() && len(args) == 1 {
				return c.textTest(name, call.Target(), args[0])
			}
		}
	}
	if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
		return c.presence(e)
	}
	value, err := c.operand(e)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case condition:
		return v, nil
	case dynamic:
		return flagIs{v, true}, nil
	}
	return nil, c.errorf(e, "compare it with something", "%s is %s, not a condition", c.describe(e), kindOf(value))
}

// operand compiles a value: number, text, choiceOf, dynamic or condition.
func (c *compiler) operand(e ast.Expr) (any, error) {
	switch e.Kind() {
	case ast.LiteralKind:
		return c.literal(e)
	case ast.IdentKind, ast.SelectKind:
		if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
			return c.condition(e)
		}
		return c.name(e)
	case ast.CallKind:
		return c.call(e)
	case ast.ListKind:
		return nil, c.errorf(e, `write for example customer.country in ["US", "CA"]`, "a list may only stand after in")
	}
	return nil, c.errorf(e, "use comparisons, &&, ||, !, in and has()", "this CEL construct is not part of segments")
}

func (c *compiler) literal(e ast.Expr) (any, error) {
	switch v := e.AsLiteral().Value().(type) {
	case bool:
		return constant(v), nil
	case int64:
		return numberLiteral(v), nil
	case float64:
		if n := numberLiteral(v); v == 0 || safe(n) {
			return n, nil
		}
		return nil, c.errorf(e, "", "the number %g is out of range", v)
	case string:
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return nil, c.errorf(e, "", "the text contains characters no customer value can have")
		}
		return textLiteral(v), nil
	case uint64:
		return nil, c.errorf(e, "leave out the u", "unsigned numbers are not part of segments")
	}
	if strings.Contains(strings.ToLower(fmt.Sprintf("%T", e.AsLiteral())), "null") {
		return nil, c.errorf(e, "ask with has(x) or !has(x)", "null is not part of segments")
	}
	return nil, c.errorf(e, "use text, numbers, true or false", "this kind of literal is not part of segments")
}

// path returns the dotted name of an expression, "" when it has none.
// attributes["first-order"] is the name attributes and first-order.
func path(e ast.Expr) []string {
	switch e.Kind() {
	case ast.IdentKind:
		return []string{strings.TrimPrefix(e.AsIdent(), ".")}
	case ast.SelectKind:
		if before := path(e.AsSelect().Operand()); before != nil {
			return append(before, e.AsSelect().FieldName())
		}
	case ast.CallKind:
		if call := e.AsCall(); call.FunctionName() == "_[_]" && len(call.Args()) == 2 && call.Args()[1].Kind() == ast.LiteralKind {
			if key, ok := call.Args()[1].AsLiteral().Value().(string); ok {
				if before := path(call.Args()[0]); before != nil {
					return append(before, key)
				}
			}
		}
	}
	return nil
}

func (c *compiler) name(e ast.Expr) (any, error) {
	parts := path(e)
	if parts == nil {
		return nil, c.errorf(e, "use the names of the customer model", "this is not a name of the customer model")
	}
	full := strings.Join(parts, ".")
	switch parts[0] {
	case "attributes", "event", "entry":
		if len(parts) != 2 || parts[1] == "" {
			return nil, c.errorf(e, "name one property, such as "+parts[0]+".plan; nested properties are not part of segments", "%s does not name a property", full)
		}
		if strings.ContainsRune(parts[1], 0) || !utf8.ValidString(parts[1]) {
			return nil, c.errorf(e, "", "the property name contains characters no customer value can have")
		}
		if parts[0] == "event" && c.event == nil {
			c.event = c.errorf(e, "use attributes, orders, engagement or consent", "%s exists only while an event is handled, a cohort has none", full)
		}
		if parts[0] == "entry" && c.entry == nil {
			c.entry = c.errorf(e, "use attributes, orders, engagement or consent", "%s exists only inside a journey, a cohort has none", full)
		}
		return c.uses(full, dynamic{parts[0], parts[1]}), nil
	}
	if parts[0] == "affinity" {
		if len(parts) != 2 || parts[1] == "" || len(parts[1]) > maxAffinity || strings.ContainsRune(parts[1], 0) || !utf8.ValidString(parts[1]) {
			return nil, c.errorf(e, `name one category or product, such as affinity["shoes"]`, "%s does not name an interest", full)
		}
		return c.uses(full, affinityOf{parts[1]}), nil
	}
	if value, ok := lookup(full); ok {
		return c.uses(full, value), nil
	}
	if fields := inNamespace(full); len(fields) > 0 {
		if len(parts) == 1 {
			return nil, c.errorf(e, "use one of "+strings.Join(fields, ", "), "%s is a group of values", full)
		}
		if near := Nearest(full, fields); near != "" {
			return nil, c.errorf(e, fmt.Sprintf("did you mean %s?", near), "unknown value %s", full)
		}
		return nil, c.errorf(e, "use one of "+strings.Join(fields, ", "), "unknown value %s", full)
	}
	if near := Nearest(full, names()); near != "" {
		return nil, c.errorf(e, fmt.Sprintf("did you mean %s?", near), "unknown value %s", full)
	}
	return nil, c.errorf(e, "start with one of "+strings.Join(namespaces, ", "), "unknown value %s", full)
}

// presence compiles has(x).
func (c *compiler) presence(e ast.Expr) (condition, error) {
	value, err := c.name(e)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case choiceOf:
		return nil, c.errorf(e, fmt.Sprintf("compare it, such as %s == %q", v.name, v.values[0]), "%s is always known", v.name)
	case flagOf:
		return nil, c.errorf(e, "use it without has()", "%s is always known", v.name)
	case affinityOf:
		return nil, c.errorf(e, fmt.Sprintf("compare it, such as %s > 0", c.describe(e)), "an affinity is always known, 0 for none")
	case numberOf:
		if !v.optional {
			return nil, c.errorf(e, fmt.Sprintf("compare it, such as %s > 0", v.name), "%s is always known", v.name)
		}
		return present{v}, nil
	case optional:
		return present{v}, nil
	}
	return nil, c.errorf(e, "", "has() does not apply to %s", kindOf(value))
}

// call compiles functions that yield numbers, and refuses the rest by name.
func (c *compiler) call(e ast.Expr) (any, error) {
	call := e.AsCall()
	switch name := call.FunctionName(); name {
	case "_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "startsWith", "endsWith", "contains":
		if !call.IsMemberFunction() || len(call.Args()) == 1 {
			return c.condition(e)
		}
		return nil, c.errorf(e, "", "%s takes one text", name)
	case "_+_", "_-_", "_*_":
		return c.arithmetic(e, name[1], call.Args()[0], call.Args()[1])
	case "-_":
		value, err := c.operand(call.Args()[0])
		if err != nil {
			return nil, err
		}
		n, ok := value.(number)
		if !ok {
			return nil, c.errorf(e, "", "cannot negate %s", kindOf(value))
		}
		return c.calculation(e, '*', n, numberLiteral(-1))
	case "_[_]":
		return c.name(e)
	default:
		if hint, ok := refused[name]; ok {
			return nil, c.errorf(e, hint, "%s is not part of segments", strings.Trim(name, "_"))
		}
		return nil, c.errorf(e, "use startsWith, endsWith, contains, in and has()", "unknown function %s", strings.Trim(name, "_@"))
	}
}

// refused are CEL functions people may try, with what to write instead.
var refused = map[string]string{
	"_/_":        "move the division to the other side as a multiplication, or use orders.average_value",
	"_%_":        "compare the number itself",
	"_?_:_":      "write (a && b) || (!a && c)",
	"matches":    "use startsWith, endsWith, contains or in",
	"size":       "compare the value itself, or ask has(x)",
	"exists":     `write "text" in attributes.list`,
	"all":        `write "text" in attributes.list`,
	"filter":     `write "text" in attributes.list`,
	"map":        `write "text" in attributes.list`,
	"timestamp":  "use the days_since values",
	"duration":   "use the days_since values",
	"int":        "compare the value directly, types are matched for you",
	"double":     "compare the value directly, types are matched for you",
	"string":     "compare the value directly, types are matched for you",
	"type":       "ask has(x) and compare; a property of another type never matches",
	"lowerAscii": "store the value in one spelling, or use in with all spellings",
}
