package proof_test

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"touchstone/internal/experiment/proof"
)

// A short proof meets its targets where few runs can tell, and gives the same lines
// for the same seed.
func TestShortProof(t *testing.T) {
	t.Parallel()
	o := proof.Options{Seed: 5, Runs: 400, Parts: []string{"agreement", "cuped"}}
	first, err := proof.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := proof.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first.Lines, again.Lines) {
		t.Error("the same seed gives other lines")
	}
	for _, l := range first.Lines {
		if l.Part == "agreement" && (l.Met == nil || !*l.Met) {
			t.Errorf("missed: %+v", l)
		}
	}
}

func TestUnknownPartsAndAbsentData(t *testing.T) {
	t.Parallel()
	if _, err := proof.Run(proof.Options{Parts: []string{"luck"}}); err == nil || !strings.Contains(err.Error(), "agreement") {
		t.Errorf("%v", err)
	}
	r, err := proof.Run(proof.Options{Parts: []string{"hillstrom"}, Open: func(string) (io.ReadCloser, error) { return nil, errors.New("no such file") }})
	if err != nil || len(r.Lines) != 1 || r.Lines[0].Skipped == "" || !r.Met() {
		t.Errorf("%v: %+v", err, r.Lines)
	}
	broken := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("a,b\n1,2\n")), nil }
	if _, err := proof.Run(proof.Options{Parts: []string{"cookie_cats"}, Open: broken}); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a file without the columns: %v", err)
	}
}

// TestRealData proves what the real data sets show. TOUCHSTONE_REALDATA names their
// folder; the long replay of creative tests is left to make prove.
func TestRealData(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("TOUCHSTONE_REALDATA")
	for _, part := range []string{"cookie_cats", "hillstrom"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder, part, part+".csv.gz")
			if _, err := os.Stat(path); folder == "" || err != nil {
				t.Skipf("proof: skipped, there is no %s: name the folder of the datasets in TOUCHSTONE_REALDATA", path)
			}
			r, err := proof.Run(proof.Options{Parts: []string{part}, Open: func(string) (io.ReadCloser, error) {
				file, err := os.Open(path)
				if err != nil {
					return nil, err
				}
				return gzip.NewReader(file)
			}})
			if err != nil || !r.Met() || len(r.Lines) == 0 {
				t.Errorf("%v: %+v", err, r.Lines)
			}
		})
	}
}
