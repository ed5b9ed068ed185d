//go:build record

package workflows_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
)

var release = flag.String("release", "", "the released version that the histories are recorded from, such as v0.1.0")

// TestRecord plays every scenario on a real engine and writes the history of
// its last run to testdata/replay. Run it on the code of a release, never on
// the change that the histories are to guard: see docs/development.md.
func TestRecord(t *testing.T) {
	if *release == "" {
		t.Fatal("name the release: go test -tags record -run TestRecord ./workflows -release v0.1.0")
	}
	e := realEngine(t)
	for _, s := range scenarios() {
		t.Run(s.workflow+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			histories := e.play(t, s)
			text, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(&historypb.History{Events: histories[len(histories)-1]})
			if err != nil {
				t.Fatal(err)
			}
			if host, err := os.Hostname(); err == nil && strings.Contains(string(text), host) {
				t.Fatalf("the history names this machine (%s)", host)
			}
			folder := filepath.Join("testdata", "replay", s.workflow)
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, *release+"-"+s.name+".json")
			if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}
