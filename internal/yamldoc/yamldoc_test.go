package yamldoc_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

func TestReadsValues(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("x.yaml", []byte("name: Ada\nage: 36\nshare: 0.5\nwait: 2d\nlist:\n  - a\n  - 7\ntext: |\n  two\n  lines\nempty:\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := d.Root().Fields("name", "age", "share", "wait", "list", "text", "empty", "absent")
	if got := f.Get("name").Text(); got != "Ada" {
		t.Errorf("name %q", got)
	}
	if got := f.Get("age").Int(0, 100); got != 36 {
		t.Errorf("age %d", got)
	}
	if got := f.Get("share").Float(0, 1); got != 0.5 {
		t.Errorf("share %v", got)
	}
	if got := f.Get("wait").Duration(); got != 48*time.Hour {
		t.Errorf("wait %v", got)
	}
	if got := f.Get("list").Texts(); len(got) != 2 || got[1] != "7" {
		t.Errorf("list %q", got)
	}
	if got := f.Get("text").Text(); got != "two\nlines" {
		t.Errorf("text %q", got)
	}
	if f.Get("empty").Present() || f.Get("absent").Present() {
		t.Error("empty and absent values must not be present")
	}
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

func TestCollectsMistakesWithPlaces(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("x.yaml", []byte("nmae: Ada\nage: old\nlist: 3\nwait: 3 days\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := d.Root().Fields("name", "age", "list", "wait")
	f.Get("name").Required("Ada")
	f.Get("age").Int(0, 100)
	f.Get("list").Items()
	f.Get("wait").Duration()
	err = d.Err()
	if lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Fatalf("code %v of %v", lifecycle.CodeOf(err), err)
	}
	for _, want := range []string{
		"x.yaml:1:7: unknown key nmae in the file: did you mean name?",
		"x.yaml:1:1: name is missing",
		"x.yaml:2:6: age must be a whole number from 0 to 100",
		"x.yaml:3:7: list must be a list",
		"x.yaml:4:7: wait: duration",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}

func TestRefusesWhatHidesMeaning(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"syntax":          "a: [1, 2",
		"anchor":          "a: &x 1\nb: 2",
		"alias":           "a: &x 1\nb: *x",
		"tag":             "a: !!str 1",
		"merge":           "a: {b: 1}\nc:\n  <<: {d: 1}",
		"second document": "a: 1\n---\nb: 2",
		"deep":            strings.Repeat("[", 5000),
		"large":           strings.Repeat("# padding\n", 200_000),
	} {
		if _, err := yamldoc.Parse("x.yaml", []byte(source)); lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.HasPrefix(err.Error(), "x.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDuplicateKeys(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("x.yaml", []byte("a: 1\na: 2\n"))
	if err == nil {
		d.Root().Entries()
		err = d.Err()
	}
	if err == nil || !strings.Contains(err.Error(), "x.yaml:2:") {
		t.Errorf("duplicate key: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a: 1\nb: [x, y]\n")
	f.Add("a:\n  - b: |\n      text\n")
	f.Add("{a: {b: {c: 1}}}")
	f.Fuzz(func(t *testing.T, source string) {
		began := time.Now()
		d, err := yamldoc.Parse("x.yaml", []byte(source))
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("%d bytes took %v", len(source), took)
		}
		if err != nil {
			if lifecycle.CodeOf(err) != lifecycle.Invalid {
				t.Fatalf("code of %v", err)
			}
			return
		}
		for _, e := range d.Root().Entries() {
			e.Value.Text()
			e.Value.Items()
			e.Value.Entries()
		}
		_ = d.Err()
	})
}
