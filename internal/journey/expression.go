package journey

import (
	"errors"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"touchstone/internal/segment"
)

// expression reads and compiles a segment; its mistakes get their place in the
// file.
func (n node) expression(what string) *segment.Expr {
	if _, ok := n.text(what, 4000); !ok {
		return nil
	}
	source := strings.TrimRight(scalar(n.yaml), " \n")
	e, err := segment.Compile(source)
	if err == nil {
		return e
	}
	var problem *segment.Error
	if !errors.As(err, &problem) {
		n.fail("", "%s: %v", what, err)
		return nil
	}
	line, column := n.inside(source, problem.Line, problem.Column)
	n.r.add(line, column, n.path, problem.Message, problem.Hint)
	return nil
}

func scalar(n ast.Node) string {
	if literal, ok := n.(*ast.LiteralNode); ok {
		return literal.Value.Value
	}
	if text, ok := n.(*ast.StringNode); ok {
		return text.Value
	}
	return ""
}

// inside finds the place in the file of a place in a scalar. YAML folds and
// indents white space but keeps everything else, so counting the other
// characters leads to the same one.
func (n node) inside(source string, line, column int) (int, int) {
	fileLine, fileColumn := position(n.yaml)
	quote := rune(0)
	switch v := n.yaml.(type) {
	case *ast.LiteralNode:
		fileLine, fileColumn = fileLine+1, 1
	case *ast.StringNode:
		switch v.GetToken().Type {
		case token.DoubleQuoteType:
			quote = '"'
		case token.SingleQuoteType:
			quote = '\''
		}
		if quote != 0 {
			fileColumn++
		}
	}
	remaining := visibleBefore(source, line, column)
	for ; fileLine <= len(n.r.lines); fileLine, fileColumn = fileLine+1, 1 {
		text := []rune(n.r.lines[fileLine-1])
		for i := fileColumn - 1; i < len(text); i++ {
			if unicode.IsSpace(text[i]) || quote == '"' && text[i] == '\\' && i+1 == len(text) {
				continue // white space, or a backslash that joins lines
			}
			width, visible := 1, true
			if i+1 < len(text) {
				switch {
				case quote == '"' && text[i] == '\\':
					width, visible = escapeWidth(text[i+1])
				case quote == '\'' && text[i] == '\'' && text[i+1] == '\'':
					width = 2
				}
			}
			if visible {
				if remaining == 0 {
					return fileLine, i + 1
				}
				remaining--
			}
			i += width - 1
		}
	}
	return position(n.yaml)
}

// visibleBefore counts the characters that are not white space before a place.
func visibleBefore(source string, line, column int) int {
	count := 0
	for i, text := range strings.Split(source, "\n") {
		for j, r := range []rune(text) {
			if i+1 == line && j+1 >= column || i+1 > line {
				return count
			}
			if !unicode.IsSpace(r) {
				count++
			}
		}
	}
	return count
}

// escapeWidth is the length of a double-quoted escape and whether it stands
// for a visible character.
func escapeWidth(after rune) (int, bool) {
	switch after {
	case 'n', 't', 'r', ' ', '_', 'N':
		return 2, false
	case 'x':
		return 4, true
	case 'u':
		return 6, true
	case 'U':
		return 10, true
	}
	return 2, true
}
