// Package yamldoc reads YAML configuration strictly and collects every mistake
// with file, line, column and what to write instead, so that one run of a
// command shows all of them. Level 1: imports lifecycle, clock and the YAML
// parser only. Anchors, aliases, tags and merge keys are refused: a
// configuration file says what it means where it means it.
package yamldoc

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"touchstone/internal/lifecycle"
)

// maxSource bounds what Parse reads, in bytes. Configuration is small.
const maxSource = 1 << 20

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 64

// Document is one YAML file being read.
type Document struct {
	file     string
	root     ast.Node
	problems []problem
}

type problem struct {
	line, column int
	text         string
}

// Parse reads the syntax of one YAML document. The error is Invalid and names
// the place.
func Parse(file string, source []byte) (d *Document, err error) {
	d = &Document{file: file}
	if len(source) > maxSource {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "%s: larger than %d bytes: split it or remove what does not belong there", file, maxSource)
	}
	if line, column, deep := tooDeep(string(source)); deep {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "%s:%d:%d: nested more than %d levels: flatten it", file, line, column, maxDepth)
	}
	defer func() {
		if r := recover(); r != nil { // the parser gives up on some malformed input by panicking
			d, err = nil, lifecycle.Errorf(lifecycle.Invalid, "%s: not YAML: %v", file, r)
		}
	}()
	parsed, err := parser.ParseBytes(source, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
			p := at.GetToken().Position
			return nil, lifecycle.Errorf(lifecycle.Invalid, "%s:%d:%d: not YAML: %s", file, p.Line, p.Column, at.GetMessage())
		}
		return nil, lifecycle.Errorf(lifecycle.Invalid, "%s: not YAML: %w", file, err)
	}
	for _, doc := range parsed.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		if d.root != nil {
			line, column := position(doc.Body)
			return nil, lifecycle.Errorf(lifecycle.Invalid, "%s:%d:%d: a second document: keep one per file", file, line, column)
		}
		d.root = doc.Body
	}
	d.refuseIndirection(d.root, 0)
	return d, d.Err()
}

// tooDeep finds the place where flow brackets or block indentation nest deeper
// than maxDepth. It looks at the text, because the parser recurses.
func tooDeep(source string) (line, column int, deep bool) {
	open := 0
	for i, text := range strings.Split(source, "\n") {
		indent := len(text) - len(strings.TrimLeft(text, " -?:"))
		if indent > 4*maxDepth {
			return i + 1, indent, true
		}
		for j, r := range text {
			switch r {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
			if open > maxDepth {
				return i + 1, j + 1, true
			}
		}
	}
	return 0, 0, false
}

func (d *Document) refuseIndirection(n ast.Node, depth int) {
	if n == nil || depth > 2*maxDepth {
		return
	}
	refuse := func(what string) {
		d.failAt(n, "%s: write the value out", what)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			d.refuseIndirection(v, depth+1)
		}
	case *ast.MappingValueNode:
		if _, ok := n.Key.(*ast.MergeKeyNode); ok {
			refuse("merge keys are not read")
			return
		}
		d.refuseIndirection(n.Value, depth+1)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			d.refuseIndirection(v, depth+1)
		}
	case *ast.AnchorNode:
		refuse("anchors are not read")
	case *ast.AliasNode:
		refuse("aliases are not read")
	case *ast.TagNode:
		refuse("tags are not read")
	}
}

// Err is nil when nothing was wrong, else one Invalid error listing every
// mistake in the order of the file, one per line.
func (d *Document) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	sort.SliceStable(d.problems, func(i, j int) bool {
		a, b := d.problems[i], d.problems[j]
		return a.line < b.line || a.line == b.line && a.column < b.column
	})
	lines := make([]string, len(d.problems))
	for i, p := range d.problems {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", d.file, p.line, p.column, p.text)
	}
	return lifecycle.Errorf(lifecycle.Invalid, "%s", strings.Join(lines, "\n"))
}

func (d *Document) failAt(n ast.Node, format string, args ...any) {
	line, column := position(n)
	d.problems = append(d.problems, problem{line, column, fmt.Sprintf(format, args...)})
}

func position(n ast.Node) (line, column int) {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			n = m.Values[0]
		}
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 1
	}
	return n.GetToken().Position.Line, n.GetToken().Position.Column
}
