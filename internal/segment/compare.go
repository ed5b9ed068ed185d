package segment

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

func isLiteral(v any) bool {
	switch v.(type) {
	case numberLiteral, textLiteral, constant:
		return true
	}
	return false
}

func kindOf(v any) string {
	switch v.(type) {
	case number:
		return "a number"
	case text:
		return "a text"
	case choiceOf:
		return "one of a list"
	case dynamic:
		return "a property"
	case condition:
		return "true or false"
	}
	return "a value"
}

// describe is the name of an expression for messages.
func (c *compiler) describe(e ast.Expr) string {
	if parts := path(e); parts != nil {
		return strings.Join(parts, ".")
	}
	return "this"
}

// compare compiles one of the six comparisons.
func (c *compiler) compare(e ast.Expr, op comparison, leftExpr, rightExpr ast.Expr) (condition, error) {
	left, err := c.operand(leftExpr)
	if err != nil {
		return nil, err
	}
	right, err := c.operand(rightExpr)
	if err != nil {
		return nil, err
	}
	if isLiteral(left) && isLiteral(right) {
		return nil, c.errorf(e, "use a value of the customer on one side", "this compares two constants")
	}
	if _, ok := right.(dynamic); isLiteral(left) || ok && !isLiteral(right) {
		if _, both := left.(dynamic); !both {
			left, right, op = right, left, op.flipped()
			leftExpr, rightExpr = rightExpr, leftExpr
		}
	}
	switch l := left.(type) {
	case dynamic:
		return c.compareDynamic(e, op, l, right)
	case number:
		if r, ok := right.(number); ok {
			return c.compareNumbers(e, op, l, r)
		}
	case text:
		if r, ok := right.(text); ok {
			return textCompare{op, l, r}, nil
		}
	case choiceOf:
		return c.compareChoice(e, op, l, right, rightExpr)
	case condition:
		if r, ok := right.(constant); ok && op.equality() {
			if bool(r) == (op == "==") {
				return l, nil
			}
			return negated{l}, nil
		}
		return nil, c.errorf(e, "use the condition itself, ! for its opposite", "a condition can only be compared with true or false by == and !=")
	}
	return nil, c.errorf(e, "compare values of one kind", "%s %s %s compares %s with %s", c.describe(leftExpr), op, c.describe(rightExpr), kindOf(left), kindOf(right))
}

func (c *compiler) compareNumbers(e ast.Expr, op comparison, left, right number) (condition, error) {
	days, isDays := left.(daysOf)
	_, rightDays := right.(daysOf)
	if isDays || rightDays {
		if op.equality() {
			return nil, c.errorf(e, "days have fractions: write for example x >= 3 && x < 4", "days cannot be compared with %s", op)
		}
	}
	if limit, ok := right.(numberLiteral); ok && isDays {
		if math.Abs(float64(limit)) > 36500 {
			return nil, c.errorf(e, "use at most 36500", "%v days is more than a century", float64(limit))
		}
		return daysCompare{op, days, int64(math.Round(float64(limit) * microsPerDay))}, nil
	}
	return numberCompare{op, left, right}, nil
}

// compareDynamic gives the property the type of the other side. Between two
// properties each type is tried: they compare only when they are of one type.
func (c *compiler) compareDynamic(e ast.Expr, op comparison, left dynamic, right any) (condition, error) {
	switch r := right.(type) {
	case dynamic:
		byType := anyOf{textCompare{op, dynamicText{left}, dynamicText{r}}, numberCompare{op, dynamicNumber{left}, dynamicNumber{r}}}
		if op.equality() {
			byType = append(byType, flagCompare{op == "!=", left, r})
		}
		return byType, nil
	case constant:
		if !op.equality() {
			return nil, c.errorf(e, "use == or !=", "true and false have no order")
		}
		return flagIs{left, bool(r) == (op == "==")}, nil
	case number:
		if days, ok := r.(daysOf); ok && op.equality() {
			return nil, c.errorf(e, "use < or >", "%s has fractions and cannot be compared with %s", days.name, op)
		}
		return numberCompare{op, dynamicNumber{left}, r}, nil
	case text:
		return textCompare{op, dynamicText{left}, r}, nil
	case choiceOf:
		return nil, c.errorf(e, fmt.Sprintf("use one of %s", strings.Join(r.values, ", ")), "%s can only be compared with constants", r.name)
	}
	return nil, c.errorf(e, "compare the property with a text, a number, true or false", "a property cannot be compared with %s", kindOf(right))
}

func (c *compiler) compareChoice(e ast.Expr, op comparison, left choiceOf, right any, rightExpr ast.Expr) (condition, error) {
	if !op.equality() {
		return nil, c.errorf(e, fmt.Sprintf("use ==, != or in with %s", strings.Join(left.values, ", ")), "%s has no order", left.name)
	}
	value, err := c.chosen(left, right, rightExpr)
	if err != nil {
		return nil, err
	}
	var member condition = choiceIn{left.choice, []string{value}}
	if op == "!=" {
		member = negated{member}
	}
	return member, nil
}

// chosen checks that a literal is one of the values of a choice.
func (c *compiler) chosen(field choiceOf, value any, e ast.Expr) (string, error) {
	hint := "use one of " + strings.Join(field.values, ", ")
	literal, ok := value.(textLiteral)
	if !ok {
		return "", c.errorf(e, hint, "%s can only be compared with constants", field.name)
	}
	if !slices.Contains(field.values, string(literal)) {
		if near := Nearest(string(literal), field.values); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return "", c.errorf(e, hint, "%s is never %q", field.name, string(literal))
	}
	return string(literal), nil
}

// membership compiles x in [..] and "text" in attributes.list.
func (c *compiler) membership(e, valueExpr, listExpr ast.Expr) (condition, error) {
	value, err := c.operand(valueExpr)
	if err != nil {
		return nil, err
	}
	if listExpr.Kind() != ast.ListKind {
		list, err := c.operand(listExpr)
		if err != nil {
			return nil, err
		}
		property, isProperty := list.(dynamic)
		wanted, isText := value.(textLiteral)
		if !isProperty || !isText {
			return nil, c.errorf(e, `write x in ["a", "b"] or "a" in attributes.list`, "in needs a list of constants, or a text and a property")
		}
		return listHas{property, string(wanted)}, nil
	}
	if isLiteral(value) {
		return nil, c.errorf(e, "use a value of the customer before in", "this compares constants")
	}
	var texts []string
	var numbers []float64
	elements := listExpr.AsList().Elements()
	for _, element := range elements {
		literal, err := c.operand(element)
		if err != nil {
			return nil, err
		}
		switch l := literal.(type) {
		case textLiteral:
			texts = append(texts, string(l))
		case numberLiteral:
			numbers = append(numbers, float64(l))
		default:
			return nil, c.errorf(element, "list texts or numbers", "%s cannot stand in a list", kindOf(literal))
		}
		if field, ok := value.(choiceOf); ok {
			if _, err := c.chosen(field, literal, element); err != nil {
				return nil, err
			}
		}
	}
	switch v := value.(type) {
	case choiceOf:
		if len(texts) > 0 {
			return choiceIn{v.choice, texts}, nil
		}
	case daysOf:
		return nil, c.errorf(e, "days have fractions: write for example x >= 3 && x < 4", "days cannot be compared with in")
	case dynamic:
		if len(texts) > 0 && len(numbers) == 0 {
			return textIn{dynamicText{v}, texts}, nil
		}
		if len(numbers) > 0 && len(texts) == 0 {
			return numberIn{dynamicNumber{v}, numbers}, nil
		}
	case text:
		if len(texts) > 0 && len(numbers) == 0 {
			return textIn{v, texts}, nil
		}
	case number:
		if len(numbers) > 0 && len(texts) == 0 {
			return numberIn{v, numbers}, nil
		}
	}
	if len(elements) == 0 {
		return nil, c.errorf(e, "list at least one value", "the list is empty")
	}
	return nil, c.errorf(e, "list values of the same kind", "%s is %s and the list holds others", c.describe(valueExpr), kindOf(value))
}

// textTest compiles startsWith, endsWith and contains.
func (c *compiler) textTest(function string, valueExpr, partExpr ast.Expr) (condition, error) {
	sides := [2]text{}
	for i, e := range []ast.Expr{valueExpr, partExpr} {
		operand, err := c.operand(e)
		if err != nil {
			return nil, err
		}
		switch v := operand.(type) {
		case dynamic:
			sides[i] = dynamicText{v}
		case text:
			sides[i] = v
		default:
			hint := ""
			if _, ok := v.(choiceOf); ok {
				hint = "use ==, != or in"
			}
			return nil, c.errorf(e, hint, "%s needs texts, %s is %s", function, c.describe(e), kindOf(v))
		}
	}
	return textTest{function, sides[0], sides[1]}, nil
}

func (c *compiler) arithmetic(e ast.Expr, op byte, leftExpr, rightExpr ast.Expr) (any, error) {
	sides := [2]number{}
	for i, side := range []ast.Expr{leftExpr, rightExpr} {
		operand, err := c.operand(side)
		if err != nil {
			return nil, err
		}
		n, ok := operand.(number)
		if !ok {
			return nil, c.errorf(side, "calculate with the numbers of orders, engagement and touches; compare properties directly", "%s is %s, arithmetic needs numbers of the customer model", c.describe(side), kindOf(operand))
		}
		sides[i] = n
	}
	return c.calculation(e, op, sides[0], sides[1])
}

// calculation folds constants and refuses what might leave the number range.
func (c *compiler) calculation(e ast.Expr, op byte, left, right number) (any, error) {
	n := arithmetic{op, left, right}
	if !safe(n) {
		return nil, c.errorf(e, "multiply fewer or smaller numbers", "this arithmetic might leave the range of numbers")
	}
	a, ok := left.(numberLiteral)
	if !ok {
		return n, nil
	}
	b, ok := right.(numberLiteral)
	if !ok {
		return n, nil
	}
	return numberLiteral(calculate(op, float64(a), float64(b))), nil
}
