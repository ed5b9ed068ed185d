package journey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a file and how to mend it.
type Error struct {
	File         string
	Line, Column int    // from 1, in characters
	Path         string // where in the document, such as steps[2].wait.for
	Message      string // lower case, no full stop
	Fix          string // what to write instead, may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Fix != "" {
		text += ": " + e.Fix
	}
	return text
}

// Errors are all mistakes of one file in the order of the file.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, problem := range e {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As access to each mistake.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, problem := range e {
		all[i] = problem
	}
	return all
}

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}
