package segment_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

var update = flag.Bool("update", false, "write the table of the customer model into the documentation")

const document = "../../docs/segments.md"

// TestDocumentation keeps the table of the customer model as the code has it,
// and compiles every example.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| Name | Type | May be missing | Meaning |\n|---|---|---|---|\n")
	for _, f := range segment.Fields() {
		kind, missing := f.Type, "no"
		if f.Values != nil {
			kind = "`" + strings.Join(f.Values, "`, `") + "`"
		}
		if f.Optional {
			missing = "yes"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.Name, kind, missing, f.Meaning)
	}
	block := regexp.MustCompile(`(?s)(<!-- model:[^\n]*-->\n).*(<!-- /model -->)`)
	want := block.ReplaceAllString(string(content), "${1}"+table.String()+"${2}")
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		content = []byte(want)
	}
	if string(content) != want || !strings.Contains(want, table.String()) {
		t.Errorf("the customer model in %s is not that of the code, run go test ./internal/segment -run Documentation -update", document)
	}
	examples := 0
	for _, fence := range regexp.MustCompile("(?s)```cel\n(.*?)```").FindAllStringSubmatch(want, -1) {
		for line := range strings.Lines(fence[1]) {
			e := compile(t, strings.TrimSpace(line))
			if _, _, err := e.SQL(now, lifecycle.DefaultStageThresholds(), 1); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			examples++
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*)` \\| (true|false) \\|$").FindAllStringSubmatch(want, -1) {
		got, err := compile(t, row[1]).Match(segment.Env{Now: now, Stages: lifecycle.DefaultStageThresholds()})
		if err != nil || fmt.Sprint(got) != row[2] {
			t.Errorf("%s is %v, %v; the documentation says %s", row[1], got, err, row[2])
		}
		examples++
	}
	if examples < 9 {
		t.Errorf("only %d examples found", examples)
	}
}
