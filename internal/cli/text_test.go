package cli

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/brand"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
)

func TestWrapKeepsWordsAndWidth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-zé]{1,20}`)).Draw(t, "words")
		indent := rapid.IntRange(0, 60).Draw(t, "indent")
		wrapped := wrap(strings.Join(words, " "), indent)
		if got := strings.Fields(wrapped); strings.Join(got, " ") != strings.Join(words, " ") {
			t.Fatalf("words changed: %q", got)
		}
		for i, line := range strings.Split(wrapped, "\n") {
			n := len([]rune(line))
			if i == 0 {
				n += indent
			}
			if n > width {
				t.Fatalf("line of %d columns", n)
			}
		}
	})
}

func TestParseShare(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]float64{"20%": 0.2, "0.2": 0.2, "100%": 1, "0": 0, " 5% ": 0.05} {
		if got, err := parseShare("--ramp", in); err != nil || got < want-1e-12 || got > want+1e-12 {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "%", "-1", "2", "101%", "NaN", "a lot"} {
		if got, err := parseShare("--ramp", in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"": {}, "7d": now.AddDate(0, 0, -7), "2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "2026-03-01T10:00:00+02:00": time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := parseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 90 * time.Second: "1m", 3*time.Hour + 5*time.Minute: "3h05m", 50 * time.Hour: "2d2h", -time.Minute: "-1m",
	} {
		if got := age(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestEditorSheetIsReadBack(t *testing.T) {
	t.Parallel()
	old := lifecycle.Parts{Subject: "Hi {{ first_name }}", Preheader: "p", Text: "one\n\ntwo", HTML: "<p>one</p>\n<p>two</p>"}
	if got := unsheet([]byte(sheet(old))); got != old {
		t.Errorf("read back %+v", got)
	}
	edited := old
	edited.Text = "three"
	if got, err := changed(old, unsheet([]byte(sheet(edited)))); err != nil || got != (lifecycle.Parts{Text: "three"}) {
		t.Errorf("changed %+v, %v", got, err)
	}
	if _, err := changed(old, unsheet([]byte(sheet(old)))); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("an edit that changes nothing: %v", err)
	}
}

func TestMostTouches(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"winback": 3, "cart-recovery": 2} {
		def, err := parseJourney(name, journey.Shipped()[name], brand.Example())
		if err != nil {
			t.Fatal(err)
		}
		if got := mostTouches(def.Steps); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}
