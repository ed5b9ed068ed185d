package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// print writes v as JSON with --json, and otherwise calls table.
func (a *app) print(v any, table func()) error {
	if !a.json {
		table()
		return nil
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice && r.IsNil() {
		v = []any{} // an empty list is a list
	}
	encoder := json.NewEncoder(a.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// table writes rows under a header in aligned columns, each line after indent.
func (a *app) table(header []string, rows [][]string) { a.indented("", header, rows) }

func (a *app) indented(indent string, header []string, rows [][]string) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	if header != nil {
		fmt.Fprintln(w, strings.ToUpper(strings.Join(header, "\t")))
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(a.Err, "touchstone:", err)
	}
	for line := range strings.Lines(text.String()) {
		a.say("%s%s", indent, strings.TrimRight(line, " \n"))
	}
}

// say writes one line for a person.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.Out, format+"\n", args...) }

// note writes one line about what happened beside the result.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
