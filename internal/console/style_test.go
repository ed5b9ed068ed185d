package console

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// themes reads the colours of the sheet: light, dark as chosen, dark as the
// system says.
func themes(t *testing.T) []map[string]string {
	t.Helper()
	sheet, err := staticEmbedded.ReadFile("static/console.css")
	if err != nil {
		t.Fatal(err)
	}
	var found []map[string]string
	declared := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	for _, head := range []string{":root {", `:root[data-theme="dark"] {`, ":root:not([data-theme]) {"} {
		_, block, ok := strings.Cut(string(sheet), head)
		if !ok {
			t.Fatalf("the sheet has no block %s", head)
		}
		block, _, _ = strings.Cut(block, "}")
		colours := map[string]string{}
		for _, d := range declared.FindAllStringSubmatch(block, -1) {
			colours[d[1]] = d[2]
		}
		found = append(found, colours)
	}
	return found
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	linear := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

// TestContrast: text keeps 4.5:1 against everything it stands on, and the edges
// of fields 3:1, in every theme (WCAG 2.2, 1.4.3 and 1.4.11, level AA).
func TestContrast(t *testing.T) {
	t.Parallel()
	all := themes(t)
	for name, colour := range all[1] {
		if all[2][name] != colour {
			t.Errorf("--%s is %s in the chosen dark theme and %s in the system's", name, colour, all[2][name])
		}
	}
	for i, theme := range []string{"light", "dark"} {
		colours := all[i]
		atLeast := func(text, on string, least float64) {
			t.Helper()
			a, b := luminance(t, colours[text]), luminance(t, colours[on])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < least {
				t.Errorf("%s: %s on %s has %.2f:1, less than %.1f:1", theme, text, on, ratio, least)
			}
		}
		for _, on := range []string{"bg", "surface", "raised"} {
			for _, text := range []string{"ink", "muted", "accent"} {
				atLeast(text, on, 4.5)
			}
		}
		atLeast("strong-line", "surface", 3)
		for _, state := range []string{"good", "fair", "poor"} {
			atLeast(state, state+"-soft", 4.5)
			atLeast(state, "surface", 4.5)
			atLeast("ink", state+"-soft", 4.5)
		}
		atLeast("accent", "accent-soft", 4.5)
		atLeast("on-accent", "accent", 4.5)
		atLeast("on-danger", "danger", 4.5)
		atLeast("held", "surface", 4.5)
	}
}
